"""Whether who signed is who must have: identities held against credentials, to the letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.errors import (
    EnvironmentMismatch,
    IssuerMismatch,
    RefMismatch,
    RepositoryMismatch,
    SubjectMismatch,
    WorkflowMismatch,
)
from pip_intoto.metadata.node import shown
from pip_intoto.verification.wording import publisher

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pip_intoto.credential import Credential
    from pip_intoto.errors import EvidenceInvalid, IdentityMismatch
    from pip_intoto.metadata.identities import Identity

#: What is compared, in this order; the first that differs is what a message is about.
_PARTS: tuple[tuple[str, type[IdentityMismatch]], ...] = (
    ("issuer", IssuerMismatch),
    ("repository", RepositoryMismatch),
    ("workflow", WorkflowMismatch),
    ("ref", RefMismatch),
    ("environment", EnvironmentMismatch),
    ("subject", SubjectMismatch),
)
_RANKS: dict[type[EvidenceInvalid], int] = {kind: rank for rank, (_, kind) in enumerate(_PARTS)}
_WORKFLOWS = ".github/workflows/"


def satisfies(credential: Credential, identity: Identity) -> bool:
    """Tell whether ``credential`` is all that ``identity`` asks for."""
    return not _differing(identity, credential)


def mismatch(identity: Identity, credential: Credential) -> IdentityMismatch | None:
    """Say what of ``identity`` the signer first differs in; None when in nothing."""
    differing = _differing(identity, credential)
    if not differing:
        return None
    part = differing[0]
    if not getattr(identity, part):
        return RepositoryMismatch(
            "Another repository ran the workflow: whoever may reuse one gets certificates for it",
            expected=f"a run in the repository of {shown(identity.subject)}",
            found=f"{_said(credential, part)}, as in {publisher(credential)}",
            advice="If that repository may sign, say so: name it as `repository`.",
        )
    kind = dict(_PARTS)[part]
    return kind(
        f"Somebody with another {part} signed",
        expected=f"{part} {shown(getattr(identity, part))}, as in {publisher(identity)}",
        found=f"{_said(credential, part)}, as in {publisher(credential)}",
    )


def nearest_mismatch(
    identities: Iterable[Identity], credential: Credential
) -> IdentityMismatch | None:
    """Say in what the signer differs from the identity that comes nearest; None for no identities.

    That is the one whose first difference comes last, and then the one with the fewest.
    """
    order = [part for part, _ in _PARTS]
    measured = []
    for identity in identities:
        differing = _differing(identity, credential)
        if not differing:
            return None
        measured.append(((-order.index(differing[0]), len(differing)), identity))
    if not measured:
        return None
    return mismatch(min(measured, key=lambda each: each[0])[1], credential)


def nearness(error: EvidenceInvalid) -> int:
    """Rank why an attestation does not count: the later somebody differs, the nearer they are.

    Least near are those that are vouched for by nobody.
    """
    return _RANKS.get(type(error), -1)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who signed something with Sigstore, and which of a layout's identities that is.

    ``identities`` is empty for somebody whom the layout does not ask for. ``name`` is what the
    policy calls them, and ``revoked`` whether it wants nothing of theirs.
    """

    credential: Credential
    identities: tuple[Identity, ...] = ()
    name: str = ""
    revoked: bool = False

    @property
    def key(self) -> None:
        """None: what they signed with was made for that one signature."""

    @property
    def keyids(self) -> tuple[str, ...]:
        """The names by which a step may authorise them."""
        return tuple(identity.keyid for identity in self.identities)

    @property
    def identity(self) -> str:
        """What tells them from others: T3, all workflows of a repository are one."""
        return f"identity {self.credential.party}"

    def principal(self, names: Mapping[str, str]) -> tuple[str, str]:  # noqa: ARG002 - as others
        """Return the party that signed, and what messages call it."""
        if self.name:
            return f"principal {self.name}", self.name
        return self.identity, publisher(self.credential)

    def is_among(self, revoked: Collection[str]) -> bool:  # noqa: ARG002 - as others
        """Tell whether the policy revokes them, which it does by identity."""
        return self.revoked


def bearer(
    credential: Credential,
    identities: Iterable[Identity],
    *,
    named: Mapping[Identity, str],
    revoked: Collection[Identity],
) -> Bearer:
    """Say who ``credential`` is among ``identities``, and to the policy."""
    return Bearer(
        credential=credential,
        identities=tuple(each for each in identities if satisfies(credential, each)),
        # Whoever is several is the first: a policy is read from top to bottom.
        name=next((name for each, name in named.items() if satisfies(credential, each)), ""),
        # Whoever reuses a workflow that is revoked is revoked with it.
        revoked=any(all(_agrees(each, credential, part) for part, _ in _PARTS) for each in revoked),
    )


def _differing(identity: Identity, credential: Credential) -> list[str]:
    """Return the parts that are asked for, and not as they should be.

    The repository is one where the subject is the URI of a workflow that others may reuse: their
    certificates have it as well, and only the repository says who they are.
    """
    differing = [part for part, _ in _PARTS if not _agrees(identity, credential, part)]
    is_named = identity.subject and not identity.repository and "subject" not in differing
    if is_named and credential.reuses_another_repository:
        differing = sorted([*differing, "repository"], key=[part for part, _ in _PARTS].index)
    return differing


def _agrees(identity: Identity, credential: Credential, part: str) -> bool:
    asked: str = getattr(identity, part)
    if not asked or part != "workflow":
        return not asked or asked == str(getattr(credential, part))
    # One file, whether its name stands alone or behind the folder that all of them are in.
    theirs = {credential.workflow, credential.reused_workflow}
    return asked in theirs or asked.removeprefix(_WORKFLOWS) in theirs


def _said(credential: Credential, part: str) -> str:
    value = str(getattr(credential, part))
    said = f"{part} {shown(value)}" if value else f"no {part}"
    if part == "workflow" and credential.reused_workflow:
        said += f" (which runs {shown(credential.reused_workflow)})"
    return said
