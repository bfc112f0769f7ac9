"""Parameter substitution: ``{NAME}`` in the rules and commands of the root layout.

The specification does not know it; the implementations do. Unlike theirs, a value here is only
ever itself: it cannot widen a pattern (Q3), is never looked at again, and reaches no attribute
(Q4).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pip_intoto.errors import LayoutFeatureUnsupported
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.rules import Match, Require
from pip_intoto.verification.patterns import escape, in_brackets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.metadata.layout import Inspection, Layout, Step
    from pip_intoto.metadata.rules import Rule

# Q2: names are [A-Za-z0-9_-]+.
PARAMETER = re.compile(r"\{([A-Za-z0-9_-]+)\}")


def substitute(layout: Layout, parameters: Mapping[str, str]) -> Layout:
    """Return ``layout`` with every ``{NAME}`` replaced.

    Raises :class:`LayoutFeatureUnsupported` for a parameter without a value, and for one between
    the brackets of a pattern. In commands, a layout for which there are no parameters at all is
    left as it is: ``${HOME}`` is no parameter.
    """
    return replace(
        layout,
        steps=tuple(
            _step(step, parameters, f"steps[{index}]") for index, step in enumerate(layout.steps)
        ),
        inspections=tuple(
            _inspection(inspection, parameters, f"inspect[{index}]")
            for index, inspection in enumerate(layout.inspections)
        ),
    )


def parameters_of(layout: Layout) -> tuple[str, ...]:
    """Return the names that a layout's rules need values for, each once.

    Where rules have some, commands have them too (Q1); where they have none, braces in commands are
    no parameters.
    """
    texts = [
        word
        for item in layout.items
        for rule in (*item.expected_materials, *item.expected_products)
        for word in rule.words
    ]
    if any(map(PARAMETER.search, texts)):
        texts += [word for step in layout.steps for word in step.expected_command]
        texts += [word for inspection in layout.inspections for word in inspection.run]
    return tuple(dict.fromkeys(name for text in texts for name in PARAMETER.findall(text)))


def _step(step: Step, parameters: Mapping[str, str], place: str) -> Step:
    # Q1: "{NAME} in rules, expected_command, run of the root layout."
    return replace(
        step,
        expected_materials=_rules(
            step.expected_materials, parameters, f"{place}.expected_materials"
        ),
        expected_products=_rules(step.expected_products, parameters, f"{place}.expected_products"),
        expected_command=_command(step.expected_command, parameters, f"{place}.expected_command"),
    )


def _inspection(inspection: Inspection, parameters: Mapping[str, str], place: str) -> Inspection:
    return replace(
        inspection,
        expected_materials=_rules(
            inspection.expected_materials, parameters, f"{place}.expected_materials"
        ),
        expected_products=_rules(
            inspection.expected_products, parameters, f"{place}.expected_products"
        ),
        run=_command(inspection.run, parameters, f"{place}.run"),
    )


def _rules(rules: tuple[Rule, ...], parameters: Mapping[str, str], place: str) -> tuple[Rule, ...]:
    return tuple(_rule(rule, parameters, f"{place}[{index}]") for index, rule in enumerate(rules))


def _rule(rule: Rule, parameters: Mapping[str, str], place: str) -> Rule:
    # Nearly no rule has a parameter, and a layout may have one rule for each file.
    if not any("{" in word for word in rule.words):
        return rule
    # Q3: a value is literal. It is escaped where the rule has a pattern, and stands as it is
    # where the rule has a name: REQUIRE, the prefixes and the step of MATCH.
    if isinstance(rule, Require):
        return replace(rule, name=_text(rule.name, parameters, place))
    pattern = _text(rule.pattern, parameters, place, in_pattern=True)
    if isinstance(rule, Match):
        return replace(
            rule,
            pattern=pattern,
            source_prefix=_text(rule.source_prefix, parameters, place),
            destination_prefix=_text(rule.destination_prefix, parameters, place),
            step=_text(rule.step, parameters, place),
        )
    return rule if pattern == rule.pattern else replace(rule, pattern=pattern)


def _command(words: tuple[str, ...], parameters: Mapping[str, str], place: str) -> tuple[str, ...]:
    if not parameters:
        return words
    return tuple(_text(word, parameters, f"{place}[{index}]") for index, word in enumerate(words))


def _text(text: str, parameters: Mapping[str, str], place: str, *, in_pattern: bool = False) -> str:
    if "{" not in text:
        return text
    bracketed = in_brackets(text) if in_pattern else set()

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in parameters:
            raise LayoutFeatureUnsupported(
                f"The layout has a parameter {{{name}}}, and no value is given for it",
                expected=f"a value for {name}",
                found=f"{shown(text)}, and values for {', '.join(sorted(parameters)) or 'nothing'}",
                advice=f'Add `parameters = {{ {name} = "…" }}` to the project in the policy;'
                " `verify --layout` takes values from --parameters FILE.",
                place=place,
            )
        if not in_pattern:
            return parameters[name]
        if match.start() in bracketed:
            # Q3: `[{NAME}]` with `a-z` would be a range, however the value is escaped.
            raise LayoutFeatureUnsupported(
                f"The layout has the parameter {{{name}}} between brackets, where no value"
                " stands for itself",
                expected=f"{{{name}}} outside [ and ]",
                found=shown(text),
                place=place,
            )
        return escape(parameters[name])

    # One pass: what a value contains is not substituted again.
    return PARAMETER.sub(value, text)
