"""The root layout: V1 to V3 of the workflow that :mod:`pip_intoto.verification.chain` describes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto.errors import (
    EvidenceInvalid,
    EvidenceMissing,
    KeyRevoked,
    LayoutExpired,
    LayoutFeatureUnsupported,
    LayoutNotForProject,
    LayoutSignatureMissing,
    MetadataTooLarge,
    SigstoreUnavailable,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.envelope import read_evidence
from pip_intoto.metadata.layout import Layout
from pip_intoto.verdict import Outcome, TraceEntry
from pip_intoto.verification.identities import Bearer, bearer, nearest_mismatch
from pip_intoto.verification.parties import count_parties
from pip_intoto.verification.pool import in_one_order
from pip_intoto.verification.signatures import Keyring, Signing
from pip_intoto.verification.substitution import substitute
from pip_intoto.verification.wording import NAMED, counted, so_many_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.credential import Credential
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Content
    from pip_intoto.verification.trust import Owner, OwnerIdentity, OwnLayout, Trust

#: A layout that the policy amounts to holds as long as the policy does.
NEVER = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class RootLayout:
    """A layout that the project owners signed to the threshold, parameters substituted.

    ``sha256`` is that of the document as received, ``content`` what the signatures cover;
    ``signed_by`` names principals.
    """

    layout: Layout
    sha256: str
    #: None of a layout that nobody signed, the consumer's own.
    content: Content | None = field(repr=False)
    origin: str
    signed_by: tuple[str, ...]
    trace: tuple[TraceEntry, ...] = ()
    #: Identities of the keys that signed it, and what is known of who signed by another way.
    owner_keys: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()

    @property
    def contents(self) -> tuple[Content, ...]:
        """What was signed of it, if anything."""
        return () if self.content is None else (self.content,)


def root_layouts(
    documents: Sequence[Document], trust: Trust, now: datetime, *, limits: Limits = DEFAULT
) -> tuple[RootLayout, ...]:
    """Return the layouts that may be believed at ``now`` (aware), those that last longest first.

    Raises :class:`EvidenceMissing` without documents, and what is wrong with the document that
    came nearest when there is no such layout: :class:`LayoutSignatureMissing`,
    :class:`KeyRevoked`, :class:`LayoutNotForProject`, :class:`LayoutExpired`,
    :class:`LayoutFeatureUnsupported`, :class:`MetadataMalformed` or
    :class:`MetadataTooLarge`.
    """
    if not documents:
        raise EvidenceMissing("There is no evidence")
    if trust.own_layout is not None:
        return (_own(trust.own_layout, trust, now),)
    owners = _Owners(trust, now, limits)
    faults: list[tuple[int, EvidenceInvalid]] = []
    notes: list[TraceEntry] = []
    believed: dict[Content, RootLayout] = {}
    for document in in_one_order(documents, limits):
        try:
            root = owners.believe(document)
        except _NearMiss as miss:
            faults.append((miss.nearness, miss.error))
            said = str(miss.error)
            if document.origin not in said:
                said = f"{document.origin}: {said}"
            notes.append(TraceEntry("layout", Outcome.NOTE, said))
            continue
        # The same layout in another envelope is no other layout: the one with more names stands.
        if root is not None:
            known = believed.get(document.envelope.content, root)
            believed[document.envelope.content] = max(known, root, key=_weight)
    if not believed:
        if not faults:
            raise owners.nobody_signed(len(documents))
        # The first of those that came furthest.
        raise max(faults, key=lambda fault: fault[0])[1]
    found = sorted(believed.values(), key=lambda root: root.layout.expires, reverse=True)
    return tuple(
        replace(root, trace=(*root.trace, *notes[: limits.trace_entries])) for root in found
    )


def _own(own: OwnLayout, trust: Trust, now: datetime) -> RootLayout:
    """Believe the consumer's own layout: the policy that it comes with stands in for owners."""
    expiry = check_expiry(own.layout, own.origin, now, trust, what="The layout")
    return RootLayout(
        layout=substitute(own.layout, trust.parameters),
        sha256=own.sha256,
        content=None,
        origin=own.origin,
        signed_by=("policy",),
        trace=(TraceEntry("layout", Outcome.OK, f"the policy's own; {expiry} ({own.origin})"),),
    )


