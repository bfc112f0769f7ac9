"""Arming an environment: the gate's files in its site-packages, and the marker beside them.

In the environment that pip-intoto is installed in, the files came with the wheel and only the
marker is written. Another environment gets copies, and needs nothing else: the gate is standard
library only, and the verifier stays where pip-intoto is.

Every file is put in place in one step. Between the two renames that replace the gate's directory
a pip would find none, and stop: the hook lets nothing through that it cannot load a gate for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pip_intoto_gate
from pip_intoto import __version__
from pip_intoto.environments import NEWEST_PIP, OLDEST_PIP, is_same_directory
from pip_intoto.errors import CommandError
from pip_intoto.files import replace
from pip_intoto.limits import DEFAULT
from pip_intoto_gate.limits import VERIFIER_SECONDS
from pip_intoto_gate.settings import ARMING_FILES, MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.environments import Environment

#: What the two files that arm contain (the wheel brings the same).
HOOKS = {
    "pip_intoto_gate.pth": "import pip_intoto_boot; pip_intoto_boot.arm()\n",
    "pip_intoto_gate.start": "pip_intoto_boot:arm\n",
}
_BOOT = "pip_intoto_boot.py"
_GATE = "pip_intoto_gate"
_WHOSE = "Run this as the user who owns the environment, or use a virtual environment."
_VERSION = re.compile(r'^VERSION = "([^"]+)"$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Armament:
    """What of the gate is in one environment.

    ``version`` is the gate's, "" when there is none. ``verifier`` are the words of the marker,
    empty without one. ``problems`` are sentences: what keeps the gate from working.
    """

    hooked: bool
    marked: bool
    version: str
    verifier: tuple[str, ...]
    problems: tuple[str, ...]


def verifier_command() -> list[str]:
    """The words that run the verifier of this very package."""
    entry = Path(__file__).absolute().parent / "verifier" / "__main__.py"
    return [sys.executable, "-I", str(entry)]


def is_own(environment: Environment) -> bool:
    """Whether it is the environment whose wheel brought the gate that is imported here."""
    return is_same_directory(gate_source(), environment.site_packages)


def look(environment: Environment) -> Armament:
    """What is there, and what is wrong with it."""
    packages = environment.site_packages
    hooked = (packages / ARMING_FILES[0]).is_file()
    marked = (packages / MARKER).is_file()
    version = _gate_version(packages)
    problems = []
    if hooked and not version:
        problems.append(f"the hook is there, and the gate is not ({packages / _GATE})")
    if hooked and not (packages / _BOOT).is_file():
        problems.append(f"{packages / _BOOT} is missing, so the hook does nothing")
    for name, content in HOOKS.items():
        if hooked and not _says(packages / name, content):
            problems.append(f"{packages / name} is missing or was changed")
    if marked and not hooked:
        problems.append("verification was enabled here, but the hook is gone: nothing is verified")
    if version and version != __version__:
        problems.append(f"the gate is of version {version}, pip-intoto of version {__version__}")
    verifier: tuple[str, ...] = ()
    if marked:
        try:
            verifier = _read_marker(packages / MARKER)
        except ValueError as error:
            problems.append(str(error))
        else:
            problems += [
                f"the verifier's {path} is gone"
                for path in (verifier[0], verifier[-1])
                if not Path(path).is_file()
            ]
    if not environment.is_read:
        problems.append(f"{environment.python} reads no .pth files in {packages}")
    if environment.pip and environment.pip_number < OLDEST_PIP:
        problems.append(f"pip {environment.pip} is too old to be guarded")
    return Armament(
        hooked=hooked,
        marked=marked,
        version=version,
        verifier=verifier,
        problems=tuple(problems),
    )


def arm(environment: Environment) -> list[str]:
    """Put the gate in place, and say what was changed. Raises CommandError."""
    _refuse_what_cannot_work(environment)
    packages = environment.site_packages
    changed = []
    with _writing(packages):
        if not is_own(environment) and _differs(packages):
            _copy_gate(environment)
            changed.append(f"copied the gate {__version__} to {packages}")
        for name, content in HOOKS.items():
            if not _says(packages / name, content):
                _write(packages / name, content)
                changed.append(f"wrote {packages / name}")
        marker = json.dumps(
            {"enabled": True, "verifier": verifier_command(), "seconds": VERIFIER_SECONDS}, indent=1
        )
        if not _says(packages / MARKER, marker + "\n"):
            _write(packages / MARKER, marker + "\n")
            changed.append(f"wrote {packages / MARKER}")
    problems = look(environment).problems
    if problems:
        # In our own environment the gate came with the wheel, and copying it would not help.
        raise CommandError(
            f"the gate in {packages} is not in order",
            found="; ".join(problems),
            advice="Reinstall it:"
            f" {environment.python} -m pip install --force-reinstall pip-intoto",
        )
    return changed


def disarm(environment: Environment) -> list[str]:
    """Take marker and hook away, and the copies where they are ours; say what was removed."""
    packages = environment.site_packages
    names = [*ARMING_FILES, MARKER]
    if not environment.has_pip_intoto and not is_own(environment):
        names += [_BOOT, _GATE]
    removed = []
    with _writing(packages):
        # The hook first: it may never be there without what it loads.
        for name in names:
            path = packages / name
            if path.is_dir() and not path.is_symlink():
                _remove_directory(path)
            elif os.path.lexists(path):
                path.unlink()
            else:
                continue
            removed.append(f"removed {path}")
        if _BOOT in names:
            compiled = packages / "__pycache__"
            for path in compiled.glob("pip_intoto_boot.*.pyc"):
                path.unlink()
            with suppress(OSError):
                compiled.rmdir()  # unless others compiled there too
    return removed


# --- what cannot work -----------------------------------------------------------------------


def _refuse_what_cannot_work(environment: Environment) -> None:
    packages = environment.site_packages
    if environment.pip and environment.pip_number < OLDEST_PIP:
        # A gate that is there already stops this pip from upgrading anything, itself too.
        first = "Run `pip-intoto disable` for it, then upgrade it: "
        is_stopped = (packages / ARMING_FILES[0]).is_file()
        raise CommandError(
            f"pip {environment.pip} in {environment.prefix} cannot be guarded",
            expected="pip {}.{} or later".format(*OLDEST_PIP),
            advice=(first if is_stopped else "Upgrade it: ")
            + f"{environment.python} -m pip install --upgrade pip",
        )
    if not environment.is_read:
        raise CommandError(
            f"the gate would sleep: {environment.python} reads no .pth files in {packages}",
            expected="an environment whose site-packages the interpreter reads at its start",
            advice="Use a virtual environment.",
        )
    if is_own(environment):
        return
    if is_same_directory(Path(sys.prefix), environment.prefix) and _is_elsewhere(environment):
        raise CommandError(
            f"pip-intoto is installed in {gate_source()}, which is not where {environment.python}"
            f" keeps its packages ({packages})",
            expected="pip-intoto in the environment that it guards",
            found="an installation for one user (--user) or in a directory (--target): python -I"
            " and python -s would not see the gate there",
            advice="Install pip-intoto into a virtual environment, and guard this one from there"
            f" with `pip-intoto enable --python {environment.python}`.",
        )
    if environment.has_pip_intoto:
        raise CommandError(
            f"{environment.prefix} has a pip-intoto of its own",
            advice=f"Let that one do it: {environment.python} -m pip_intoto enable",
        )


def _is_elsewhere(environment: Environment) -> bool:
    """Whether we run as installed with --user or --target, and not from a source checkout."""
    source = gate_source()
    return any(source.glob("pip_intoto-*.dist-info")) and not is_same_directory(
        source, environment.site_packages
    )


def pip_remark(environment: Environment) -> str:
    """What a user should know about the pip there; "" when there is nothing to say."""
    if not environment.pip:
        return (
            f"{environment.prefix} has no pip of its own; only `pip --python` reaches it, and is"
            " guarded."
        )
    if environment.pip_number > NEWEST_PIP:
        return (
            f"pip {environment.pip} is newer than what this pip-intoto was tried with; the gate"
            " stops every install when it does not fit. `pip-intoto doctor` tells."
        )
    return ""


# --- files ----------------------------------------------------------------------------------


def gate_source() -> Path:
    """Where the gate's package, imported here, lies: site-packages, or ``hooks`` in a checkout."""
    # Not by its __file__, which it does not have where pip's import has loaded it.
    return Path(pip_intoto_gate.__path__[0]).absolute().parent


