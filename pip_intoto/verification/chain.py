"""The workflow of the in-toto specification (section 5.2), from documents to a result.

Values in, result out: nothing here reads files, opens sockets or runs commands. An
:class:`~pip_intoto.verification.inspections.Inspector` is handed in for the inspections.

    V1   "The signature(s) on the file are checked using previously-acquired project owner
         public key(s)."
    V2   "If the system's date is newer than the expiration date on the layout's expiration
         field, verification should fail."
    V3   Parameters are substituted in the root layout, and in sublayouts if the policy says so.
    V4   "For each step in the layout, one or more pieces of link or layout metadata is loaded."
    V5   Their signatures are checked with "the functionaries' public keys" of the layout, and
         counted against the step's threshold.
    V6   "If the loaded metadata file is a layout file instead, the algorithm will recurse into
         that layout".
    V7   "clients should only show a warning if the expected command field does not match".
    V8   "multiple functionaries must perform the operation and report the same results".
    V9   "Artifact rules are applied against the products and materials reported by each step".
    V10  "Inspection steps are executed, and the corresponding materials and products data
         structures are populated."
    V11  "Artifact rules are applied against the products and materials reported by each
         inspection". Here, the file in hand is then bound to the chain.
    V12  For a sublayout: "the materials of the first step and the products of the last step"
         are presented to the layout above.

What is invariant: nothing of a payload is looked at before a signature on its envelope verified
with a key that the reader of that payload trusts; a key counts for one party, in every role,
under every name; a revoked key counts for none; the result rests only on documents that it
names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import (
    EvidenceInvalid,
    EvidenceMissing,
    InspectionFailed,
    KeyRevoked,
    LayoutExpired,
    LayoutFeatureUnsupported,
    LayoutNotForProject,
    LayoutSignatureMissing,
    LinkMissing,
    LinksDisagree,
    LinkThresholdUnmet,
    MetadataMalformed,
    MetadataTooLarge,
    UnusableKey,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.digests import agree
from pip_intoto.metadata.envelope import read_payload
from pip_intoto.metadata.keys import identity
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.link import Link
from pip_intoto.metadata.names import link_filename
from pip_intoto.metadata.node import shown
from pip_intoto.verdict import Outcome, TraceEntry
from pip_intoto.verification.artifact_rules import (
    SIDES,
    Budget,
    shown_digests,
    shown_rule,
)
from pip_intoto.verification.binding import bind, nearness
from pip_intoto.verification.certificates import Certified, Holder, described
from pip_intoto.verification.choice import Candidate, Group, qualifying_groups, search
from pip_intoto.verification.inspections import is_permitted, permit
from pip_intoto.verification.parties import count_parties
from pip_intoto.verification.record import Record
from pip_intoto.verification.signatures import Keyring, Signing, expired
from pip_intoto.verification.substitution import substitute

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Inspection, Step
    from pip_intoto.verification.binding import Binding, Subject
    from pip_intoto.verification.inspections import Inspector
    from pip_intoto.verification.trust import Owner, Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class RootLayout:
    """A layout that the project owners signed to the threshold, parameters substituted.

    ``sha256`` is that of the document as received, ``signed`` the bytes that the signatures
    cover; ``signed_by`` names principals.
    """

    layout: Layout
    sha256: str
    signed: bytes = field(repr=False)
    origin: str
    signed_by: tuple[str, ...]
    trace: tuple[TraceEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The result: which documents carry the file, who signed them, and how it went.

    ``binding`` is None when there was no file to bind.
    """

    layout_sha256: str
    signed_by: tuple[str, ...]
    #: sha256 of the links and sublayouts that the result rests on.
    links: tuple[str, ...]
    functionaries: tuple[str, ...]
    binding: Binding | None
    trace: tuple[TraceEntry, ...]


