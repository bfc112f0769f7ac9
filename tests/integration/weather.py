"""Faults of a server beyond those that the index itself brings."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from tests.integration.loopback import Exchange


@dataclass(frozen=True, slots=True)
class Hold:
    """Keeps requests waiting until it is released, and then serves them as usual."""

    _released: threading.Event = field(default_factory=threading.Event)

    def happen(self, exchange: Exchange) -> None:
        self._released.wait()
        exchange.serve()

    def release(self) -> None:
        """Let everybody go on."""
        self._released.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class Drip:
    """Sends a byte every so many seconds, for as long as the client reads."""

    seconds: float = 0.2

    def happen(self, exchange: Exchange) -> None:
        exchange.begin({})
        while exchange.send(b" ") and not exchange.closing.wait(self.seconds):
            pass
