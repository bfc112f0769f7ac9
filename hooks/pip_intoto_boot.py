"""Arms the gate in every interpreter of this environment, at the price of one small import.

``pip_intoto_gate.pth`` (and ``pip_intoto_gate.start`` from Python 3.15 on, PEP 829) call
:func:`arm`. It puts a finder on ``sys.meta_path`` that does nothing until somebody imports
``pip._internal``; only then is the gate loaded. An interpreter that never runs pip pays for one
string comparison an import.

It waits for ``pip._internal`` and not for ``pip``, because pip's own ``__pip-runner__`` puts a
finder in front of this one that answers for ``pip``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What a parent pip tells the pip that it starts; empty in a pip that a person started.
_context: dict[str, Any] = {}


class _Sentinel:
    """Notices the first import of ``pip._internal``, loads the gate, and steps aside."""

    def find_spec(self, fullname: str, path: Any = None, _target: Any = None) -> None:
        if fullname == "pip._internal":
            sys.meta_path.remove(self)
            _load_gate(path)


def arm(context: dict[str, Any] | None = None) -> None:
    """Wait for pip. Calling it again only adds to what the gate will be told."""
    _context.update(context or {})
    if not any(isinstance(finder, _Sentinel) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Sentinel())


def _load_gate(pip_path: Any) -> None:
    # Imported here for start-up time: most interpreters never come this far.
    import importlib.machinery
    import importlib.util
    import os

    # By file path, never through sys.path: pip's build environments strip site-packages, and
    # the working directory may come first.
    here = os.path.dirname(os.path.abspath(__file__))
    directory = os.path.join(here, "pip_intoto_gate")
    try:
        loader = importlib.machinery.SourceFileLoader(
            "pip_intoto_gate", os.path.join(directory, "__init__.py")
        )
        spec = importlib.machinery.ModuleSpec(
            loader.name, loader, origin=loader.path, is_package=True
        )
        spec.submodule_search_locations = [directory]
        package = importlib.util.module_from_spec(spec)
        sys.modules[loader.name] = package
        loader.exec_module(package)
        from pip_intoto_gate import seams

        seams.take_position(here, list(pip_path or ()), _context)
    except Exception as error:
        # Fail closed: a gate that cannot be loaded lets nothing through.
        raise SystemExit(
            f"ERROR: pip-intoto could not load its gate from {directory}: {error!r}\n"
            "Nothing was installed. Reinstall pip-intoto, or, to do without verification, delete"
            f" {os.path.join(here, 'pip_intoto_gate.pth')}. [pip-unsupported]"
        ) from error
