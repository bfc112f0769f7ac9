"""Which reader reads a lockfile: the name of the file says so."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, cast

from pip_intoto.errors import CommandError

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.lockfiles.locked import Interpreter, Lock, Reader, Tree

#: The name of a file, and the module of this package that reads such files; the first one counts.
READERS = (
    (re.compile(r"pylock(\.[^.]+)?\.toml"), "pylock"),
    (re.compile(r"uv\.lock|.+\.py\.lock", re.DOTALL), "uv"),
    (re.compile(r"poetry\.lock"), "poetry"),
    (re.compile(r"pdm(\.[^.]+)?\.lock"), "pdm"),
    (re.compile(r"Pipfile\.lock"), "pipfile"),
    (re.compile(r".*\.txt|.*requirements.*\.in", re.DOTALL), "requirements"),
)
_NAMES = (
    "pylock.toml, pylock.*.toml, uv.lock, poetry.lock, pdm.lock, Pipfile.lock, or requirements in"
    " a .txt file"
)


def is_lockfile(path: Path) -> bool:
    """Tell by its name whether a file is a lockfile; the disk is not looked at."""
    return reader_for(path.name) is not None


def read_lock(path: Path, tree: Tree, interpreter: Interpreter | None) -> Lock:
    """Read a lockfile of any format; for every interpreter when ``interpreter`` is None.

    Raises LockfileInvalid for what it says, and CommandError for a file that cannot be read.
    """
    module = reader_for(path.name)
    if module is None:
        raise CommandError(
            f"{path} is not called as a lockfile is", expected=_NAMES, found=path.name
        )
    # Imported here for start-up time: a run reads one format or two.
    reader = cast("Reader", import_module(f"pip_intoto.lockfiles.{module}"))
    return reader.read(path, tree, interpreter)


def reader_for(filename: str) -> str | None:
    """Name the module of this package that reads a file of this name; None for no lock."""
    return next((module for names, module in READERS if names.fullmatch(filename)), None)
