"""Publishers as policies and layout sources spell them, in a word: short for most identities.

A publisher names a service that Sigstore knows the issuer of, and what that says of who signed::

    github:acme/demo                 any workflow of the repository
    github:acme/demo:release.yml     this one
    github:acme/demo:release.yml@refs/heads/main
    gitlab:acme/tools/demo:.gitlab-ci.yml
    google:release@acme-builds.iam.gserviceaccount.com
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pip_intoto.metadata.identities import GOOGLE, PROVIDERS, Identity, with_keyid
from pip_intoto.policy.vocabulary import nearest

#: How a publisher is spelled, for messages.
PUBLISHERS = (
    "github:owner/repository[:workflow[@ref]], gitlab:group/project[:file[@ref]], google:address"
)
_ADDRESS = re.compile(r"[^\s@:/*?]+@[^\s@:/*?]+\.[^\s@:/*?]+")
FULL_REF = re.compile(r"refs/[^\s@]+")


@dataclass(frozen=True, slots=True)
class _Service:
    """A service whose workflows sign, and what names of its own look like."""

    repository: re.Pattern[str]
    workflow: re.Pattern[str]
    example: str


_SERVICES = {
    "github": _Service(
        re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+"),
        re.compile(r"[^\s@:*?]+\.ya?ml"),
        "github:acme/demo:release.yml",
    ),
    "gitlab": _Service(
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
        return with_keyid(Identity(keyid="", issuer=GOOGLE, subject=rest))
    known = _SERVICES.get(service) if colon else None
    if known is None:
        near = nearest(service, PROVIDERS)
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
    issuer = PROVIDERS[service]
    return with_keyid(
        Identity(keyid="", issuer=issuer, repository=repository, workflow=workflow, ref=ref)
    )
