"""Source archives of released projects, and whether the registry that has them answers."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.integration import interpreters
from tests.integration.locking import made_once

if TYPE_CHECKING:
    from pathlib import Path


def needs_registry() -> None:
    """Skip the test unless build backends can be downloaded."""
    if problem := _problem():
        pytest.skip(f"the registry cannot be reached: {problem}")


@functools.cache
def _problem() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return _download("hatchling", folder)


def archive_of(requirement: str) -> Path:
    """Download a source archive, once; skip when that cannot be done."""
    name = requirement.partition("==")[0]

    def download(target: Path) -> None:
        target.mkdir()
        if problem := _download(requirement, target, "--no-binary", name):
            pytest.skip(f"the registry cannot be reached: {problem}")

    folder = interpreters.CACHE / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    (archive,) = made_once(folder / requirement, download).glob("*.tar.gz")
    return archive


def environment_with(*requirements: str) -> Path:
    """Make an environment with packages that tests use as tools, once; gives its programs.

    They are called as ``python -m``: scripts would name the directory in which it was made.
    """

    def make(target: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", target], check=True)
        words = (target / "bin" / "python", "-m", "pip", "install", "--quiet")
        done = subprocess.run(
            [*words, "--disable-pip-version-check", *requirements],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.skip(f"{requirements[0]} cannot be installed: {done.stderr.strip()[-300:]}")

    return made_once(interpreters.CACHE / "tools" / "-".join(requirements), make) / "bin"


def _download(requirement: str, folder: str | Path, *options: str) -> str:
    """Download one file; gives the end of what pip says when that fails."""
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *(*options, "--dest", folder, requirement),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    return result.stderr.strip()[-300:] if result.returncode else ""
