"""Evidence and index pages that were fetched before, and need not be fetched again so soon.

Of each address that answered, a record is kept: the digest of what it sent, when, and what the
server calls that state. What was sent lies elsewhere, under its digest, which is checked whenever
it is read. Within ``evidence_fresh_seconds`` an address is not asked again; after that it is, with
a conditional request where the server gave something to ask with. An address that cannot be asked
then is unreachable: what is stale is never passed off as an answer.

What is kept, and what is not:

- Answers with the status 200. A lie in them is found out where a lie from the network is, because
  everything that comes from here is verified again; that is why this folder may be shared.
- Not "there is nothing here" (404, 410), not even for a while. It is the one answer that nobody
  signs. Whoever can give it once, or an outage that looks like it, would have it last; and who has
  just published what was missing is to see it at the next run. Verdicts of "verified" do not
  depend on what was absent, so that nothing is lost by asking again.
- Not refusals, errors and time-outs: they say nothing.
- Not what the server wants nobody to keep (``Cache-Control: no-store``).
- Not what a source wants fresh: TUF's metadata is there to say what is new.
- Of index pages, none that came from elsewhere after a redirect, as its links are relative to an
  address that may be secret; and none with addresses that may have secrets in them.
- Never distributions: they do not come this way.

Addresses stand on the disk as hashes only: their queries may be signatures.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pip_intoto.distribution import SHA256
from pip_intoto.errors import EvidenceInvalid
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.node import Node
from pip_intoto.shelf import Shelf
from pip_intoto.sources.fetching import UNKNOWN, Response, Validators

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.sources.fetching import Fetch, FetchMany

#: Rises when a record means something else.
_SCHEMA = 1
_OK = 200
_NOT_MODIFIED = 304
_ABSENT = (404, 410)
#: What may stand in a header; anything else was never sent by an honest server.
_VALIDATOR = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?")
#: In a page: a query, user information, or an escape that could spell either.
_SECRETIVE = re.compile(rb"\?|://[^/\s\"'<>]*@|\\u00|&#")


@dataclass(frozen=True, slots=True)
class _Record:
    """What is known of an address: what it sent, when (seconds since 1970), and its state."""

    sha256: str
    time: int
    validators: Validators


class Remembering:
    """Carries out fetches, of those that are remembered none.

    ``refresh`` asks for everything again, and remembers the answers. ``clock`` gives seconds
    since 1970. Safe to use from several threads.
    """

    def __init__(
        self,
        fetch_many: FetchMany,
        folder: Path,
        *,
        refresh: bool = False,
        limits: Limits = DEFAULT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch_many = fetch_many
        self._refresh = refresh
        self._limits = limits
        self._clock = clock
        shelf = (limits.evidence_cache_bytes, limits.evidence_cache_entries)
        #: Records by address, and bodies by content: each may lack what the other has.
        self._shelf = Shelf(folder, most_bytes=shelf[0], most_entries=shelf[1])

    @property
    def trouble(self) -> str:
        """Why nothing is remembered; empty while all is well."""
        return self._shelf.trouble

    def close(self) -> None:
        """Bring what is kept back to its size."""
        self._shelf.close()

    def fetch_many(self, fetches: tuple[Fetch, ...]) -> tuple[Response, ...]:
        """Answer every fetch, in order."""
        responses: list[Response | None] = [None] * len(fetches)
        asked: list[tuple[int, Fetch, bytes | None]] = []
        now = int(self._clock())
        for position, fetch in enumerate(fetches):
            unwanted = self._refresh or fetch.fresh
            record = None if unwanted else self._record(name_of(fetch))
            body = None if record is None else self._body(record, fetch)
            if record is not None and body is not None and self._is_fresh(record, now):
                responses[position] = replace(_remembered(fetch, body), remembered=True)
            else:
                known = UNKNOWN if record is None or body is None else record.validators
                asked.append((position, replace(fetch, known=known), body))
        if asked:
            answers = self._fetch_many(tuple(fetch for _, fetch, _ in asked))
            for (position, fetch, body), answer in zip(asked, answers, strict=True):
                responses[position] = self._learn(fetch, body, answer, now)
        return tuple(response for response in responses if response is not None)

    def current(self, name: str) -> str | None:
        """Return the digest of what an address sent, by :func:`name_of`; None unless fresh."""
        record = self._record(name)
        fresh = record is not None and self._is_fresh(record, int(self._clock()))
        return record.sha256 if record is not None and fresh else None

    # --- what is there ----------------------------------------------------------------------

    def _is_fresh(self, record: _Record, now: int) -> bool:
        # A clock that was set back must not make anything last.
        return 0 <= now - record.time < self._limits.evidence_fresh_seconds

    def _record(self, name: str) -> _Record | None:
        data = self._shelf.get(name, self._limits.address_record_bytes)
        if data is None:
            return None
        try:
            node = Node(strict_json.parse(data, limits=self._limits))
            sha256 = node.member("sha256").string()
            readable = (
                node.member("schema").integer() == _SCHEMA
                # A file under another name than its own says nothing of this address.
                and node.member("address").string() == name
                and SHA256.fullmatch(sha256) is not None
            )
            record = _Record(
                sha256=sha256,
                time=node.member("time").integer(),
                validators=_plain(
                    Validators(node.member("etag").string(), node.member("modified").string())
                ),
            )
        except EvidenceInvalid:
            return None
        return record if readable else None

    def _body(self, record: _Record, fetch: Fetch) -> bytes | None:
        body = self._shelf.get(record.sha256, fetch.max_bytes)
        # Whatever happened to the file: it is what was sent, or it is nothing.
        if body is None or hashlib.sha256(body).hexdigest() != record.sha256:
            return None
        return body

    # --- what is learnt ---------------------------------------------------------------------

    def _learn(self, fetch: Fetch, held: bytes | None, answer: Response, now: int) -> Response:
        """Remember an answer; ``held`` is what the address sent before, where that is intact."""
        validators = _plain(answer.validators)
        if answer.status == _NOT_MODIFIED and held is not None and fetch.known != UNKNOWN:
            if not answer.fleeting:
                self._keep(fetch, held, validators if validators != UNKNOWN else fetch.known, now)
            return _remembered(fetch, held)
        if answer.status == _OK and not answer.too_large and _may_be_kept(fetch, answer):
            # The body first: a record must not speak of what is not there yet.
            if answer.body != held:
                self._shelf.put(hashlib.sha256(answer.body).hexdigest(), answer.body)
            self._keep(fetch, answer.body, validators, now)
        elif answer.status in (_OK, *_ABSENT):
            # What was there is not there any more.
            self._shelf.drop(name_of(fetch))
        return answer

    def _keep(self, fetch: Fetch, body: bytes, validators: Validators, now: int) -> None:
        name = name_of(fetch)
        record = {
            "schema": _SCHEMA,
            "address": name,
            "sha256": hashlib.sha256(body).hexdigest(),
            "time": now,
            "etag": validators.etag,
            "modified": validators.modified,
        }
        self._shelf.put(name, json.dumps(record).encode("ascii"))


def name_of(fetch: Fetch) -> str:
    """Name the address of a request, and what it asks for there, without telling either."""
    url = fetch.url.partition("#")[0]
    scheme, separator, rest = url.partition("://")
    rest, question, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    plain = f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}{question}{query}"
    return hashlib.sha256(f"{plain}\n{fetch.accept}".encode("utf-8", "surrogatepass")).hexdigest()


def _remembered(fetch: Fetch, body: bytes) -> Response:
    return Response(_OK, body, url=fetch.url)


def _may_be_kept(fetch: Fetch, answer: Response) -> bool:
    if answer.fleeting or fetch.fresh:
        return False
    # Evidence is what it is wherever it came from. Links on a page are relative to its address.
    is_page = "html" in fetch.accept
    moved = answer.url not in {"", fetch.url}
    return not is_page or not (moved or _SECRETIVE.search(answer.body))


def _plain(validators: Validators) -> Validators:
    """Leave out what could not stand in a header."""
    return Validators(
        validators.etag if _VALIDATOR.fullmatch(validators.etag) else "",
        validators.modified if _VALIDATOR.fullmatch(validators.modified) else "",
    )
