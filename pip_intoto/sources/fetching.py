"""Requests as values: what a source wants to have, and what came back.

There is no event loop. A coroutine awaits ``Fetches((Fetch(...), ...))``, which hands the requests
to the driver and resumes with one :class:`Response` for each, in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from typing import Any

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server calls this state of a resource: its ETag, its date; empty where it does not."""

    etag: str = ""
    modified: str = ""


#: A resource of which nothing is known.
UNKNOWN = Validators()


@dataclass(frozen=True, slots=True)
class Fetch:
    """One GET request: at most ``max_bytes`` decoded bytes within ``seconds``.

    ``known`` is the state that the asker has. A driver may leave it out of the request; one that
    does not may answer with the status 304, and without a body.
    """

    url: str
    max_bytes: int
    seconds: float
    accept: str = ""
    known: Validators = UNKNOWN
    #: What was remembered will not do, and the answer is not to be remembered.
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """What a request came to.

    ``status`` is the HTTP status after redirects; None when there was no answer, and then
    ``error`` says why. ``too_large`` is set when the answer was cut off at the cap.
    """

    status: int | None
    body: bytes = b""
    error: str = ""
    too_large: bool = False
    #: The address that answered, after redirects; empty where nobody needs it.
    url: str = ""
    #: What the server calls the state that it sent.
    validators: Validators = UNKNOWN
    #: The server wants nobody to keep the answer.
    fleeting: bool = False
    #: Nobody was asked now: it is what the address sent a while ago.
    remembered: bool = False


@dataclass(frozen=True, slots=True)
class Fetches:
    """Requests that may be carried out at the same time; awaiting them gives the responses."""

    fetches: tuple[Fetch, ...]

    def __await__(self) -> Generator[Fetches, tuple[Response, ...], tuple[Response, ...]]:
        responses = yield self
        if len(responses) != len(self.fetches):
            raise RuntimeError("a driver must answer every fetch")
        return responses


#: Carries requests out, from any thread; answers each, in order, and never raises.
FetchMany: TypeAlias = "Callable[[tuple[Fetch, ...]], tuple[Response, ...]]"


def drive(
    # The types that pass through `send` and `yield` are those of the awaitables above.
    coroutine: Coroutine[Any, Any, T],
    fetch_many: FetchMany,
) -> T:
    """Run ``coroutine`` to its end, with ``fetch_many`` for its requests."""
    responses: tuple[Response, ...] | None = None
    try:
        while True:
            wanted = coroutine.send(responses)
            if not isinstance(wanted, Fetches):
                raise TypeError(f"cannot drive a coroutine that awaits {wanted!r}")
            responses = fetch_many(wanted.fetches)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        coroutine.close()


#: What stands in for an answer where nobody is asked.
OFFLINE = "not asked: --offline"


def offline(fetches: tuple[Fetch, ...]) -> tuple[Response, ...]:
    """Carry out no request at all."""
    return tuple(Response(None, error=OFFLINE) for _ in fetches)
