"""Where the gate enters pip: which function of which module, and how it is wrapped.

None of these names is public, so each may vanish with the next release. Every seam is therefore
checked twice, when its module is loaded and again when pip prepares its first requirement; one
that is missing stops every install (``pip-unsupported``), because a gate with a hole is none.

Modules are patched as they are loaded, before anybody else can have imported a name from them.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import os
import sys
from typing import TYPE_CHECKING, Any

from pip_intoto_gate import limits

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

    from pip_intoto_gate.gate import Gate
    from pip_intoto_gate.opening import Opening

    #: Makes the replacement for a function: called with (original, gate).
    Wrapper = Callable[[Callable[..., Any], Gate], Callable[..., Any]]

#: What a wrapped function carries, so that the self-check can tell it from pip's own.
_MARK = "__pip_intoto__"

#: Commands of pip that fetch distributions.
_FETCHING_COMMANDS = frozenset({"install", "download", "wheel", "lock"})


class Seam:
    """One function of pip that the gate wraps."""

    def __init__(self, module: str, name: str, wrapper: Wrapper) -> None:
        self.module = module
        self.name = name
        self.wrapper = wrapper

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def _owner(self) -> tuple[Any, str]:
        owner = sys.modules[self.module]
        *path, name = self.name.split(".")
        for part in path:
            owner = getattr(owner, part)
        return owner, name

    def is_there(self) -> bool:
        """Whether this pip has the function."""
        try:
            owner, name = self._owner()
        except AttributeError:
            return False
        return hasattr(owner, name)

    def apply(self, gate: Gate) -> None:
        """Wrap the function."""
        owner, name = self._owner()
        original = getattr(owner, name)
        replacement = self.wrapper(original, gate)
        replacement.__name__ = getattr(original, "__name__", name)
        replacement.__doc__ = original.__doc__
        setattr(replacement, _MARK, True)
        setattr(owner, name, replacement)

    def is_applied(self) -> bool:
        """Whether what pip would call now is the wrapped function."""
        try:
            owner, name = self._owner()
            return bool(getattr(getattr(owner, name), _MARK, False))
        except (KeyError, AttributeError):
            return False


# --- the wrappers ---------------------------------------------------------------------------
# Each passes arguments that it does not know through as they came.


def _prepare_init(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        check_seams()
        gate.open(self._session)

    return init


def _prepare_linked(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def _prepare_linked_requirement(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        gate.start_preparing(req)
        try:
            return original(self, req, *args, **kwargs)
        finally:
            gate.stop_preparing()

    return _prepare_linked_requirement


def _prepare_linked_more(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def prepare_linked_requirements_more(self: Any, reqs: Any, *args: Any, **kwargs: Any) -> None:
        reqs = list(reqs)
        original(self, reqs, *args, **kwargs)
        gate.settle(reqs)

    return prepare_linked_requirements_more


def _prepare_editable(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def prepare_editable_requirement(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        gate.start_preparing(req)
        try:
            return original(self, req, *args, **kwargs)
        finally:
            gate.stop_preparing()

    return prepare_editable_requirement


def _fetch_metadata_only(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def _fetch_metadata_only(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        gate.announce(req)
        distribution = original(self, req, *args, **kwargs)
        gate.resolved_with(req, distribution)
        return distribution

    return _fetch_metadata_only


def _save_linked(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def save_linked_requirement(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        gate.settle([req])
        return original(self, req, *args, **kwargs)

    return save_linked_requirement


def _get_prepared(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def _get_prepared_distribution(req: Any, *args: Any, **kwargs: Any) -> Any:
        gate.start_running_code(req)
        try:
            return original(req, *args, **kwargs)
        finally:
            gate.stop_running_code()

    return _get_prepared_distribution


def _get_file_url(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def get_file_url(*args: Any, **kwargs: Any) -> Any:
        file = original(*args, **kwargs)
        file.path = gate.private_copy(file.path)
        return file

    return get_file_url


def _unpack_file(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def unpack_file(filename: str, *args: Any, **kwargs: Any) -> Any:
        gate.before_unpacking(filename)
        return original(filename, *args, **kwargs)

    return unpack_file


def _response_chunks(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def response_chunks(response: Any, *args: Any, **kwargs: Any) -> Any:
        return gate.watch(response, original(response, *args, **kwargs))

    return response_chunks


def _get_cache_entry(_original: Callable[..., Any], _gate: Gate) -> Callable[..., Any]:
    def get_cache_entry(*args: Any, **kwargs: Any) -> None:
        """No wheel that was built in an earlier run: no verdict covers it."""

    return get_cache_entry


def _build_one(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def _build_one(req: Any, *args: Any, **kwargs: Any) -> Any:
        source = req.link
        path = original(req, *args, **kwargs)
        gate.built(path, source)
        return path

    return _build_one


def _install_given_reqs(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    import inspect  # pip has loaded it long before; named here because only this one needs it

    from pip._internal.locations import get_scheme

    signature = inspect.signature(original)

    def install_given_reqs(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments

        def scheme_of(req: Any) -> Any:
            return get_scheme(
                req.name,
                user=given["use_user_site"],
                home=given["home"],
                root=given["root"],
                prefix=given["prefix"],
            )

        gate.sweep(given["requirements"], scheme_of)
        return original(*args, **kwargs)

    return install_given_reqs


def _install_wheel(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def install_wheel(name: str, wheel_path: str, scheme: Any, *args: Any, **kwargs: Any) -> Any:
        gate.before_installing(name, wheel_path, scheme)
        result = original(name, wheel_path, scheme, *args, **kwargs)
        gate.after_installing(name, wheel_path, scheme)
        return result

    return install_wheel


def _handle_target_dir(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    from pip._internal.locations import get_scheme

    def _handle_target_dir(
        self: Any, target_dir: str, target_temp_dir: Any, *args: Any, **kwargs: Any
    ) -> Any:
        gate.before_moving(get_scheme("", home=target_temp_dir.path), target_dir)
        return original(self, target_dir, target_temp_dir, *args, **kwargs)

    return _handle_target_dir


def _get_runnable_pip(original: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
    def get_runnable_pip() -> str:
        return gate.child_runner(original())

    return get_runnable_pip


_PREPARE = "pip._internal.operations.prepare"
_PREPARER = "RequirementPreparer."

SEAMS: list[Seam] = [
    Seam(_PREPARE, _PREPARER + "__init__", _prepare_init),
    Seam(_PREPARE, _PREPARER + "_prepare_linked_requirement", _prepare_linked),
    Seam(_PREPARE, _PREPARER + "prepare_linked_requirements_more", _prepare_linked_more),
    Seam(_PREPARE, _PREPARER + "prepare_editable_requirement", _prepare_editable),
    Seam(_PREPARE, _PREPARER + "_fetch_metadata_only", _fetch_metadata_only),
    Seam(_PREPARE, _PREPARER + "save_linked_requirement", _save_linked),
    Seam(_PREPARE, "_get_prepared_distribution", _get_prepared),
    Seam(_PREPARE, "get_file_url", _get_file_url),
    Seam("pip._internal.utils.unpacking", "unpack_file", _unpack_file),
    Seam("pip._internal.network.utils", "response_chunks", _response_chunks),
    Seam("pip._internal.cache", "WheelCache.get_cache_entry", _get_cache_entry),
    Seam("pip._internal.wheel_builder", "_build_one", _build_one),
    Seam("pip._internal.req", "install_given_reqs", _install_given_reqs),
    Seam("pip._internal.operations.install.wheel", "install_wheel", _install_wheel),
]

#: Only `pip install` loads this module, and no other command needs it.
INSTALL_COMMAND = Seam(
    "pip._internal.commands.install", "InstallCommand._handle_target_dir", _handle_target_dir
)

#: To pip 26.2 in the first of these modules, from 26.3 on in the second.
RUNNABLE_PIP = (
    Seam("pip._internal.build_env", "get_runnable_pip", _get_runnable_pip),
    Seam("pip._internal.utils.misc", "get_runnable_pip", _get_runnable_pip),
)


# --- taking position ------------------------------------------------------------------------


def take_position(site_packages: str, pip_path: list[str], context: dict[str, Any]) -> None:
    """Called at the first import of ``pip._internal``: put the gate in place, or stay dormant.

    ``pip_path`` is where pip's package lies.
    """
    # Loaded now and not above: dormant interpreters need none of it.
    from pip_intoto_gate import location, settings

    if not context and not settings.marker_exists(site_packages):
        try:
            if location.locate() is None:
                return
        except location.PolicyUnusable:
            pass  # the gate says so when pip wants to install something
    late = _LateGate(site_packages, context)
    sys.meta_path.insert(0, _Patcher(late))
    _check_version(pip_path)
    if _is_fetching():
        with contextlib.suppress(OSError, ValueError):
            # Whatever is wrong will be met again, and said, when the gate is needed.
            late.opening().start_early()


def check_seams() -> None:
    """Stop pip unless every seam is held. Imports what pip has not imported yet."""
    missing = list(_missing)
    for seam in SEAMS:
        try:
            importlib.import_module(seam.module)
        except (ImportError, SystemExit):
            # SystemExit is the patcher's own, and pip would answer it with a traceback.
            missing.append(str(seam))
            continue
        if not seam.is_applied():
            missing.append(str(seam))
    for seam in RUNNABLE_PIP:
        importlib.import_module(seam.module)
    if not any(seam.is_applied() for seam in RUNNABLE_PIP):
        missing.append("get_runnable_pip")
    if INSTALL_COMMAND.module in sys.modules and not INSTALL_COMMAND.is_applied():
        missing.append(str(INSTALL_COMMAND))
    if missing:
        from pip_intoto_gate.blocked import Blocked

        raise Blocked("pip-unsupported", *_unsupported(missing))


def _unsupported(missing: list[str]) -> tuple[str, str, str, str]:
    return (
        "This pip cannot be guarded: it lacks functions that pip-intoto relies on.",
        "pip 22.3 to 26.3, or a newer one that has the same functions",
        "missing: " + ", ".join(sorted(set(missing))),
        # pip cannot do either itself while the gate stops it.
        "Run `pip-intoto disable`, change pip or upgrade pip-intoto, and run `pip-intoto enable`.",
    )


def _check_version(pip_path: list[str]) -> None:
    """A pip whose modules have other names would never reach :func:`check_seams`."""
    import pip

    version = str(getattr(pip, "__version__", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    missing = [] if numbers >= limits.OLDEST_PIP else [f"support for pip {version}"]
    for module in sorted({seam.module for seam in SEAMS}):
        packages = module.split(".")[1:-1]
        directories = [os.path.join(path, *packages) for path in pip_path]
        if importlib.machinery.PathFinder.find_spec(module, directories) is None:
            missing.append(module)
    if missing:
        _stop_fetching_commands(missing)


def _is_fetching() -> bool:
    """Whether the command line has the name of such a command, or something that looks like it."""
    return not _FETCHING_COMMANDS.isdisjoint(sys.argv)


def _stop_fetching_commands(missing: list[str]) -> None:
    if _is_fetching():
        summary, expected, found, advice = _unsupported(missing)
        raise SystemExit(
            f"ERROR: {summary} Nothing was installed. [pip-unsupported]\n"
            f"  expected: {expected}\n  found: {found}\n  hint: {advice}"
        )


#: Seams that were not there when their module was loaded.
_missing: list[str] = []


class _Patcher:
    """A finder that lets pip's modules load as ever, and wraps their functions right after."""

    def __init__(self, gate: Any) -> None:
        self._gate = gate
        self._seams: dict[str, list[Seam]] = {}
        for seam in (*SEAMS, INSTALL_COMMAND, *RUNNABLE_PIP):
            self._seams.setdefault(seam.module, []).append(seam)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname not in self._seams:
            return None
        spec: Any = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatchingLoader(spec.loader, self)
        return spec

    def patch(self, module: types.ModuleType) -> None:
        """Wrap every seam of a module that was just loaded."""
        for seam in self._seams[module.__name__]:
            if seam.is_there():
                seam.apply(self._gate)
            elif seam not in RUNNABLE_PIP:
                _missing.append(str(seam))
        if _missing:
            _stop_fetching_commands(_missing)


