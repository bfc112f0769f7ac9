"""Requests that end in time, whatever the server does.

A time-out of a socket begins anew with every byte. A server that drips its answer could so hold a
thread for hours; here the connection of a request is shut when its time is over.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds between two looks at the clock.
_GLANCE = 0.2
_current = threading.local()


class _Watched:
    """A request in progress: when it has to end, and the connection that it uses."""

    def __init__(self, due: float) -> None:
        self.due = due
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._ended = False
        self.was_cut = False

    def uses(self, connection: socket.socket | None) -> None:
        with self._lock:
            self._socket = connection

    def end(self) -> None:
        with self._lock:
            self._ended = True

    def cut(self) -> None:
        """Shut the connection; whoever waits for it is told so."""
        with self._lock:
            # Afterwards it may be somebody else's.
            if self._socket is not None and not self._ended:
                self.was_cut = True
                with suppress(OSError):
                    # Not that of a TLS socket, which would forget its TLS.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class Watch:
    """Ends requests in time. One thread looks after all, for as long as there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: set[_Watched] = set()
        self._runs = False

    @contextmanager
    def until(self, due: float) -> Iterator[None]:
        """End what this thread requests within the context at ``due``, a monotonic time.

        Raises TimeoutError: to who reads, a connection that was shut looks like the end.
        """
        watched = _Watched(due)
        with self._lock:
            self._watched.add(watched)
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="deadlines", daemon=True).start()
        _current.watched = watched
        try:
            yield
        finally:
            _current.watched = None
            watched.end()
            with self._lock:
                self._watched.discard(watched)
        if watched.was_cut:
            raise TimeoutError("no complete answer in time")

    def _run(self) -> None:
        while True:
            time.sleep(_GLANCE)
            now = time.monotonic()
            with self._lock:
                if not self._watched:
                    self._runs = False
                    return
                overdue = [watched for watched in self._watched if watched.due < now]
            for watched in overdue:
                watched.cut()


def use(connection: socket.socket | None) -> None:
    """Say that this thread's request now uses ``connection``."""
    watched: _Watched | None = getattr(_current, "watched", None)
    if watched is not None:
        watched.uses(connection)
