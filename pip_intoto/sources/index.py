"""What a package index has of a project: the simple repository API, as JSON or as HTML.

An index is believed in nothing: what it lists only says where files lie.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin

from pip_intoto.errors import CommandError, MetadataMalformed, NoSuchProject, SourceUnreachable
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.node import Node
from pip_intoto.sources.addresses import is_web, printable, redacted, split
from pip_intoto.sources.fetching import Fetch, Fetches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.strict_json import JsonValue

_OK = 200
_ABSENT = (404, 410)
#: What the page of a project is asked for as.
ACCEPT = (
    "application/vnd.pypi.simple.v1+json,"
    " application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One file as the index lists it.

    ``sha256`` is empty and ``size`` (in bytes) None where the index says none. ``provenance`` is
    the address where it says that the file's provenance lies (PEP 740); empty for none.
    """

    filename: str
    url: str
    page: str
    sha256: str = ""
    yanked: bool = False
    size: int | None = None
    requires_python: str = ""
    provenance: str = ""


async def files_of(project: str, index_url: str, limits: Limits) -> tuple[Listed, ...]:
    """List the files of a project, by its PEP 503 name.

    Raises SourceUnreachable, MetadataMalformed, NoSuchProject, and CommandError for an index that
    is no web address.
    """
    page = f"{index_url.rstrip('/')}/{project}/"
    if not is_web(page):
        raise CommandError(
            "an index must be an http or https address",
            expected="--index-url https://host/simple/",
            found=redacted(index_url),
        )
    fetch = Fetch(page, limits.page_bytes, limits.fetch_seconds, ACCEPT)
    (response,) = await Fetches((fetch,))
    if response.status in _ABSENT:
        raise NoSuchProject(
            f"the index has no project {project!r}",
            found=f"{redacted(page)} answered {response.status}",
            advice="Check the spelling, and which index is asked: --index-url names one, and"
            " `trust add --index`.",
        )
    if response.status != _OK:
        why = response.error or f"it answered {response.status}"
        raise SourceUnreachable("the index could not be asked", found=f"{redacted(page)}: {why}")
    return read_page(response.body, response.url or page, page, limits)


def read_page(body: bytes, base: str, page: str, limits: Limits) -> tuple[Listed, ...]:
    """List the files on a page; what is relative on it is relative to ``base``.

    Raises MetadataMalformed.
    """
    read = _read_json if body.lstrip()[:1] == b"{" else _read_html
    return tuple(listed for listed in read(body, base, page, limits) if is_web(listed.url))


def _read_json(body: bytes, base: str, page: str, limits: Limits) -> list[Listed]:
    """Read a page of PEP 691."""
    found = []
    root = Node(strict_json.parse(body, limits=limits, max_bytes=limits.page_bytes), "index page")
    for file in root.member("files").elements():
        digests = file.optional("hashes")
        sha256 = None if digests is None else digests.optional("sha256")
        yanked = file.optional("yanked")
        size = file.optional("size")
        python = file.optional("requires-python")
        provenance = file.optional("provenance")
        found.append(
            Listed(
                filename=file.member("filename").string(),
                url=_joined(base, file.member("url").string()),
                page=page,
                sha256="" if sha256 is None else sha256.string().lower(),
                # PEP 592: true, or the reason as a string.
                yanked=yanked is not None and bool(yanked.value),
                size=size.value if size is not None and isinstance(size.value, int) else None,
                requires_python=python.value
                if python is not None and isinstance(python.value, str)
                else "",
                # A URL, or null.
                provenance=_named(base, "" if provenance is None else provenance.value),
            )
        )
    return found


def _named(base: str, address: JsonValue) -> str:
    """Return the address that a page gives; nothing where it is none that is ever fetched."""
    if not isinstance(address, str) or not address:
        return ""
    url = _joined(base, address).partition("#")[0]
    return url if is_web(url) else ""


def _joined(base: str, address: str) -> str:
    """Return what ``address`` means on a page at ``base``; nothing when it is no address."""
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


def _read_html(body: bytes, base: str, page: str, limits: Limits) -> list[Listed]:
    """Read a page of PEP 503."""
    # Imported here for start-up time: most indexes speak JSON.
    from html.parser import HTMLParser

    found: list[Listed] = []

    class Anchors(HTMLParser):
        base = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            attributes = dict(attrs)
            href = attributes.get("href")
            if not href:
                return
            if tag == "base" and not self.base:
                self.base = _joined(base, href)
            elif tag == "a":
                found.append(_anchor(self.base or base, href, attributes))

        @staticmethod
        def error(message: str) -> None:
            raise MetadataMalformed(message, place=redacted(page))

    def _anchor(base: str, href: str, attributes: Mapping[str, str | None]) -> Listed:
        address, _, fragment = _joined(base, href).partition("#")
        algorithm, _, digest = fragment.partition("=")
        return Listed(
            filename=unquote(split(address).path.rpartition("/")[2]),
            url=address,
            page=page,
            sha256=digest.lower() if algorithm == "sha256" and _SHA256.fullmatch(digest) else "",
            yanked="data-yanked" in attributes,
            requires_python=attributes.get("data-requires-python") or "",
            provenance=_named(base, attributes.get("data-provenance")),
        )

    text = body.decode("utf-8", "replace")
    # What is opened and never closed, the parser searches for its end, to the end of the page, and
    # again from the next one on. Behind the last ">" nothing is closed; before it, comments may be.
    text = text[: text.rfind(">") + 1]
    if text.count("<!") + text.count("<?") > limits.page_comments:
        raise MetadataMalformed(
            "an index page has too many comments",
            expected=f"at most {limits.page_comments}",
            place=redacted(page),
        )
    parser = Anchors()
    try:
        parser.feed(text)
        parser.close()
    except AssertionError as error:
        # The parser has no better word for declarations that it does not know.
        raise MetadataMalformed(
            f"an index page is no HTML: {printable(str(error), 300)}", place=redacted(page)
        ) from None
    return found
