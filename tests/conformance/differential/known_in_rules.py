"""Known differences in what rules consume. Each is decided from digests, names and rules alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.metadata.digests import ACCEPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tests.conformance.differential.drawing import Words


@dataclass(frozen=True, slots=True)
class RuleDifference:
    """One known difference: ``applies`` gets all digests, all names and all rules of a case."""

    name: str
    #: Requirement ids.
    ids: tuple[str, ...]
    #: As docs/reference/differences.md has it.
    what: str
    applies: Callable[[Sequence[Mapping[str, str]], Sequence[str], Sequence[Words]], bool]


def _different(digests: Sequence[Mapping[str, str]]) -> Iterator[tuple[set[str], bool]]:
    """Yield for each pair which accepted algorithms both name, and whether these agree."""
    distinct = list({tuple(sorted(each.items())): each for each in digests}.values())
    for one, other in itertools.combinations(distinct, 2):
        shared = one.keys() & other.keys() & ACCEPTED.keys()
        yield shared, all(one[name] == other[name] for name in shared)


def _nothing_to_compare(
    digests: Sequence[Mapping[str, str]], _names: Sequence[str], _rules: Sequence[Words]
) -> bool:
    # The reference takes {} and {} for equal, and {} and {"sha256": …} for changed.
    return any(ACCEPTED.keys().isdisjoint(each) for each in digests) or any(
        not shared for shared, _ in _different(digests)
    )


def _partly_compared(
    digests: Sequence[Mapping[str, str]], _names: Sequence[str], _rules: Sequence[Words]
) -> bool:
    return any(shared and same for shared, same in _different(digests))


def _backslashes(
    _digests: Sequence[Mapping[str, str]], names: Sequence[str], rules: Sequence[Words]
) -> bool:
    prefixes = [prefix for rule in rules for prefix in prefixes_of(rule)]
    return any("\\" in prefix for prefix in prefixes) or (
        bool(prefixes) and any("\\" in name for name in names)
    )


def _slash_after_prefix(
    _digests: Sequence[Mapping[str, str]], names: Sequence[str], rules: Sequence[Words]
) -> bool:
    folders = {prefix.rstrip("/") + "/" for rule in rules for prefix in prefixes_of(rule) if prefix}
    return any(name.startswith(folder + "/") for folder in folders for name in names)


def prefixes_of(rule: Words) -> list[str]:
    """Return the prefixes that a rule gives after IN."""
    if rule[:1] and rule[0].upper() == "MATCH":
        return [rule[at + 1] for at in (2, 4, 6) if rule[at : at + 1] and rule[at].upper() == "IN"]
    return []


RULE_DIFFERENCES = (
    RuleDifference(
        "no-common-digest",
        ("H1", "R3", "R9", "T2"),
        "digests that cannot be compared (no algorithm in common, or none that is accepted)"
        " are neither equal nor changed",
        _nothing_to_compare,
    ),
    RuleDifference(
        "some-common-digests",
        ("H1", "R3", "R9", "T2"),
        "digests by more algorithms on one side than on the other are compared by those in common",
        _partly_compared,
    ),
    RuleDifference(
        "backslash-below-prefix",
        ("P6", "R10"),
        "a backslash in a prefix, or in a name below one, is a character like any other",
        _backslashes,
    ),
    RuleDifference(
        "slash-below-prefix",
        ("R9", "R10"),
        "a prefix that ends in the midst of `//` (as in `https://host/a`) cuts the name there",
        _slash_after_prefix,
    ),
)


def explaining_rules(
    digests: Iterable[Mapping[str, str]], names: Iterable[str], rules: Iterable[Words]
) -> list[str]:
    """Return the names of the differences that a case could show."""
    all_digests, all_names, all_rules = list(digests), list(names), list(rules)
    return [
        each.name for each in RULE_DIFFERENCES if each.applies(all_digests, all_names, all_rules)
    ]
