"""Attestations as package indexes have them (PEP 740): provenance that an index page names.

Where to look, in order:

1. the address that the index page gives of the file: the member ``provenance`` of its JSON (PEP
   691), or the attribute ``data-provenance`` of its HTML. The page of a project on PyPI may be
   large, and the address is known without it: PyPI's Integrity API is asked at once.
2. beside the file: ``<url>.provenance``, ``<url>.publish.attestation`` and
   ``<url>.slsa.attestation``.

For files on this machine, the same three names on the disk. An index that publishes provenance
says as well who has published: nobody here listens to that, since an index is believed in nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.sources.addresses import is_web, printable, redacted, within
from pip_intoto.sources.beside import local_path
from pip_intoto.sources.fetching import Fetch, Fetches
from pip_intoto.sources.finding import Finding, nothing_at, read_attestations, unreachable
from pip_intoto.sources.local import read_file
from pip_intoto.sources.remote import OK, fetch_all, without_body
from pip_intoto.verdict import Outcome, TraceEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.sources.finding import Place
    from pip_intoto.sources.index import Listed

#: The distribution's name or address, with these at its end.
SUFFIXES = (".provenance", ".publish.attestation", ".slsa.attestation")
#: How provenance is asked for where an index names it. Files on plain servers have another type.
ACCEPT = "application/vnd.pypi.integrity.v1+json, */*;q=0.1"

PYPI_PAGES = "https://pypi.org/simple/"
#: Where PyPI has its files: an address there says which index knows them.
PYPI_FILES = "https://files.pythonhosted.org/packages/"
_PYPI_INTEGRITY = "https://pypi.org/integrity/"

_NO_INDEX = "an index (none is known that lists it: `pip-intoto verify --index-url` names one)"


def places(
    distribution: Distribution, limits: Limits, *, on_disk: bool = False
) -> tuple[Place, ...]:
    """Where to look; none when the distribution has no address that can be asked.

    With ``on_disk``, addresses of the network are none.
    """
    url = distribution.url
    if url is None or not is_web(url):
        path = distribution.path if url is None else local_path(url)
        return () if path is None else (LocalAttestations(path, limits),)
    if on_disk:
        return ()
    before, _, query = url.partition("#")[0].partition("?")
    return (
        NamedProvenance(distribution, limits),
        RemoteAttestations(before, query or None, limits),
    )


def page_of(distribution: Distribution) -> str:
    """The index page that may name its provenance; empty where none is known."""
    # A lock may know the address of a file only, which then stands for its index.
    known = distribution.index if distribution.index != distribution.url else None
    page = known or distribution.page or ""
    return page.partition("#")[0] if is_web(page) else ""


def integrity_address(page: str, distribution: Distribution) -> str:
    """The address of PyPI's Integrity API, where ``page`` is one of PyPI's; else empty."""
    if not within(page, PYPI_PAGES):
        return ""
    parts = (distribution.name, distribution.version, distribution.filename)
    # Dots are never encoded, and a segment of nothing but dots would climb.
    if any(set(part) <= {"."} for part in parts):
        return ""
    encoded = (quote(part, safe="", errors="surrogatepass") for part in parts)
    return f"{_PYPI_INTEGRITY}{'/'.join(encoded)}/provenance"


@dataclass(frozen=True, slots=True)
class NamedProvenance:
    """The provenance that an index names."""

    distribution: Distribution
    limits: Limits

    async def find(self) -> Finding:
        """Find out where it is, and fetch it."""
        page = page_of(self.distribution)
        address = self.distribution.provenance
        if address is None and not page:
            why = "no index is known that could name it"
            return Finding(
                missing=(_NO_INDEX,), trace=(TraceEntry("provenance", Outcome.NOTE, why),)
            )
        if address is None:
            address = integrity_address(page, self.distribution)
            answer = address or await self._named_on(page)
            if isinstance(answer, Finding):
                return answer
            address = answer
        if not address:
            return nothing_at(f"{redacted(page) or 'the index'} (which names no provenance of it)")
        cap = self.limits.bundle_bytes
        (response,) = await Fetches((Fetch(address, cap, self.limits.fetch_seconds, ACCEPT),))
        origin = redacted(address)
        if response.status == OK and not response.too_large:
            return read_attestations(response.body, origin=origin, limits=self.limits)
        return without_body(response, origin, cap)

    async def find_named(self, names: Sequence[str]) -> Finding:  # noqa: ARG002
        """Nothing more: it came as a whole."""
        return Finding()

    async def _named_on(self, page: str, *, fresh: bool = False) -> str | Finding:
        """Read on the page where its provenance is; empty where it says nothing of that."""
        # Imported here for start-up time: few rules have this source.
        from pip_intoto.sources.index import ACCEPT as ACCEPT_PAGE
        from pip_intoto.sources.index import read_page

        limits = self.limits
        cap = limits.provenance_page_bytes
        fetch = Fetch(page, cap, limits.fetch_seconds, ACCEPT_PAGE, fresh=fresh)
        (response,) = await Fetches((fetch,))
        origin = redacted(page)
        if response.too_large:
            return unreachable(origin, f"the index page is longer than {cap} bytes")
        if response.status != OK:
            return without_body(response, origin, cap)
        try:
            listed = read_page(response.body, response.url or page, page, limits)
        except (MetadataMalformed, MetadataTooLarge) as error:
            # A page is no evidence: that it cannot be read says nothing about any.
            return unreachable(origin, f"the index page cannot be read: {error}")
        address = _address_for(self.distribution, listed)
        if not address and response.remembered:
            # The page may be older than the file, and "nothing there" is never remembered.
            return await self._named_on(page, fresh=True)
        return address


def _address_for(distribution: Distribution, listed: Sequence[Listed]) -> str:
    """Choose what a page says of exactly this file, or of one that is called like it."""
    own = (distribution.url or "").partition("#")[0]
    named = [each for each in listed if each.filename == distribution.filename]
    same = [each for each in named if each.url.partition("#")[0] == own]
    return next((each.provenance for each in (*same, *named) if each.provenance), "")


@dataclass(frozen=True, slots=True)
class RemoteAttestations:
    """Attestations beside the file at ``url``; ``query`` is what its address had behind it."""

    url: str
    query: str | None
    limits: Limits

    async def find(self) -> Finding:
        """Fetch them all at once."""
        cap = self.limits.bundle_bytes
        urls = tuple(self.url + suffix for suffix in SUFFIXES)
        found = Finding()
        responses = await fetch_all(urls, self.query, cap, self.limits)
        for url, response in zip(urls, responses, strict=True):
            origin = redacted(url)
            if response.status == OK and not response.too_large:
                found += read_attestations(response.body, origin=origin, limits=self.limits)
            else:
                found += without_body(response, origin, cap)
        return _briefly(found, redacted(self.url))

    async def find_named(self, names: Sequence[str]) -> Finding:  # noqa: ARG002
        """Nothing more: all of them were asked for."""
        return Finding()


@dataclass(frozen=True, slots=True)
class LocalAttestations:
    """Attestations beside the file at ``path``; where ``by_chance``, their absence is no word."""

    path: Path
    limits: Limits
    by_chance: bool = False

    async def find(self) -> Finding:
        """Read them all."""
        found = Finding()
        for suffix in SUFFIXES:
            path = self.path.with_name(self.path.name + suffix)
            data = read_file(path, self.limits.bundle_bytes)
            if isinstance(data, Finding):
                found += (
                    data if data.unreachable or data.faults or not self.by_chance else Finding()
                )
            else:
                origin = printable(str(path))
                found += read_attestations(data, origin=origin, limits=self.limits)
        return _briefly(found, printable(str(self.path)))

    async def find_named(self, names: Sequence[str]) -> Finding:  # noqa: ARG002
        """Nothing more: all of them were looked at."""
        return Finding()


def _briefly(found: Finding, origin: str) -> Finding:
    """Say in a few words that all of them are missing."""
    if len(found.missing) < len(SUFFIXES):
        return found
    return nothing_at(f"{origin}{' or '.join(SUFFIXES)}")
