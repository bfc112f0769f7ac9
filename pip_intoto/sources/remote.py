"""Places behind http and https: a bundle, and the directory form, which cannot be listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from pip_intoto.errors import MetadataTooLarge
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.sources.addresses import redacted
from pip_intoto.sources.fetching import Fetch, Fetches
from pip_intoto.sources.finding import (
    Finding,
    fault,
    is_plain,
    nothing_at,
    read_bundle,
    read_document,
    too_large,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.sources.fetching import Response

# The standard library's names for these cost an import of `http`.
OK = 200
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_ABSENT = (404, 410)


@dataclass(frozen=True, slots=True)
class RemoteBundle:
    """A bundle at ``url``; ``query`` is what the distribution's own address had behind it.

    ``accept`` says what is wanted there, of servers that have more than one form of it.
    """

    url: str
    query: str | None
    limits: Limits
    accept: str = ""

    async def find(self) -> Finding:
        """Fetch the bundle."""
        cap = self.limits.bundle_bytes
        (response,) = await fetch_all((self.url,), self.query, cap, self.limits, self.accept)
        origin = redacted(self.url)
        if response.status == OK and not response.too_large:
            return read_bundle(response.body, origin=origin, limits=self.limits)
        return without_body(response, origin, cap)

    async def find_named(self, names: Sequence[str]) -> Finding:  # noqa: ARG002
        """Nothing more: a bundle came as a whole."""
        return Finding()


@dataclass(frozen=True, slots=True)
class RemoteDirectory:
    """The directory form below ``url``, which ends with a slash."""

    url: str
    query: str | None
    limits: Limits

    async def find(self) -> Finding:
        """Fetch the root layout: the links' names are not known before it is verified."""
        return await self._documents((ROOT_LAYOUT,))

    async def find_named(self, names: Sequence[str]) -> Finding:
        """Fetch the documents called ``names``, as many at once as the driver likes."""
        plain = tuple(name for name in dict.fromkeys(names) if is_plain(name))
        found = Finding()
        allowed = self.limits.fetches
        for start in range(0, min(len(plain), allowed), _AT_ONCE):
            found += await self._documents(plain[start : min(start + _AT_ONCE, allowed)])
            if found.size > self.limits.evidence_bytes:
                return found + _over(redacted(self.url), "evidence", self.limits.evidence_bytes)
        if len(plain) > allowed:
            found += _over(redacted(self.url), "requests", allowed)
        return found

    async def _documents(self, names: Sequence[str]) -> Finding:
        urls = tuple(self.url + quote(name, safe="/") for name in names)
        cap = self.limits.document_bytes
        found = Finding()
        responses = await fetch_all(urls, self.query, cap, self.limits)
        for name, url, response in zip(names, urls, responses, strict=True):
            origin = redacted(url)
            if response.status == OK and not response.too_large:
                found += read_document(response.body, origin=origin, name=name, limits=self.limits)
            else:
                found += without_body(response, origin, cap)
        return found


#: Documents in flight together: the drivers fetch no more at once, and what has arrived is
#: counted against the cap before more is asked for.
_AT_ONCE = 8


async def fetch_all(
    urls: Sequence[str], query: str | None, max_bytes: int, limits: Limits, accept: str = ""
) -> tuple[Response, ...]:
    """Fetch ``urls``; those that are refused once more with the query (presigned addresses)."""

    def fetch(url: str) -> Fetch:
        return Fetch(url, max_bytes, limits.fetch_seconds, accept)

    responses = list(await Fetches(tuple(fetch(url) for url in urls)))
    again = [
        position
        for position, response in enumerate(responses)
        if query and response.status in (_UNAUTHORIZED, _FORBIDDEN)
    ]
    if again:
        retried = await Fetches(tuple(fetch(f"{urls[position]}?{query}") for position in again))
        for position, response in zip(again, retried, strict=True):
            responses[position] = response
    return tuple(responses)


def without_body(response: Response, origin: str, cap: int) -> Finding:
    """404 and 410 are missing; everything else that is no answer of 200 is unreachable."""
    if response.too_large:
        return too_large(origin, cap)
    if response.status in _ABSENT:
        return nothing_at(origin)
    return unreachable(origin, _why(response))


def _why(response: Response) -> str:
    if response.status is None:
        return response.error or "no answer"
    if response.status == _UNAUTHORIZED:
        return "the server answered 401: it wants credentials that were not given or not accepted"
    if response.status == _FORBIDDEN:
        return (
            "the server answered 403: access refused (object stores also answer so for files"
            " that do not exist)"
        )
    return f"the server answered {response.status}"


def _over(origin: str, what: str, at_most: int) -> Finding:
    return fault(
        origin,
        MetadataTooLarge(
            f"too much {what}" if what == "evidence" else f"too many {what}",
            expected=f"at most {at_most}",
            place=origin,
        ),
    )
