"""Locks in texts, and what a reader makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import LockfileInvalid
from tests.unit.lockfiles.trees import FOLDER, LINUX, Memory

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.lockfiles.locked import Interpreter, Lock, Locked, Reader

A, B, C, D = ("sha256:" + digit * 64 for digit in "abcd")
WINDOWS = replace(LINUX, markers={**LINUX.markers, "sys_platform": "win32", "os_name": "nt"})
OLD = replace(
    LINUX, markers={**LINUX.markers, "python_version": "3.9", "python_full_version": "3.9.18"}
)


class Locks:
    """Reads texts as locks of one format."""

    def __init__(self, reader: Reader, name: str) -> None:
        self.reader, self.path = reader, FOLDER / name

    def read(self, text: str | bytes, interpreter: Interpreter | None = LINUX) -> Lock:
        return self.reader.read(self.path, Memory().add({self.path.name: text}), interpreter)

    def one(self, text: str, interpreter: Interpreter | None = LINUX) -> Locked:
        (locked,) = self.read(text, interpreter).locked
        return locked

    def refused(self, text: str | bytes, line: int) -> LockfileInvalid:
        """Read what cannot be read; the error names the file and the line."""
        with pytest.raises(LockfileInvalid) as raised:
            self.read(text)
        assert raised.value.place == f"{self.path}:{line}", str(raised.value)
        return raised.value


def names(lock: Lock) -> list[str]:
    """Each ``name version`` that is installed."""
    return [f"{locked.name} {locked.version}".rstrip() for locked in lock.locked]


def left_out(lock: Lock) -> dict[str, str]:
    """Why, for each ``name version`` that is not."""
    return {f"{each.name} {each.version}".rstrip(): each.why for each in lock.left_out}


def here(*parts: str) -> Path:
    """A path beside the lock, as readers give it."""
    return FOLDER.absolute().joinpath(*parts)
