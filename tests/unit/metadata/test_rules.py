"""R12: the exact grammar of artifact rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from in_toto.rulelib import unpack_rule

from pip_intoto.errors import MetadataMalformed
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.rules import (
    Allow,
    Create,
    Delete,
    Disallow,
    Match,
    Modify,
    Require,
    parse_rule,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pip_intoto.metadata.rules import (
        Rule,
    )
    from pip_intoto.metadata.strict_json import JsonValue

GOOD: list[tuple[list[str], Rule]] = [
    (["CREATE", "a*"], Create("a*")),
    (["DELETE", "a"], Delete("a")),
    (["MODIFY", "[ab]"], Modify("[ab]")),
    (["ALLOW", "a b"], Allow("a b")),
    (["DISALLOW", "*"], Disallow("*")),
    (["REQUIRE", "a*"], Require("a*")),
    (
        ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "build"],
        Match(pattern="*", destination="products", step="build"),
    ),
    (
        ["MATCH", "*", "IN", "src", "WITH", "MATERIALS", "FROM", "build"],
        Match(pattern="*", source_prefix="src", destination="materials", step="build"),
    ),
    (
        ["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist/", "FROM", "build"],
        Match(pattern="*", destination="products", destination_prefix="dist/", step="build"),
    ),
    (
        ["MATCH", "IN", "IN", "WITH", "WITH", "PRODUCTS", "IN", "IN", "FROM", "FROM"],
        Match(
            pattern="IN",
            source_prefix="WITH",
            destination="products",
            destination_prefix="IN",
            step="FROM",
        ),
    ),
]


#: Every form; what is not in capitals stands for a value.
FORMS = [
    *(f"{keyword} p" for keyword in ("CREATE", "DELETE", "MODIFY", "ALLOW", "DISALLOW", "REQUIRE")),
    "MATCH p WITH PRODUCTS FROM s",
    "MATCH p WITH MATERIALS FROM s",
    "MATCH p IN a WITH PRODUCTS FROM s",
    "MATCH p WITH MATERIALS IN b FROM s",
    "MATCH p IN a WITH MATERIALS IN b FROM s",
]


@pytest.mark.accepts("R12")
@pytest.mark.parametrize(("words", "rule"), GOOD)
def test_R12_every_form_is_read(words: list[str], rule: Rule) -> None:
    parsed = parse_rule(Node([*words]))
    assert parsed == rule
    assert type(parsed) is type(rule)
    assert list(parsed.words) == words
    assert str(parsed) == " ".join(words)


@pytest.mark.accepts("R12")
@pytest.mark.parametrize(("words", "rule"), GOOD[:-1])
def test_R12_keywords_may_be_in_any_case(words: list[str], rule: Rule) -> None:
    keywords = {"IN", "WITH", "FROM", "PRODUCTS", "MATERIALS", words[0]}
    mixed: JsonValue = [word.capitalize() if word in keywords else word for word in words]
    assert parse_rule(Node(mixed)) == rule


@pytest.mark.accepts("R12")
@pytest.mark.parametrize("case", [str.lower, str.upper, str.swapcase, str.title])
@pytest.mark.parametrize("form", FORMS)
def test_R12_every_keyword_in_every_case(case: Callable[[str], str], form: str) -> None:
    plain = [word if word.isupper() else f"v{index}" for index, word in enumerate(form.split())]
    cased: JsonValue = [case(word) if word.isupper() else word for word in plain]
    assert parse_rule(Node(cased)) == parse_rule(Node([*plain]))


@pytest.mark.rejects("R12")
@pytest.mark.parametrize("form", FORMS)
def test_R12_no_other_length(form: str) -> None:
    words = form.split()
    assert len(parse_rule(Node([*words])).words) == len(words)
    for length in range(13):
        other: list[JsonValue] = [*words, *["x"] * 12]
        if length != len(words):
            with pytest.raises(MetadataMalformed):
                parse_rule(Node(other[:length]))


@pytest.mark.rejects("R12")
@pytest.mark.parametrize("form", FORMS)
def test_R12_no_keyword_may_be_another_word(form: str) -> None:
    words = form.split()
    for index in [number for number, word in enumerate(words) if word.isupper()]:
        for wrong in ("", "x", f"{words[index]} ", f"{words[index]}S", words[index][:-1]):
            changed: JsonValue = [*words[:index], wrong, *words[index + 1 :]]
            with pytest.raises(MetadataMalformed):
                parse_rule(Node(changed))


@pytest.mark.rejects("R12")
@pytest.mark.parametrize(
    "text",
    [
        "DI\u017fALLOW x",  # a long s, which becomes an S in capitals
        "D\u0131SALLOW x",  # a dotless i, which becomes an I
        "MATCH x W\u0131TH PRODUCTS FROM y",
        "MATCH x \u0131n s WITH PRODUCTS FROM y",
        "MATCH x WITH PRODUCT\u017f FROM y",
    ],
)
def test_R12_a_keyword_is_of_plain_letters(text: str) -> None:
    with pytest.raises(MetadataMalformed):
        parse_rule(Node([*text.split()]))


@pytest.mark.rejects("R12")
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["CREATE"],
        ["CREATE", "a", "b"],
        ["PERMIT", "a"],
        ["MATCH", "a"],
        ["MATCH", "a", "WITH", "PRODUCT", "FROM", "build"],
        ["MATCH", "a", "WITH", "PRODUCTS", "FROM"],
        ["MATCH", "a", "WITH", "PRODUCTS", "FROM", "build", "now"],
        ["MATCH", "a", "FROM", "build", "WITH", "PRODUCTS"],
        ["MATCH", "a", "IN", "b", "WITH", "PRODUCTS", "IN", "FROM", "build"],
        ["MATCH", "a", "IN", "b", "IN", "c", "WITH", "PRODUCTS", "FROM", "build"],
        ["MATCH", "a", "WITH", "PRODUCTS", "IN", "b", "FROM", "build", "IN", "c"],
        ["ſ", "a"],
        [["CREATE", "a"]],
        ["CREATE", 1],
        ["CREATE", None],
        "CREATE a",
        {"CREATE": "a"},
    ],
)
def test_R12_anything_else_is_refused(words: JsonValue) -> None:
    with pytest.raises(MetadataMalformed) as caught:
        parse_rule(Node(words, "steps[0].expected_products[1]"))
    assert caught.value.place.startswith("steps[0].expected_products[1]")


def test_R12_a_word_has_a_greatest_length() -> None:
    longest = "a" * DEFAULT.text
    assert parse_rule(Node(["ALLOW", longest])) == Allow(longest)
    with pytest.raises(MetadataMalformed):
        parse_rule(Node(["ALLOW", f"{longest}a"]))


@pytest.mark.parametrize("words", [words for words, _ in GOOD])
def test_R12_the_reference_reads_the_same(words: list[str]) -> None:
    theirs = unpack_rule(words)
    ours = parse_rule(Node([*words]))
    if isinstance(ours, Match):
        assert theirs == {
            "rule_type": "match",
            "pattern": ours.pattern,
            "source_prefix": ours.source_prefix,
            "dest_prefix": ours.destination_prefix,
            "dest_type": ours.destination,
            "dest_name": ours.step,
        }
    else:
        assert theirs == {"rule_type": ours.KEYWORD.lower(), "pattern": ours.words[1]}