# --- V1 to V3: the root layout ----------------------------------------------------------------


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
    _check_count(documents, limits)
    owners = _Owners(trust, now, limits)
    faults: list[tuple[int, EvidenceInvalid]] = []
    notes: list[TraceEntry] = []
    believed: dict[bytes, RootLayout] = {}
    for document in _unique(documents):
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
            known = believed.get(root.signed, root)
            believed[root.signed] = max(known, root, key=_weight)
    if not believed:
        if not faults:
            raise owners.nobody_signed(len(documents))
        # The first of those that came furthest.
        raise max(faults, key=lambda fault: fault[0])[1]
    found = sorted(believed.values(), key=lambda root: root.layout.expires, reverse=True)
    return tuple(
        replace(root, trace=(*root.trace, *notes[: limits.trace_entries])) for root in found
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
        self._principals = sorted({owner.principal for owner in trust.owners})

    def nobody_signed(self, documents: int) -> LayoutSignatureMissing:
        return LayoutSignatureMissing(
            "The evidence has no layout that the project's owner signed",
            expected=self._wanted(),
            found=f"{_counted(documents, 'document')}, none with a valid signature of theirs",
        )

    def _wanted(self) -> str:
        return f"a layout signed by {_of(self._trust.threshold, self._principals)}"

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
        signing = [
            (owner, each) for owner in trust.owners for each in signed if each.key is owner.key
        ]
        if not signing:
            return None
        # E5: the payload is parsed only now that a signature verified.
        try:
            layout = read_payload(document.envelope, limits=self._limits)
        except EvidenceInvalid as error:
            error.place = f"{document.origin}: {error.place}".removesuffix(": ")
            raise _NearMiss(2, error) from error
        if not isinstance(layout, Layout):
            # L1: an owner may be a functionary as well, and this is their link.
            return None
        counted = [
            (owner, each)
            for owner, each in signing
            if not each.is_among(trust.revoked) and not each.invalid_at(self._now)
        ]
        names = sorted({owner.principal for owner, _ in counted})
        if not names or _parties(counted) < trust.threshold:
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
        expiry = _check_expiry(layout, document, self._now, trust, "the layout", nearness=4)
        # V3
        try:
            layout = substitute(layout, trust.parameters)
        except LayoutFeatureUnsupported as error:
            raise _NearMiss(5, error) from error
        summary = f"signed by {', '.join(names)}; {expiry} ({document.origin})"
        return RootLayout(
            layout=layout,
            sha256=document.envelope.sha256,
            signed=document.envelope.signed_digest,
            origin=document.origin,
            signed_by=tuple(names),
            trace=(TraceEntry("layout", Outcome.OK, summary),),
        )

    def _too_few(
        self, document: Document, signing: list[tuple[Owner, Signing]], names: list[str]
    ) -> EvidenceInvalid:
        revoked = [owner for owner, each in signing if each.is_among(self._trust.revoked)]
        if revoked and _parties(signing) >= self._trust.threshold:
            return KeyRevoked(
                "The layout rests on a key that the policy revokes",
                expected=self._wanted(),
                found=f"signed with the revoked key of {revoked[0].principal} ({document.origin})",
            )
        # K6: an OpenPGP key signs nothing once its period of validity is over.
        invalid = [
            f"; {reason} ({owner.principal})"
            for owner, each in signing
            if (reason := each.invalid_at(self._now))
        ]
        return LayoutSignatureMissing(
            "Too few of the project's owners signed the layout",
            expected=self._wanted(),
            found=f"signed by {', '.join(names) or 'nobody who counts'}"
            f"{''.join(invalid[:_NAMED])} ({document.origin})",
        )


def _parties(signing: Sequence[tuple[Owner, Signing]]) -> int:
    return count_parties((owner.principal, each.identity) for owner, each in signing)


def _check_expiry(
    layout: Layout, document: Document, now: datetime, trust: Trust, what: str, *, nearness: int
) -> str:
    """Return how long a layout lasts, in words."""
    # L3: "EXPIRES indicates the time _after_ which the metadata is considered to be expired":
    # at that very second it is not.
    expires = f"{layout.expires:%Y-%m-%dT%H:%M:%SZ}"
    if now <= layout.expires:
        return f"expires {expires}"
    if LayoutExpired.code in trust.waived:
        return f"expired {expires}, which an exception waives"
    # L3, H2: "Clients MUST NOT trust an expired file."
    raise _NearMiss(
        nearness,
        LayoutExpired(
            f"{what[0].upper()}{what[1:]} has expired",
            expected=f"a layout that is valid today, {now:%Y-%m-%d}",
            found=f"expired at {expires} ({document.origin})",
        ),
    )


# --- names of the directory form --------------------------------------------------------------


def link_names(layout: Layout) -> tuple[str, ...]:
    """Return the file names that links of ``layout`` have in the directory form (N1)."""
    return tuple(
        dict.fromkeys(
            link_filename(step.name, keyid)
            for step in layout.steps
            for keyid in _may_sign(step, layout)
        )
    )


def _may_sign(step: Step, layout: Layout) -> Iterator[str]:
    """Yield the keyids that links of ``step`` may have in their names."""
    for keyid in step.pubkeys:
        yield keyid
        # K6: a master authorises its subkeys.
        if keyid in layout.keys:
            yield from (subkey.keyid for subkey in layout.keys[keyid].subkeys)


def wanted_names(
    root: RootLayout,
    documents: Sequence[Document],
    trust: Trust,
    now: datetime,
    *,
    limits: Limits = DEFAULT,
) -> tuple[str, ...]:
    """Return the names of the directory form that are not among ``documents`` and would help.

    For each sublayout found so far these are also the names below ``<step>.<keyid8>/`` (U2).
    """
    workflow = _Workflow(documents, trust, None, None, now, limits)
    have = {document.hint for document in documents}
    names = dict.fromkeys(workflow.names_below(root.layout, "", (root.signed,)))
    return tuple(name for name in names if name not in have)


def survey(
    root: RootLayout,
    documents: Sequence[Document],
    trust: Trust,
    now: datetime,
    *,
    limits: Limits = DEFAULT,
) -> tuple[TraceEntry, ...]:
    """Return which links count for each step of ``root``: what to look at when it fails.

    Raises :class:`MetadataTooLarge`.
    """
    return _Workflow(documents, trust, None, None, now, limits).survey(root)


# --- V4 to V12 ----------------------------------------------------------------------------------


def verify(
    documents: Sequence[Document],
    trust: Trust,
    subject: Subject | None,
    inspector: Inspector | None,
    *,
    now: datetime,
    limits: Limits = DEFAULT,
) -> Verified:
    """Verify with whichever root layout carries the file.

    Raises what :func:`root_layouts` raises, and what :func:`verify_chain` says of the layout
    that lasts longest when none does.
    """
    first: EvidenceInvalid | None = None
    for root in root_layouts(documents, trust, now, limits=limits)[: limits.choices]:
        try:
            return verify_chain(root, documents, trust, subject, inspector, now=now, limits=limits)
        except EvidenceInvalid as error:
            first = first or error
    assert first is not None  # noqa: S101 - root_layouts never returns nothing
    raise first


def verify_chain(
    root: RootLayout,
    documents: Sequence[Document],
    trust: Trust,
    subject: Subject | None,
    inspector: Inspector | None,
    *,
    now: datetime,
    limits: Limits = DEFAULT,
) -> Verified:
    """Verify that ``documents`` satisfy ``root``, and that they speak of ``subject``.

    Without a subject nothing is bound; without an inspector, inspections cannot be carried out.
    Raises a subclass of :class:`EvidenceInvalid`.
    """
    _check_count(documents, limits)
    workflow = _Workflow(documents, trust, subject, inspector, now, limits)
    outcome = workflow.verify_root(root)
    chosen = [group for _, group in outcome.chosen]
    return Verified(
        layout_sha256=root.sha256,
        signed_by=root.signed_by,
        links=tuple(
            dict.fromkeys(
                sha256
                for group in chosen
                for member in group.members
                for sha256 in member.documents
            )
        ),
        functionaries=tuple(
            sorted({name for group in chosen for name in group.principals.values()})
        ),
        binding=outcome.binding,
        trace=(*root.trace, *outcome.trace, *workflow.notes()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """A choice of groups that satisfies a layout."""

    chosen: tuple[tuple[Step, Group], ...]
    binding: Binding | None
    trace: tuple[TraceEntry, ...]
    #: Reports that stand in for inspections (U5).
    reported: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summary:
    """What a sublayout presents to the layout above it, and what that rests on."""

    record: Record
    documents: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _StepEvidence:
    """What was found for one step, and why some of it does not count."""

    candidates: list[Candidate]
    #: Principals whose key is revoked, and what messages call them.
    revoked: dict[str, str]
    #: Principals whose OpenPGP key is not valid now, and what messages say of them.
    invalid: dict[str, str]
    #: Signed by functionaries of the layout, but not of this step.
    strangers: list[str]
    #: Why sublayouts and malformed documents do not count, and for whom they would have.
    failed: list[tuple[EvidenceInvalid, _Authorised]]
    #: Certificates that do not count, and why.
    uncertified: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Authorised:
    """The parties behind one document that may carry out one step.

    ``principals`` maps them to what messages call them, ``signings`` pairs them with their keys.
    """

    principals: Mapping[str, str]
    signings: frozenset[tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.principals)


@dataclass(frozen=True, slots=True)
class _Signer:
    """Who signed a sublayout: a key, its identity, and the parties that it stands for.

    U1: a sublayout is verified with "that one key" where it matters whose: its inspections may be
    reported by who signed it. Where it does not, all of its signers are taken together, and the
    key is any of theirs.
    """

    key: PublicKey
    identity: str
    authorised: _Authorised


def _signers(
    signed: Sequence[Signing | Holder], authorised: _Authorised, *, each_alone: bool
) -> list[_Signer]:
    keys = {each.identity: each.key if isinstance(each, Holder) else each.signer for each in signed}
    signers = []
    for principal, ident in sorted(authorised.signings):
        if not each_alone:
            return [_Signer(keys[ident], "", authorised)]
        alone = _Authorised(
            {principal: authorised.principals[principal]}, frozenset({(principal, ident)})
        )
        signers.append(_Signer(keys[ident], ident, alone))
    return signers


_Payload: TypeAlias = "Layout | Link"


class _Workflow:
    """One verification: what it has worked out so far, and how much work it may still do."""

    def __init__(
        self,
        documents: Sequence[Document],
        trust: Trust,
        subject: Subject | None,
        inspector: Inspector | None,
        now: datetime,
        limits: Limits,
    ) -> None:
        self._documents = _unique(documents)
        self._trust = trust
        self._subject = subject
        self._inspector = inspector
        self._now = now
        self._limits = limits
        self._budget = Budget(limits)
        self._signature_checks = 0
        self._sublayouts = 0
        self._payloads: dict[str, _Payload | None] = {}
        #: Signed by somebody who counts, and not what in-toto says it must be.
        self._malformed: dict[str, EvidenceInvalid] = {}
        self._inspected: dict[tuple[int, str], Record] = {}
        #: Sublayouts with their parameters substituted, by the sha256 of the document.
        self._substituted: dict[str, Layout] = {}
        #: Links that are no step's, and those of them that are an inspection's report (U5).
        self._strays: dict[str, str] = {}
        self._reports: set[str] = set()
        self._reported: dict[tuple[int, str, str], tuple[Group, ...]] = {}
        self._notes: dict[str, None] = {}

    def _note(self, text: str) -> None:
        if len(self._notes) < self._limits.trace_entries:
            self._notes[text] = None

    def notes(self) -> tuple[TraceEntry, ...]:
        """Return what is worth knowing and did not decide anything."""
        strays = [text for sha256, text in self._strays.items() if sha256 not in self._reports]
        return tuple(
            TraceEntry("note", Outcome.NOTE, text)
            for text in [*self._notes, *strays][: self._limits.trace_entries]
        )

    def verify_root(self, root: RootLayout) -> _Outcome:
        return next(iter(self._outcomes(root.layout, (root.signed,))))

    def survey(self, root: RootLayout) -> tuple[TraceEntry, ...]:
        entries: list[TraceEntry] = []
        for name, found in self._load(root.layout, (root.signed,)).items():
            entries += [
                TraceEntry(f"step {name}", Outcome.OK, f"a link that counts: {each.record.origin}")
                for each in found.candidates
            ]
            if not found.candidates:
                entries.append(TraceEntry(f"step {name}", Outcome.FAIL, "no link that counts"))
        return (*entries, *self.notes())

    # V4 to V11 for one layout, the root or a sublayout.

    def _outcomes(
        self, layout: Layout, within: tuple[bytes, ...], *, signer: _Signer | None = None
    ) -> Iterable[_Outcome]:
        """Yield the choices of links that satisfy ``layout``; raises when there is none.

        ``within`` holds what was signed of the layout and of those above it. ``signer`` is who
        signed it when it is a sublayout.
        """
        # V4, V5, V6
        evidence = self._load(layout, within)
        # V8: "multiple functionaries must perform the operation and report the same results"
        groups: dict[str, Sequence[Group]] = {}
        for step in layout.steps:
            found = evidence[step.name]
            qualifying = qualifying_groups(step, found.candidates, self._limits)
            if not qualifying:
                raise self._too_few(step, layout, found)
            groups[step.name] = self._likeliest_first(qualifying)

        def accept(chosen: Mapping[str, Group], records: dict[str, Record]) -> _Outcome:
            # V10: "Inspection steps are executed" - only after the rules of all steps hold (I7).
            inspected = self._inspect_all(layout, signer)
            # V11
            looked: Mapping[str, Group] = next(
                search(
                    layout.inspections,
                    inspected,
                    lambda groups, _: groups,
                    self._budget,
                    self._limits,
                    given=records,
                )
            )
            records.update({name: group.record for name, group in looked.items()})
            bound = None
            if signer is None and self._subject is not None:
                bound = bind(self._subject, layout, records, self._trust, self._budget)
            return _Outcome(
                chosen=tuple((step, chosen[step.name]) for step in layout.steps),
                binding=bound,
                trace=self._trace(layout, chosen, evidence, bound),
                reported=tuple(member for group in looked.values() for member in group.members),
            )

        # V9: "Artifact rules are applied against the products and materials reported by each step"
        return search(layout.steps, groups, accept, self._budget, self._limits)

    def _load(self, layout: Layout, within: tuple[bytes, ...]) -> dict[str, _StepEvidence]:
        evidence = {step.name: _StepEvidence([], {}, {}, [], []) for step in layout.steps}
        keyring = self._functionaries(layout)
        certified = self._certified(layout)
        for document in self._documents:
            # U4: a layout is no part of itself.
            if document.envelope.signed_digest in within:
                continue
            # V5: which of the layout's functionaries signed, whatever the keyids say (E7).
            signed: tuple[Signing | Holder, ...] = self._signings(document, keyring)
            # X1
            signed += self._holders(document, certified, layout, evidence)
            if not signed:
                continue
            # V4: "one or more pieces of link or layout metadata is loaded"
            payload = self._payload(document)
            if isinstance(payload, Layout):
                self._load_sublayout(document, payload, layout, signed, within, evidence)
            elif payload is not None:
                self._load_link(document, payload, layout, signed, evidence)
            else:
                # Of which step it is nobody knows; where one lacks a link, it is worth a word.
                error = self._malformed[document.envelope.sha256]
                for step in layout.steps:
                    found = evidence[step.name]
                    authorised = self._authorised(document, step, signed, found)
                    if authorised:
                        found.failed.append((error, authorised))
        for found in evidence.values():
            # Copies of a link: what in them nobody signed does not decide which is named first.
            found.candidates.sort(key=lambda each: (each.signed, sorted(each.signings)))
        return evidence

    def _functionaries(self, layout: Layout) -> Keyring:
        """Return the keys that may sign for some step."""
        # K6: a step may name a subkey; and whose subkey a key is decides for whom it counts.
        masters = [key for key in layout.keys.values() if key.subkeys]
        keys = {key.keyid: key for key in masters}
        for step in layout.steps:
            # S6: "a list of KEYIDs … of the keys that can sign the link metadata that
            # corresponds to this step".
            for keyid in step.pubkeys:
                key = layout.keys.get(keyid)
                if key is not None:
                    keys[keyid] = key
                elif not any(keyid == sub.keyid for key in masters for sub in key.subkeys):
                    self._note(
                        f"step {step.name} names the key {_keyid(keyid)}, which the layout does"
                        " not hold"
                    )
        keyring = Keyring(keys.values(), now=self._now, limits=self._limits)
        for key in keyring.unusable:
            # K3: a key of an unknown kind only matters when it is needed.
            self._note(f"the layout names the key {_keyid(key.keyid)}, which is not usable")
        return keyring

    def _count_checks(self, checks: int) -> None:
        self._signature_checks += checks
        if self._signature_checks > self._limits.chain_signature_checks:
            raise MetadataTooLarge(
                "The evidence has too many signatures for the layout's keys",
                expected=f"at most {self._limits.chain_signature_checks} signatures times keys",
            )

    def _signings(self, document: Document, keyring: Keyring) -> tuple[Signing, ...]:
        self._count_checks(len(document.envelope.signatures) * len(keyring))
        for note in document.envelope.notes:
            self._note(f"{document.origin}: {note}")
        for signature in document.envelope.signatures:
            if when := expired(signature, self._now):
                self._note(f"{document.origin}: its OpenPGP signature expired on {when:%Y-%m-%d}")
        try:
            return keyring.signings(document.envelope)
        except MetadataTooLarge as error:
            self._note(f"{document.origin} was skipped: {error}")
            return ()

    def _certified(self, layout: Layout) -> Certified:
        """Return who may sign for some step by certificate."""
        certified = Certified(
            layout, now=self._now, revoked=self._trust.revoked, limits=self._limits
        )
        for what in certified.unreadable:
            self._note(f"the layout names {what}")
        return certified

    def _holders(
        self,
        document: Document,
        certified: Certified,
        layout: Layout,
        evidence: Mapping[str, _StepEvidence],
    ) -> tuple[Holder, ...]:
        self._count_checks(certified.work(document.envelope))
        holders, refused = certified.signers(document.envelope)
        for certificate in refused:
            self._note(f"{document.origin}: {certificate}")
            # Of which step it is nobody knows, nor whether anybody should be believed about it.
            asking = [step for step in layout.steps if step.constraints]
            meant = [step for step in asking if certificate.concerns(step)]
            for step in meant or asking:
                evidence[step.name].uncertified.append(f"{certificate} ({document.origin})")
        return holders

    def _payload(self, document: Document) -> _Payload | None:
        sha256 = document.envelope.sha256
        if sha256 not in self._payloads:
            self._payloads[sha256] = None
            try:
                self._payloads[sha256] = read_payload(document.envelope, limits=self._limits)
            except (LayoutFeatureUnsupported, MetadataMalformed, MetadataTooLarge) as error:
                # V4: one bad document is skipped; the others may be enough.
                self._note(f"{document.origin} was skipped: {error}")
                error.place = f"{document.origin}: {error.place}".removesuffix(": ")
                self._malformed[sha256] = error
        return self._payloads[sha256]

    def _authorised(
        self,
        document: Document,
        step: Step,
        signed: Sequence[Signing | Holder],
        found: _StepEvidence,
    ) -> _Authorised:
        """Return the parties that signed, may sign for ``step``, and are not revoked."""
        principals: dict[str, str] = {}
        signings: set[tuple[str, str]] = set()
        strangers = []
        for signing in signed:
            if isinstance(signing, Holder):
                # X1: the party is told by the names that an authority gave it.
                principal, called = signing.names.principal, str(signing.names)
                may_sign = signing.may_carry_out(step)
            else:
                # T3: by the key itself, not by the names that the layout has for it.
                principal, name = signing.principal(self._trust.principals)
                called = name or f"key {_keyid(signing.key.keyid)}"
                may_sign = not set(signing.keyids).isdisjoint(step.pubkeys)
            if not may_sign:
                strangers.append(called)
            elif signing.is_among(self._trust.revoked):
                found.revoked[principal] = called
                self._note(f"{document.origin}: the key of {called} is revoked by the policy")
            elif isinstance(signing, Signing) and (reason := signing.invalid_at(self._now)):
                # K6: an OpenPGP key signs nothing once its period of validity is over.
                found.invalid[principal] = f"{called}: {reason}"
                self._note(f"{document.origin}, signed by {called}: {reason}")
            else:
                principals[principal] = called
                signings.add((principal, signing.identity))
        if strangers and not principals:
            found.strangers.append(f"{', '.join(strangers)} ({document.origin})")
        return _Authorised(principals, frozenset(signings))

    def _load_link(
        self,
        document: Document,
        link: Link,
        layout: Layout,
        signed: Sequence[Signing | Holder],
        evidence: Mapping[str, _StepEvidence],
    ) -> None:
        # N4: "the NAME field must be set to the same identifier as the step described in the
        # layout": the link itself says which step it is of, not its file name.
        step = next((step for step in layout.steps if step.name == link.name), None)
        if step is None:
            self._strays[document.envelope.sha256] = (
                f"{document.origin} is a link of {shown(link.name)}, which is no step here"
            )
            return
        found = evidence[step.name]
        authorised = self._authorised(document, step, signed, found)
        # T1: what is not authorised is skipped, not fatal.
        if not authorised:
            return
        # V7, S7: "clients should only show a warning if the expected command field does not
        # match its counterpart in the link metadata".
        if step.expected_command and link.command != step.expected_command:
            self._note(
                f"step {step.name}: expected the command {_command(step.expected_command)}, found"
                f" {_command(link.command)} ({document.origin})"
            )
        found.candidates.append(
            Candidate(
                record=Record(
                    materials=link.materials,
                    products=link.products,
                    origin=_by(document, authorised),
                ),
                principals=authorised.principals,
                signings=authorised.signings,
                signed=document.envelope.signed_digest,
                documents=(document.envelope.sha256,),
            )
        )

    # V6

    def _load_sublayout(
        self,
        document: Document,
        sublayout: Layout,
        layout: Layout,
        signed: Sequence[Signing | Holder],
        within: tuple[bytes, ...],
        evidence: Mapping[str, _StepEvidence],
    ) -> None:
        presented: dict[str, tuple[list[_Summary], EvidenceInvalid | None]] = {}
        for step in layout.steps:
            # U1: "The signature of this new layout file must match the one the top-level project
            # owner intended for this step".
            found = evidence[step.name]
            authorised = self._authorised(document, step, signed, found)
            for signer in _signers(signed, authorised, each_alone=bool(sublayout.inspections)):
                if signer.identity not in presented:
                    presented[signer.identity] = self._summaries(
                        document, sublayout, within, signer
                    )
                summaries, error = presented[signer.identity]
                if error is not None:
                    # T1, and unlike the reference: a sublayout that does not verify is a link
                    # that does not count.
                    found.failed.append((error, signer.authorised))
                origin = f"sublayout {_by(document, signer.authorised)}"
                found.candidates += [
                    Candidate(
                        record=replace(summary.record, origin=origin),
                        principals=signer.authorised.principals,
                        signings=signer.authorised.signings,
                        signed=document.envelope.signed_digest,
                        documents=(document.envelope.sha256, *summary.documents),
                        notes=summary.notes,
                    )
                    for summary in summaries
                ]

    def _summaries(
        self, document: Document, sublayout: Layout, within: tuple[bytes, ...], signer: _Signer
    ) -> tuple[list[_Summary], EvidenceInvalid | None]:
        """Return the different summary links of a sublayout, or why it does not count."""
        # U4: recursion is bounded in depth and in all.
        self._sublayouts += 1
        if self._sublayouts > self._limits.sublayouts:
            raise MetadataTooLarge(
                "The evidence has too many sublayouts",
                expected=f"at most {self._limits.sublayouts}",
            )
        where = f"sublayout {document.origin}"
        summaries: list[_Summary] = []
        try:
            if len(within) > self._limits.sublayout_depth:
                raise MetadataTooLarge(
                    "Sublayouts are nested too deeply",
                    expected=f"at most {self._limits.sublayout_depth} levels",
                )
            # V1 held already: the functionary's signature is how it got here.
            _check_expiry(sublayout, document, self._now, self._trust, "a sublayout", nearness=0)
            # V3
            sublayout = self._with_parameters(document, sublayout)
            for outcome in self._outcomes(
                sublayout, (*within, document.envelope.signed_digest), signer=signer
            ):
                # V12, U3: "the materials and products presented for matching will be derived
                # from the materials of the first step and the products of the last step".
                summary = Record(
                    materials=outcome.chosen[0][1].record.materials,
                    products=outcome.chosen[-1][1].record.products,
                )
                if all(summary != known.record for known in summaries):
                    members = [member for _, group in outcome.chosen for member in group.members]
                    members += outcome.reported
                    summaries.append(
                        _Summary(
                            record=summary,
                            documents=tuple(sha for each in members for sha in each.documents),
                            notes=tuple(note for each in members for note in each.notes),
                        )
                    )
        except _NearMiss as miss:
            self._note(f"{where} does not count: {miss.error}")
            return [], miss.error
        except EvidenceInvalid as error:
            self._note(f"{where} does not count: {error}")
            error.place = f"{where}: {error.place}" if error.place else where
            return [], error
        return summaries, None

    def _with_parameters(self, document: Document, sublayout: Layout) -> Layout:
        """Substitute the parameters, which flow into sublayouts only if the policy says so.

        Without that, one that stands in a rule is an error: who reads the rule for what it says
        would not know what it means.
        """
        sha256 = document.envelope.sha256
        if sha256 not in self._substituted:
            may = self._trust.parameters_in_sublayouts
            try:
                substituted = substitute(sublayout, self._trust.parameters if may else {})
            except LayoutFeatureUnsupported as error:
                if may:
                    raise
                raise LayoutFeatureUnsupported(
                    "A sublayout uses parameters, and the policy gives them to the root layout"
                    " alone",
                    expected="`parameters-in-sublayouts = true` in the project's rule",
                    found=error.found,
                    advice="If those who sign sublayouts may use the project's parameters, add"
                    " `parameters-in-sublayouts = true` to it in the policy.",
                    place=error.place,
                ) from error
            self._substituted[sha256] = substituted
        return self._substituted[sha256]

    # V8

    def _likeliest_first(self, groups: Sequence[Group]) -> Sequence[Group]:
        subject = self._subject
        if subject is None or len(groups) == 1:
            return groups
        return sorted(groups, key=lambda group: nearness(subject, group.record))

    def _too_few(self, step: Step, layout: Layout, found: _StepEvidence) -> EvidenceInvalid:
        """Say why no group of links reaches the step's threshold."""
        counted = {
            principal: name
            for candidate in found.candidates
            for principal, name in candidate.principals.items()
        }
        signings = frozenset[tuple[str, str]]().union(*(each.signings for each in found.candidates))
        place = f"step {step.name}"
        wanted = _of(step.threshold, self._called(step, layout), at_least=bool(step.constraints))
        if count_parties(signings) >= step.threshold:
            return LinksDisagree(
                f"Those who carried out the step {step.name} report different results",
                expected=f"the same report from {wanted}",
                found=_difference(found.candidates),
                place=place,
            )
        if found.revoked and len(counted.keys() | found.revoked.keys()) >= step.threshold:
            signed = [*counted.values(), *(f"{who} (revoked)" for who in found.revoked.values())]
            return KeyRevoked(
                f"The step {step.name} rests on a key that the policy revokes",
                expected=f"a link signed by {wanted}",
                found=f"signed by {', '.join(signed)}",
                place=place,
            )
        for error, authorised in found.failed:
            if count_parties(signings | authorised.signings) >= step.threshold:
                error.place = f"{place}, {error.place}" if error.place else place
                return error
        claimed = self._claims(step, layout)
        skipped = (found.strangers, found.failed, found.revoked, found.invalid, found.uncertified)
        if counted or claimed or any(skipped):
            parts = [f"signed by {', '.join(counted.values()) or 'none of them'}"]
            if len(counted) > count_parties(signings):
                # T3: names of one key.
                parts[0] += ", which are not as many keys"
            parts += [f"not authorised for this step: {who}" for who in found.strangers[:_NAMED]]
            parts += [f"revoked by the policy: {who}" for who in found.revoked.values()][:_NAMED]
            parts += [f"not valid now: {who}" for who in found.invalid.values()][:_NAMED]
            parts += [f"{error}" for error, _ in found.failed[:_NAMED]]
            parts += [f"its signature does not verify: {origin}" for origin in claimed[:_NAMED]]
            parts += found.uncertified[:_NAMED]
            return LinkThresholdUnmet(
                f"Too few of those who may carry out the step {step.name} signed for it",
                expected=f"a link signed by {wanted}",
                found="; ".join(parts),
                place=place,
            )
        keyids = dict.fromkeys(_may_sign(step, layout))
        names = list(dict.fromkeys(link_filename(step.name, keyid) for keyid in keyids))
        return LinkMissing(
            f"The report (link) of the step {step.name} is missing",
            expected=f"{' or '.join(names[:_NAMED]) or 'a link'}, signed by {wanted}",
            found=f"{_counted(len(self._documents), 'document')}, none of them a link of this step",
            place=place,
        )

    def _called(self, step: Step, layout: Layout) -> list[str]:
        names: dict[str, None] = {}
        for keyid in step.pubkeys:
            key = layout.keys.get(keyid)
            ident = None if key is None else _identity(key)
            name = None if ident is None else self._trust.principals.get(ident)
            names[name or f"key {_keyid(keyid)}"] = None
        # X1
        names.update(dict.fromkeys(map(described, step.constraints)))
        return list(names)

    def _claims(self, step: Step, layout: Layout) -> list[str]:
        """Return where documents came from that say they are links of ``step``, and are not.

        What they say is not signed: it makes a message, never a decision.
        """
        keyids = set(_may_sign(step, layout))
        names = {link_filename(step.name, keyid) for keyid in keyids}
        return [
            document.origin
            for document in self._documents
            if document.envelope.sha256 not in self._payloads
            and (
                document.hint.rpartition("/")[2] in names
                if document.hint
                else any(found.keyid in keyids for found in document.envelope.signatures)
            )
        ]

    # V10

    def _inspect_all(self, layout: Layout, signer: _Signer | None) -> Mapping[str, Sequence[Group]]:
        """Return what each inspection found: one group, or for reports any of several."""
        found: dict[str, Sequence[Group]] = {}
        for inspection in layout.inspections:
            # U5: "If the piece of link metadata is not present, the client must perform that
            # inspection upon validation." Here it is the other way round: what can be seen with
            # one's own eyes is not taken from a report.
            reports: Sequence[Group] = ()
            if signer is not None and not self._can_inspect(inspection):
                key = (id(layout), inspection.name, signer.identity)
                if key not in self._reported:
                    self._reported[key] = self._reports_of(inspection, signer)
                reports = self._reported[key]
            found[inspection.name] = reports or (
                Group(record=self._inspect(layout, inspection, signer), members=()),
            )
        return found

    def _can_inspect(self, inspection: Inspection) -> bool:
        return is_permitted(inspection, self._trust, in_sublayout=True) and (
            self._inspector is None or self._inspector.concerns(inspection)
        )

    def _reports_of(self, inspection: Inspection, signer: _Signer) -> tuple[Group, ...]:
        """Return the different links of an inspection by whoever signed the sublayout."""
        # U5: "A piece of signed link metadata is presented for the inspection. The key to sign
        # for this piece of link metadata must be the same key used to sign the sublayout file."
        keyring = Keyring([signer.key], now=self._now, limits=self._limits)
        candidates = []
        for document in self._documents:
            # K6: not by another one of the same OpenPGP key.
            signings = self._signings(document, keyring)
            same = any(each.signer is signer.key for each in signings)
            link = self._payload(document) if same else None
            if not isinstance(link, Link) or link.name != inspection.name:
                continue
            sha256 = document.envelope.sha256
            self._reports.add(sha256)
            origin = _by(document, signer.authorised)
            candidates.append(
                Candidate(
                    record=Record(materials=link.materials, products=link.products, origin=origin),
                    principals=signer.authorised.principals,
                    signings=signer.authorised.signings,
                    signed=document.envelope.signed_digest,
                    documents=(sha256,),
                    notes=(f"inspection {inspection.name}: reported, not seen here ({origin})",),
                )
            )
        return tuple(Group(record=each.record, members=(each,)) for each in _different(candidates))

    def _inspect(self, layout: Layout, inspection: Inspection, signer: _Signer | None) -> Record:
        # What the inspection finds does not depend on the choice of links.
        key = (id(layout), inspection.name)
        if key not in self._inspected:
            permit(inspection, self._trust, in_sublayout=signer is not None)
            if self._inspector is None:
                raise InspectionFailed(
                    "The layout has inspections, and there is no file to inspect",
                    place=f"inspection {inspection.name}",
                    advice="Verify the file itself, not only its evidence.",
                )
            # I4: "less than 127, then the inspection was not successful and validation should
            # halt": the inspector raises.
            record = self._inspector.inspect(inspection)
            origin = record.origin or f"inspection {inspection.name}"
            self._inspected[key] = replace(record, origin=origin)
        return self._inspected[key]

    # The trace of the choice that passed.

    def _trace(
        self,
        layout: Layout,
        chosen: Mapping[str, Group],
        evidence: Mapping[str, _StepEvidence],
        bound: Binding | None,
    ) -> tuple[TraceEntry, ...]:
        entries = []
        for step in layout.steps:
            group = chosen[step.name]
            names = group.principals
            entries.append(
                TraceEntry(
                    f"step {step.name}",
                    Outcome.OK,
                    f"{len(names)} of {step.threshold} needed: {', '.join(sorted(names.values()))};"
                    f" {_counted(len(group.record.materials), 'material')},"
                    f" {_counted(len(group.record.products), 'product')} ({group.record.origin})",
                )
            )
            entries += [
                TraceEntry(f"step {step.name}", Outcome.NOTE, note)
                for note in dict.fromkeys(note for each in group.members for note in each.notes)
            ]
            # Dissent is a note.
            members = {id(member) for member in group.members}
            entries += [
                TraceEntry(
                    f"step {step.name}",
                    Outcome.NOTE,
                    f"other artifacts are reported by {candidate.record.origin}",
                )
                for candidate in evidence[step.name].candidates
                if id(candidate) not in members
            ][: self._limits.choices]
        entries += [
            TraceEntry(f"inspection {inspection.name}", Outcome.OK, _command(inspection.run))
            for inspection in layout.inspections
        ]
        if bound is not None:
            entries.append(
                TraceEntry(
                    "binding",
                    Outcome.OK,
                    f"{shown(bound.artifact)} in {bound.place}, by `{shown_rule(bound.rule)}`",
                )
            )
            entries += [TraceEntry("binding", Outcome.NOTE, note) for note in bound.notes]
        return tuple(entries)

    # U2

    def names_below(self, layout: Layout, folder: str, within: tuple[bytes, ...]) -> list[str]:
        """Return the names of links below ``folder``, and below those of its sublayouts."""
        names = [folder + name for name in link_names(layout)]
        if len(within) > self._limits.sublayout_depth:
            return names
        keyring = self._functionaries(layout)
        for document in self._documents:
            if document.envelope.signed_digest in within:
                continue
            signed = self._signings(document, keyring)
            sublayout = self._payload(document) if signed else None
            if not isinstance(sublayout, Layout):
                continue
            for step in layout.steps:
                authorised = [each for each in signed if set(each.keyids) & set(step.pubkeys)]
                for keyid in dict.fromkeys(keyid for each in authorised for keyid in each.keyids):
                    self._sublayouts += 1
                    if self._sublayouts > self._limits.sublayouts:
                        return names
                    below = f"{folder}{link_filename(step.name, keyid).removesuffix('.link')}/"
                    # U5: reports of inspections are signed with the key of the sublayout.
                    names += [
                        below + link_filename(inspection.name, keyid)
                        for inspection in sublayout.inspections
                    ]
                    inner = (*within, document.envelope.signed_digest)
                    names += self.names_below(sublayout, below, inner)
        return names


_NAMED = 3
_KEYID_SHOWN = 8


def _identity(key: PublicKey) -> str | None:
    try:
        return identity(key)
    except UnusableKey:
        return None


def _keyid(keyid: str) -> str:
    return shown(keyid[:_KEYID_SHOWN])[1:-1]


def _command(words: Sequence[str]) -> str:
    text = " ".join(word if word.split() == [word] else f"'{word}'" for word in words)
    return shown(text)[1:-1] or "(none)"


def _by(document: Document, authorised: _Authorised) -> str:
    return f"{document.origin}, signed by {', '.join(authorised.principals.values())}"


def _difference(candidates: Sequence[Candidate]) -> str:
    """Name one artifact on which the first two links that differ do, and what each says of it."""
    first = candidates[0].record
    for other in (candidate.record for candidate in candidates[1:]):
        for side in SIDES:
            ours, theirs = first.side(side), other.side(side)
            differing = [
                name
                for name in ours.keys() | theirs.keys()
                if name not in ours or name not in theirs or not agree(ours[name], theirs[name])
            ]
            if differing:
                name = min(differing)
                others = len(differing) - 1
                more = f" and {_counted(others, 'other')}" if others else ""
                said = [
                    f"{shown_digests(all_of[name]) if name in all_of else 'absent'} ({origin})"
                    for all_of, origin in ((ours, first.origin), (theirs, other.origin))
                ]
                return f"different {side}, {shown(name)}{more}: {'; '.join(said)}"
    origins = ", ".join(candidate.record.origin for candidate in candidates[:_NAMED])
    return f"digests that cannot be compared ({origins})"


def _different(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates, those that report the same only once."""
    different: list[Candidate] = []
    for candidate in candidates:
        record = candidate.record
        if all(
            (record.materials, record.products) != (each.record.materials, each.record.products)
            for each in different
        ):
            different.append(candidate)
    return different


def _of(threshold: int, names: Sequence[str], *, at_least: bool = False) -> str:
    """Say who must sign: ``alice``, ``alice and bob``, ``2 of alice, bob, carol``.

    With ``at_least``, several may go by one of the names.
    """
    if threshold == len(names) and (threshold == 1 or not at_least):
        return " and ".join(names)
    return f"{threshold} of {', '.join(names) or 'nobody'}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _unique(documents: Sequence[Document]) -> tuple[Document, ...]:
    """Return the documents, those that are byte for byte the same only once.

    A8: the order in which they came means nothing. They are put into one of their own, by what
    was signed, so that it never decides which of several is taken.
    """
    unique: dict[str, Document] = {}
    for document in sorted(documents, key=_own_order):
        unique.setdefault(document.envelope.sha256, document)
    return tuple(unique.values())


def _own_order(document: Document) -> tuple[bytes, list[bytes], str, str]:
    envelope = document.envelope
    signatures = sorted(signature.value for signature in envelope.signatures)
    return envelope.signed_digest, signatures, envelope.sha256, document.hint


def _weight(root: RootLayout) -> tuple[int, tuple[str, ...]]:
    """Rank copies of one layout by who signed them: the more, the better."""
    return len(root.signed_by), root.signed_by


def _check_count(documents: Sequence[Document], limits: Limits) -> None:
    if len(documents) > limits.documents:
        raise MetadataTooLarge(
            "There are too many documents",
            expected=f"at most {limits.documents}",
            found=str(len(documents)),
        )
