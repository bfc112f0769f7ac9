"""Python environments: an interpreter, where its wheels go, and which pip it has.

Nothing is guessed from paths: the interpreter itself is asked, isolated from the working
directory and from ``PYTHON*`` variables.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT

#: The oldest interpreter that the gate runs in, and the pips that it is known to fit.
OLDEST_PYTHON = (3, 8)
OLDEST_PIP = (22, 3)
NEWEST_PIP = (26, 3)

# Runs on every Python 3, so that an old one can be told what it is.
_QUESTION = """\
import json, os, sys
try:
    import site, sysconfig
    packages = sysconfig.get_paths()["purelib"]
    known = [os.path.normcase(os.path.realpath(place)) for place in site.getsitepackages()]
    read = os.path.normcase(os.path.realpath(packages)) in known
except Exception:
    packages, read = "", False
places, roots = [], []
try:
    paths = sysconfig.get_paths()
    places = [paths["purelib"], paths["platlib"]] + site.getsitepackages()
    roots = [sys.prefix] + [paths[key] for key in ("scripts", "data", "include", "platinclude")]
    if sys.prefix == sys.base_prefix:
        places.append(site.getusersitepackages())
        roots.append(site.getuserbase())
except Exception:
    pass
try:
    import pip
    version, directory = pip.__version__, os.path.dirname(pip.__file__)
except Exception:
    version = directory = ""
print(json.dumps({
    "version": list(sys.version_info[:3]), "prefix": sys.prefix, "executable": sys.executable,
    "site_packages": packages, "is_read": read, "pip": version, "pip_directory": directory,
    "places": places, "roots": roots,
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment. ``pip`` is its version, "" where there is none.

    ``is_read`` says whether the interpreter reads ``.pth`` files in ``site_packages``. ``places``
    are all directories that projects are installed in, those of the system and of the user
    included where the interpreter looks there; ``roots`` are what an install may write below.
    """

    python: Path
    version: tuple[int, int, int]
    prefix: Path
    site_packages: Path
    is_read: bool
    pip: str
    pip_directory: Path | None
    places: tuple[Path, ...] = ()
    roots: tuple[Path, ...] = ()

    @property
    def has_pip_intoto(self) -> bool:
        """Whether pip-intoto itself is installed here, and not only its gate."""
        return any(self.site_packages.glob("pip_intoto-*.dist-info"))

    @property
    def pip_number(self) -> tuple[int, int]:
        """Major and minor version of pip; (0, 0) where there is none."""
        found = re.match(r"(\d+)\.(\d+)", self.pip)
        return (int(found[1]), int(found[2])) if found else (0, 0)


def find_environment(target: str | None = None) -> Environment:
    """Ask an environment what it is; None stands for the one that this program runs in.

    ``target`` is an interpreter, its name on PATH, or the directory of a virtual environment.
    Raises CommandError.
    """
    python = Path(sys.executable) if target is None else _interpreter(target)
    answer = _ask(python)
    version = _numbers(answer)
    if version[:2] < OLDEST_PYTHON:
        raise CommandError(
            f"{python} is too old to be guarded",
            expected="Python {}.{} or later".format(*OLDEST_PYTHON),
            found="Python {}.{}.{}".format(*version),
        )
    packages, directory = _text(answer, "site_packages"), _text(answer, "pip_directory")
    if not packages:
        raise CommandError(f"{python} does not say where its packages go")
    return Environment(
        # As the interpreter calls itself: absolute, and still inside a virtual environment.
        python=Path(_text(answer, "executable") or python),
        version=version,
        prefix=Path(_text(answer, "prefix")),
        site_packages=Path(packages),
        is_read=answer.get("is_read") is True,
        pip=_text(answer, "pip"),
        pip_directory=Path(directory) if directory else None,
        places=_paths(answer, "places"),
        roots=_paths(answer, "roots"),
    )


def is_same_directory(one: Path, other: Path) -> bool:
    """Whether two paths lead to one existing directory."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _interpreter(target: str) -> Path:
    path = Path(target).expanduser()
    if path.is_dir():
        for inside in ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe"):
            if (path / inside).is_file():
                return Path(os.path.abspath(path / inside))  # noqa: PTH100 - resolve() would leave
        raise CommandError(
            f"there is no Python environment in {target}",
            expected="a virtual environment, or an interpreter",
        )
    if path.is_file():
        return Path(os.path.abspath(path))  # noqa: PTH100 - a virtual environment's symbolic links
    found = None if os.sep in target else shutil.which(target)
    if found is None:
        raise CommandError(
            f"there is no interpreter {target}", expected="a virtual environment, or an interpreter"
        )
    return Path(found)


def _ask(python: Path) -> dict[str, object]:
    advice = "Name the interpreter itself, or the directory of a virtual environment."
    try:
        done = subprocess.run(
            [python, "-I", "-c", _QUESTION],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=os.path.abspath(os.sep),  # noqa: PTH100 - the root, on Windows too
            timeout=DEFAULT.interpreter_seconds,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{python} does not answer", advice=advice) from None
    except OSError as error:
        raise CommandError(
            f"{python} cannot be run: {error.strerror or error}", advice=advice
        ) from None
    try:
        # The last line: a broken .pth or sitecustomize may have printed before.
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        if "sys.prefix" in said:
            said = "a program that does not know what to do with Python code"
        raise CommandError(f"{python} is no Python that works", found=said, advice=advice)
    return answer


def _text(answer: dict[str, object], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _paths(answer: dict[str, object], name: str) -> tuple[Path, ...]:
    value = answer.get(name)
    found = value if isinstance(value, list) else []
    return tuple(dict.fromkeys(Path(path) for path in found if isinstance(path, str) and path))


def _numbers(answer: dict[str, object]) -> tuple[int, int, int]:
    value = answer.get("version")
    if isinstance(value, list):
        numbers = [number for number in value if isinstance(number, int)]
        if len(numbers) == 3:  # noqa: PLR2004 - major, minor, micro
            return (numbers[0], numbers[1], numbers[2])
    return (0, 0, 0)
