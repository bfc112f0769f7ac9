"""Which statements a step asks for (ITE-10), and on what conditions (ITE-11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.maintainer.layouts.differences.changes import (
    Change,
    Effect,
    by_sets,
    only,
    told,
)
from pip_intoto.maintainer.layouts.differences.functionaries import Asked, signer_changes
from pip_intoto.metadata.predicate_names import spelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pip_intoto.maintainer.layouts.differences.functionaries import Names
    from pip_intoto.metadata.layout import ExpectedPredicate, Layout, Step


def statement_changes(
    place: str, old: tuple[Step, Layout], new: tuple[Step, Layout], names: Names
) -> Iterator[Change]:
    """What a step asks for, each step with its layout; at least one of them asks for statements."""
    (was, was_in), (now, now_in) = old, new
    if not (was.expected_predicates and now.expected_predicates):
        asks = [_listed(step) for step in (now, was)]
        yield Change(
            code="evidence",
            place=place,
            what=f"asks for {asks[0]} instead of {asks[1]}",
            means="other documents count, from others",
            effect=Effect.UNCLEAR,
            gone=(asks[1],),
            came=(asks[0],),
        )
        return
    before, after = (_by_type(step.expected_predicates) for step in (was, now))
    for kind in (each for each in before if each not in after):
        yield Change(
            code="statement-removed",
            place=place,
            what=f"does not ask for {kind} any more",
            means="nobody has to state that any more",
            effect=Effect.WEAKER,
            gone=(kind,),
        )
    for kind in (each for each in after if each not in before):
        yield Change(
            code="statement-added",
            place=place,
            what=f"asks for {kind} as well",
            means="evidence without that statement is refused",
            effect=Effect.STRICTER,
            came=(kind,),
        )
    common = [kind for kind in after if kind in before]
    order = [kind for kind in before if kind in after]
    if order != common:
        yield Change(
            code="statements-reordered",
            place=place,
            what=f"asks for statements in another order: {', '.join(common)}",
            means="the first of what was done stands for the step, where other steps refer to it",
            effect=Effect.UNCLEAR,
            gone=tuple(order),
            came=tuple(common),
        )
    for kind in common:
        stated, states = before[kind], after[kind]
        where = f"{place}, {kind}"
        yield from signer_changes(
            where,
            Asked(stated.functionaries, stated.threshold, was_in),
            Asked(states.functionaries, states.threshold, now_in),
            names,
            of_links=False,
        )
        yield from condition_changes(where, stated.expected_attributes, states.expected_attributes)


def condition_changes(place: str, was: Sequence[str], now: Sequence[str]) -> Iterator[Change]:
    """The conditions that must hold; they are compared as texts."""
    gone, came = only(was, now)
    if gone or came:
        # More conditions are more that may fail.
        yield Change(
            code="conditions",
            place=place,
            what=told("condition", gone, came),
            means="what is stated must meet other conditions",
            effect=by_sets(came, gone),
            gone=gone,
            came=came,
        )


def _listed(step: Step) -> str:
    kinds = [spelled(each.predicate_type) for each in step.expected_predicates]
    return f"statements ({', '.join(kinds)})" if kinds else "links"


def _by_type(predicates: Sequence[ExpectedPredicate]) -> dict[str, ExpectedPredicate]:
    """By what they are called; a type that is asked for again has a number behind it."""
    found: dict[str, ExpectedPredicate] = {}
    for each in predicates:
        name = kind = spelled(each.predicate_type)
        number = 1
        while name in found:
            number += 1
            name = f"{kind} ({number})"
        found[name] = each
    return found
