"""Lines from the gate, read by a thread that is the leash as well.

While the main thread verifies, this thread goes on reading, and so notices at once when the gate
is gone: the end of its input, or of the parent process, ends the process whatever else it does.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pip_intoto.limits import Limits

#: How often the parent is looked for when nothing is said, in seconds.
_GLANCE = 1.0
_BLOCK = 256 * 1024


class Inbox:
    """The lines that have arrived and were not yet read; ``parent`` is the gate's process id."""

    def __init__(self, descriptor: int, parent: int, limits: Limits) -> None:
        self._descriptor = descriptor
        self._limits = limits
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._parent = parent

    def start(self) -> None:
        """Begin to read, on a thread of its own."""
        # The default of 8 MiB would come off the limit on address space.
        threading.stack_size(512 * 1024)
        threading.Thread(target=self._run, name="leash", daemon=True).start()

    def next(self) -> bytes:
        """Wait for the next line, and give it without its end."""
        with self._changed:
            while not self._lines:
                self._changed.wait()
            line = self._lines.popleft()
            self._waiting -= len(line)
            self._changed.notify_all()
            return line

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:  # noqa: BLE001  (whatever it is, the leash must not slip)
            leave(f"reading from the gate failed: {error!r}", 70)

    def _read(self) -> None:
        pieces: list[bytes] = []
        length = 0
        while True:
            self._await_input()
            block = os.read(self._descriptor, _BLOCK)
            if not block:
                leave("", 0)
            *ends, rest = block.split(b"\n")
            for end in ends:
                pieces.append(end)
                self._put(b"".join(pieces))
                pieces, length = [], 0
            pieces.append(rest)
            length += len(rest)
            if length > self._limits.message_bytes:
                leave(f"a line of the gate is longer than {self._limits.message_bytes} bytes", 65)

    def _put(self, line: bytes) -> None:
        with self._changed:
            while self._lines and self._waiting + len(line) > self._limits.backlog_bytes:
                self._changed.wait(_GLANCE)
                self._look_for_parent()
            self._lines.append(line)
            self._waiting += len(line)
            self._changed.notify_all()

    def _await_input(self) -> None:
        if sys.platform == "win32":
            return
        # Imported here because Windows cannot select on pipes.
        from select import select

        # A process that inherited the gate's end keeps the pipe open after the gate has died.
        while not select([self._descriptor], [], [], _GLANCE)[0]:
            self._look_for_parent()

    def _look_for_parent(self) -> None:
        if os.getppid() != self._parent:
            leave("", 0)


def leave(why: str, status: int) -> NoReturn:
    """End the process now, from any thread, with ``why`` as its last words."""
    if why:
        os.write(2, f"pip-intoto verifier: {why}\n".encode("utf-8", "backslashreplace"))
    # The command of an inspection has a group of its own, and would go on.
    running = sys.modules.get("pip_intoto.artifacts.running")
    try:
        if running is not None:
            running.stop_all()
    finally:
        os._exit(status)
