"""Evidence beside the distribution: the bundle first, then the directory form.

The address is the link as the index lists it, before redirects. The suffix is appended to the
encoded path; fragment and query are dropped, and an address that is refused is tried once more
with the query.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.metadata.names import BUNDLE_SUFFIX, DIRECTORY_SUFFIX
from pip_intoto.sources.addresses import is_web, split
from pip_intoto.sources.local import LocalBundle, LocalDirectory
from pip_intoto.sources.remote import RemoteBundle, RemoteDirectory

if TYPE_CHECKING:
    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.sources.finding import Place


def places(
    distribution: Distribution, limits: Limits, *, on_disk: bool = False
) -> tuple[Place, ...]:
    """Where to look; none when the distribution has no address that can be asked.

    With ``on_disk``, addresses of the network are none.
    """
    url = distribution.url
    if url is None:
        return () if distribution.path is None else beside_file(distribution.path, limits)
    if is_web(url):
        if on_disk:
            return ()
        before, _, query = url.partition("#")[0].partition("?")
        return (
            RemoteBundle(before + BUNDLE_SUFFIX, query or None, limits),
            RemoteDirectory(f"{before}{DIRECTORY_SUFFIX}/", query or None, limits),
        )
    path = local_path(url)
    return () if path is None else beside_file(path, limits)


def beside_file(path: Path, limits: Limits) -> tuple[Place, ...]:
    """Where to look beside a file on this machine."""
    return (
        LocalBundle(path.with_name(path.name + BUNDLE_SUFFIX), limits),
        LocalDirectory(path.with_name(path.name + DIRECTORY_SUFFIX), limits),
    )


def local_path(url: str) -> Path | None:
    """The file that a ``file:`` URL names on this machine; None for any other URL."""
    address = split(url)
    # A host in a file URL is a network share on Windows: the verifier opens no connection.
    if address.scheme != "file" or address.host not in {"", "localhost"}:
        return None
    # Imported here for start-up time: most distributions come over the network.
    from urllib.request import url2pathname

    text = url2pathname(address.path)
    if "\0" in text or text.startswith(("//", "\\\\")):
        return None
    path = Path(text)
    return path if path.is_absolute() else None
