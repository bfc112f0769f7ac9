"""URLs as this package needs them: their origin, their parts, and what of them may be shown.

URLs are cut as text and never re-encoded, because the address of a piece of evidence is the
address of the distribution with a suffix, character for character.
"""

from __future__ import annotations

from dataclasses import dataclass

_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Address:
    """A URL in parts. ``path`` is still percent-encoded; ``query`` is None when there is none."""

    scheme: str
    userinfo: str
    host: str
    port: str
    path: str
    query: str | None

    @property
    def origin(self) -> tuple[str, str, str]:
        """Scheme, host and port: what credentials and index rules are bound to."""
        return (self.scheme, self.host, self.port)


def split(url: str) -> Address:
    """Cut a URL into its parts; the fragment is dropped. Never raises."""
    rest = url.partition("#")[0]
    scheme, separator, rest = rest.partition(":")
    if not separator:
        return Address("", "", "", "", scheme, None)
    scheme = scheme.lower()
    before, question, query = rest.partition("?")
    authority, path = "", before
    if before.startswith("//"):
        authority, slash, path = before[2:].partition("/")
        path = slash + path
    userinfo, _, hostport = authority.rpartition("@")
    host, port = hostport, ""
    if not hostport.endswith("]"):
        head, colon, tail = hostport.rpartition(":")
        if colon and (tail.isdigit() or not tail):
            host, port = head, tail
    return Address(
        scheme=scheme,
        userinfo=userinfo,
        host=host.lower().rstrip("."),
        port=port or _DEFAULT_PORTS.get(scheme, ""),
        path=path,
        query=query if question else None,
    )


def redacted(url: str) -> str:
    """``url`` without user information, query and fragment: all of these may be secrets."""
    rest = url.partition("#")[0]
    scheme, separator, rest = rest.partition("://")
    if not separator:
        # Half an address may have a password all the same: "user:password@host".
        return printable(url.partition("#")[0].partition("?")[0].rpartition("@")[2])
    rest, question, _ = rest.partition("?")
    authority, slash, path = rest.partition("/")
    if "@" in path and "@" not in authority and not _is_host(authority):
        # What seems to be a host with an odd port is a password with a slash in it.
        authority, slash, path = rest.rpartition("@")[2].partition("/")
    authority = authority.rpartition("@")[2]
    hidden = "?…" if question else ""
    return printable(f"{scheme}://{authority}{slash}{path}{hidden}")


def _is_host(authority: str) -> bool:
    """Whether a colon in it, if there is one, stands before a port or inside brackets."""
    _, colon, port = authority.rpartition(":")
    return not colon or port.isdigit() or authority.endswith("]")


def printable(text: str, at_most: int = 4_000) -> str:
    """``text`` fit for a terminal: no control characters, no invisible direction marks, bounded.

    Names out of evidence are an attacker's to choose; a verdict must not let them write over it.
    """
    shown = text[: at_most + 1]
    if not shown.isprintable():
        shown = "".join(
            character
            if character.isprintable()
            else character.encode("unicode_escape", "backslashreplace").decode("ascii")
            for character in shown
        )
    return shown if len(shown) <= at_most else shown[: at_most - 1] + "…"


def is_web(url: str) -> bool:
    """Whether ``url`` is one that a driver may fetch: http or https, with a host."""
    address = split(url)
    return address.scheme in _DEFAULT_PORTS and bool(address.host)


def within(url: str, prefix: str) -> bool:
    """Whether ``url`` lies under ``prefix``: origin equal, path a prefix on ``/`` boundaries."""
    inner, outer = split(url), split(prefix)
    if inner.origin != outer.origin or not outer.scheme:
        return False
    # Dot segments would let a path leave the prefix that it seems to begin with; and servers take
    # encoded slashes, and some take backslashes, for slashes.
    path = inner.path.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/")
    if not {".", ".."}.isdisjoint(path.replace("\\", "/").split("/")):
        return False
    base = outer.path.rstrip("/") + "/"
    return (inner.path.rstrip("/") + "/").startswith(base)
