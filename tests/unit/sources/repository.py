"""An in-memory repository that is a driver: put files in, break things, then look for evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.sources.fetching import Response, drive

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    from pip_intoto.sources.fetching import Fetch

    T = TypeVar("T")


@dataclass
class Repository:
    """Files by URL; ``answers`` are sent instead of files, ``asked`` is what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    rounds: int = 0

    def fetch_many(self, fetches: tuple[Fetch, ...]) -> tuple[Response, ...]:
        """Answer as a static server would, caps included."""
        self.rounds += 1
        return tuple(self._fetch(fetch) for fetch in fetches)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Drive ``coroutine`` to its result."""
        return drive(coroutine, self.fetch_many)

    def _fetch(self, fetch: Fetch) -> Response:
        self.asked.append(fetch.url)
        if fetch.url in self.answers:
            return self.answers[fetch.url]
        body = self.files.get(fetch.url)
        if body is None:
            return Response(404)
        if len(body) > fetch.max_bytes:
            return Response(None, error="too large", too_large=True)
        return Response(200, body)
