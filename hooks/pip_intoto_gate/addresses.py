"""Which addresses belong together: origins, and evidence beside its distribution."""

from __future__ import annotations

import re
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What lies beside a distribution, by the end of its address: a bundle, or attestations (PEP 740).
_BESIDE = (".intoto.jsonl", ".provenance", ".publish.attestation", ".slsa.attestation")

#: PyPI's pages, and its Integrity API.
_PYPI_PAGES = "https://pypi.org/simple/"
_PYPI_INTEGRITY = "https://pypi.org/integrity/"

_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+")


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of ``url``, the port spelled out. Raises ValueError."""
    if "\\" in url:
        # Where the host ends then, requests and the standard library do not agree.
        raise ValueError("a backslash in an address")
    parts = urllib.parse.urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or {"http": 80, "https": 443}.get(scheme)
    return scheme, (parts.hostname or "").lower(), port


def without_user(url: str) -> str:
    """``url`` without user name and password."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def local_path(url: str) -> str:
    """The path of a ``file:`` URL, "" for others."""
    if not url.lower().startswith("file:"):
        return ""
    # Imported here for start-up time: only a message needs it.
    from urllib.request import url2pathname

    return url2pathname(urllib.parse.urlsplit(url).path)


def is_beside(distribution: str, url: str) -> bool:
    """Whether ``url`` is where evidence of ``distribution`` may lie beside it.

    That is the bundle ``<url>.intoto.jsonl``, a file below the directory ``<url>.intoto/``, or an
    attestation such as ``<url>.provenance``; the distribution's own query may follow (presigned
    URLs).
    """
    path, _, query = distribution.partition("?")
    if not url.startswith(path):
        return False
    suffix = url[len(path) :]
    if query and suffix.endswith("?" + query):
        suffix = suffix[: -len(query) - 1]
    if suffix in _BESIDE:
        return True
    below = suffix[len(".intoto/") :]
    return suffix.startswith(".intoto/") and all(map(_is_plain, below.split("/")))


def integrity_of(page: str | None, name: str, version: str, filename: str) -> str:
    """Where PyPI has provenance of a file that one of its pages lists; "" for other pages."""
    parts = [urllib.parse.quote(part, safe="") for part in (name, version, filename)]
    if not (page or "").startswith(_PYPI_PAGES) or not all(map(_is_plain, parts)):
        return ""
    return f"{_PYPI_INTEGRITY}{'/'.join(parts)}/provenance"


def fits_any(templates: Iterable[str], url: str) -> bool:
    """Whether ``url`` can come from one of the policy's templates.

    What stands before the first placeholder, scheme and authority included, is fixed.
    """
    for template in templates:
        fixed, placeholder, _ = template.partition("{")
        if url == template or (placeholder and url.startswith(fixed) and not _climbs(url)):
            return True
    return False


def _climbs(url: str) -> bool:
    """Whether the path could end in another place than it seems to, once somebody decodes it."""
    path = urllib.parse.unquote(url.partition("?")[0])
    return "\\" in path or not {".", ".."}.isdisjoint(path.split("/"))


def _is_plain(segment: str) -> bool:
    """Whether no server could read another directory into a segment of a path."""
    if not _SEGMENT.fullmatch(segment):
        return False
    decoded = urllib.parse.unquote(segment)
    return decoded not in (".", "..") and "/" not in decoded and "\\" not in decoded
