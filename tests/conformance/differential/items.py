"""The rules of one step, judged by both sides in memory: where they stop, and what is consumed.

What each side says is the rule that failed, as ``products[2]``, or else which rule consumed each
artifact. The reference leaves its trace in a global variable, from which this is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

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

#: The failing rule; or the consuming rule of each artifact, by side; or that it broke down.
Said: TypeAlias = "str | dict[Side, dict[str, Rule]]"
BROKE_DOWN = "broke down"
_SIDES: tuple[Side, Side] = ("materials", "products")


def _parsed(rules: Sequence[Words]) -> tuple[Rule, ...]:
    return tuple(parse_rule(Node(list(rule))) for rule in rules)


def here(case: ItemCase) -> Said:
    """Judge with this engine."""
    step = Step(
        name=ITEM,
        threshold=1,
        expected_materials=_parsed(case.expected_materials),
        expected_products=_parsed(case.expected_products),
        pubkeys=(),
        expected_command=(),
    )
    records = {
        name: Record(materials=materials, products=products)
        for name, (materials, products) in case.reports.items()
    }
    try:
        check_item(step, records, Budget(DEFAULT))
    except RuleViolated as error:
        return error.place.removeprefix(f"step {ITEM}, expected_")
    return {
        side: dict(
            consumers(step, side, frozenset(records[ITEM].side(side)), records, Budget(DEFAULT))
        )
        for side in _SIDES
    }


def there(case: ItemCase) -> Said:
    """Judge with the reference."""
    links = {
        name: Link(name=name, materials=materials, products=products)
        for name, (materials, products) in case.reports.items()
    }
    said: dict[Side, dict[str, Rule]] = {}
    for side in _SIDES:
        rules = case.expected_materials if side == "materials" else case.expected_products
        queue = set(links[ITEM].materials if side == "materials" else links[ITEM].products)
        try:
            verifylib.verify_item_rules(ITEM, side, rules, links)
        except RuleVerificationError:
            return f"{side}[{len(verifylib.RULE_TRACE['trace'])}]"
        except KeyError:
            return BROKE_DOWN
        said[side] = {}
        for entry in verifylib.RULE_TRACE["trace"]:
            left = set(entry["queue"])
            rule = parse_rule(Node(list(entry["rule"])))
            said[side].update(dict.fromkeys(queue - left, rule))
            queue = left
    return said
