"""Steps over statements (ITE-10): each predicate that a step expects is a *claim*.

    "step declarations in layouts can _chain_ different operations represented by distinct
    predicate types together"

A step that expects several predicates is spread into as many claims. A claim has functionaries, a
threshold and rules as a step has, and evidence is gathered and chosen for it in the same way. The
first transformational one (else the first) *leads*: it has the step's own name, so that what
``MATCH … FROM`` the step sees is its record. The others are called ``<step>/<predicate type>``;
no step's name has a slash (N3).

A statement names no step, only what it is about. So claims of one step are held together here:

- transformational ones must report the same artifacts: "if two attestations do not share the input
  and output artifacts, they must belong to different steps";
- an informational one must be *tied*: at least one of its subjects is an artifact of the step's
  transformational claims, or is consumed by a MATCH from a step that made something or comes
  earlier, or is the file in hand. Else it is about something else, such as another release.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from pip_intoto.errors import (
    ArtifactDigestMismatch,
    ArtifactNotBound,
    LinksDisagree,
    StatementForAnotherFile,
    StatementForAnotherProject,
)
from pip_intoto.metadata.artifacts import agreeing
from pip_intoto.metadata.digests import ACCEPTED, agree
from pip_intoto.metadata.layout import Step
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.predicate_names import LINK
from pip_intoto.metadata.rules import Match
from pip_intoto.verification.artifact_rules import SIDES, consumers, shown_digests
from pip_intoto.verification.filenames import last_segment, parsed
from pip_intoto.verification.wording import NAMED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pip_intoto.errors import EvidenceInvalid
    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.layout import ExpectedPredicate, Inspection, Layout
    from pip_intoto.verification.artifact_rules import Budget
    from pip_intoto.verification.binding import Subject
    from pip_intoto.verification.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Step):
    """One expected predicate of a step, with whatever evidence for it is held against.

    ``makers`` are the names of the step's transformational claims, this one among them when it is
    one itself. ``anchors`` are those whose records a MATCH may tie it to.
    """

    step: Step
    predicate: ExpectedPredicate
    makers: tuple[str, ...]
    anchors: frozenset[str] = frozenset()

    @property
    def transforms(self) -> bool:
        """Whether its subjects are products, and not materials."""
        return self.name in self.makers

    @property
    def place(self) -> str:
        """What messages call it."""
        return f"step {self.step.name}, predicate {self.predicate.predicate_type}"


def place_of(step: Step) -> str:
    """Return what messages call a step, or a claim."""
    return step.place if isinstance(step, Claim) else f"step {step.name}"


def station_of(step: Step) -> str:
    """Return the name of the step that a claim is of, or of a step itself."""
    return step.step.name if isinstance(step, Claim) else step.name


def kind_of(step: Step) -> str:
    """Return the predicate type that a statement for ``step`` must have.

    In a step that knows of none but links, a statement of a link takes the place of one.
    """
    return step.predicate.predicate_type if isinstance(step, Claim) else LINK


def spread(layout: Layout) -> Layout:
    """Return ``layout`` with claims in place of its steps over statements.

    A layout without such steps is returned as it is.
    """
    if not any(step.expected_predicates for step in layout.steps):
        return layout
    made = {step.name for step in layout.steps if not only_informs(step)}
    claims: list[Step] = []
    for step in layout.steps:
        # Steps that make nothing, and refer to each other in a circle, are tied to nothing: of
        # these, only earlier ones hold a later one.
        anchors = frozenset({*made, *(claim.name for claim in claims)} - {step.name})
        claims += _spread(step, anchors)
    return replace(layout, steps=tuple(claims))


def by_step(layout: Layout) -> Mapping[str, tuple[Step, ...]]:
    """Return the claims of each step, or the step itself, by the step's name."""
    return {step.name: tuple(_spread(step)) for step in layout.steps}


def only_informs(step: Step) -> bool:
    """Tell whether ``step`` expects statements, and none of them about something that was done."""
    return bool(step.expected_predicates) and not any(_transforming(step))


def _transforming(step: Step) -> Iterator[bool]:
    # Imported here for start-up time: classic layouts expect no statements.
    from pip_intoto.metadata.predicates import transforms

    return (transforms(each.predicate_type) for each in step.expected_predicates)


def _spread(step: Step, anchors: frozenset[str] = frozenset()) -> Iterator[Step]:
    if not step.expected_predicates:
        yield step
        return
    transforming = list(_transforming(step))
    leading = transforming.index(True) if True in transforming else 0
    names: list[str] = []
    known: Counter[str] = Counter()
    for index, expected in enumerate(step.expected_predicates):
        kind = expected.predicate_type
        known[kind] += 1
        # The same one may be expected twice, of others each time.
        number = f"#{known[kind]}" if known[kind] > 1 else ""
        names.append(step.name if index == leading else f"{step.name}/{kind}{number}")
    makers = tuple(name for name, makes in zip(names, transforming, strict=True) if makes)
    common = {each.name: getattr(step, each.name) for each in fields(Step)}
    for name, expected in zip(names, step.expected_predicates, strict=True):
        yield Claim(
            **{
                **common,
                "name": name,
                "threshold": expected.threshold,
                "pubkeys": expected.functionaries,
                "expected_predicates": (expected,),
                "expected_attributes": expected.expected_attributes,
                # "as informational predicates do not specify artifact products, the
                # `expectedProducts` field does not apply to them."
                "expected_products": step.expected_products if name in makers else (),
            },
            step=step,
            predicate=expected,
            makers=makers,
            anchors=anchors,
        )


