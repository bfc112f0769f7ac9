"""Identities in words: publishers, which are short for most of them, and what layouts list.

A publisher names a service that Sigstore knows the issuer of, and what that says of who signed::

    github:acme/demo                 any workflow of the repository
    github:acme/demo:release.yml     this one
    github:acme/demo:release.yml@refs/heads/main
    gitlab:acme/tools/demo:.gitlab-ci.yml
    google:release@acme-builds.iam.gserviceaccount.com
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pip_intoto.metadata import canonical
from pip_intoto.metadata.identities import KEYTYPE, SCHEME, Identity
from pip_intoto.metadata.publishers import GITHUB, GITLAB, GOOGLE
from pip_intoto.policy.vocabulary import nearest

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

#: What an identity may say besides issuer and subject.
PARTS = ("repository", "workflow", "ref", "environment")
#: How a publisher is spelled, for messages.
PUBLISHERS = (
    "github:owner/repository[:workflow[@ref]], gitlab:group/project[:file[@ref]], google:address"
)
_ADDRESS = re.compile(r"[^\s@:/]+@[^\s@:/]+\.[^\s@:/]+")
FULL_REF = re.compile(r"refs/[^\s@]+")


@dataclass(frozen=True, slots=True)
class _Service:
    """A service whose workflows sign: its issuer, and what names of its own look like."""

    issuer: str
    repository: re.Pattern[str]
    workflow: re.Pattern[str]
    example: str


_SERVICES = {
    "github": _Service(
        GITHUB,
        re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+"),
        re.compile(r"[^\s@:*?]+\.ya?ml"),
        "github:acme/demo:release.yml",
    ),
    "gitlab": _Service(
        GITLAB,
        re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+"),
        re.compile(r"[^\s@:*?]+\.ya?ml"),
        "gitlab:acme/demo:.gitlab-ci.yml",
    ),
}


class NoPublisher(ValueError):
    """A publisher that cannot be read; ``advice`` says what to do about it."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


def parse_publisher(text: str) -> Identity:
    """The identity that ``github:owner/repository:workflow`` and the like stand for.

    Raises NoPublisher.
    """
    service, colon, rest = text.partition(":")
    if colon and service == "google":
        if not _ADDRESS.fullmatch(rest):
            raise NoPublisher(f'"{text}" names no mail address', "Write google:address.")
        return identity(issuer=GOOGLE, subject=rest)
    known = _SERVICES.get(service) if colon else None
    if known is None:
        near = nearest(service, (*_SERVICES, "google"))
        raise NoPublisher(f'"{text}" is not a publisher', f"Did you mean {near}:…?" if near else "")
    example = f"Write it as in {known.example}: nothing in it is a pattern."
    repository, colon, workflow = rest.partition(":")
    if not known.repository.fullmatch(repository):
        raise NoPublisher(f'"{repository}" is not a repository of {service}', example)
    workflow, at, ref = workflow.partition("@")
    if colon and not known.workflow.fullmatch(workflow):
        raise NoPublisher(f'"{workflow}" is not the file of a workflow', example)
    if at and not FULL_REF.fullmatch(ref):
        raise NoPublisher(f'"{ref}" is not a full ref', "Write refs/heads/main, or refs/tags/v1.0.")
    return identity(issuer=known.issuer, repository=repository, workflow=workflow, ref=ref)


def identity(
    *,
    issuer: str,
    subject: str = "",
    repository: str = "",
    workflow: str = "",
    ref: str = "",
    environment: str = "",
) -> Identity:
    """An identity with the keyid that follows from what it says."""
    bare = Identity(
        keyid="",
        issuer=issuer,
        subject=subject,
        repository=repository,
        workflow=workflow,
        ref=ref,
        environment=environment,
    )
    # As K4 has it for keys: the SHA-256 of what is listed.
    return replace(bare, keyid=hashlib.sha256(canonical.encode(listed(bare))).hexdigest())


def listed(whose: Identity) -> dict[str, JsonValue]:
    """An identity as a layout lists it among its ``keys``, without a keyid."""
    parts = {"issuer": whose.issuer, "identity": whose.subject}
    parts |= {part: getattr(whose, part) for part in PARTS}
    said: dict[str, JsonValue] = {part: value for part, value in parts.items() if value}
    return {"keytype": KEYTYPE, "scheme": SCHEME, "keyval": said}
