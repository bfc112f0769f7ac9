"""Artifact rules (R1 to R12)."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge, RuleViolated
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.layout import Step
from pip_intoto.metadata.rules import Match
from pip_intoto.verification.artifact_rules import Budget, check_item, consumers
from pip_intoto.verification.record import Record
from tests.unit.verification.supply import digests, rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pip_intoto.metadata.rules import Rule

Artifacts = dict[str, dict[str, str]]


def artifacts(**content: str) -> Artifacts:
    """Names with ``_`` for ``/``, and content to be hashed."""
    return {name.replace("_", "/"): digests(text) for name, text in content.items()}


def run(
    materials: Sequence[str] = (),
    products: Sequence[str] = (),
    *,
    before: Artifacts | None = None,
    after: Artifacts | None = None,
    others: Mapping[str, Record] | None = None,
    budget: Budget | None = None,
) -> None:
    """Check the rules of a step that found ``before`` and left ``after``."""
    check_item(*_item(materials, products, before, after, others), budget or Budget(DEFAULT))


def _item(
    materials: Sequence[str],
    products: Sequence[str],
    before: Artifacts | None,
    after: Artifacts | None,
    others: Mapping[str, Record] | None,
) -> tuple[Step, dict[str, Record]]:
    step = Step(
        name="here",
        threshold=1,
        expected_materials=rules(*materials),
        expected_products=rules(*products),
        pubkeys=(),
        expected_command=(),
    )
    record = Record(materials=before or {}, products=after or {}, origin="here.link")
    return step, {"here": record, **(others or {})}


def there(
    materials: Artifacts | None = None, products: Artifacts | None = None
) -> dict[str, Record]:
    return {
        "there": Record(materials=materials or {}, products=products or {}, origin="there.link")
    }


END = "DISALLOW *"


# --- R1 to R3: what changed ---------------------------------------------------------------------


@pytest.mark.accepts("R1")
@pytest.mark.parametrize("pattern", ["new", "*", "n*", "n?w", "[n]ew"])
def test_R1_create_consumes_products_that_were_no_materials(pattern: str) -> None:
    run(products=[f"CREATE {pattern}", END], after=artifacts(new="1"))


@pytest.mark.rejects("R1")
@pytest.mark.parametrize("pattern", ["old", "*", "o*", "o?d", "[o]ld"])
def test_R1_create_does_not_consume_what_was_there_before(pattern: str) -> None:
    both = artifacts(old="1")
    with pytest.raises(RuleViolated):
        run(products=[f"CREATE {pattern}", END], before=both, after=artifacts(old="2"))


@pytest.mark.rejects("R1")
def test_R1_create_among_materials_consumes_nothing() -> None:
    with pytest.raises(RuleViolated):
        run(materials=["CREATE *", END], before=artifacts(a="1"))


@pytest.mark.accepts("R2")
@pytest.mark.parametrize("pattern", ["old", "*", "o*"])
def test_R2_delete_consumes_materials_that_are_no_products(pattern: str) -> None:
    run(materials=[f"DELETE {pattern}", END], before=artifacts(old="1"))


@pytest.mark.rejects("R2")
@pytest.mark.parametrize("pattern", ["kept", "*", "k*"])
def test_R2_delete_does_not_consume_what_is_still_there(pattern: str) -> None:
    kept = artifacts(kept="1")
    with pytest.raises(RuleViolated):
        run(materials=[f"DELETE {pattern}", END], before=kept, after=kept)


@pytest.mark.rejects("R2")
def test_R2_delete_among_products_consumes_nothing() -> None:
    with pytest.raises(RuleViolated):
        run(products=["DELETE *", END], after=artifacts(a="1"))


@pytest.mark.accepts("R3")
@pytest.mark.parametrize("pattern", ["a", "*", "a*", "[a]"])
def test_R3_modify_consumes_what_has_other_digests(pattern: str) -> None:
    before, after = artifacts(a="1"), artifacts(a="2")
    run([f"MODIFY {pattern}", END], [f"MODIFY {pattern}", END], before=before, after=after)


@pytest.mark.rejects("R3")
@pytest.mark.parametrize("pattern", ["a", "*", "a*"])
def test_R3_modify_does_not_consume_what_is_the_same_or_new(pattern: str) -> None:
    with pytest.raises(RuleViolated):
        run(products=[f"MODIFY {pattern}", END], before=artifacts(a="1"), after=artifacts(a="1"))
    with pytest.raises(RuleViolated):
        run(products=[f"MODIFY {pattern}", END], after=artifacts(a="1"))


@pytest.mark.rejects("R3")
@pytest.mark.parametrize("pattern", ["a", "*"])
def test_R3_modify_does_not_consume_what_cannot_be_compared(pattern: str) -> None:
    pairs: list[tuple[Artifacts, Artifacts]] = [
        ({"a": {"sha256": "0" * 64}}, {"a": {"sha512": "0" * 128}}),
        ({"a": {}}, {"a": {}}),
        ({"a": {"md5": "0"}}, {"a": {"md5": "1"}}),
    ]
    for before, after in pairs:
        with pytest.raises(RuleViolated):
            run(products=[f"MODIFY {pattern}", END], before=before, after=after)


@pytest.mark.rejects("R1", "R2", "R3")
@pytest.mark.parametrize("pattern", ["b", "b*", "a?", "[!a]", "A"])
def test_R1_R2_R3_a_change_of_another_name_is_not_consumed(pattern: str) -> None:
    one, two = artifacts(a="1"), artifacts(a="2")
    with pytest.raises(RuleViolated):
        run(products=[f"CREATE {pattern}", END], after=one)
    with pytest.raises(RuleViolated):
        run(materials=[f"DELETE {pattern}", END], before=one)
    with pytest.raises(RuleViolated):
        run(products=[f"MODIFY {pattern}", END], before=one, after=two)


# --- R4 to R8 -----------------------------------------------------------------------------------


@pytest.mark.accepts("R4")
@pytest.mark.parametrize("pattern", ["a", "*", "?"])
def test_R4_allow_consumes_whatever_it_matches(pattern: str) -> None:
    run([f"ALLOW {pattern}", END], [f"ALLOW {pattern}", END], before=artifacts(a="1"),
        after=artifacts(a="1"))  # fmt: skip


@pytest.mark.rejects("R4")
def test_R4_allow_leaves_what_it_does_not_match() -> None:
    with pytest.raises(RuleViolated):
        run(products=["ALLOW a", END], after=artifacts(a="1", b="2"))


@pytest.mark.accepts("R5")
def test_R5_disallow_accepts_what_was_consumed_before_it() -> None:
    run(products=["ALLOW a", "DISALLOW a", "DISALLOW b*", END], after=artifacts(a="1"))


@pytest.mark.rejects("R5")
@pytest.mark.parametrize("pattern", ["a", "*", "?", "[a]"])
def test_R5_disallow_fails_on_what_is_left(pattern: str) -> None:
    with pytest.raises(RuleViolated) as caught:
        run(products=[f"DISALLOW {pattern}"], after=artifacts(a="1"))
    assert caught.value.place == "step here, expected_products[0]"


@pytest.mark.accepts("R6")
def test_R6_require_accepts_what_is_still_queued_and_consumes_nothing() -> None:
    run(products=["REQUIRE a", "REQUIRE a", "ALLOW a", END], after=artifacts(a="1"))


@pytest.mark.rejects("R6")
def test_R6_require_fails_on_what_is_absent_or_already_consumed() -> None:
    with pytest.raises(RuleViolated):
        run(products=["REQUIRE a"])
    with pytest.raises(RuleViolated) as caught:
        run(products=["ALLOW *", "REQUIRE a"], after=artifacts(a="1"))
    assert "`ALLOW *` (expected_products[0])" in caught.value.found


@pytest.mark.accepts("R6")
@pytest.mark.rejects("R6")
def test_R6_require_is_a_name_not_a_pattern() -> None:
    run(products=["REQUIRE a*"], after={"a*": digests("1")})
    with pytest.raises(RuleViolated):
        run(products=["REQUIRE a*"], after=artifacts(ab="1"))


@pytest.mark.accepts("R7")
def test_R7_a_rule_sees_what_the_rules_before_it_left() -> None:
    run(products=["ALLOW *", END], after=artifacts(a="1"))


@pytest.mark.accepts("R7")
def test_R7_materials_and_products_have_queues_of_their_own() -> None:
    both = artifacts(a="1")
    run(["ALLOW a", END], ["REQUIRE a", "ALLOW a", END], before=both, after=both)


@pytest.mark.rejects("R7")
@pytest.mark.parametrize("pattern", ["*", "a", "[a]"])
@pytest.mark.parametrize("later", ["ALLOW {}", "CREATE {}", "MATCH {} WITH PRODUCTS FROM here"])
@pytest.mark.parametrize("first", ["ALLOW a", "CREATE [!b]", "MATCH * WITH PRODUCTS FROM here"])
def test_R7_the_rule_that_consumed_an_artifact_is_the_first(
    first: str, later: str, pattern: str
) -> None:
    both = [first, later.format(pattern)]
    step, records = _item([], both, None, artifacts(a="1"), None)
    found = consumers(step, "products", frozenset("a"), records, Budget(DEFAULT))
    assert {name: str(rule) for name, rule in found.items()} == {"a": first}


@pytest.mark.rejects("R7")
def test_R7_what_was_consumed_is_consumed_for_good() -> None:
    with pytest.raises(RuleViolated) as caught:
        run(products=["CREATE *", "ALLOW a", "REQUIRE a"], after=artifacts(a="1"))
    assert "already consumed by `CREATE *` (expected_products[0])" in caught.value.found


@pytest.mark.rejects("R7")
def test_R7_a_rule_does_not_see_the_rules_after_it() -> None:
    with pytest.raises(RuleViolated):
        run(products=[END, "ALLOW *"], after=artifacts(a="1"))


@pytest.mark.accepts("R8")
def test_R8_what_no_rule_speaks_of_is_allowed() -> None:
    run([], [], before=artifacts(a="1"), after=artifacts(b="2"))
    run(products=["DISALLOW x"], after=artifacts(a="1"))


@pytest.mark.accepts("R8")
@pytest.mark.parametrize(
    "rule", ["CREATE x", "DELETE x", "MODIFY *", "MATCH * WITH PRODUCTS FROM there"]
)
def test_R8_only_disallow_and_require_can_fail(rule: str) -> None:
    same = artifacts(a="1")
    run([rule], [rule], before=same, after=same, others=there())


@pytest.mark.rejects("R8")
def test_R8_disallow_at_the_end_takes_that_away() -> None:
    with pytest.raises(RuleViolated):
        run(products=["DISALLOW x", END], after=artifacts(a="1"))


@pytest.mark.accepts("R8")
def test_R8_what_is_only_allowed_implicitly_has_no_consumer() -> None:
    step, records = _item([], ["ALLOW a"], None, artifacts(a="1", b="2"), None)
    found = consumers(step, "products", frozenset("ab"), records, Budget(DEFAULT))
    assert {name: str(rule) for name, rule in found.items()} == {"a": "ALLOW a"}


# --- R9 to R12: MATCH ---------------------------------------------------------------------------


@pytest.mark.accepts("R9", "R10")
@pytest.mark.parametrize(
    ("rule", "ours", "theirs"),
    [
        ("MATCH a WITH PRODUCTS FROM there", "a", "a"),
        ("MATCH * WITH PRODUCTS FROM there", "a", "a"),
        ("MATCH ? WITH PRODUCTS FROM there", "a", "a"),
        ("MATCH a IN s WITH PRODUCTS FROM there", "s/a", "a"),
        ("MATCH * IN s WITH PRODUCTS FROM there", "s/a", "a"),
        ("MATCH * IN s/ WITH PRODUCTS FROM there", "s/a", "a"),
        ("MATCH a WITH PRODUCTS IN d FROM there", "a", "d/a"),
        ("MATCH * WITH PRODUCTS IN d/ FROM there", "a", "d/a"),
        ("MATCH * IN s/t WITH PRODUCTS IN d FROM there", "s/t/a/b", "d/a/b"),
        ("MATCH ?/b IN s WITH PRODUCTS IN d FROM there", "s/a/b", "d/a/b"),
    ],
)
def test_R9_match_consumes_what_is_equal_at_the_destination(
    rule: str, ours: str, theirs: str
) -> None:
    theirs_there = there(products={theirs: digests("1")})
    run([rule, END], before={ours: digests("1")}, others=theirs_there)
    run([], [rule, END], after={ours: digests("1")}, others=theirs_there)
    with_materials = rule.replace("PRODUCTS", "MATERIALS")
    run([with_materials, END], before={ours: digests("1")}, others=there({theirs: digests("1")}))


@pytest.mark.rejects("R9", "R10")
@pytest.mark.parametrize(
    ("rule", "theirs"),
    [
        ("MATCH a WITH PRODUCTS FROM there", {"a": digests("2")}),
        ("MATCH * WITH PRODUCTS FROM there", {"b": digests("1")}),
        ("MATCH b WITH PRODUCTS FROM there", {"a": digests("1")}),
        ("MATCH a WITH MATERIALS FROM there", {"a": digests("1")}),
        ("MATCH a WITH PRODUCTS IN d FROM there", {"a": digests("1")}),
        ("MATCH a IN s WITH PRODUCTS FROM there", {"a": digests("1")}),
    ],
)
def test_R9_match_consumes_nothing_else(rule: str, theirs: Artifacts) -> None:
    with pytest.raises(RuleViolated):
        run([rule, END], before=artifacts(a="1"), others=there(products=theirs))


@pytest.mark.accepts("R9")
@pytest.mark.rejects("R9")
@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        ({"sha256": "a" * 64}, {"sha256": "a" * 64, "sha512": "b" * 128}, True),
        ({"sha256": "a" * 64}, {"sha512": "b" * 128}, False),
        (
            {"sha256": "a" * 64, "sha512": "c" * 128},
            {"sha256": "a" * 64, "sha512": "b" * 128},
            False,
        ),
        ({}, {}, False),
        ({"md5": "a" * 32}, {"md5": "a" * 32}, False),
    ],
)  # fmt: skip
def test_R9_equality_of_digests(ours: dict[str, str], theirs: dict[str, str], equal: bool) -> None:
    for pattern in ("a", "*"):
        rule = f"MATCH {pattern} WITH PRODUCTS FROM there"
        others = there(products={"a": theirs})
        if equal:
            run([rule, END], before={"a": ours}, others=others)
        else:
            with pytest.raises(RuleViolated):
                run([rule, END], before={"a": ours}, others=others)


@pytest.mark.rejects("R10")
@pytest.mark.parametrize("name", ["srcs/a", "src", "other/src/a", "src-a"])
@pytest.mark.parametrize("pattern", ["*", "a", "?"])
def test_R10_a_prefix_respects_the_slash_boundary(name: str, pattern: str) -> None:
    others = there(products={name: digests("1"), "a": digests("1"), "s/a": digests("1")})
    with pytest.raises(RuleViolated):
        run([f"MATCH {pattern} IN src WITH PRODUCTS FROM there", END],
            before={name: digests("1")}, others=others)  # fmt: skip


@pytest.mark.accepts("R10")
@pytest.mark.rejects("R10")
def test_R10_a_prefix_is_no_pattern() -> None:
    run(["MATCH * IN s* WITH PRODUCTS FROM there", END], before={"s*/a": digests("1")},
        others=there(products=artifacts(a="1")))  # fmt: skip
    with pytest.raises(RuleViolated):
        run(["MATCH * IN s* WITH PRODUCTS FROM there", END], before={"src/a": digests("1")},
            others=there(products=artifacts(a="1")))  # fmt: skip


@pytest.mark.rejects("R10")
@pytest.mark.parametrize("theirs", ["a", "da", "dx/a", "d-/a", "x/d/a", "d/d/a"])
@pytest.mark.parametrize("prefix", ["d", "d/"])
def test_R10_the_destinations_prefix_respects_it_too(theirs: str, prefix: str) -> None:
    for pattern in ("*", "a", "?"):
        with pytest.raises(RuleViolated):
            run([f"MATCH {pattern} WITH PRODUCTS IN {prefix} FROM there", END],
                before=artifacts(a="1"), others=there(products={theirs: digests("1")}))  # fmt: skip


@pytest.mark.rejects("R10")
def test_R10_the_destinations_prefix_is_no_pattern() -> None:
    with pytest.raises(RuleViolated):
        run(["MATCH a WITH PRODUCTS IN * FROM there", END],
            before=artifacts(a="1"), others=there(products=artifacts(d_a="1")))  # fmt: skip


@pytest.mark.rejects("R10")
def test_R10_what_lies_outside_the_prefix_is_not_consumed() -> None:
    # Where the prefix is only cut off if it is there, "a" would be consumed as well.
    for pattern in ("*", "a"):
        with pytest.raises(RuleViolated) as caught:
            run([f"MATCH {pattern} IN src WITH PRODUCTS FROM there", END],
                before=artifacts(a="1", src_a="1"),
                others=there(products=artifacts(a="1")))  # fmt: skip
        assert caught.value.found.startswith("'a', ")


@pytest.mark.accepts("R10")
@pytest.mark.parametrize("source", ["s", "s/"])
@pytest.mark.parametrize("destination", ["d/e", "d/e/"])
def test_R10_a_slash_at_the_end_of_a_prefix_changes_nothing(source: str, destination: str) -> None:
    for pattern in ("*", "t/a", "t/?"):
        run([f"MATCH {pattern} IN {source} WITH MATERIALS IN {destination} FROM there", END],
            before=artifacts(s_t_a="1"), others=there(artifacts(d_e_t_a="1")))  # fmt: skip


@pytest.mark.rejects("R10")
def test_R10_nothing_escapes_a_prefix() -> None:
    # Joining paths as the operating system does would look up "/x" here.
    with pytest.raises(RuleViolated):
        run(["MATCH * IN https: WITH PRODUCTS IN d FROM there", END],
            before={"https://x": digests("1")},
            others=there(products={"/x": digests("1"), "x": digests("1")}))  # fmt: skip


@pytest.mark.accepts("R11")
def test_R11_an_unknown_step_is_no_error() -> None:
    run(["MATCH * WITH PRODUCTS FROM nowhere"], before=artifacts(a="1"))


@pytest.mark.rejects("R11")
def test_R11_an_unknown_step_consumes_nothing() -> None:
    with pytest.raises(RuleViolated) as caught:
        run(["MATCH * WITH PRODUCTS FROM nowhere", END], before=artifacts(a="1"))
    assert "there is no step 'nowhere'" in caught.value.expected


@pytest.mark.accepts("R11")
def test_R11_an_absent_counterpart_is_no_error() -> None:
    run(["MATCH * IN a WITH PRODUCTS IN b FROM there"], before=artifacts(a_x="1"), others=there())


@pytest.mark.rejects("R11")
@pytest.mark.parametrize("pattern", ["*", "a", "?"])
def test_R11_an_absent_counterpart_consumes_nothing(pattern: str) -> None:
    with pytest.raises(RuleViolated) as caught:
        run([f"MATCH {pattern} WITH PRODUCTS FROM there", END], before=artifacts(a="1"),
            others=there(products=artifacts(b="1")))  # fmt: skip
    assert "'a' is not there (there.link)" in caught.value.expected


@pytest.mark.accepts("R9")
def test_R9_a_step_may_match_itself() -> None:
    same = artifacts(a="1")
    run([], ["MATCH * WITH MATERIALS FROM here", END], before=same, after=same)


@pytest.mark.accepts("R12")
@pytest.mark.parametrize(
    "rule",
    ["allow x", "create x", "Disallow y", "require a", "match x with products from there",
     "MATCH x IN s WITH MATERIALS IN d FROM there"],
)  # fmt: skip
def test_R12_forms_that_are_rules(rule: str) -> None:
    run(products=[rule], after=artifacts(a="1"), others=there())


@pytest.mark.rejects("R12")
@pytest.mark.parametrize(
    "rule",
    ["", "ALLOW", "ALLOW a b", "PERMIT a", "MATCH a WITH PRODUCT FROM there", "MATCH a FROM there",
     "MATCH a WITH PRODUCTS FROM there IN d"],
)  # fmt: skip
def test_R12_forms_that_are_none(rule: str) -> None:
    with pytest.raises(MetadataMalformed):
        rules(rule)


# --- messages -----------------------------------------------------------------------------------


def test_a_failure_names_what_the_nearest_rule_wanted() -> None:
    with pytest.raises(RuleViolated) as caught:
        run(
            ["CREATE b", "MATCH src/* WITH PRODUCTS FROM there", "ALLOW c", END],
            before=artifacts(src_a="evil"),
            others=there(products=artifacts(src_a="good")),
        )
    error = caught.value
    assert error.place == "step here, expected_materials[3]"
    assert "used 'src/a', which `DISALLOW *` in the layout forbids" in error.message
    assert error.expected == (
        "`MATCH src/* WITH PRODUCTS FROM there` (expected_materials[1]) allows it with"
        f" sha256 {digests('good')['sha256']} (there.link)"
    )
    assert error.found == f"'src/a', sha256 {digests('evil')['sha256']} (here.link)"


def test_a_failure_shows_the_digests_that_differ() -> None:
    same = {"sha256": "c" * 64}
    ours, theirs = {**same, "sha512": "a" * 128}, {**same, "sha512": "b" * 128}
    with pytest.raises(RuleViolated) as caught:
        run(["MATCH a WITH PRODUCTS FROM there", END], before={"a": ours},
            others=there(products={"a": theirs}))  # fmt: skip
    assert f"sha512 {'a' * 60}" in caught.value.found
    assert f"sha512 {'b' * 60}" in caught.value.expected


@pytest.mark.parametrize(
    ("rule", "before", "after", "words"),
    [
        ("MATCH a WITH PRODUCTS FROM there", {}, artifacts(a="1"), "'a' is not there (there.link)"),
        ("MODIFY a", artifacts(a="1"), artifacts(a="1"), "wants it changed"),
        ("MODIFY a", {}, artifacts(a="1"), "among materials and products both"),
        ("CREATE a", artifacts(a="1"), artifacts(a="1"), "the other side has it too"),
        ("DELETE a", {}, artifacts(a="1"), "consumes materials only"),
        ("ALLOW b", {}, artifacts(a="1"), "nothing but what the rules before it allow"),
    ],
)
def test_a_failure_says_why_a_rule_did_not_consume(
    rule: str, before: Artifacts, after: Artifacts, words: str
) -> None:
    with pytest.raises(RuleViolated) as caught:
        run(products=[rule, END], before=before, after=after, others=there())
    assert words in caught.value.expected


def test_a_failure_over_ten_thousand_artifacts_is_a_few_lines() -> None:
    many = {f"file-{index:05}": digests("x") for index in range(10_000)}
    with pytest.raises(RuleViolated) as caught:
        run(products=[f"CREATE {name}x" for name in list(many)[:100]] + [END], after=many)
    error = caught.value
    assert "'file-00000' and 9999 others" in error.message
    assert len(f"{error}{error.expected}{error.found}") < 600


def test_a_missing_artifact_is_looked_for_elsewhere() -> None:
    with pytest.raises(RuleViolated) as caught:
        run(products=["REQUIRE demo.whl"], after=artifacts(dist_demo="1") | {
            "dist/demo.whl": digests("1")})  # fmt: skip
    assert "but with 'dist/demo.whl'" in caught.value.found


def test_messages_hold_no_control_characters() -> None:
    with pytest.raises(RuleViolated) as caught:
        run(products=[END], after={"\x1b[31mred\n": digests("1")})
    error = caught.value
    assert (error.message + error.expected + error.found).isprintable()


# --- work ---------------------------------------------------------------------------------------


def test_work_is_bounded() -> None:
    many = {f"file-{index}": digests("x") for index in range(1000)}
    small = Budget(replace(DEFAULT, pattern_matches=10_000))
    with pytest.raises(MetadataTooLarge):
        run(products=[f"ALLOW x?{index}" for index in range(20)], after=many, budget=small)


def test_work_that_patterns_take_before_they_match_is_bounded_too() -> None:
    # More than are kept, so that each choice of links would begin anew.
    patterns = [f"{index:04}" + "?*[ab]" * 100 for index in range(5_000)]
    budget = Budget(DEFAULT)
    started = time.process_time()
    with pytest.raises(MetadataTooLarge):
        run(products=[f"ALLOW {pattern}" for pattern in patterns], after={}, budget=budget)
    few = Budget(DEFAULT)
    for _ in range(64):
        run(products=[f"ALLOW {pattern}" for pattern in patterns[:1_000]], after={}, budget=few)
    assert time.process_time() - started < 15


def test_one_rule_a_file_is_linear() -> None:
    def seconds(count: int) -> float:
        many = {f"src/file-{index}": digests("x") for index in range(count)}
        step, records = _item(
            [f"MATCH {name} WITH PRODUCTS FROM there" for name in many] + [END],
            [], many, None, there(products=many),
        )  # fmt: skip
        budget = Budget(replace(DEFAULT, pattern_matches=0))
        started = time.process_time()
        check_item(step, records, budget)
        return time.process_time() - started

    # Quadratic work would take minutes here.
    assert seconds(20_000) < 5


class _CountingName(str):
    """A name that counts how often one is looked at, to be compared, sorted or found in a set."""

    __slots__ = ()
    looks = 0

    def __eq__(self, other: object) -> bool:
        _CountingName.looks += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        _CountingName.looks += 1
        return str.__hash__(self)

    def __lt__(self, other: str) -> bool:
        _CountingName.looks += 1
        return str.__lt__(self, other)

    def startswith(self, *args: object) -> bool:
        _CountingName.looks += 1
        return str.startswith(self, *args)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rule",
    [
        "MATCH {} WITH PRODUCTS FROM there",
        "MATCH {} IN src WITH PRODUCTS IN src FROM there",
        "ALLOW {}",
        "MODIFY {}",
        "REQUIRE {}",
        "DISALLOW no-{}",
    ],
)
def test_rules_that_name_one_artifact_do_not_look_at_the_others(rule: str) -> None:
    def looks(count: int) -> int:
        names = [f"file-{index}" for index in range(count)]
        folder = "src/" if " IN " in rule else ""
        before: Artifacts = {_CountingName(folder + name): digests("x") for name in names}
        after: Artifacts = {_CountingName(folder + name): digests("y") for name in names}
        step, records = _item([rule.format(name) for name in names], [], before, after,
                              there(products=before))  # fmt: skip
        _CountingName.looks = 0
        # No pattern may be compared with any name.
        check_item(step, records, Budget(replace(DEFAULT, pattern_matches=0)))
        return _CountingName.looks

    # Twice the rules and the artifacts: not four times the work, nor much more than twice.
    assert looks(400) <= 2.2 * looks(200)


@pytest.mark.parametrize("folders", [1, 20])
def test_R10_rules_with_prefixes_share_the_artifacts_out(folders: int) -> None:
    many = {f"src/{index % 20:02}/file-{index}": digests("x") for index in range(1000)}
    step, records = _item(
        [f"MATCH *1* IN src/{index:02} WITH PRODUCTS IN src/{index:02} FROM there"
         for index in range(folders)],
        [], many, None, there(products=many),
    )  # fmt: skip
    # Each artifact is looked up, and compared with the pattern of its own folder only; the pattern,
    # of three characters, is compiled once.
    work = 100 * folders + 3 * 16
    check_item(step, records, Budget(replace(DEFAULT, pattern_matches=work)))
    with pytest.raises(MetadataTooLarge):
        check_item(step, records, Budget(replace(DEFAULT, pattern_matches=work - 1)))


@pytest.mark.parametrize("kept", ["", "kept"])
def test_R10_prefixes_without_anything_left_below_them_are_bounded(kept: str) -> None:
    """Else 20,000 such rules would look 20,000 times at as many artifacts as a link may have."""
    many = {f"src/file-{index}": digests("x") for index in range(1000)}
    others = {f"{kept}/file-{index}": digests("x") for index in range(1000)} if kept else {}
    step, records = _item(
        ["ALLOW src/*", *["MATCH * IN src WITH PRODUCTS FROM there"] * 100],
        [], many | others, None, there(),
    )  # fmt: skip
    budget = Budget(replace(DEFAULT, pattern_matches=10_000))
    if not kept:
        # Nothing is left, so that there is nothing to do.
        check_item(step, records, budget)
    else:
        with pytest.raises(MetadataTooLarge):
            check_item(step, records, budget)


def test_P8_long_names_with_long_patterns_are_bounded_by_what_they_take() -> None:
    many = {f"{'a' * 4000}{index}": digests("x") for index in range(100)}
    long = ["ALLOW *" + "[a-z]" * 800 + "1b"] * 100
    few = replace(DEFAULT, pattern_matches=100_000)
    with pytest.raises(MetadataTooLarge):
        run(products=long, after=many, budget=Budget(few))
    run(products=["ALLOW *[a-z]1b"] * 100, after=many, budget=Budget(few))


below = st.text("ab/0.", max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.sets(below, max_size=8), below)
def test_R10_a_prefix_takes_what_begins_with_it_and_a_slash(names: set[str], prefix: str) -> None:
    found = {name: digests("x") for name in names}
    step, records = _item([], [], None, found, there(products=found))
    rule = Match(pattern="*", source_prefix=prefix, destination="products",
                 destination_prefix=prefix, step="there")  # fmt: skip
    step = replace(step, expected_products=(rule,))
    consumed = consumers(step, "products", frozenset(names), records, Budget(DEFAULT))
    folder = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    assert consumed.keys() == {name for name in names if name.startswith(folder)}


def test_rules_are_compared_as_values() -> None:
    some: tuple[Rule, ...] = rules("ALLOW a", "ALLOW b")
    assert some[0] != some[1]
    assert some == rules("ALLOW a", "ALLOW b")
