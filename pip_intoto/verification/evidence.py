"""What was found for one step of a layout: which links count, for whom, and why others do not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.verification.signatures import Signing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pip_intoto.credential import Credential
    from pip_intoto.errors import EvidenceInvalid
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.verification.certificates import Holder
    from pip_intoto.verification.choice import Candidate
    from pip_intoto.verification.identities import Bearer


@dataclass(slots=True)
class StepEvidence:
    """What was found for one step, and why some of it does not count."""

    candidates: list[Candidate] = field(default_factory=list)
    #: Principals whose key is revoked, and what messages call them.
    revoked: dict[str, str] = field(default_factory=dict)
    #: Principals whose OpenPGP key is not valid now, and what messages say of them.
    invalid: dict[str, str] = field(default_factory=dict)
    #: Signed by functionaries of the layout, but not of this step.
    strangers: list[str] = field(default_factory=list)
    #: Why sublayouts and malformed documents do not count, and for whom they would have.
    failed: list[tuple[EvidenceInvalid, Authorised]] = field(default_factory=list)
    #: Why statements and links of the right kind do not count, and for whom they would have:
    #: something in them failed, or conditions on them do not hold.
    unfit: list[tuple[EvidenceInvalid, Authorised]] = field(default_factory=list)
    #: Why the nearest attestation of the right kind, of those who are known by an identity, does
    #: not count: it is somebody else's, or not vouched for.
    refused: EvidenceInvalid | None = None
    #: Certificates that do not count, and why.
    uncertified: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Authorised:
    """The parties behind one document that may carry out one step.

    ``principals`` maps them to what messages call them, ``signings`` pairs them with their keys,
    ``credentials`` are of those who are known by an identity.
    """

    principals: Mapping[str, str]
    signings: frozenset[tuple[str, str]]
    credentials: tuple[Credential, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.principals)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a sublayout: a key, its identity, and the parties that it stands for.

    U1: a sublayout is verified with "that one key" where it matters whose: its inspections may be
    reported by who signed it. Where it does not, all of its signers are taken together, and the
    key is any of theirs. Who is known by an identity has none.
    """

    key: PublicKey | None
    identity: str
    authorised: Authorised


def signers(
    signed: Sequence[Signing | Holder | Bearer], authorised: Authorised, *, each_alone: bool
) -> list[Signer]:
    """Return who of ``signed`` is ``authorised``: all of them together, or each one alone."""
    keys = {
        each.identity: each.signer if isinstance(each, Signing) else each.key for each in signed
    }
    found = []
    for principal, ident in sorted(authorised.signings):
        if not each_alone:
            return [Signer(keys[ident], "", authorised)]
        alone = Authorised(
            {principal: authorised.principals[principal]},
            frozenset({(principal, ident)}),
            tuple(each for each in authorised.credentials if f"identity {each.party}" == ident),
        )
        found.append(Signer(keys[ident], ident, alone))
    return found
