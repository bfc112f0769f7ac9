"""Evidence at an address that the policy spells with placeholders.

Values are percent-encoded with nothing safe, and none may stand in scheme or authority, so that
no name can lead to another host or to another directory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from pip_intoto.errors import PolicyInvalid
from pip_intoto.policy import placeholders
from pip_intoto.sources.addresses import is_web, redacted
from pip_intoto.sources.pep740 import ACCEPT
from pip_intoto.sources.remote import RemoteBundle, RemoteDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.limits import Limits
    from pip_intoto.sources.finding import Place


def expand(template: str, values: Mapping[str, str]) -> str:
    """Fill in the address for one distribution.

    Raises PolicyInvalid when the template does not begin with a fixed scheme and host, or has a
    placeholder that is not in ``values``.
    """
    scheme, separator, rest = template.partition("://")
    if not separator or "{" in scheme + rest.partition("/")[0] or not is_web(template):
        raise PolicyInvalid(
            "a source template must begin with a fixed http or https host",
            expected="https://host/…{project}…",
            found=redacted(template),
        )
    try:
        return placeholders.fill(template, values, _encode)
    except KeyError as error:
        raise PolicyInvalid(
            f"a source template has a placeholder without a value: {error}",
            expected=", ".join(f"{{{known}}}" for known in placeholders.NAMES),
            found=redacted(template),
        ) from error


def needs_digest(template: str) -> bool:
    """Whether the address is known only once the file's digest is."""
    return "{sha256}" in template


def places(template: str, values: Mapping[str, str], limits: Limits) -> tuple[Place, ...]:
    """Where to look: a bundle, or the directory form when the template ends with a slash."""
    url = expand(template, values)
    if url.endswith("/"):
        return (RemoteDirectory(url, None, limits),)
    # It may be the Integrity API of an index, which has a form for people as well.
    return (RemoteBundle(url, None, limits, ACCEPT),)


def _encode(value: str) -> str:
    # A filename may be no text at all; then there is an address, and nothing at it.
    encoded = quote(value, safe="", errors="surrogatepass")
    # Dots are never encoded, and a segment of nothing but dots would climb.
    return encoded.replace(".", "%2E") if set(encoded) <= {"."} else encoded
