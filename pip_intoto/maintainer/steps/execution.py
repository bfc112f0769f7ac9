"""Running the command of a step, as the user would run it: same place, same input, same output.

Nobody keeps it from anything: it is the user's own command. What this adds is an account of it,
and an end that is as orderly as the command's own when the user wants one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, TextIO

from pip_intoto.errors import CommandError
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from pip_intoto.limits import Limits

_BLOCK = 64 * 1024
#: Seconds that a command gets to end by itself when it is late.
_GRACE = 5.0
#: Seconds in which the last words of a command arrive, which may have left others behind it.
_LAST_WORDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended: ``status`` is negative for the signal that ended it.

    ``stdout`` and ``stderr`` are empty unless they were to be kept; ``shortened`` says that they
    were longer than what is kept.
    """

    status: int
    stdout: str = ""
    stderr: str = ""
    shortened: bool = False

    @property
    def exit_status(self) -> int:
        """What a shell would report."""
        return 128 - self.status if self.status < 0 else self.status

    @property
    def described(self) -> str:
        """The end, for messages."""
        if self.status >= 0:
            return f"exit status {self.status}"
        try:
            return f"signal {signal.Signals(-self.status).name}"
        except ValueError:
            return f"signal {-self.status}"


def execute(
    command: Sequence[str], *, keep_streams: bool, seconds: float | None, limits: Limits
) -> Outcome:
    """Run ``command`` to its end, and say how it ended.

    With ``keep_streams`` its output is kept besides being shown. A signal that ends this process
    waits for the command to end: Ctrl-C on a terminal has reached the command already, everything
    else is passed on. Raises CommandError when it cannot be started, or takes longer than
    ``seconds``.
    """
    pipe = subprocess.PIPE if keep_streams else None
    with _signals_for() as signals:
        try:
            process = subprocess.Popen(list(command), stdout=pipe, stderr=pipe, bufsize=0)
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise CommandError(f"{shown(command[0])} cannot be run: {why}") from None
        signals.pass_on_to(process)
        listeners = [
            _Listener(source, shown_on, limits.recorded_output)
            for source, shown_on in ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
            if source is not None
        ]
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _stop(process)
            raise CommandError(
                f"{shown(command[0])} did not end in time, and was stopped",
                expected=f"an end within {seconds} seconds (--run-timeout)",
            ) from None
        except BaseException:
            _stop(process)
            raise
    # What wanted to end the command wanted to end us, unless the command made good of it.
    if signals.received and (status != 0 or signals.received != signal.SIGINT):
        signal.raise_signal(signals.received)
    said = [listener.text() for listener in listeners] or ["", ""]
    return Outcome(
        status=status,
        stdout=said[0],
        stderr=said[1],
        shortened=any(listener.shortened for listener in listeners),
    )


class _Listener:
    """Shows what a command says, and keeps the beginning of it."""

    def __init__(self, source: IO[bytes], shown_on: TextIO, at_most: int) -> None:
        self._source = source
        self._shown_on = shown_on
        self._at_most = at_most
        self._kept = bytearray()
        self.shortened = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What was said, with the line endings that links have everywhere."""
        # Whatever the command left running may hold on to its output.
        self._thread.join(_LAST_WORDS)
        text = self._kept.decode("utf-8", "replace")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.shortened |= len(text) > self._at_most
        return text[: self._at_most]

    def _listen(self) -> None:
        with suppress(OSError, ValueError), self._source as source:
            while block := source.read(_BLOCK):
                with suppress(OSError, ValueError):
                    # Nobody may be there to see it any more, as after `| head`.
                    self._shown_on.flush()
                    self._shown_on.buffer.write(block)
                    self._shown_on.buffer.flush()
                room = self._at_most * 4 - len(self._kept)
                self._kept += block[:room]
                self.shortened |= len(block) > room


class _Signals:
    """What wanted to end this process while a command runs."""

    def __init__(self) -> None:
        self.received = 0
        self._process: subprocess.Popen[bytes] | None = None

    def pass_on_to(self, process: subprocess.Popen[bytes]) -> None:
        """From now on, and what came before the command had begun."""
        self._process = process
        if self.received:
            self._send(self.received)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take note, and tell the command unless the keyboard did."""
        again = bool(self.received)
        self.received = number
        # Ctrl-C reaches everybody on the terminal, the command included.
        if number != signal.SIGINT or again or not _is_in_front():
            self._send(number)

    def _send(self, number: int) -> None:
        if self._process is not None:
            with suppress(OSError):
                self._process.send_signal(number)


@contextmanager
def _signals_for() -> Iterator[_Signals]:
    """Keep signals for a command, where signals can be kept: in the main thread."""
    signals = _Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            # What is ignored here (`nohup`, `&` in a script) is ignored by the command, too.
            if handler != signal.SIG_IGN:
                signal.signal(number, signals.handle)
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_in_front() -> bool:
    """Whether this process is among those that the keyboard of a terminal speaks to."""
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
