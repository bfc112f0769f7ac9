"""Which documents belong beside a release: the layout, and exactly the links that it asks for.

Documents in, choice out; nothing here touches the disk. What counts for a step is asked of the
engine that consumers verify with: whose signature verifies, and whether the layout names that key.
What a file is called, or lies beside, decides nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import ArtifactNotBound, CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.documents import of_ours
from pip_intoto.maintainer.evidence.statements import (
    as_link,
    asked_for,
    is_about,
    lacking,
    statement_in,
)
from pip_intoto.metadata.envelope import read_payload
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.link import Link
from pip_intoto.metadata.names import LINK_SUFFIX, ROOT_LAYOUT, check_step_name, link_filename
from pip_intoto.metadata.node import Node, shown
from pip_intoto.metadata.predicate_names import as_filename
from pip_intoto.metadata.statement import Statement
from pip_intoto.verification.binding import nearness
from pip_intoto.verification.choice import Candidate, qualifying_groups
from pip_intoto.verification.evidence import Authorised, StepEvidence
from pip_intoto.verification.functionaries import Functionaries, may_carry_out
from pip_intoto.verification.identities import Bearer
from pip_intoto.verification.parties import count_parties
from pip_intoto.verification.pool import Pool
from pip_intoto.verification.record import Record
from pip_intoto.verification.shortfall import too_few
from pip_intoto.verification.signatures import Keyring, Signing
from pip_intoto.verification.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from pip_intoto.errors import EvidenceInvalid
    from pip_intoto.limits import Limits
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.evidence.statements import Stated
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Content
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Step
    from pip_intoto.verification.binding import Subject
    from pip_intoto.verification.certificates import Holder
    from pip_intoto.verification.functionaries import Signatories

#: An algorithm and a digest: what tells one artifact from another, whatever it is called.
_Digest: TypeAlias = "tuple[str, str]"
#: A name in the directory form, and the identity of the key that signs what lies there: names have
#: the beginning of a keyid only.
_Slot: TypeAlias = "tuple[str, str]"

#: Signatures may come with any keyid; only such become part of a file name.
_KEYID = re.compile(r"[0-9a-fA-F]{8,128}")
#: Nobody is trusted and nobody is revoked here: that is for those who verify.
_NOBODY = Trust(owners=(), threshold=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A document, and the JSON object that it was read from, in the order of its members."""

    document: Document
    content: JsonObject = field(repr=False)

    @property
    def sha256(self) -> str:
        """Over the document as it was read."""
        return self.document.envelope.sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A document, and the names that the directory form has for it."""

    paper: Paper
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A step for which too few links, or ``of_statements``, are there.

    ``within`` names the sublayout, if it is in one.
    """

    step: str
    within: str
    error: EvidenceInvalid
    of_statements: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The choice, the layout first. ``left_out`` and ``notes`` are sentences.

    ``unbound`` says why the links do not speak of the file at all.
    """

    placed: tuple[Placed, ...]
    left_out: tuple[str, ...] = ()
    missing: tuple[Shortfall, ...] = ()
    unbound: ArtifactNotBound | None = None
    notes: tuple[str, ...] = ()


def gather(
    root: Paper,
    papers: Sequence[Paper],
    subject: Subject | None,
    *,
    now: datetime,
    limits: Limits = LOCAL,
) -> Gathered:
    """Choose, out of ``papers``, what ``root`` asks for.

    Where one key has signed several links of a step, those of other releases than ``subject``'s
    are left out; without a subject, everything stays. Raises MetadataMalformed and
    LayoutFeatureUnsupported for a layout that is none, MetadataTooLarge, and CommandError when
    ``root`` is a link.
    """
    with of_ours(root.document.origin):
        layout = read_payload(root.document.envelope, limits=limits)
    if not isinstance(layout, Layout):
        raise CommandError(f"{root.document.origin} is a link", expected="a layout")
    gathering = _Gathering(root, papers, subject, now, limits)
    gathering.walk(layout, (root.document.envelope.content,), "", "")
    return gathering.result()


def lines(placed: Iterable[Placed]) -> bytes:
    """Write the bundle: a document a line, as it was signed, and its name as an unsigned hint."""
    return authoring.bundle(
        authoring.Document(without_hint(each.paper.content), each.names[0]) for each in placed
    )


def without_hint(content: JsonObject) -> JsonObject:
    """Give the document without the hint that bundles add; nobody signed it."""
    return {name: value for name, value in content.items() if name != "name"}


def named(papers: Sequence[Paper], *, now: datetime, limits: Limits = LOCAL) -> dict[str, Paper]:
    """Name every document of a bundle as the directory form does.

    Names come out of layouts and links, and out of keyids, all of them checked; never out of a
    hint. Raises CommandError for a document that has no such name, or the name of another one,
    and what is wrong with a document.
    """
    root = _root_of(papers, now, limits)
    others = [paper for paper in papers if paper is not root]
    gathered = gather(root, others, None, now=now, limits=limits)
    places = {each.paper.sha256: each for each in gathered.placed}
    return by_name(
        places.get(paper.sha256) or Placed(paper=paper, names=(_own_name(paper, limits),))
        for paper in papers
    )


def by_name(placed: Iterable[Placed]) -> dict[str, Paper]:
    """Give the documents by name. Raises CommandError when two have the same."""
    found: dict[str, Paper] = {}
    # Some file systems take names for one that differ in case only.
    folded: dict[str, str] = {}
    for each in placed:
        for name in each.names:
            if not name.endswith((LINK_SUFFIX, ROOT_LAYOUT)):
                raise CommandError(
                    f"{each.paper.document.origin} has no place in the directory form",
                    expected="layouts and links",
                    found="a statement",
                    advice="Keep it in a bundle, which may hold statements.",
                )
            other = found.get(folded.setdefault(name.casefold(), name))
            if other is not None and other.sha256 != each.paper.sha256:
                raise CommandError(
                    f"two documents have the name {shown(name)} in the directory form",
                    expected="one link of each step by each key",
                    found=f"{other.document.origin} and {each.paper.document.origin}",
                    advice="Keep them as a bundle, which may hold both.",
                )
            found[name] = each.paper
    return found


def _root_of(papers: Sequence[Paper], now: datetime, limits: Limits) -> Paper:
    """Find the layout that is no part of another one."""
    layouts = [
        paper
        for paper in papers
        if paper.document.envelope.may_be_layout
        and isinstance(read_payload(paper.document.envelope, limits=limits), Layout)
    ]
    below: set[str] = set()
    for layout in layouts:
        others = [other for other in layouts if other is not layout]
        placed = gather(layout, others, None, now=now, limits=limits).placed
        below.update(each.paper.sha256 for each in placed[1:])
    roots = [layout for layout in layouts if layout.sha256 not in below]
    if len(roots) != 1:
        raise CommandError(
            "the root layout cannot be told",
            expected="one layout that is no part of another",
            found=", ".join(root.document.origin for root in roots) or "none",
        )
    return roots[0]


def _own_name(paper: Paper, limits: Limits) -> str:
    """Name a document that no layout here asks for, by what it says of itself."""
    payload = read_payload(paper.document.envelope, limits=limits)
    keyid = next((each.keyid for each in paper.document.envelope.signatures), "")
    if not isinstance(payload, Link) or not _KEYID.fullmatch(keyid):
        what = "a layout that no step asks for" if isinstance(payload, Layout) else "a link"
        raise CommandError(
            f"{paper.document.origin} has no name in the directory form",
            expected="a link with a signature, or what a step of the layout asks for",
            found=f"{what}, signed under {shown(keyid)}",
        )
    return link_filename(check_step_name(Node(payload.name)), keyid)


# --- choosing -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A document that counts for a step, and the names that it has there."""

    paper: Paper
    payload: Link | Layout
    authorised: Authorised
    #: Those who signed it, and count.
    signings: tuple[Signing | Holder, ...]
    slots: tuple[_Slot, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.slots)