def _copy_gate(environment: Environment) -> None:
    source, packages = gate_source(), environment.site_packages
    staged = Path(tempfile.mkdtemp(prefix=f".{_GATE}-", dir=packages))
    try:
        new, old = staged / _GATE, staged / "old"
        shutil.copytree(source / _GATE, new, ignore=shutil.ignore_patterns("__pycache__"))
        # Private as temporary directories are; wheels are for everybody to read.
        for path in (new, *new.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        if (packages / _GATE).exists():
            (packages / _GATE).rename(old)
        new.rename(packages / _GATE)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    _write(packages / _BOOT, (source / _BOOT).read_text("utf-8"))
    # Only for speed, so a failure changes nothing: the interpreter compiles by itself then.
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [
                environment.python,
                "-I",
                "-m",
                "compileall",
                "-q",
                packages / _GATE,
                packages / _BOOT,
            ],
            check=False,
            capture_output=True,
            timeout=DEFAULT.interpreter_seconds,
        )


def _differs(packages: Path) -> bool:
    """Whether the gate there is not, byte for byte, the one here."""
    source = gate_source()
    ours = {path.name: path for path in (source / _GATE).glob("*.py")}
    theirs = {path.name: path for path in (packages / _GATE).glob("*.py")}
    if ours.keys() != theirs.keys():
        return True
    pairs = [(path, theirs[name]) for name, path in ours.items()]
    pairs.append((source / _BOOT, packages / _BOOT))
    try:
        return any(one.read_bytes() != other.read_bytes() for one, other in pairs)
    except OSError:
        return True


def _write(path: Path, content: str) -> None:
    replace(path, content.encode(), mode=0o644, advice=_WHOSE)


def _remove_directory(path: Path) -> None:
    """Out of sight in one step, then away."""
    staged = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        path.rename(staged / path.name)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _says(path: Path, content: str) -> bool:
    try:
        return path.read_text("utf-8") == content
    except (OSError, ValueError):
        return False


def _gate_version(packages: Path) -> str:
    try:
        text = (packages / _GATE / "__init__.py").read_text("utf-8")
    except (OSError, ValueError):
        return ""
    found = _VERSION.search(text)
    return found[1] if found else "unknown"


def _read_marker(path: Path) -> tuple[str, ...]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    words = content.get("verifier") if isinstance(content, dict) else None
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise ValueError(f"{path} does not say how to run the verifier")
    return tuple(words)


@contextmanager
def _writing(packages: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(
            f"{error.filename or packages} cannot be written: {error.strerror or error}",
            expected=f"a site-packages that you may write ({packages})",
            advice=_WHOSE,
        ) from None