class _NearMiss(Exception):
    """A layout that is not believed, and how far it got (V1 before V2 before V3)."""

    def __init__(self, nearness: int, error: EvidenceInvalid) -> None:
        super().__init__(str(error))
        self.nearness = nearness
        self.error = error


class _Owners:
    """Who may sign the root layout."""

    def __init__(self, trust: Trust, now: datetime, limits: Limits) -> None:
        self._trust = trust
        self._now = now
        self._limits = limits
        self._keyring = Keyring((owner.key for owner in trust.owners), now=now, limits=limits)
        self._principals = sorted(
            {owner.principal for owner in trust.owners}
            | {owner.principal for owner in trust.owner_identities}
        )
        self._authenticated = 0

    def nobody_signed(self, documents: int) -> LayoutSignatureMissing:
        return LayoutSignatureMissing(
            "The evidence has no layout that the project's owner signed",
            expected=self._wanted(),
            found=f"{counted(documents, 'document')}, none with a valid signature of theirs",
        )

    def _wanted(self) -> str:
        return f"a layout signed by {so_many_of(self._trust.threshold, self._principals)}"

    def believe(self, document: Document) -> RootLayout | None:
        """Return the layout in ``document``; None when it is none that an owner signed."""
        trust = self._trust
        if not document.envelope.may_be_layout:
            return None
        # V1: "checked using previously-acquired project owner public key(s)"
        try:
            signed = self._keyring.signings(document.envelope)
        except MetadataTooLarge as error:
            raise _NearMiss(0, error) from error
        # A key object may stand for several owners; what signs is the key.
        signing: list[tuple[Owner | OwnerIdentity, Signing | Bearer]] = [
            (owner, each) for owner in trust.owners for each in signed if each.key is owner.key
        ]
        bearing, stranger = self._bearing(document)
        signing += bearing
        if not signing:
            if stranger is not None:
                raise _NearMiss(0, stranger)
            return None
        # E5: the payload is parsed only now that a signature verified.
        try:
            layout = read_evidence(document.envelope, limits=self._limits)
        except EvidenceInvalid as error:
            error.place = f"{document.origin}: {error.place}".removesuffix(": ")
            raise _NearMiss(2, error) from error
        if not isinstance(layout, Layout):
            # L1: an owner may be a functionary as well, and this is their link or statement.
            return None
        counting = [
            (owner, each)
            for owner, each in signing
            if not each.is_among(trust.revoked)
            and not (isinstance(each, Signing) and each.invalid_at(self._now))
        ]
        names = sorted({owner.principal for owner, _ in counting})
        if not names or count_signers(counting) < trust.threshold:
            raise _NearMiss(1, self._too_few(document, signing, names))
        if trust.layout_sha256 and document.envelope.sha256 not in trust.layout_sha256:
            raise _NearMiss(
                3,
                LayoutNotForProject(
                    "The layout is not one of those that the policy pins",
                    expected=" or ".join(f"sha256 {pin}" for pin in trust.layout_sha256),
                    found=f"sha256 {document.envelope.sha256} ({document.origin})",
                    advice="If the project owner announced a new layout, pin its sha256 instead.",
                ),
            )
        # V2: "If the system's date is newer than the expiration date on the layout's expiration
        # field, verification should fail."
        try:
            expiry = check_expiry(layout, document.origin, self._now, trust, what="The layout")
        except LayoutExpired as error:
            raise _NearMiss(4, error) from error
        # V3
        try:
            layout = substitute(layout, trust.parameters)
        except LayoutFeatureUnsupported as error:
            raise _NearMiss(5, error) from error
        summary = f"signed by {', '.join(names)}; {expiry} ({document.origin})"
        return RootLayout(
            layout=layout,
            sha256=document.envelope.sha256,
            content=document.envelope.content,
            origin=document.origin,
            signed_by=tuple(names),
            trace=(TraceEntry("layout", Outcome.OK, summary),),
            owner_keys=tuple(
                sorted({each.identity for _, each in counting if isinstance(each, Signing)})
            ),
            credentials=tuple(
                dict.fromkeys(each.credential for _, each in counting if isinstance(each, Bearer))
            ),
        )

    def _bearing(
        self, document: Document
    ) -> tuple[list[tuple[OwnerIdentity, Bearer]], EvidenceInvalid | None]:
        """Return which owners signed ``document`` with Sigstore, or why nobody of them did."""
        trust = self._trust
        envelope = document.envelope
        if not envelope.sigstore or not trust.owner_identities:
            return [], None
        if trust.authenticator is None:
            return [], SigstoreUnavailable("An identity has to be checked, and nothing here can")
        self._authenticated += 1
        if self._authenticated > self._limits.attestations:
            return [], MetadataTooLarge(
                "There are too many documents that may be a layout",
                expected=f"at most {self._limits.attestations} signed with Sigstore",
            )
        identities = [owner.identity for owner in trust.owner_identities]
        try:
            credential = trust.authenticator.authenticate(envelope)
        except EvidenceInvalid as error:
            error.place = error.place or document.origin
            return [], error
        who = bearer(
            credential, identities, named=trust.identities, revoked=trust.revoked_identities
        )
        bearing = [
            (owner, who) for owner in trust.owner_identities if owner.identity in who.identities
        ]
        if bearing:
            return bearing, None
        # Only a layout of a stranger is worth a word; it is read for that word alone.
        with suppress(EvidenceInvalid):
            if isinstance(read_evidence(envelope, limits=self._limits), Layout):
                stranger = nearest_mismatch(identities, credential)
                if stranger is not None:
                    stranger.place = document.origin
                return [], stranger
        return [], None

    def _too_few(
        self,
        document: Document,
        signing: Sequence[tuple[Owner | OwnerIdentity, Signing | Bearer]],
        names: list[str],
    ) -> EvidenceInvalid:
        revoked = [owner for owner, each in signing if each.is_among(self._trust.revoked)]
        if revoked and count_signers(signing) >= self._trust.threshold:
            return KeyRevoked(
                "The layout rests on a key that the policy revokes",
                expected=self._wanted(),
                found=f"signed with the revoked key of {revoked[0].principal} ({document.origin})",
            )
        # K6: an OpenPGP key signs nothing once its period of validity is over.
        invalid = [
            f"; {reason} ({owner.principal})"
            for owner, each in signing
            if isinstance(each, Signing) and (reason := each.invalid_at(self._now))
        ]
        return LayoutSignatureMissing(
            "Too few of the project's owners signed the layout",
            expected=self._wanted(),
            found=f"signed by {', '.join(names) or 'nobody who counts'}"
            f"{''.join(invalid[:NAMED])} ({document.origin})",
        )