def refers_to(item: Step | Inspection) -> Iterator[str]:
    """Yield the names of those whose records decide about ``item``."""
    for rule in (*item.expected_materials, *item.expected_products):
        if isinstance(rule, Match):
            yield rule.step
    if isinstance(item, Claim):
        yield from item.makers


def check_claim(
    claim: Claim, records: Mapping[str, Record], subject: Subject | None, budget: Budget
) -> None:
    """Hold a claim against the others of its step.

    Raises :class:`LinksDisagree`, or what says that a statement is about something else:
    :class:`ArtifactDigestMismatch`, :class:`StatementForAnotherFile`,
    :class:`StatementForAnotherProject` or :class:`ArtifactNotBound`.
    """
    if claim.transforms:
        _check_agreement(claim, records)
    elif not _is_tied(claim, records, subject, budget):
        raise about_something_else(claim, records[claim.name], subject)


def _check_agreement(claim: Claim, records: Mapping[str, Record]) -> None:
    ours, theirs = records[claim.name], records[claim.step.name]
    if ours is theirs:
        return
    for side in SIDES:
        mine, others = ours.side(side), theirs.side(side)
        agreed = agreeing(mine, others, zip(mine, mine, strict=True))
        if mine.keys() == others.keys() and len(agreed) == len(mine):
            continue
        name = min((mine.keys() | others.keys()) - set(agreed))
        said = [
            f"{shown_digests(artifacts[name]) if name in artifacts else 'absent'} ({origin})"
            for artifacts, origin in ((others, theirs.origin), (mine, ours.origin))
        ]
        raise LinksDisagree(
            f"The attestations of the step {claim.step.name} report different {side}",
            expected="the same report in each of them",
            found=f"{shown(name)}: {'; '.join(said)}",
            place=claim.place,
        )


def _is_tied(
    claim: Claim, records: Mapping[str, Record], subject: Subject | None, budget: Budget
) -> bool:
    subjects = records[claim.name].materials
    if subject is not None and any(
        digests.get("sha256") == subject.sha256 for digests in subjects.values()
    ):
        return True
    if any(_share(subjects, records[maker].side(side)) for maker in claim.makers for side in SIDES):
        return True
    if not any(isinstance(rule, Match) for rule in claim.expected_materials):
        return False
    consumed = consumers(claim, "materials", frozenset(subjects), records, budget)
    return any(isinstance(rule, Match) and rule.step in claim.anchors for rule in consumed.values())


def _share(some: Mapping[str, Digests], others: Mapping[str, Digests]) -> bool:
    """Tell whether an artifact of the one is, by its digests, one of the others."""
    wanted = {
        pair: digests
        for digests in some.values()
        for pair in digests.items()
        if pair[0] in ACCEPTED
    }
    return any(
        pair in wanted and agree(digests, wanted[pair])
        for digests in others.values()
        for pair in digests.items()
    )


def about_something_else(claim: Step, record: Record, subject: Subject | None) -> EvidenceInvalid:
    """Say what a statement is about, which is nothing that was asked for."""
    artifacts = {**record.materials, **record.products}
    origin = f" ({record.origin})" if record.origin else ""
    place = place_of(claim)
    listed = ", ".join(map(shown, sorted(artifacts)[:NAMED])) or "nothing"
    if subject is None:
        return ArtifactNotBound(
            "A statement is about nothing that the chain has",
            expected="an artifact of the same step, or one that a MATCH rule finds in another",
            found=f"{listed}{origin}",
            place=place,
        )
    wanted = f"{shown(subject.filename)}, sha256 {subject.sha256}"
    for name, digests in sorted(artifacts.items()):
        found = digests.get("sha256")
        if found == subject.sha256:
            return StatementForAnotherFile(
                "The statement has this file's digest under another name",
                expected=wanted,
                found=f"{shown(name)}, sha256 {found}{origin}",
                place=place,
            )
        if found is not None and last_segment(name) == subject.filename:
            return ArtifactDigestMismatch(
                "The evidence is about another file of this name",
                expected=f"sha256 {found}, as reported of {shown(name)}{origin}",
                found=f"sha256 {subject.sha256}",
                place=place,
            )
    files = {name: meaning for name in artifacts if (meaning := parsed(last_segment(name)))}
    if files and all(meaning[0] != subject.project for meaning in files.values()):
        return StatementForAnotherProject(
            "The statement is about a file of another project",
            expected=wanted,
            found=f"{', '.join(map(shown, sorted(files)[:NAMED]))}{origin}",
            place=place,
        )
    return ArtifactNotBound(
        "The statement is not about this file",
        expected=wanted,
        found=f"{listed}{origin}",
        place=place,
    )
