"""Which names a rule may speak of, whatever the values of a layout's parameters will be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.metadata.rules import Disallow, Match, Require
from pip_intoto.verification.artifact_rules import as_folder
from pip_intoto.verification.patterns import escape
from pip_intoto.verification.substitution import PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pip_intoto.metadata.rules import Rule


def reach(rule: Rule) -> str:
    """The pattern of all names that a rule may speak of on its own side."""
    if isinstance(rule, Require):
        return escape(rule.name)
    if isinstance(rule, Match):
        return escape(as_folder(rule.source_prefix)) + rule.pattern
    return rule.pattern


def reach_there(rule: Match) -> str:
    """The pattern of all names that a MATCH may find at its destination."""
    return escape(as_folder(rule.destination_prefix)) + rule.pattern


def opened(pattern: str) -> str:
    """A pattern for all that ``pattern`` may match, with any values for its parameters."""
    if PARAMETER.search(pattern) is None:
        return pattern
    # Q3: between brackets, no value stands for itself.
    return "*" if "[" in pattern else PARAMETER.sub("*", pattern)


def is_everything(pattern: str) -> bool:
    """Whether it is ``*``, however many of them."""
    return bool(pattern) and not pattern.strip("*")


def is_closed(rules: Iterable[Rule]) -> bool:
    """Whether what no rule speaks of is refused."""
    return any(isinstance(rule, Disallow) and is_everything(rule.pattern) for rule in rules)
