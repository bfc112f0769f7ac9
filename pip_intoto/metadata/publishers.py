"""Publishers as PEP 740 spells them, and as lockfiles repeat them: ``attestation-identities``.

A publisher is a table with a ``kind``, and members that depend on it::

    {kind = "GitHub", repository = "acme/demo", workflow = "release.yml"}

Certificates of Sigstore say most of that, and only what they say can be compared. Few of them name
the deployment environment, which is a setting of the index: it is read, and asked of nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.metadata.identities import GITHUB, GITLAB, GOOGLE, PARTS, Identity

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The issuer of each kind, and which member is which part of an identity.
_KINDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "GitHub": (GITHUB, {"repository": "repository", "workflow": "workflow"}),
    "GitLab": (GITLAB, {"repository": "repository", "workflow_filepath": "workflow"}),
    "Google": (GOOGLE, {"email": "subject"}),
}
KINDS = tuple(_KINDS)


class UnusablePublisher(ValueError):
    """A publisher that nobody could be held against; ``member`` is what is wrong with it."""

    def __init__(self, message: str, member: str) -> None:
        super().__init__(message)
        self.member = member


def identity_of(publisher: Mapping[str, object]) -> Identity:
    """Say who must have signed. Members that are not known are passed over (A3).

    Raises UnusablePublisher.
    """
    kind = publisher.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise UnusablePublisher("publishers of this kind are not known here", "kind")
    issuer, members = _KINDS[kind]
    parts = {part: _text(publisher, member) for member, part in members.items()}
    return Identity(keyid="", issuer=issuer, **parts)


def publisher_of(identity: Identity) -> dict[str, str] | None:
    """Spell an identity as a publisher; None for one that no kind can express."""
    asked = {part for part in PARTS if getattr(identity, part)}
    for kind, (issuer, members) in _KINDS.items():
        if identity.issuer == issuer and asked == {"issuer", *members.values()}:
            return {
                "kind": kind,
                **{member: str(getattr(identity, part)) for member, part in members.items()},
            }
    return None


def _text(publisher: Mapping[str, object], member: str) -> str:
    value = publisher.get(member)
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise UnusablePublisher(f"a publisher of this kind has a `{member}`", member)
    return value