class _LateGate:
    """Stands for the gate until it is needed; pip's own errors must be loaded before it."""

    def __init__(self, site_packages: str, context: dict[str, Any]) -> None:
        self._site_packages = site_packages
        self._context = context
        self._opening: Opening | None = None
        self._gate: Any = None

    def opening(self) -> Opening:
        """What can be known before pip is loaded. Raises ValueError and OSError."""
        from pip_intoto_gate.opening import Opening

        if self._opening is None:
            self._opening = Opening(self._site_packages, self._context)
        return self._opening

    def __getattr__(self, name: str) -> Any:
        if self._gate is None:
            self._gate = _explaining(self._make_gate)()
        return _explaining(getattr(self._gate, name))

    def _make_gate(self) -> Gate:
        from pip_intoto_gate.blocked import Blocked
        from pip_intoto_gate.gate import Gate

        try:
            opening = self.opening()
        except (OSError, ValueError) as error:
            raise Blocked(
                "verifier-unavailable",
                "The settings of pip-intoto in this environment cannot be read.",
                expected="what `pip-intoto enable` writes",
                found=str(error),
                advice="Run `pip-intoto enable` again for this environment.",
            ) from error
        return Gate(self._site_packages, opening, self._context)


def _explaining(method: Callable[..., Any]) -> Callable[..., Any]:
    """``method``, whose unexpected errors block with a message instead of a traceback."""
    from pip._internal.exceptions import PipError

    def explaining(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except PipError:
            raise
        except Exception as error:
            raise _gate_failed(error) from error

    return explaining


def _gate_failed(error: Exception) -> Exception:
    """What stops pip when the gate itself is at fault."""
    summary = "pip-intoto itself failed, and nothing is installed unverified."
    found = f"{type(error).__name__}: {error}"
    try:
        from pip_intoto_gate.blocked import Blocked
    except Exception:
        # Even the file with the gate's own error is broken; pip's plain one is always there.
        from pip._internal.exceptions import InstallationError

        plain: Exception = InstallationError(f"{summary} found: {found} [pip-unsupported]")
        return plain
    return Blocked(
        "pip-unsupported",
        summary,
        found=found,
        advice="Please report this, with the versions of pip and pip-intoto.",
    )


class _PatchingLoader:
    """Loads a module as its own loader does, then lets the patcher at it."""

    def __init__(self, loader: Any, patcher: _Patcher) -> None:
        self._loader = loader
        self._patcher = patcher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._patcher.patch(module)
