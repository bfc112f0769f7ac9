"""Steps and inspections that are the same as before, but for their names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pip_intoto.maintainer.layouts.differences.functionaries import allowed
from pip_intoto.metadata.layout import Inspection, Step
from pip_intoto.metadata.rules import Match

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.rules import Rule

Item: TypeAlias = Step | Inspection
_Some = TypeVar("_Some", Step, Inspection)


def renamed(before: Layout, after: Layout) -> dict[str, str]:
    """New names by old ones, of steps and inspections that are the same but for their names."""
    return {
        **_renamed(before, after, lambda layout: layout.steps),
        **_renamed(before, after, lambda layout: layout.inspections),
    }


def _renamed(
    before: Layout, after: Layout, items: Callable[[Layout], Sequence[Item]]
) -> dict[str, str]:
    old, new = ({each.name: each for each in items(layout)} for layout in (before, after))
    gone = [each for each in items(before) if each.name not in new]
    came = [each for each in items(after) if each.name not in old]
    if len(gone) != len(came):
        return {}
    # A rule about a step that is not there does nothing, and would come to life with the name.
    spoken = _spoken_of(before), _spoken_of(after)
    if spoken[0].intersection(each.name for each in came) or (
        spoken[1].intersection(each.name for each in gone)
    ):
        return {}
    if any("{" in name for side in spoken for name in side):
        return {}
    # All of them together, since they may refer to each other; then without those that differ.
    pairs = {was.name: now.name for was, now in zip(gone, came, strict=True)}
    while pairs:
        named = with_names(before, pairs)
        again = {each.name: each for each in items(named)}
        differ = [
            was for was, now in pairs.items() if not _same(again[now], named, new[now], after)
        ]
        if not differ:
            return pairs
        pairs = {was: now for was, now in pairs.items() if was not in differ}
    return {}


def _spoken_of(layout: Layout) -> set[str]:
    """The steps and inspections that MATCH rules name, whether they are there or not."""
    return {
        rule.step
        for each in layout.items
        for rule in (*each.expected_materials, *each.expected_products)
        if isinstance(rule, Match)
    }


def _same(one: Item, one_in: Layout, other: Item, other_in: Layout) -> bool:
    if isinstance(one, Step) and isinstance(other, Step):
        keys = allowed(one, one_in), allowed(other, other_in)
        one, other = replace(one, pubkeys=()), replace(other, pubkeys=())
        return one == other and keys[0] == keys[1]
    return one == other


def with_names(layout: Layout, names: Mapping[str, str]) -> Layout:
    """The layout with other names for its items, in MATCH rules as well; others stay."""

    def rules(listed: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(
            replace(rule, step=names.get(rule.step, rule.step)) if isinstance(rule, Match) else rule
            for rule in listed
        )

    def item(each: _Some) -> _Some:
        return replace(
            each,
            name=names.get(each.name, each.name),
            expected_materials=rules(each.expected_materials),
            expected_products=rules(each.expected_products),
        )

    return replace(
        layout,
        steps=tuple(item(step) for step in layout.steps),
        inspections=tuple(item(each) for each in layout.inspections),
    )
