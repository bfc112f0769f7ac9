"""The bar: only on a terminal, only for what takes long, and gone in the end."""

from __future__ import annotations

import io
import os
import re
import sys
import time

import pytest

from pip_intoto.cli.progress import Bars, progress_for
from pip_intoto.cli.terminal import Terminal
from pip_intoto.maintainer.progress import SILENT


class FakeTerminal(io.StringIO):
    """Text that believes to be a terminal's."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)


def drawn(stream: FakeTerminal) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def test_nobody_needs_to_look() -> None:
    with SILENT.task("work", 10) as advance:
        advance(1)


def test_a_bar_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress_for(Terminal()) is SILENT
    monkeypatch.setattr(sys, "stderr", FakeTerminal())
    assert isinstance(progress_for(Terminal()), Bars)
    assert progress_for(Terminal(quiet=True)) is SILENT
    monkeypatch.setenv("TERM", "dumb")
    assert progress_for(Terminal()) is SILENT


def test_what_is_done_soon_draws_nothing() -> None:
    stream = FakeTerminal()
    with Bars(stream).task("work", 2) as advance:
        advance(1)
        advance(1)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("total", "said"), [(4, "50%"), (None, "2")])
def test_what_takes_long_has_a_bar_that_goes_in_the_end(total: float | None, said: str) -> None:
    stream = FakeTerminal()
    with Bars(stream, patience=0).task("recording [bold]\x1b]0;x", total) as advance:
        advance(1)
        advance(1)
        # A picture is due again after a while.
        while said not in drawn(stream):
            time.sleep(0.02)
            advance(0)
    assert r"recording [bold]\x1b]0;x" in drawn(stream)
    # The cursor is back, and the line is cleared.
    assert stream.getvalue().rpartition("\x1b[?25h")[2] == "\r\x1b[1A\x1b[2K"


def test_a_bar_goes_when_the_work_fails() -> None:
    stream = FakeTerminal()

    def fail() -> None:
        with Bars(stream, patience=0).task("work", 2) as advance:
            advance(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert "\x1b[?25h" in stream.getvalue()


def test_there_are_no_colours_for_those_who_want_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = FakeTerminal()
    with Bars(stream, patience=0).task("work", 2) as advance:
        advance(1)
    assert "work" in stream.getvalue()
    assert not re.search(r"\x1b\[[0-9;]*(3[0-9]|38;)[0-9;]*m", stream.getvalue())


@pytest.mark.skipif(os.name != "posix", reason="terminals as POSIX has them")
def test_the_bar_appears_on_a_real_terminal() -> None:
    import pty
    import subprocess

    code = (
        "import sys\n"
        "from pip_intoto.cli.progress import progress_for\n"
        "from pip_intoto.cli.terminal import Terminal\n"
        "import pip_intoto.cli.progress as p\n"
        "bars = progress_for(Terminal())\n"
        "bars._patience = 0\n"
        "with bars.task('recording', 2) as advance:\n"
        "    advance(1)\n"
        "print('done', file=sys.stderr)\n"
    )
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen([sys.executable, "-c", code], stderr=theirs)
        os.close(theirs)
        text = b""
        while b"done" not in text:
            text += os.read(ours, 4096)
        assert process.wait(20) == 0
    finally:
        os.close(ours)
    assert b"recording" in text
    assert b"50%" in text
