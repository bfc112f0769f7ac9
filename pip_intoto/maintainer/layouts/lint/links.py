"""The rules held against links at hand: what they find there, and what they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.errors import RuleViolated
from pip_intoto.maintainer.layouts.lint.findings import RuleList, Severity
from pip_intoto.maintainer.layouts.reach import opened, reach, reach_there
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.rules import Disallow, Match
from pip_intoto.verification.artifact_rules import SIDES, consumers, shown_rule
from pip_intoto.verification.record import Record
from pip_intoto.verification.wording import NAMED, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pip_intoto.maintainer.layouts.lint.findings import Finding, Subject
    from pip_intoto.verification.record import Side


def look_at_links(subject: Subject) -> Iterator[Finding]:
    """What the links say of the rules. Nothing is said of signatures and thresholds."""
    records: dict[str, list[Record]] = {}
    for link in subject.links:
        if link.name in subject.steps:
            record = Record(materials=link.materials, products=link.products)
            records.setdefault(link.name, []).append(record)
    for rules in subject.lists():
        yield from _finds_nothing(rules, records, subject)
    first = {name: found[0] for name, found in records.items()}
    for index, step in enumerate(subject.layout.steps):
        if step.name in first:
            for side in SIDES:
                yield from _left_over(RuleList(step, index, side), first, subject)


def _finds_nothing(
    rules: RuleList, records: Mapping[str, list[Record]], subject: Subject
) -> Iterator[Finding]:
    mine = records.get(rules.item.name, ())
    for index, rule in enumerate(rules.rules):
        if isinstance(rule, Disallow):
            continue
        if mine and not any(_any(record, rules.side, reach(rule), subject) for record in mine):
            yield rules.at_rule(index).finding(
                "matches-nothing",
                Severity.WARNING,
                f"`{shown_rule(rule)}` fits none of the {rules.side} in the links at hand",
                why="A pattern that never fits ties nothing; mostly a folder is spelled"
                " otherwise, or was stripped.",
                instead="a pattern of " + _some(mine, rules.side),
            )
        elif isinstance(rule, Match) and rule.step in records:
            there = records[rule.step]
            name = reach_there(rule)
            if not any(_any(record, rule.destination, name, subject) for record in there):
                yield rules.at_rule(index).finding(
                    "matches-nothing",
                    Severity.WARNING,
                    f"`{shown_rule(rule)}` fits none of the {rule.destination} that"
                    f" {rule.step} reports in the links at hand",
                    why="What it should let through is never found there, and forbidden by the"
                    " DISALLOW * behind it.",
                    instead="a pattern of " + _some(there, rule.destination),
                )


def _left_over(
    rules: RuleList, records: Mapping[str, Record], subject: Subject
) -> Iterator[Finding]:
    # Which value a parameter will have, the consumer's policy says.
    if any(opened(reach(rule)) != reach(rule) for rule in rules.rules):
        return
    names = frozenset(records[rules.item.name].side(rules.side))
    try:
        consumed = consumers(rules.item, rules.side, names, records, subject.budget)
    except RuleViolated as violated:
        yield rules.at.finding(
            "links-break-rule",
            Severity.WARNING,
            f"the links at hand do not satisfy the rules: {violated.message}",
            why=f"With these links verification fails. Expected: {violated.expected}; found:"
            f" {violated.found}.",
            instead="rules that fit what the step really does, or links of a step that was"
            " carried out as the rules say",
        )
        return
    left = sorted(names - consumed.keys())
    if left:
        listed = ", ".join(map(shown, left[:NAMED]))
        more = f" and {counted(len(left) - NAMED, 'other')}" if len(left) > NAMED else ""
        yield rules.at.finding(
            "unbound-artifact",
            Severity.WARNING,
            f"no rule speaks of {listed}{more}, among the {rules.side} in the links at hand",
            why="in-toto allows it unsaid: it may be anything.",
            instead="a rule for it, and then DISALLOW *",
        )


def _any(record: Record, side: Side, pattern: str, subject: Subject) -> bool:
    names = record.side(side)
    compiled = subject.budget.pattern(opened(pattern))
    if compiled.literal is not None:
        return compiled.literal in names
    subject.budget.spend_on(compiled, names)
    return any(map(compiled.matches, names))


def _some(records: Sequence[Record], side: Side) -> str:
    names = sorted({name for record in records for name in record.side(side)})
    more = len(names) - NAMED
    listed = ", ".join(shown(name) for name in names[:NAMED]) or "nothing: there are none"
    return f"{listed} and {counted(more, 'other')}" if more > 0 else listed
