"""What a lock is read for: an interpreter's environment markers, and the tags of its wheels.

Another interpreter works them out itself, with the packaging library of this one: tags depend on
its C library, its ABI and its platform, which nobody else knows for sure. One that is too old for
that library uses a copy of its own, or that of its pip.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from pip_intoto.environments import find_environment
from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.lockfiles.locked import Interpreter

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.tags import Tag

# Nothing of this environment but packaging itself can be imported there, and nothing is written.
_QUESTION = """\
import json, os, sys
sys.dont_write_bytecode = True
def ours(folder):
    from importlib.util import module_from_spec, spec_from_file_location
    spec = spec_from_file_location(
        "packaging", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    sys.modules["packaging"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["packaging"])
    from packaging import markers, tags
    return markers, tags
def theirs():
    for name in [name for name in sys.modules if name.split(".")[0] == "packaging"]:
        del sys.modules[name]
    try:
        from packaging import markers, tags
    except ImportError:
        from pip._vendor.packaging import markers, tags
    return markers, tags
try:
    markers, tags = ours(sys.argv[1])
except Exception:
    markers, tags = theirs()
print(json.dumps({
    "markers": markers.default_environment(), "tags": [str(tag) for tag in tags.sys_tags()],
}))
"""
#: Every variable that a marker may name; one that is absent would be filled in from here.
_MARKERS = (
    *("implementation_name", "implementation_version", "os_name", "platform_machine"),
    *("platform_python_implementation", "platform_release", "platform_system"),
    *("platform_version", "python_full_version", "python_version", "sys_platform"),
)
_PARTS_OF_TAG = 3


def interpreter_of(python: str | None) -> Interpreter:
    """Ask an interpreter; None stands for the one that runs this.

    ``python`` is an interpreter, its name on PATH, or the directory of a virtual environment.
    Raises CommandError.
    """
    # Imported here for start-up time: only locks are read for an interpreter.
    from packaging.markers import default_environment
    from packaging.tags import sys_tags

    if python is None:
        here = default_environment()
        return Interpreter(
            markers={name: str(here[name]) for name in _MARKERS},  # type: ignore[literal-required]
            tags=tuple(sys_tags()),
        )
    asked = find_environment(python).python
    answer = _ask(asked)
    markers, tags = _markers(answer.get("markers")), _tags(answer.get("tags"))
    if markers is None or not tags:
        raise CommandError(f"{asked} does not say which wheels it takes")
    return Interpreter(markers=markers, tags=tags)


def _ask(python: Path) -> dict[str, object]:
    import packaging

    try:
        done = subprocess.run(
            [python, "-I", "-c", _QUESTION, os.path.abspath(packaging.__path__[0])],  # noqa: PTH100
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=os.path.abspath(os.sep),  # noqa: PTH100 - the root, on Windows too
            timeout=DEFAULT.interpreter_seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{python} cannot be asked which wheels it takes: {error}") from None
    try:
        # The last line: a broken .pth or sitecustomize may have printed before.
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise CommandError(
            f"{python} does not say which wheels it takes",
            found=(done.stderr or done.stdout).strip().rpartition("\n")[2],
            advice="Install pip or packaging there: this Python is too old for those of"
            " pip-intoto. Or verify --all-files.",
        )
    return answer


def _markers(answer: object) -> dict[str, str] | None:
    if not isinstance(answer, dict):
        return None
    found = {name: answer.get(name) for name in _MARKERS}
    markers = {name: value for name, value in found.items() if isinstance(value, str)}
    return markers if len(markers) == len(found) else None


def _tags(answer: object) -> tuple[Tag, ...]:
    from packaging.tags import Tag

    texts = answer if isinstance(answer, list) else []
    parts = [text.split("-") for text in texts if isinstance(text, str)]
    return tuple(Tag(*three) for three in parts if len(three) == _PARTS_OF_TAG)
