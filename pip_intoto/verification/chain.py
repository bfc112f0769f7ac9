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

V1 to V3 stand in ``roots``, the order of the rest here. Documents, and who signed them, come out
of a ``pool``; ``evidence`` is what they amount to for each step. ``choice`` groups links that
agree, and tries groups against ``artifact_rules``; ``binding`` looks for the file. ``shortfall``
decides nothing: it says why there are too few links.

What is invariant: no payload is read as a layout or link before a signature on its envelope
verified with a key that the reader of that payload trusts; a key counts for one party, in every
role, under every name; a revoked key counts for none; the result rests only on documents that it
names.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from pip_intoto.errors import (
    EvidenceError,
    EvidenceInvalid,
    InspectionFailed,
    LayoutFeatureUnsupported,
    MetadataMalformed,
    MetadataTooLarge,
    RuleViolated,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.link import Link
from pip_intoto.metadata.names import link_filename
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.predicate_names import LINK
from pip_intoto.verdict import Outcome, SupplyChain, TraceEntry
from pip_intoto.verification.artifact_rules import Budget, check_item, shown_rule
from pip_intoto.verification.binding import another_file, bind, nearness
from pip_intoto.verification.choice import Candidate, Group, alike, qualifying_groups, search
from pip_intoto.verification.claims import (
    Claim,
    check_claim,
    kind_of,
    place_of,
    spread,
    station_of,
)
from pip_intoto.verification.evidence import StepEvidence, signers
from pip_intoto.verification.functionaries import Functionaries
from pip_intoto.verification.inspections import is_permitted, permit
from pip_intoto.verification.link_names import link_names
from pip_intoto.verification.pool import Pool
from pip_intoto.verification.record import Record
from pip_intoto.verification.roots import check_expiry, root_layouts
from pip_intoto.verification.shortfall import too_few
from pip_intoto.verification.signatures import Keyring
from pip_intoto.verification.stations import broken, of_station, whole
from pip_intoto.verification.substitution import substitute
from pip_intoto.verification.wording import command, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pip_intoto.credential import Credential
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Content
    from pip_intoto.metadata.layout import Inspection, Step
    from pip_intoto.metadata.statement import Statement
    from pip_intoto.verdict import Station
    from pip_intoto.verification.binding import Binding, Subject
    from pip_intoto.verification.evidence import Authorised, Signer
    from pip_intoto.verification.functionaries import Signatories
    from pip_intoto.verification.inspections import Inspector
    from pip_intoto.verification.roots import RootLayout
    from pip_intoto.verification.statements import Stated
    from pip_intoto.verification.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The result: which documents carry the file, who signed them, and how it went.

    ``binding`` is None when there was no file to bind.
    """

    chain: SupplyChain
    binding: Binding | None
    trace: tuple[TraceEntry, ...]

    @property
    def layout_sha256(self) -> str:
        """The digest of the layout's document."""
        return self.chain.layout_sha256

    @property
    def signed_by(self) -> tuple[str, ...]:
        """The principals behind the layout."""
        return self.chain.owners

    @property
    def links(self) -> tuple[str, ...]:
        """The sha256 of the links and sublayouts that the result rests on."""
        return self.chain.documents

    @property
    def functionaries(self) -> tuple[str, ...]:
        """The principals behind the steps."""
        names = {name for station in self.chain.stations for name in station.functionaries}
        return tuple(sorted(names))


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
    Raises a subclass of :class:`EvidenceInvalid`, or what the inspector raises, with ``chain``
    drawn as far as it was looked at.
    """
    workflow = _Workflow(documents, trust, subject, inspector, now, limits)
    try:
        outcome = workflow.verify_root(root)
    except EvidenceError as error:
        # A file that an inspection needs, and that could not be fetched, is one of these too.
        error.chain = workflow.broken(root, error)
        raise
    return Verified(
        chain=_drawn(
            root,
            whole(root.layout, outcome.chosen, outcome.records),
            outcome.chosen.values(),
            "" if outcome.binding is None else outcome.binding.place,
        ),
        binding=outcome.binding,
        trace=(*root.trace, *outcome.trace, *workflow.notes()),
    )


def _drawn(
    root: RootLayout, stations: tuple[Station, ...], groups: Iterable[Group], binding: str = ""
) -> SupplyChain:
    members = [member for group in groups for member in group.members]
    documents = (sha for member in members for sha in member.documents)
    credentials = (credential for member in members for credential in member.credentials)
    return SupplyChain(
        layout_sha256=root.sha256,
        owners=root.signed_by,
        expires=root.layout.expires,
        stations=stations,
        documents=tuple(dict.fromkeys(documents)),
        binding=binding,
        owner_keys=root.owner_keys,
        credentials=tuple(dict.fromkeys((*root.credentials, *credentials))),
    )


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
    # A sublayout can name millions; no more than these documents would be taken.
    below = workflow.names_below(root.layout, "", root.contents)
    names = dict.fromkeys(islice(below, limits.documents))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """A choice of groups, one a step, that satisfies a layout.

    ``records`` holds what was reported of every step and inspection.
    """

    chosen: Mapping[str, Group]
    records: Mapping[str, Record]
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
    credentials: tuple[Credential, ...]


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
        self._pool = Pool(documents, trust, now, limits)
        self._trust = trust
        self._subject = subject
        self._inspector = inspector
        self._now = now
        self._limits = limits
        self._budget = Budget(limits)
        self._sublayouts = 0
        self._inspected: dict[tuple[int, str], Record] = {}
        #: What statements say of artifacts, by the sha256 of the document.
        self._stated: dict[str, Stated] = {}
        #: Sublayouts with their parameters substituted, by the sha256 of the document.
        self._substituted: dict[str, Layout] = {}
        #: What links say of inspections that are not carried out here (U5).
        self._reported: dict[tuple[int, str, str], tuple[Group, ...]] = {}
        #: Of the root layout, to say where it broke: what was found for each step, the groups of
        #: those that enough signed for, and the choice that inspections were last reached with.
        self._evidence: Mapping[str, StepEvidence] = {}
        self._groups: dict[str, Sequence[Group]] = {}
        self._reached: Mapping[str, Group] = {}

    def notes(self) -> tuple[TraceEntry, ...]:
        return self._pool.notes()

    def verify_root(self, root: RootLayout) -> _Outcome:
        return next(iter(self._outcomes(root.layout, root.contents)))

    def broken(self, root: RootLayout, error: EvidenceError) -> SupplyChain:
        """Draw the chain that failed with ``error``, as far as it was looked at."""
        layout = root.layout
        chosen = {name: groups[0] for name, groups in self._groups.items()}
        for step in spread(layout).steps:
            # The first step without enough links keeps those behind it from being looked at.
            looked_at = step.name in self._evidence and step.name not in chosen
            if looked_at and station_of(step) != error.station:
                with suppress(MetadataTooLarge):
                    candidates = self._evidence[step.name].candidates
                    groups = qualifying_groups(step, candidates, self._limits)
                    if groups:
                        chosen[step.name] = self._likeliest_first(groups)[0]
        # Of steps whose rules fail, the error says what is wrong with the likeliest choice.
        if not (isinstance(error, RuleViolated) and error.station in chosen):
            chosen.update(self._reached)
        inspected = {
            inspection.name: self._inspected[id(layout), inspection.name]
            for inspection in layout.inspections
            if (id(layout), inspection.name) in self._inspected
        }
        stations = broken(layout, self._evidence, chosen, inspected, error, self._check)
        return _drawn(root, stations, chosen.values())

    def survey(self, root: RootLayout) -> tuple[TraceEntry, ...]:
        entries: list[TraceEntry] = []
        for name, found in self._load(spread(root.layout), root.contents).items():
            entries += [
                TraceEntry(f"step {name}", Outcome.OK, f"a link that counts: {each.record.origin}")
                for each in found.candidates
            ]
            if not found.candidates:
                entries.append(TraceEntry(f"step {name}", Outcome.FAIL, "no link that counts"))
        return (*entries, *self._pool.notes())

    # V4 to V11 for one layout, the root or a sublayout.

    def _outcomes(
        self, layout: Layout, within: tuple[Content, ...], *, signer: Signer | None = None
    ) -> Iterable[_Outcome]:
        """Yield the choices of links that satisfy ``layout``; raises when there is none.

        ``within`` holds what was signed of the layout and of those above it. ``signer`` is who
        signed it when it is a sublayout.
        """
        # ITE-10: a step over statements is as many claims as it expects predicates.
        claims = spread(layout)
        # V4, V5, V6
        evidence = self._load(claims, within)
        # V8: "multiple functionaries must perform the operation and report the same results"
        groups: dict[str, Sequence[Group]] = {}
        if signer is None:
            self._evidence, self._groups = evidence, groups
        for step in claims.steps:
            found = evidence[step.name]
            with of_station(station_of(step)):
                qualifying = qualifying_groups(step, found.candidates, self._limits)
                if not qualifying:
                    raise too_few(step, layout, found, self._pool, self._trust)
            groups[step.name] = self._likeliest_first(qualifying)

        def accept(chosen: Mapping[str, Group], records: dict[str, Record]) -> _Outcome:
            if signer is None:
                self._reached = chosen
            # V10: "Inspection steps are executed" - only after the rules of all steps hold (I7).
            inspected = self._inspect_all(layout, signer)
            # V11
            subject = self._subject if signer is None else None
            try:
                looked: Mapping[str, Group] = next(
                    search(
                        layout.inspections,
                        inspected,
                        lambda groups, _: groups,
                        self._check,
                        self._limits,
                        given=records,
                    )
                )
            except RuleViolated as violation:
                records.update({name: groups[0].record for name, groups in inspected.items()})
                other = None
                if subject is not None:
                    other = another_file(subject, layout, records, self._budget)
                if other is not None:
                    other.station = violation.station
                raise other or violation from None
            records.update({name: group.record for name, group in looked.items()})
            self._check_inspected(layout, records)
            bound = None
            if subject is not None:
                bound = bind(subject, layout, records, self._trust, self._budget)
            return _Outcome(
                chosen=chosen,
                records=records,
                binding=bound,
                trace=self._trace(claims, chosen, evidence, bound),
                reported=tuple(member for group in looked.values() for member in group.members),
            )

        # V9: "Artifact rules are applied against the products and materials reported by each step"
        return search(claims.steps, groups, accept, self._check, self._limits)

    def _check(self, item: Step | Inspection, records: Mapping[str, Record]) -> None:
        """Hold a step, a claim or an inspection against the records of those it refers to."""
        if not isinstance(item, Claim):
            check_item(item, records, self._budget)
            return
        with of_station(item.step.name):
            # First, since it says best what is wrong with a statement about something else.
            check_claim(item, records, self._subject, self._budget)
            check_item(item, records, self._budget)

    def _load(self, layout: Layout, within: tuple[Content, ...]) -> dict[str, StepEvidence]:
        evidence = {step.name: StepEvidence() for step in layout.steps}
        functionaries = Functionaries(layout, self._pool, self._trust, self._now)
        for document in self._pool.documents:
            # U4: a layout is no part of itself.
            if document.envelope.content in within:
                continue
            signed = functionaries.of(document, evidence)
            if not signed:
                continue
            # V4: "one or more pieces of link or layout metadata is loaded"
            payload = self._pool.payload(document)
            if isinstance(payload, Layout):
                self._load_sublayout(document, payload, layout, signed, within, evidence)
            elif isinstance(payload, Link):
                self._load_link(document, payload, layout, signed, evidence)
            elif payload is not None:
                self._load_statement(document, payload, layout, signed, evidence)
            else:
                # Of which step it is nobody knows; where one lacks a link, it is worth a word.
                error = self._pool.malformed[document.envelope.sha256]
                for step in layout.steps:
                    found = evidence[step.name]
                    authorised = signed.authorised(step, found)
                    if authorised:
                        found.failed.append((error, authorised))
        for found in evidence.values():
            # Copies of a link: what in them nobody signed does not decide which is named first.
            found.candidates.sort(key=lambda each: (each.content, sorted(each.signings)))
        return evidence

    def _load_link(
        self,
        document: Document,
        link: Link,
        layout: Layout,
        signed: Signatories,
        evidence: Mapping[str, StepEvidence],
    ) -> None:
        # N4: "the NAME field must be set to the same identifier as the step described in the
        # layout": the link itself says which step it is of, not its file name.
        step = next((step for step in layout.steps if step.name == link.name), None)
        if step is None:
            self._pool.note_stray(
                document,
                f"{document.origin} is a link of {shown(link.name)}, which is no step here",
            )
            return
        if isinstance(step, Claim):
            # A4: where a statement of some type is expected, that is what must come.
            self._pool.note(
                f"{document.origin} is a link, and the step {step.name} expects statements"
            )
            return
        found = evidence[step.name]
        authorised = signed.authorised(step, found)
        # T1: what is not authorised is skipped, not fatal.
        if not authorised:
            return
        self._compare_command(document, step, link.command)
        self._add(_reported(document, link, authorised), step, found, authorised, link=link)

    def _add(
        self,
        candidate: Candidate,
        step: Step,
        found: StepEvidence,
        authorised: Authorised,
        *,
        link: Link | None = None,
    ) -> None:
        """Keep what a link, or a sublayout in place of one, reports, if conditions on it hold."""
        if step.expected_attributes:
            # ITE-11. Imported here for start-up time: few layouts have conditions.
            from pip_intoto.verification.statements import as_statement, check_attributes

            variables = as_statement(
                name=station_of(step),
                record=candidate.record,
                command=() if link is None else link.command,
                byproducts=None if link is None else link.byproducts,
                environment=None if link is None else link.environment,
            )
            try:
                check_attributes(
                    step.expected_attributes, variables, place_of(step), self._budget, self._limits
                )
            except EvidenceInvalid as error:
                self._pool.note(f"{candidate.record.origin} does not count: {error}")
                found.unfit.append((error, authorised))
                return
        found.candidates.append(candidate)

    def _compare_command(self, document: Document, step: Step, ran: tuple[str, ...]) -> None:
        # V7, S7: "clients should only show a warning if the expected command field does not
        # match its counterpart in the link metadata".
        if step.expected_command and ran != step.expected_command:
            self._pool.note(
                f"{place_of(step)}: expected the command {command(step.expected_command)}, found"
                f" {command(ran)} ({document.origin})"
            )

    def _load_statement(
        self,
        document: Document,
        statement: Statement,
        layout: Layout,
        signed: Signatories,
        evidence: Mapping[str, StepEvidence],
    ) -> None:
        # Imported here for start-up time: classic evidence has no statements.
        from pip_intoto.verification.statements import Stated

        try:
            stated = self._stated.get(document.envelope.sha256) or Stated.read(
                statement, self._limits
            )
        except (MetadataMalformed, MetadataTooLarge) as error:
            self._pool.note(f"{document.origin} was skipped: {error}")
            error.place = f"{document.origin}: {error.place}".removesuffix(": ")
            for step in layout.steps:
                authorised = signed.authorised(step, evidence[step.name])
                if authorised and statement.predicate_type == kind_of(step):
                    evidence[step.name].unfit.append((error, authorised))
            return
        self._stated[document.envelope.sha256] = stated
        # "A statement names no step": it serves every claim of its type, as far as the subjects
        # fit; whether they do is decided once the other claims of the step are chosen.
        for step in layout.steps:
            if not stated.may_serve(step):
                continue
            found = evidence[step.name]
            authorised = signed.authorised(step, found)
            if not authorised:
                continue
            self._compare_command(document, step, stated.said.command)
            try:
                record = stated.record(
                    step, self._subject, _by(document, authorised), self._budget, self._limits
                )
            except EvidenceInvalid as error:
                self._pool.note(f"{document.origin} does not count: {error}")
                # One about the file says best what is wrong.
                first = 0 if stated.is_about(self._subject) else len(found.unfit)
                found.unfit.insert(first, (error, authorised))
                continue
            found.candidates.append(_candidate(document, record, authorised))

    # V6

    def _load_sublayout(
        self,
        document: Document,
        sublayout: Layout,
        layout: Layout,
        signed: Signatories,
        within: tuple[Content, ...],
        evidence: Mapping[str, StepEvidence],
    ) -> None:
        presented: dict[str, tuple[list[_Summary], EvidenceInvalid | None]] = {}
        for step in layout.steps:
            # U1: "The signature of this new layout file must match the one the top-level project
            # owner intended for this step".
            found = evidence[step.name]
            authorised = signed.authorised(step, found)
            if authorised and (error := _no_summary_for(step, document)) is not None:
                found.unfit.append((error, authorised))
                continue
            for signer in signers(
                signed.signings, authorised, each_alone=bool(sublayout.inspections)
            ):
                if signer.identity not in presented:
                    with of_station(station_of(step)):
                        presented[signer.identity] = self._summaries(
                            document, sublayout, within, signer
                        )
                summaries, error = presented[signer.identity]
                if error is not None:
                    # T1, and unlike the reference: a sublayout that does not verify is a link
                    # that does not count.
                    found.failed.append((error, signer.authorised))
                origin = f"sublayout {_by(document, signer.authorised)}"
                for summary in summaries:
                    candidate = Candidate(
                        record=replace(summary.record, origin=origin),
                        principals=signer.authorised.principals,
                        signings=signer.authorised.signings,
                        content=document.envelope.content,
                        documents=(document.envelope.sha256, *summary.documents),
                        notes=summary.notes,
                        credentials=(*signer.authorised.credentials, *summary.credentials),
                    )
                    self._add(candidate, step, found, signer.authorised)

    def _summaries(
        self, document: Document, sublayout: Layout, within: tuple[Content, ...], signer: Signer
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
            check_expiry(sublayout, document.origin, self._now, self._trust, what="A sublayout")
            # V3
            sublayout = self._with_parameters(document, sublayout)
            for outcome in self._outcomes(
                sublayout, (*within, document.envelope.content), signer=signer
            ):
                # V12, U3: "the materials and products presented for matching will be derived
                # from the materials of the first step and the products of the last step".
                first, last = sublayout.steps[0].name, sublayout.steps[-1].name
                summary = Record(
                    materials=outcome.chosen[first].record.materials,
                    products=outcome.chosen[last].record.products,
                )
                if all(summary != known.record for known in summaries):
                    chosen = outcome.chosen.values()
                    members = [member for group in chosen for member in group.members]
                    members += outcome.reported
                    summaries.append(
                        _Summary(
                            record=summary,
                            documents=tuple(sha for each in members for sha in each.documents),
                            notes=tuple(note for each in members for note in each.notes),
                            credentials=tuple(
                                credential for each in members for credential in each.credentials
                            ),
                        )
                    )
        except EvidenceInvalid as error:
            self._pool.note(f"{where} does not count: {error}")
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

    # V10

    def _inspect_all(self, layout: Layout, signer: Signer | None) -> Mapping[str, Sequence[Group]]:
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

    def _reports_of(self, inspection: Inspection, signer: Signer) -> tuple[Group, ...]:
        """Return the different links of an inspection by whoever signed the sublayout."""
        # U5: "A piece of signed link metadata is presented for the inspection. The key to sign
        # for this piece of link metadata must be the same key used to sign the sublayout file."
        if signer.key is None:
            # Who signs with Sigstore has another key each time.
            return ()
        keyring = Keyring([signer.key], now=self._now, limits=self._limits)
        candidates = []
        for document in self._pool.documents:
            # K6: not by another one of the same OpenPGP key.
            signings = self._pool.signings(document, keyring)
            same = any(each.signer is signer.key for each in signings)
            link = self._pool.payload(document) if same else None
            if not isinstance(link, Link) or link.name != inspection.name:
                continue
            self._pool.is_report(document)
            report = _reported(document, link, signer.authorised)
            note = f"inspection {inspection.name}: reported, not seen here ({report.record.origin})"
            candidates.append(replace(report, notes=(note,)))
        # Those that report the same only once.
        return tuple(
            Group(record=first.record, members=(first,)) for first, *_ in alike(candidates)
        )

    def _inspect(self, layout: Layout, inspection: Inspection, signer: Signer | None) -> Record:
        # What the inspection finds does not depend on the choice of links.
        key = (id(layout), inspection.name)
        if key not in self._inspected:
            with of_station(inspection.name):
                permit(inspection, self._trust, in_sublayout=signer is not None)
                if self._inspector is None:
                    raise InspectionFailed(
                        "The layout has inspections, and there is no file to inspect",
                        place=f"inspection {inspection.name}",
                        advice="Verify the file itself, not only its evidence.",
                    )
                # I4: "less than 127, then the inspection was not successful and validation
                # should halt": the inspector raises.
                record = self._inspector.inspect(inspection)
            origin = record.origin or f"inspection {inspection.name}"
            self._inspected[key] = replace(record, origin=origin)
        return self._inspected[key]

    def _check_inspected(self, layout: Layout, records: Mapping[str, Record]) -> None:
        for inspection in layout.inspections:
            if not inspection.expected_attributes:
                continue
            # ITE-11. Imported here for start-up time: few layouts have conditions.
            from pip_intoto.verification.statements import as_statement, check_attributes

            variables = as_statement(
                name=inspection.name, record=records[inspection.name], command=inspection.run
            )
            with of_station(inspection.name):
                check_attributes(
                    inspection.expected_attributes,
                    variables,
                    f"inspection {inspection.name}",
                    self._budget,
                    self._limits,
                )

    # The trace of the choice that passed.

    def _trace(
        self,
        layout: Layout,
        chosen: Mapping[str, Group],
        evidence: Mapping[str, StepEvidence],
        bound: Binding | None,
    ) -> tuple[TraceEntry, ...]:
        entries = []
        for step in layout.steps:
            group = chosen[step.name]
            names = group.principals
            entries.append(
                TraceEntry(
                    place_of(step),
                    Outcome.OK,
                    f"{len(names)} of {step.threshold} needed: {', '.join(sorted(names.values()))};"
                    f" {counted(len(group.record.materials), 'material')},"
                    f" {counted(len(group.record.products), 'product')} ({group.record.origin})",
                )
            )
            entries += [
                TraceEntry(place_of(step), Outcome.NOTE, note)
                for note in dict.fromkeys(note for each in group.members for note in each.notes)
            ]
            # Dissent is a note.
            members = {id(member) for member in group.members}
            entries += [
                TraceEntry(
                    place_of(step),
                    Outcome.NOTE,
                    f"other artifacts are reported by {candidate.record.origin}",
                )
                for candidate in evidence[step.name].candidates
                if id(candidate) not in members
            ][: self._limits.choices]
        entries += [
            TraceEntry(f"inspection {inspection.name}", Outcome.OK, command(inspection.run))
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

    def names_below(
        self, layout: Layout, folder: str, within: tuple[Content, ...]
    ) -> Iterator[str]:
        """Yield the names of links below ``folder``, and below those of its sublayouts."""
        yield from (folder + name for name in link_names(layout))
        if len(within) > self._limits.sublayout_depth:
            return
        layout = spread(layout)
        keyring = self._pool.functionaries(layout)
        for document in self._pool.documents:
            if document.envelope.content in within:
                continue
            signed = self._pool.signings(document, keyring)
            sublayout = self._pool.payload(document) if signed else None
            if not isinstance(sublayout, Layout):
                continue
            for step in layout.steps:
                authorised = [each for each in signed if set(each.keyids) & set(step.pubkeys)]
                for keyid in dict.fromkeys(keyid for each in authorised for keyid in each.keyids):
                    self._sublayouts += 1
                    if self._sublayouts > self._limits.sublayouts:
                        return
                    name = link_filename(station_of(step), keyid)
                    below = f"{folder}{name.removesuffix('.link')}/"
                    # U5: reports of inspections are signed with the key of the sublayout.
                    for inspection in sublayout.inspections:
                        yield below + link_filename(inspection.name, keyid)
                    inner = (*within, document.envelope.content)
                    yield from self.names_below(sublayout, below, inner)


def _no_summary_for(step: Step, document: Document) -> EvidenceInvalid | None:
    """Say why a sublayout cannot stand for a claim, unless it can.

    ITE-10 lets verifiers generate other predicates than links; this one generates links (U3).
    """
    if not isinstance(step, Claim) or kind_of(step) == LINK:
        return None
    return LayoutFeatureUnsupported(
        "A sublayout stands in for an attestation that no sublayout sums up to",
        expected=f"a statement of the type {step.predicate.predicate_type}",
        found=f"a layout ({document.origin})",
        place=place_of(step),
    )


def _by(document: Document, authorised: Authorised) -> str:
    return f"{document.origin}, signed by {', '.join(authorised.principals.values())}"


def _reported(document: Document, link: Link, authorised: Authorised) -> Candidate:
    """Return what a link says, as said by those who may."""
    record = Record(
        materials=link.materials, products=link.products, origin=_by(document, authorised)
    )
    return _candidate(document, record, authorised)


def _candidate(document: Document, record: Record, authorised: Authorised) -> Candidate:
    return Candidate(
        record=record,
        principals=authorised.principals,
        signings=authorised.signings,
        content=document.envelope.content,
        documents=(document.envelope.sha256,),
        credentials=authorised.credentials,
    )
