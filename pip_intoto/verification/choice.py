"""Which links of a step count together, and which choice of them is tried first.

Valid links of a step are grouped by equal artifacts; a group with enough principals qualifies;
verification passes when some choice of one group a step passes. More evidence thus only ever
adds choices: removing a document never turns a block into a pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pip_intoto.errors import (
    ArtifactDigestMismatch,
    ArtifactNotBound,
    EvidenceInvalid,
    LayoutNotForProject,
    LinksDisagree,
    MetadataTooLarge,
    RuleViolated,
    StatementForAnotherFile,
    StatementForAnotherProject,
)
from pip_intoto.metadata.digests import ACCEPTED, agree
from pip_intoto.verification.claims import refers_to
from pip_intoto.verification.parties import count_parties
from pip_intoto.verification.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from pip_intoto.credential import Credential
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.envelope import Content
    from pip_intoto.metadata.layout import Inspection, Step

_T = TypeVar("_T")
Item: TypeAlias = "Step | Inspection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One valid link of a step, or the summary of a valid sublayout.

    ``principals`` maps the parties whose keys signed to what messages call them, ``signings``
    pairs each with the identity of its key, ``content`` is what they signed. ``documents`` are the
    sha256 of the documents it rests on, its own first.
    """

    record: Record
    principals: Mapping[str, str]
    signings: frozenset[tuple[str, str]]
    content: Content = field(repr=False)
    documents: tuple[str, ...]
    #: What is worth knowing of it when it is chosen.
    notes: tuple[str, ...] = ()
    #: Of those of the parties who are known by an identity.
    credentials: tuple[Credential, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Candidates of one step that report the same artifacts, and are enough."""

    record: Record
    members: tuple[Candidate, ...]

    @property
    def principals(self) -> dict[str, str]:
        """The parties behind it, and what messages call them."""
        return {
            principal: name
            for member in self.members
            for principal, name in member.principals.items()
        }


def qualifying_groups(
    step: Step, candidates: Sequence[Candidate], limits: Limits
) -> tuple[Group, ...]:
    """Return every group that reaches the step's threshold of principals (T1, T2, T3).

    Links with the very same artifacts count together, and so do those whose digests agree
    although the algorithms differ; such a group vouches only for what all of its members say.
    It holds no more reports than it needs parties. A group that is enough by itself never hides
    another: one document more would else turn a pass into a block. Raises
    :class:`MetadataTooLarge`.
    """
    # Where one link is enough, nothing is compared, and nothing need be comparable.
    return tuple(_joined(step, alike(candidates, compared=step.threshold > 1), limits))


def alike(candidates: Sequence[Candidate], *, compared: bool = False) -> list[list[Candidate]]:
    """Return the candidates by equal artifacts.

    When they are ``compared``, what has no accepted digest equals nothing, not even itself.
    """
    if not candidates:
        return []
    first = [candidates[0]]
    buckets = [first]
    others: dict[int, list[Candidate]] = {}
    for candidate in candidates[1:]:
        bucket = first
        # Most links report the same. Others are looked up: there may be thousands.
        if not _are_alike(bucket[0].record, candidate.record, compared=compared):
            bucket = others.setdefault(_number(candidate.record), [])
            if bucket and not _are_alike(bucket[0].record, candidate.record, compared=compared):
                bucket = []
            if not bucket:
                buckets.append(bucket)
        bucket.append(candidate)
    return buckets


def _are_alike(one: Record, other: Record, *, compared: bool) -> bool:
    same = one.materials == other.materials and one.products == other.products
    return same and (not compared or _comparable(one))


def _number(record: Record) -> int:
    """Return a number that equal records have in common."""
    return hash(
        tuple(
            frozenset((name, frozenset(digests.items())) for name, digests in side.items())
            for side in (record.materials, record.products)
        )
    )


def _comparable(record: Record) -> bool:
    """Tell whether every artifact has an accepted digest: what has none equals nothing."""
    return all(
        not ACCEPTED.keys().isdisjoint(digests)
        for artifacts in (record.materials, record.products)
        for digests in artifacts.values()
    )


def _joined(step: Step, buckets: list[list[Candidate]], limits: Limits) -> Iterator[Group]:
    signings = [
        frozenset[tuple[str, str]]().union(*(each.signings for each in bucket))
        for bucket in buckets
    ]
    if count_parties(frozenset[tuple[str, str]]().union(*signings)) < step.threshold:
        return
    agreeing: dict[tuple[int, int], bool] = {}
    several = step.threshold > 1 and len(buckets) > 1
    marks = [_marks(bucket[0].record) for bucket in buckets] if several else []
    tries = 0

    def together(one: int, other: int) -> bool:
        # Links of many releases side by side are told apart without a look at each artifact.
        mine, theirs = marks[one], marks[other]
        if mine is None or theirs is None:
            return False
        if any(theirs.get(algorithm, mark) != mark for algorithm, mark in mine.items()):
            return False
        key = (one, other)
        if key not in agreeing:
            agreeing[key] = _agree(buckets[one][0].record, buckets[other][0].record)
        return agreeing[key]

    def cliques() -> Iterator[tuple[int, ...]]:
        nonlocal tries
        # Not recursive: a threshold may be as high as there are links.
        path: list[tuple[tuple[int, ...], frozenset[tuple[str, str]], Iterator[int]]]
        path = [((), frozenset(), iter(range(len(buckets))))]
        while path:
            chosen, signed, later = path[-1]
            for index in later:
                if all(together(one, index) for one in chosen):
                    break
            else:
                path.pop()
                continue
            tries += 1
            if tries >= limits.documents:
                raise MetadataTooLarge(f"The links of the step {step.name} agree in too many ways")
            chosen, signed = (*chosen, index), signed | signings[index]
            # T3: parties, not signatures.
            if len(signed) >= step.threshold and count_parties(signed) >= step.threshold:
                yield chosen
            if len(chosen) < step.threshold:
                path.append((chosen, signed, iter(range(index + 1, len(buckets)))))

    for chosen in cliques():
        members = tuple(member for index in chosen for member in buckets[index])
        yield Group(
            record=_intersection([buckets[index][0].record for index in chosen]), members=members
        )


def _agree(one: Record, other: Record) -> bool:
    return _same_artifacts(one.materials, other.materials) and _same_artifacts(
        one.products, other.products
    )


def _marks(record: Record) -> Mapping[str, int] | None:
    """Return numbers that records which agree have in common, by algorithm.

    There is one for each algorithm that all artifacts have; None for what agrees with nothing.
    """
    if not _comparable(record):
        return None
    sides = (record.materials, record.products)
    shared = set(ACCEPTED)
    for side in sides:
        for digests in side.values():
            shared &= digests.keys()
    return {
        algorithm: hash(
            tuple(
                frozenset((name, digests[algorithm]) for name, digests in side.items())
                for side in sides
            )
        )
        for algorithm in shared
    }


def _same_artifacts(one: Mapping[str, Digests], other: Mapping[str, Digests]) -> bool:
    return one.keys() == other.keys() and all(
        agree(digests, other[name]) for name, digests in one.items()
    )


def _intersection(records: Sequence[Record]) -> Record:
    first = records[0]
    if len(records) == 1:
        # Nearly always, and there may be tens of thousands of artifacts.
        return first

    def common(sides: Sequence[Mapping[str, Digests]]) -> dict[str, Digests]:
        return {
            name: {
                algorithm: digest
                for algorithm, digest in digests.items()
                if all(side[name].get(algorithm) == digest for side in sides)
            }
            for name, digests in sides[0].items()
        }

    return Record(
        materials=common([record.materials for record in records]),
        products=common([record.products for record in records]),
        origin=first.origin,
    )


#: What a choice can fail of, so that another one is worth trying.
_REJECTIONS = (
    RuleViolated,
    ArtifactNotBound,
    ArtifactDigestMismatch,
    LayoutNotForProject,
    LinksDisagree,
    StatementForAnotherFile,
    StatementForAnotherProject,
)


def search(
    items: Sequence[Item],
    groups: Mapping[str, Sequence[Group]],
    accept: Callable[[Mapping[str, Group], dict[str, Record]], _T],
    check: Callable[[Item, Mapping[str, Record]], None],
    limits: Limits,
    *,
    given: Mapping[str, Record] = MappingProxyType({}),
) -> Iterator[_T]:
    """Yield what ``accept`` returns for each choice of groups, one an item, that passes.

    ``items`` are the steps, or the inspections, of a layout. ``groups`` holds the groups of each,
    the likeliest first; ``given`` are records that are not to be chosen, and that rules may refer
    to. ``check`` gets an item, and records of at least those that
    :func:`~pip_intoto.verification.claims.refers_to` names; ``accept`` gets the chosen groups, and
    a dictionary with all records that it may add to. Both raise what they have against a choice.
    When no choice passes, raises what is wrong with the likeliest one, or
    :class:`MetadataTooLarge` after ``limits.choices`` that do not.

    The rules of an item are checked as soon as all steps that they refer to are chosen, the last
    item first: so links of many releases side by side do not multiply.
    """
    # V9 in the order of the layout, where there is nothing to choose.
    best = {item.name: groups[item.name][0] for item in items}
    if all(len(groups[item.name]) == 1 for item in items):
        yield _check_in_order(items, best, given, accept, check)
        return

    order = list(reversed(items))
    due = _due_at(order)
    tried = 0
    passed = 0
    chosen: dict[str, Group] = {}
    records: dict[str, Record] = dict(given)

    def fits(level: int) -> bool:
        nonlocal tried
        try:
            for item in due[level]:
                check(item, records)
        except _REJECTIONS:
            tried += 1
            return False
        return True

    def descend(level: int) -> Iterator[_T]:
        nonlocal tried, passed
        if level == len(order):
            tried += 1
            try:
                result = accept(dict(chosen), dict(records))
            except _REJECTIONS:
                return
            passed += 1
            yield result
            return
        item = order[level]
        for group in _akin_first(groups[item.name], records.values()):
            if tried >= limits.choices:
                return
            chosen[item.name] = group
            records[item.name] = group.record
            if fits(level):
                yield from descend(level + 1)
        # What deeper levels see must not hold what this one no longer chooses.
        chosen.pop(item.name, None)
        records.pop(item.name, None)

    yield from descend(0)
    if passed:
        return
    if tried >= limits.choices:
        raise MetadataTooLarge(
            "None of the choices of links that were tried satisfies the layout",
            expected=f"a choice among the first {limits.choices} that does",
            advice="Ask the project to publish, beside a file, only the links of that file.",
        )
    _check_in_order(items, best, given, accept, check)
    # Cannot be reached: that choice was among those that failed.
    raise EvidenceInvalid("No choice of links satisfies the layout")


def _akin_first(groups: Sequence[Group], records: Collection[Record]) -> Sequence[Group]:
    """Put first what has the most digests in common with what is chosen already.

    What one step makes another one uses: so the links of one release find each other among those
    of many.
    """
    if len(groups) == 1 or not records:
        return groups
    used = _digests_in(record.materials for record in records)
    made = _digests_in(record.products for record in records)

    def strangeness(group: Group) -> int:
        return -len(used & _digests_in([group.record.products])) - len(
            made & _digests_in([group.record.materials])
        )

    return sorted(groups, key=strangeness)


def _digests_in(sides: Iterable[Mapping[str, Digests]]) -> set[str]:
    return {digest for side in sides for digests in side.values() for digest in digests.values()}


def _check_in_order(
    items: Sequence[Item],
    chosen: Mapping[str, Group],
    given: Mapping[str, Record],
    accept: Callable[[Mapping[str, Group], dict[str, Record]], _T],
    check: Callable[[Item, Mapping[str, Record]], None],
) -> _T:
    records = {**given, **{name: group.record for name, group in chosen.items()}}
    for item in items:
        check(item, records)
    return accept(chosen, records)


def _due_at(order: Sequence[Item]) -> list[list[Item]]:
    """Return for each level the items whose rules refer to nothing that is chosen later."""
    level_of = {item.name: level for level, item in enumerate(order)}
    due: list[list[Item]] = [[] for _ in order]
    for item in order:
        referred = [level_of[name] for name in refers_to(item) if name in level_of]
        due[max([level_of[item.name], *referred])].append(item)
    return due
