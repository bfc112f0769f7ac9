"""What is known of the servers of one run: how many ask them just now, and whether they answer.

Nobody is asked by more than a few at once, and nobody who has been silent all the time is asked
for ever. One answer, whatever it says, counts more than any silence: a path that stalls says
nothing about the others.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.limits import Limits


class Host:
    """One origin: scheme, host and port."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._turns = threading.BoundedSemaphore(limits.fetches_at_once)
        self._lock = threading.Lock()
        #: Requests in a row without any answer, and those among them that found no connection.
        self._silent = 0
        self._refused = 0
        #: Requests that ran out of time, all together.
        self._timeouts = 0
        #: Before this time (monotonic) it wants no request.
        self._not_before = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn to ask."""
        with self._turns:
            yield

    @property
    def given_up(self) -> str:
        """Why it is not asked any more; empty while it is."""
        with self._lock:
            if self._refused >= self._limits.host_refusals:
                return f"not asked: {self._refused} requests before found no connection"
            if self._silent >= self._limits.host_silences:
                return f"not asked: {self._silent} requests before had no answer"
        return ""

    @property
    def patience(self) -> int:
        """Seconds of silence that it is granted: fewer once it has cost much time."""
        if self._timeouts < self._limits.host_timeouts:
            return self._limits.silence_seconds
        return min(self._limits.silence_seconds, self._limits.short_silence_seconds)

    @property
    def is_slow(self) -> bool:
        """Whether it has cost so much time that nothing is tried again."""
        return self._timeouts >= self._limits.host_timeouts

    def answered(self) -> None:
        """Take note of an answer."""
        with self._lock:
            self._silent = self._refused = 0

    def failed(self, *, refused: bool, late: bool) -> None:
        """Take note of a request that had no answer: once, however often it was tried.

        ``refused`` says that there was no connection, ``late`` that the time was over.
        """
        with self._lock:
            self._silent += 1
            self._refused += refused
            self._timeouts += late

    def rest(self, seconds: float) -> None:
        """Let everybody wait: it said that it is asked too often."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def wait(self) -> None:
        """Wait until it wants to be asked again."""
        pause = self._not_before - time.monotonic()
        if pause > 0:
            time.sleep(min(pause, self._limits.retry_after_seconds))


class Hosts:
    """All of them, by origin."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._hosts: dict[tuple[str, str, str], Host] = {}

    def of(self, origin: tuple[str, str, str]) -> Host:
        """Give the host of this origin."""
        with self._lock:
            if origin not in self._hosts:
                self._hosts[origin] = Host(self._limits)
            return self._hosts[origin]