def count_signers(
    signing: Sequence[tuple[Owner | OwnerIdentity, Signing | Bearer]],
) -> int:
    """Return how many parties signed."""
    # K6: all keys of one family are one.
    return count_parties(
        (
            owner.principal,
            each.family[0] if isinstance(each, Signing) and each.family else each.identity,
        )
        for owner, each in signing
    )


def check_expiry(layout: Layout, origin: str, now: datetime, trust: Trust, *, what: str) -> str:
    """Return how long a layout lasts, in words; ``what`` is what messages call it.

    Raises :class:`LayoutExpired`.
    """
    # L3: "EXPIRES indicates the time _after_ which the metadata is considered to be expired":
    # at that very second it is not.
    if layout.expires == NEVER:
        return "does not expire"
    expires = f"{layout.expires:%Y-%m-%dT%H:%M:%SZ}"
    if now <= layout.expires:
        return f"expires {expires}"
    if LayoutExpired.code in trust.waived:
        return f"expired {expires}, which an exception waives"
    # L3, H2: "Clients MUST NOT trust an expired file."
    raise LayoutExpired(
        f"{what} has expired",
        expected=f"a layout that is valid today, {now:%Y-%m-%d}",
        found=f"expired at {expires} ({origin})",
    )


def _weight(root: RootLayout) -> tuple[int, tuple[str, ...]]:
    """Rank copies of one layout by who signed them: the more, the better."""
    return len(root.signed_by), root.signed_by
