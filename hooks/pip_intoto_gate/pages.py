"""What an index page says of where a file's provenance lies (PEP 740).

The verifier reads the page for itself, and then asks for that address. The gate believes it only
what it has read in the same page: that is all that is read here.
"""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, Any

from pip_intoto_gate import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As pip asks for index pages.
ACCEPT = (
    "application/vnd.pypi.simple.v1+json,"
    " application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)


def provenance_of(filename: str, body: bytes, base: str) -> set[str]:
    """The addresses that a page at ``base`` gives for ``filename``; none if it cannot be read."""
    if len(body) > limits.PAGE_BYTES:
        return set()
    read = _in_json if body.lstrip()[:1] == b"{" else _in_html
    try:
        return {
            urllib.parse.urljoin(base, address).partition("#")[0]
            for base, name, address in read(body.decode("utf-8", "replace"), base)
            if name == filename and isinstance(address, str) and address
        }
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, AssertionError):
        # Whatever the index sent: no address was read in it. (Of declarations that it does not
        # know, Python's parser of HTML says so by an assertion.)
        return set()


def _in_json(text: str, base: str) -> Iterator[tuple[str, Any, Any]]:
    for file in json.loads(text)["files"]:
        yield base, file.get("filename"), file.get("provenance")


def _in_html(text: str, base: str) -> Iterator[tuple[str, Any, Any]]:
    # pip has imported it long before, if it has read any page that is HTML.
    from html.parser import HTMLParser

    found: list[tuple[str, Any, Any]] = []

    class Anchors(HTMLParser):
        base = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            attributes = dict(attrs)
            href = attributes.get("href")
            if href and tag == "base" and not self.base:
                self.base = urllib.parse.urljoin(base, href)
            elif href and tag == "a":
                here = self.base or base
                path = urllib.parse.urlsplit(urllib.parse.urljoin(here, href)).path
                name = urllib.parse.unquote(path.rpartition("/")[2])
                found.append((here, name, attributes.get("data-provenance")))

        def error(self, message: str) -> None:
            """Say that it is no HTML, as Python 3.8 and 3.9 do."""
            raise ValueError(message)

    # What is opened and never closed would be searched for its end again and again.
    text = text[: text.rfind(">") + 1]
    if text.count("<!") + text.count("<?") > limits.PAGE_COMMENTS:
        raise ValueError("too many comments")
    parser = Anchors()
    parser.feed(text)
    parser.close()
    return iter(found)
