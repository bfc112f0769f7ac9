"""The Pythons and pips of this machine."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.integration.locking import made_once

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"

NEWEST_PIP = "26.3"
PIPS = ("22.3.1", "23.2.1", "24.3.1", "25.3", NEWEST_PIP)

PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


class Unavailable(Exception):
    """This machine lacks what the test needs; the test is skipped, and says why."""


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter: its path, and its version as in (3, 11)."""

    path: Path
    version: tuple[int, int]

    @property
    def name(self) -> str:
        """The version as people write it."""
        return "{}.{}".format(*self.version)


def own() -> Python:
    """Give the interpreter below the environment that these tests run in."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Python(Path(base), sys.version_info[:2])


@functools.cache
def find(version: str) -> Python:
    """Find the Python *version* ("3.8"): the own one, on PATH, or a version manager's.

    Raises:
        Unavailable: there is none, or it does not run.

    """
    if version == own().name:
        return own()
    manager = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = sorted(manager.glob(f"{version}.*/bin/python{version}"))
    on_path = shutil.which(f"python{version}")
    if on_path:
        candidates.append(Path(on_path))
    for path in candidates:
        question = "import sys, venv, zlib, ssl; print('%d.%d' % sys.version_info[:2])"
        answer = subprocess.run(
            [path, "-I", "-c", question], check=False, capture_output=True, text=True
        )
        if answer.returncode == 0 and answer.stdout.strip() == version:
            major, minor = version.split(".")
            return Python(path, (int(major), int(minor)))
    raise Unavailable(f"Python {version} is not on this machine")


def pip_wheel(version: str) -> Path:
    """Give pip's own wheel, downloaded once and kept.

    Raises:
        Unavailable: it is not in the cache, and the registry does not give it.

    """
    folder = CACHE / "pips"
    folder.mkdir(parents=True, exist_ok=True)

    def download(target: Path) -> None:
        target.mkdir()
        result = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--ignore-requires-python", "--only-binary=:all:", "--dest", target),
                f"pip=={version}",
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        if result.returncode:
            shutil.rmtree(target)
            raise Unavailable(f"pip {version} cannot be downloaded: {result.stderr.strip()[-300:]}")

    downloaded = made_once(folder / version, download)
    (wheel,) = downloaded.glob("*.whl")
    return wheel


def runs(python: Python, pip: str) -> bool:
    """Tell whether this pip supports this Python, by what the releases say of themselves."""
    release = tuple(int(part) for part in pip.split("."))
    if python.version < (3, 9):
        return release < (25, 1)
    if python.version < (3, 10):
        return release < (26, 1)
    if python.version >= (3, 14):
        return release >= (25, 0)
    if python.version >= (3, 12):
        return release >= (23, 2)
    return True
