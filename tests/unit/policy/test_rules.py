"""Which rule is a project's, among many."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from fixtures.supply_chain import SupplyChain
from pip_intoto.policy.file import load_policy

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.policy.model import Policy, ProjectRule


def policy_of(folder: Path, *names: str) -> Policy:
    """A policy with rules of these names; all else about them is the same."""
    policy = load_policy(SupplyChain(project="demo").policy(folder))
    (rule,) = policy.projects
    return replace(policy, projects=tuple(replace(rule, name=name) for name in names))


def by_definition(policy: Policy, name: str) -> ProjectRule | None:
    """Exact beats glob, the longer glob the shorter."""
    covering = [rule for rule in policy.projects if rule.covers(name)]
    return max(covering, key=lambda rule: (not rule.is_glob, len(rule.name)), default=None)


def test_the_rule_is_the_one_that_the_definition_names(tmp_path: Path) -> None:
    dice = random.Random(7)
    words = ["".join(dice.choices("ab-", k=dice.randint(1, 4))) for _ in range(60)]
    names = {*words[:20], *(word + "*" for word in words[20:40]), "*"}
    for chosen in (names, names - {"*"}):
        policy = policy_of(tmp_path, *sorted(chosen))
        for word in [*words, "", "zzz"]:
            assert policy.rule_for(word) is by_definition(policy, word)


def test_thousands_of_rules_are_asked_for_thousands_of_projects_in_no_time(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, *(f"part-{number}" for number in range(5_000)), "part-*")
    began = time.perf_counter()
    for number in range(6_000):
        rule = policy.rule_for(f"part-{number}")
        assert rule is not None
        assert rule.is_glob == (number >= 5_000)
    assert time.perf_counter() - began < 30
