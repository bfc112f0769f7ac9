"""The command line in this process, for tests of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.cli import main

if TYPE_CHECKING:
    import pytest


class Shell:
    """Runs the command line in this process, and keeps what it says."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def run(self, *words: object) -> int:
        status = main([str(word) for word in words])
        self.out, self.err = self._capsys.readouterr()
        return status
