"""The rules of one step, judged by both sides in memory: where they stop, and what is consumed.

What each side says is the rule that fails, as ``products[2]``, and which rule consumes each
artifact when those that may fail are left out, so that every case shows what consumption there
is. The reference leaves its trace in a global variable, from which this is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from in_toto import verifylib
from in_toto.exceptions import RuleVerificationError
from in_toto.models.link import Link

from pip_intoto.errors import RuleViolated
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.layout import Step
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.rules import parse_rule
from pip_intoto.verification.artifact_rules import Budget, check_item, consumers
from pip_intoto.verification.record import Record
from tests.conformance.differential.drawing import ITEM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.metadata.rules import Rule
    from pip_intoto.verification.record import Side
    from tests.conformance.differential.drawing import ItemCase, Words

BROKE_DOWN = "broke down"
_SIDES: tuple[Side, Side] = ("materials", "products")
_MAY_FAIL = {"DISALLOW", "REQUIRE"}


@dataclass(frozen=True, slots=True)
class Said:
    """What one side says: the rule that fails, if any, and what each artifact is consumed by."""

    fails_at: str
    consumed: dict[Side, dict[str, Rule]]


def _consuming(rules: Sequence[Words]) -> list[Words]:
    return [rule for rule in rules if rule[0].upper() not in _MAY_FAIL]


def _without_failures(case: ItemCase) -> ItemCase:
    return replace(
        case,
        expected_materials=_consuming(case.expected_materials),
        expected_products=_consuming(case.expected_products),
    )


def _parsed(rules: Sequence[Words]) -> tuple[Rule, ...]:
    return tuple(parse_rule(Node(list(rule))) for rule in rules)


def _step(case: ItemCase) -> Step:
    return Step(
        name=ITEM,
        threshold=1,
        expected_materials=_parsed(case.expected_materials),
        expected_products=_parsed(case.expected_products),
        pubkeys=(),
        expected_command=(),
    )


def here(case: ItemCase) -> Said:
    """Judge with this engine."""
    records = {
        name: Record(materials=materials, products=products)
        for name, (materials, products) in case.reports.items()
    }
    fails_at = ""
    try:
        check_item(_step(case), records, Budget(DEFAULT))
    except RuleViolated as error:
        fails_at = error.place.removeprefix(f"step {ITEM}, expected_")
    step = _step(_without_failures(case))
    return Said(
        fails_at,
        {
            side: dict(
                consumers(step, side, frozenset(records[ITEM].side(side)), records, Budget(DEFAULT))
            )
            for side in _SIDES
        },
    )


def there(case: ItemCase) -> Said:
    """Judge with the reference."""
    links = {
        name: Link(name=name, materials=materials, products=products)
        for name, (materials, products) in case.reports.items()
    }
    fails_at = _process(case, links)
    consumed: dict[Side, dict[str, Rule]] = {side: {} for side in _SIDES}
    if fails_at != BROKE_DOWN and _process(_without_failures(case), links, consumed):
        fails_at = BROKE_DOWN
    return Said(fails_at, consumed)


def _process(
    case: ItemCase,
    links: dict[str, Link],
    consumed: dict[Side, dict[str, Rule]] | None = None,
) -> str:
    """Return the rule that fails, and note which one consumed what."""
    for side in _SIDES:
        rules = case.expected_materials if side == "materials" else case.expected_products
        queue = set(links[ITEM].materials if side == "materials" else links[ITEM].products)
        try:
            verifylib.verify_item_rules(ITEM, side, rules, links)
        except RuleVerificationError:
            return f"{side}[{len(verifylib.RULE_TRACE['trace'])}]"
        except KeyError:
            return BROKE_DOWN
        if consumed is not None:
            for entry in verifylib.RULE_TRACE["trace"]:
                left = set(entry["queue"])
                rule = parse_rule(Node(list(entry["rule"])))
                consumed[side].update(dict.fromkeys(queue - left, rule))
                queue = left
    return ""
