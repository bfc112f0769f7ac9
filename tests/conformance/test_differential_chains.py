"""Whole supply chains: layouts, links, sublayouts and signatures, before both engines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from pip_intoto.maintainer.authoring import Envelope
from tests.conformance.differential.amount import share
from tests.conformance.differential.chains import plain_chain
from tests.conformance.differential.engines import judge
from tests.conformance.differential.examples import EXAMPLES
from tests.conformance.differential.known import DIFFERENCES, Here, explaining
from tests.conformance.differential.known_in_rules import RULE_DIFFERENCES
from tests.conformance.differential.mutations import tampered_chains

if TYPE_CHECKING:
    from tests.conformance.differential.known import Difference
    from tests.conformance.differential.papers import Chain
    from tests.conformance.differential.tally import Tally

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "differences.md"
#: In which envelopes documents are signed; the mixture is the most interesting.
KINDS = {
    "metablock": [Envelope.METABLOCK],
    "dsse": [Envelope.DSSE],
    "both": list(Envelope),
    "both, again": list(Envelope),
}


@pytest.mark.parametrize("kind", KINDS)
def test_chains_hold_for_both_or_for_a_known_reason(kind: str, tally: Tally) -> None:
    @share(9)
    @given(tampered_chains(KINDS[kind]))
    def compare(drawn: tuple[Chain, list[str]]) -> None:
        chain, done = drawn
        case = chain.case()
        theirs, ours = judge(case)
        if (theirs is None) == (ours is None):
            what = "valid, and" if not done else "tampered with, and"
            tally.count(f"chains: {what} both {'pass' if ours is None else 'block'}")
            return
        why = explaining(case, refused_here=ours is not None)
        assert why, (done, theirs, ours, case)
        for each in why:
            tally.count(f"chains: known difference, {each}")

    compare()


@pytest.mark.parametrize("envelope", list(Envelope))
def test_an_ordinary_chain_passes_and_shows_no_known_difference(envelope: Envelope) -> None:
    case = plain_chain(envelope).case()
    assert judge(case) == (None, None)
    assert explaining(case, refused_here=True) == []
    assert explaining(case, refused_here=False) == []


_IN_RULES = {each.name for each in RULE_DIFFERENCES}


@pytest.mark.parametrize(
    "difference",
    [each for each in DIFFERENCES if each.name not in _IN_RULES],
    ids=lambda each: each.name,
)
def test_each_known_difference_is_one(difference: Difference) -> None:
    case = EXAMPLES[difference.name]()
    theirs, ours = judge(case)
    assert (theirs is None) != (ours is None), (theirs, ours)
    if difference.here is not Here.EITHER:
        assert (ours is not None) == (difference.here is Here.REFUSED), (theirs, ours)
    assert difference.name in explaining(case, refused_here=ours is not None)


def test_no_example_is_of_nothing() -> None:
    assert EXAMPLES.keys() | _IN_RULES == {each.name for each in DIFFERENCES}


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda each: each.name)
def test_the_page_has_a_line_for_each_known_difference(difference: Difference) -> None:
    assert f"| {difference.what} |" in PAGE.read_text("utf-8")
