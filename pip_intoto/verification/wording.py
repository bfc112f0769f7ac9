"""How messages of this package put things: counts, keys, commands, who must sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.metadata.identities import PROVIDERS
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.credential import Credential
    from pip_intoto.metadata.identities import Identity

#: How many a message names of what may be many.
NAMED = 3
_KEYID_SHOWN = 8
_PROVIDERS = {issuer: name for name, issuer in PROVIDERS.items()}


def short_keyid(keyid: str) -> str:
    """The beginning of a keyid, as links have it in their names."""
    return shown(keyid[:_KEYID_SHOWN])[1:-1]


def command(words: Sequence[str]) -> str:
    """A command as a person would type it."""
    text = " ".join(word if word.split() == [word] else f"'{word}'" for word in words)
    return shown(text)[1:-1] or "(none)"


def so_many_of(threshold: int, names: Sequence[str], *, at_least: bool = False) -> str:
    """Say who must sign: ``alice``, ``alice and bob``, ``2 of alice, bob, carol``.

    With ``at_least``, several may go by one of the names.
    """
    if threshold == len(names) and (threshold == 1 or not at_least):
        return " and ".join(names)
    return f"{threshold} of {', '.join(names) or 'nobody'}"


def counted(number: int, what: str) -> str:
    """``1 link``, ``2 links``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def publisher(of: Identity | Credential) -> str:
    """Who vouches for whom, and for which run: ``github:acme/demo:release.yml (refs/tags/v1)``.

    Others than workflows are known by their subject: ``alice@acme.example (https://id.example)``.
    """
    provider = _PROVIDERS.get(of.issuer, "")
    details = [of.ref, f"environment {of.environment}" if of.environment else ""]
    name = ":".join(filter(None, [of.repository, of.workflow])) or of.subject
    if provider:
        name = f"{provider}:{name}"
    else:
        details.insert(0, of.issuer)
    said = ", ".join(filter(None, details))
    return f"{name} ({said})" if said else name