@dataclass(slots=True, kw_only=True)
class _Level:
    """One layout, root or not, and what there is for each of its steps."""

    layout: Layout
    #: What messages call it; empty for the root.
    called: str
    evidence: dict[str, StepEvidence]
    offers: dict[str, list[_Offer]]
    #: Of steps that ask for statements.
    stated: dict[str, list[Stated]]


class _Gathering:
    """One pass over all documents, layout by layout."""

    def __init__(
        self,
        root: Paper,
        papers: Sequence[Paper],
        subject: Subject | None,
        now: datetime,
        limits: Limits,
    ) -> None:
        self._root = root
        self._papers = {paper.sha256: paper for paper in (root, *papers)}
        documents = [paper.document for paper in self._papers.values()]
        self._pool = Pool(documents, _NOBODY, now, limits)
        self._subject = subject
        self._now = now
        self._limits = limits
        self._levels: list[_Level] = []
        #: What could lie in each place of the directory form, and what shall.
        self._slots: dict[_Slot, list[_Offer]] = {}
        self._left_out: dict[str, str] = {}
        self._notes: dict[str, None] = {}

    def walk(self, layout: Layout, within: tuple[Content, ...], folder: str, called: str) -> None:
        """Find what counts for ``layout``, and for the sublayouts of its steps."""
        level = _Level(
            layout=layout,
            called=called,
            evidence={step.name: StepEvidence() for step in layout.steps},
            offers={step.name: [] for step in layout.steps},
            stated=asked_for(layout, self._pool.documents, now=self._now, limits=self._limits),
        )
        self._levels.append(level)
        functionaries = Functionaries(layout, self._pool, _NOBODY, self._now)
        for document in self._pool.documents:
            # U4: a layout is no part of itself. What Sigstore vouches for are statements.
            if document.envelope.content in within or document.envelope.sigstore:
                continue
            signed = functionaries.of(document, level.evidence)
            if signed:
                self._file(document, signed, level, folder)
        for step in layout.steps:
            for offer in self._longest_lasting(level.offers[step.name]):
                self._enter(step, offer, within)

    def _file(self, document: Document, signed: Signatories, level: _Level, folder: str) -> None:
        paper = self._papers[document.envelope.sha256]
        payload = self._pool.payload(document)
        if isinstance(payload, Statement):
            payload = as_link(payload, self._limits)
            if payload is None:
                return
        fitting = [
            step
            for step in level.layout.steps
            if not step.expected_predicates
            # T1: the link itself says which step it is of. U1: a layout does not.
            and (not isinstance(payload, Link) or step.name == payload.name)
        ]
        offers: dict[str, _Offer] = {}
        for step in fitting:
            found = level.evidence[step.name]
            authorised = signed.authorised(step, found)
            if not authorised:
                continue
            if payload is None:
                found.failed.append((self._pool.malformed[paper.sha256], authorised))
                continue
            counting = _counting(signed, step, authorised)
            slots = [
                (folder + link_filename(step.name, _keyid(each)), each.identity)
                for each in counting
            ]
            offers[step.name] = _Offer(
                paper=paper,
                payload=payload,
                authorised=authorised,
                signings=counting,
                slots=tuple(dict.fromkeys(slots)),
            )
        # Whose key may sign for several steps says with the name of the file which one is meant.
        called = document.hint.rpartition("/")[2]
        meant = [
            step
            for step, offer in offers.items()
            if called in {name.rpartition("/")[2] for name in offer.names}
        ]
        for step_name, offer in offers.items():
            if step_name in meant or not meant:
                level.offers[step_name].append(offer)

    def _longest_lasting(self, offers: list[_Offer]) -> list[_Offer]:
        """Give the sublayouts among ``offers``, of each signer's the one that lasts longest."""
        sublayouts = [
            (offer.payload.expires, offer) for offer in offers if isinstance(offer.payload, Layout)
        ]
        if self._subject is None:
            return [offer for _, offer in sublayouts]
        best: dict[tuple[_Slot, ...], _Offer] = {}
        for _, offer in sorted(sublayouts, key=lambda each: each[0], reverse=True):
            kept = best.setdefault(offer.slots, offer)
            if kept is not offer:
                offers.remove(offer)
                self._leave_out(offer, f"{_origin(kept)} is a sublayout that lasts longer")
        return list(best.values())

    def _enter(self, step: Step, offer: _Offer, within: tuple[Content, ...]) -> None:
        sublayout = offer.payload
        if not isinstance(sublayout, Layout) or len(within) > self._limits.sublayout_depth:
            return
        for name in offer.names:
            # U2: the links of a sublayout lie in `<step>.<first 8 of keyid>/`.
            below = f"{name.removesuffix(LINK_SUFFIX)}/"
            # U5: "The key to sign for this piece of link metadata must be the same key used to
            # sign the sublayout file."
            for signing in offer.signings:
                key = signing.signer if isinstance(signing, Signing) else signing.key
                self._file_reports(sublayout, key, below)
            content = offer.paper.document.envelope.content
            called = f"the sublayout of {step.name}, {_origin(offer)}"
            self.walk(sublayout, (*within, content), below, called)

    def _file_reports(self, sublayout: Layout, key: PublicKey, below: str) -> None:
        wanted = {inspection.name for inspection in sublayout.inspections}
        if not wanted:
            return
        keyring = Keyring([key], now=self._now, limits=self._limits)
        for document in self._pool.documents:
            signings = self._pool.signings(document, keyring)
            signings = tuple(each for each in signings if each.signer is key)
            link = self._pool.payload(document) if signings else None
            if isinstance(link, Link) and link.name in wanted:
                slot = (below + link_filename(link.name, key.keyid), signings[0].identity)
                self._slots.setdefault(slot, []).append(
                    _Offer(
                        paper=self._papers[document.envelope.sha256],
                        payload=link,
                        authorised=Authorised({}, frozenset()),
                        signings=signings,
                        slots=(slot,),
                    )
                )

    # --- several releases ---

    def result(self) -> Gathered:
        """Choose among links of one step by one key, and say what is missing."""
        for level in self._levels:
            for offer in (each for offers in level.offers.values() for each in offers):
                for slot in offer.slots:
                    self._slots.setdefault(slot, []).append(offer)
        if self._subject is not None:
            self._choose(self._subject)
        names: dict[str, list[str]] = {}
        for (name, _), offers in self._slots.items():
            for offer in offers:
                names.setdefault(offer.paper.sha256, []).append(name)
        for sha256, name in self._statements().items():
            names.setdefault(sha256, []).append(name)
        placed = [
            Placed(paper=self._papers[sha256], names=tuple(dict.fromkeys(own)))
            for sha256, own in names.items()
        ]
        return Gathered(
            placed=(
                Placed(paper=self._root, names=(ROOT_LAYOUT,)),
                *sorted(placed, key=lambda each: each.names),
            ),
            left_out=tuple(text for sha256, text in self._left_out.items() if sha256 not in names),
            missing=tuple(self._missing(names.keys())),
            unbound=self._unbound(),
            notes=(*self._notes, *(entry.detail for entry in self._pool.notes())),
        )

    def _statements(self) -> dict[str, str]:
        """Settle which statements belong to the file, by the sha256 of the document, and names.

        All that are about it, asked for or not: who installs may ask for more than the layout.
        Of those that a step asks for, the others are left out only where some are about the file.
        """
        chosen: dict[str, str] = {}
        steps = {step.name for level in self._levels for step in level.layout.steps}
        for level in self._levels:
            for stated in level.stated.values():
                for predicate in {each.predicate for each in stated}:
                    there = [each for each in stated if each.predicate == predicate]
                    near = [each for each in there if self._is_about(each.statement)]
                    chosen.update(
                        (each.document.envelope.sha256, each.name) for each in near or there
                    )
                    for each in there if near else ():
                        if each not in near:
                            self._left_out.setdefault(
                                each.document.envelope.sha256,
                                f"{each.document.origin} is left out: it is about other files",
                            )
        for document in self._pool.documents:
            statement = statement_in(document.envelope, self._limits)
            if statement is None:
                continue
            link = as_link(statement, self._limits)
            is_asked_for = (
                self._is_about(statement)
                if link is None
                # Others are links as all are. What Sigstore vouches for has no key to tell.
                else bool(document.envelope.sigstore) and link.name in steps
            )
            if is_asked_for:
                kind = as_filename(statement.predicate_type)
                chosen.setdefault(document.envelope.sha256, f"{kind}.json")
        return chosen

    def _is_about(self, statement: Statement) -> bool:
        return self._subject is None or is_about(statement, self._subject)

    def _leave_out(self, offer: _Offer, why: str) -> None:
        self._left_out.setdefault(offer.paper.sha256, f"{_origin(offer)} is left out: {why}")

    def _choose(self, subject: Subject) -> None:
        """Settle every place where several links could lie, the surest first.

        A link that names the file by its digest belongs to it. For other steps, it is the link
        that shares most artifacts with those that were chosen already.
        """
        known: set[_Digest] = {("sha256", subject.sha256)}
        unsettled: dict[_Slot, list[_Offer]] = {}
        for slot, offers in self._slots.items():
            self._slots[slot] = different = self._without_copies(offers)
            if len(different) > 1:
                unsettled[slot] = different
            else:
                known.update(_digests(different[0]))
        while unsettled:
            scores = {
                slot: [_score(offer, subject, known) for offer in offers]
                for slot, offers in unsettled.items()
            }
            # First where one link stands out, and by as much as possible.
            slot = max(scores, key=lambda each: (_margin(scores[each]), max(scores[each])))
            best = max(scores[slot])
            rated = list(zip(unsettled.pop(slot), scores[slot], strict=True))
            winners = [offer for offer, score in rated if score == best]
            self._slots[slot] = winners
            for offer, score in rated:
                if score != best:
                    self._leave_out(offer, f"{_origin(winners[0])} is nearer to this file")
            if len(winners) > 1:
                told = ", ".join(_origin(offer) for offer in winners)
                self._notes[f"which of these belongs to the file cannot be told: {told}"] = None
            known.update(digest for offer in winners for digest in _digests(offer))

    def _without_copies(self, offers: Iterable[_Offer]) -> list[_Offer]:
        found: list[_Offer] = []
        for offer in offers:
            twin = next((each for each in found if each.payload == offer.payload), None)
            if twin is None:
                found.append(offer)
            else:
                self._leave_out(offer, f"{_origin(twin)} says the same")
        return found

    # --- what is missing ---

    def _missing(self, chosen: Collection[str]) -> Iterator[Shortfall]:
        for level in self._levels:
            for step in level.layout.steps:
                for fault in lacking(
                    level.layout, step.expected_predicates, level.stated.get(step.name, ())
                ):
                    yield Shortfall(
                        step=step.name, within=level.called, error=fault, of_statements=True
                    )
                # Whom Sigstore vouches for is not known here.
                if step.expected_predicates or self._is_vouched_for(step, level.layout):
                    continue
                found = level.evidence[step.name]
                offers = [each for each in level.offers[step.name] if each.paper.sha256 in chosen]
                found.candidates = [_candidate(offer) for offer in offers]
                signings = frozenset[_Digest]().union(*(o.authorised.signings for o in offers))
                enough = count_parties(signings) >= step.threshold
                # What a sublayout presents is known only once it is verified.
                if enough and all(isinstance(offer.payload, Link) for offer in offers):
                    enough = bool(qualifying_groups(step, found.candidates, self._limits))
                if not enough:
                    error = too_few(step, level.layout, found, self._pool, _NOBODY)
                    yield Shortfall(step=step.name, within=level.called, error=error)

    def _is_vouched_for(self, step: Step, layout: Layout) -> bool:
        """Whether there is a link by somebody without a key, where the step names one."""
        if layout.identities.keys().isdisjoint(step.pubkeys):
            return False
        statements = (
            statement_in(document.envelope, self._limits)
            for document in self._pool.documents
            if document.envelope.sigstore
        )
        links = (as_link(each, self._limits) for each in statements if each is not None)
        return any(link is not None and link.name == step.name for link in links)

    def _unbound(self) -> ArtifactNotBound | None:
        subject = self._subject
        if subject is None:
            return None
        links = [offer for offers in self._slots.values() for offer in offers]
        if any(("sha256", subject.sha256) in _digests(offer) for offer in links):
            return None
        stated = (
            each for level in self._levels for found in level.stated.values() for each in found
        )
        if any(is_about(each.statement, subject) for each in stated):
            return None
        others = [offer for offer in links if _nearness(offer, subject) == 1]
        return ArtifactNotBound(
            f"No link speaks of {subject.filename} as it is",
            expected=f"{subject.filename} with sha256 {subject.sha256} in a link",
            found=f"another file of that name in {_origin(others[0])}"
            if others
            else "no file of that name",
            advice="Bundle the very file that the last recorded build made, or build it again with"
            " `pip-intoto run`.",
        )


