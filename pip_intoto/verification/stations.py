"""A chain as a report draws it: each step and inspection, as it was found, and where it broke.

Nothing here decides anything. What a station says comes from documents that somebody signed who
may carry out the step; a layout that is not believed is not drawn at all.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pip_intoto.errors import EvidenceError
from pip_intoto.metadata.layout import Step
from pip_intoto.metadata.rules import Match
from pip_intoto.verdict import Outcome, Station
from pip_intoto.verification.choice import alike
from pip_intoto.verification.claims import Claim, by_step
from pip_intoto.verification.parties import count_parties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pip_intoto.metadata.layout import Inspection, Layout
    from pip_intoto.verification.choice import Group
    from pip_intoto.verification.evidence import StepEvidence
    from pip_intoto.verification.record import Record


@contextmanager
def of_station(name: str) -> Iterator[None]:
    """Say of errors that they are about this step or inspection.

    What is wrong inside a sublayout is said of the step that it stands for: the outermost counts.
    """
    try:
        yield
    except EvidenceError as error:
        error.station = name
        raise


def whole(
    layout: Layout, chosen: Mapping[str, Group], records: Mapping[str, Record]
) -> tuple[Station, ...]:
    """Draw a chain that holds: ``records`` has what every step and inspection reported."""
    claims = by_step(layout)
    steps = tuple(
        _station(
            step,
            layout,
            records[step.name],
            [
                name
                for claim in claims[step.name]
                for name in chosen[claim.name].principals.values()
            ],
        )
        for step in layout.steps
    )
    return steps + tuple(
        _station(inspection, layout, records[inspection.name]) for inspection in layout.inspections
    )


def broken(
    layout: Layout,
    evidence: Mapping[str, StepEvidence],
    chosen: Mapping[str, Group],
    inspected: Mapping[str, Record],
    error: EvidenceError,
    check: Callable[[Step | Inspection, Mapping[str, Record]], None],
) -> tuple[Station, ...]:
    """Draw a chain that fails with ``error``, as far as it could be looked at.

    ``evidence`` is what was found for each step, empty where nothing was looked for; ``chosen``
    has a group for each step that enough signed for, ``inspected`` what inspections found.
    """
    records = {**{name: group.record for name, group in chosen.items()}, **inspected}

    claims = by_step(layout)

    def outcome(item: Step | Inspection, station: Station) -> tuple[Outcome, str]:
        if item.name == error.station:
            return Outcome.FAIL, error.message
        found = [outcome_of(each, station) for each in claims.get(item.name, (item,))]
        # The first claim of a step that does not hold says what is wrong with it.
        return next((each for each in found if each[0] is not Outcome.OK), found[0])

    def outcome_of(item: Step | Inspection, station: Station) -> tuple[Outcome, str]:
        if item.name not in records:
            if isinstance(item, Step) and item.name in evidence:
                return Outcome.FAIL, _too_few(item, evidence[item.name])
            return Outcome.NOTE, "not looked at"
        makers = item.makers if isinstance(item, Claim) else ()
        lacking = [name for name in (*station.feeds, *makers) if name not in records]
        if lacking:
            return Outcome.NOTE, f"its rules were not looked at: they refer to {lacking[0]}"
        try:
            check(item, records)
        except EvidenceError as violation:
            return Outcome.FAIL, violation.message
        return Outcome.OK, ""

    stations = []
    for item in layout.items:
        record = records.get(item.name)
        principals: Iterable[str] = ()
        for claim in claims.get(item.name, ()):
            if claim.name in chosen:
                principals = [*principals, *chosen[claim.name].principals.values()]
            elif claim.name in evidence:
                candidates = evidence[claim.name].candidates
                names = [name for each in candidates for name in each.principals.values()]
                principals = [*principals, *names]
                # Too few, but all say the same.
                same = alike(candidates)
                if claim.name == item.name:
                    record = same[0][0].record if len(same) == 1 else None
        station = _station(item, layout, record, principals)
        how, detail = outcome(item, station)
        stations.append(replace(station, outcome=how, detail=detail))
    return tuple(stations)


def _station(
    item: Step | Inspection,
    layout: Layout,
    record: Record | None,
    principals: Iterable[str] = (),
) -> Station:
    names = {each.name for each in layout.items}
    feeds = dict.fromkeys(
        rule.step
        for rule in (*item.expected_materials, *item.expected_products)
        if isinstance(rule, Match) and rule.step in names and rule.step != item.name
    )
    is_step = isinstance(item, Step)
    return Station(
        name=item.name,
        is_inspection=not is_step,
        functionaries=tuple(sorted(set(principals))),
        wanted=_wanted(item) if isinstance(item, Step) else 0,
        materials=None if record is None else len(record.materials),
        products=None if record is None else len(record.products),
        feeds=tuple(feeds),
        predicates=tuple(each.predicate_type for each in item.expected_predicates)
        if isinstance(item, Step)
        else (),
    )


def _wanted(step: Step) -> int:
    # ITE-10: "`threshold` applies per predicate type rather than the step as a whole".
    return max((each.threshold for each in step.expected_predicates), default=step.threshold)


def _too_few(step: Step, found: StepEvidence) -> str:
    signings = {signing for each in found.candidates for signing in each.signings}
    parties = count_parties(signings)
    if parties >= step.threshold:
        return "those who signed report different results"
    return f"links that count: {parties} of {step.threshold} needed"