def _counting(
    signed: Signatories, step: Step, authorised: Authorised
) -> tuple[Signing | Holder, ...]:
    identities = {identity for _, identity in authorised.signings}
    return tuple(
        signing
        for signing in signed.signings
        # What Sigstore vouches for is not looked into here.
        if not isinstance(signing, Bearer)
        and signing.identity in identities
        and may_carry_out(signing, step)
    )


def _keyid(signing: Signing | Holder) -> str:
    # K6: in-toto files a link under the subkey that signed.
    return (signing.signer if isinstance(signing, Signing) else signing.key).keyid


def _origin(offer: _Offer) -> str:
    return offer.paper.document.origin


def _candidate(offer: _Offer) -> Candidate:
    return Candidate(
        record=_record(offer),
        principals=offer.authorised.principals,
        signings=offer.authorised.signings,
        content=offer.paper.document.envelope.content,
        documents=(offer.paper.sha256,),
    )


def _record(offer: _Offer) -> Record:
    """What a link says; nothing for a sublayout, which is to be verified first."""
    if isinstance(offer.payload, Layout):
        return Record(materials={}, products={}, origin=_origin(offer))
    return Record(
        materials=offer.payload.materials, products=offer.payload.products, origin=_origin(offer)
    )


def _digests(offer: _Offer) -> set[_Digest]:
    record = _record(offer)
    return {
        digest
        for side in (record.materials, record.products)
        for digests in side.values()
        for digest in digests.items()
    }


def _nearness(offer: _Offer, subject: Subject) -> int:
    return nearness(subject, _record(offer))


def _score(offer: _Offer, subject: Subject, known: set[_Digest]) -> tuple[int, int, int]:
    """Rank a link: by what it says of the file, then by what it shares with those chosen."""
    digests = _digests(offer)
    shared = len(digests & known)
    return -_nearness(offer, subject), shared, shared - len(digests)


def _margin(scores: Sequence[tuple[int, int, int]]) -> tuple[bool, int]:
    """Say whether one stands out, and whether because it speaks of the file."""
    first, second, *_ = sorted(scores, reverse=True)
    return first != second, first[0] - second[0]
