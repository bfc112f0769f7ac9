"""T3: how many parties signed."""

from __future__ import annotations

from itertools import combinations
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.verification.parties import count_parties

PAIRS = st.frozensets(st.tuples(st.sampled_from("abcde"), st.sampled_from("12345")), max_size=8)


@pytest.mark.parametrize(
    ("signings", "parties"),
    [
        ([], 0),
        ([("a", "1")], 1),
        ([("a", "1"), ("a", "1")], 1),
        ([("a", "1"), ("b", "2")], 2),
        # One principal with two keys, one key under two names.
        ([("a", "1"), ("a", "2")], 1),
        ([("a", "1"), ("b", "1")], 1),
        # a has another key, and leaves the first to b.
        ([("a", "1"), ("a", "2"), ("b", "1")], 2),
        ([("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("c", "1")], 2),
    ],
)
def test_T3_a_party_needs_a_name_and_a_key_of_its_own(
    signings: list[tuple[str, str]], parties: int
) -> None:
    assert count_parties(signings) == parties


def plainly(signings: frozenset[tuple[str, str]]) -> int:
    """The greatest number of pairs that share nothing, by trying all."""
    for size in range(len(signings), 0, -1):
        for some in combinations(sorted(signings), size):
            principals, keys = zip(*some, strict=True)
            if len(set(principals)) == len(set(keys)) == size:
                return size
    return 0


@given(PAIRS)
def test_T3_parties_are_counted_as_by_trying_all(signings: frozenset[tuple[str, str]]) -> None:
    assert count_parties(signings) == plainly(signings)


@given(PAIRS, st.tuples(st.sampled_from("abcde"), st.sampled_from("12345")))
def test_T3_one_more_signature_never_makes_fewer_parties(
    signings: frozenset[tuple[str, str]], another: tuple[str, str]
) -> None:
    assert count_parties(signings) <= count_parties({*signings, another}) <= len(signings) + 1


@pytest.mark.parametrize("length", [2, 5_000])
def test_T3_keys_are_passed_on_however_far(length: int) -> None:
    """Each has a key that the next one could have as well; the last to come wants the first."""
    chain = [(f"p{i}", f"k{j}") for i in range(length) for j in (i, i + 1)]
    assert count_parties([*chain, ("last", "k0")]) == length + 1
    assert count_parties([*chain, ("last", "k0"), ("more", "k0")]) == length + 1


def test_T3_those_who_find_no_key_are_not_asked_again_and_again() -> None:
    """Each of many would make all others look for another key, and there is none."""
    chain = [(f"p{i}", f"k{j % 3_000}") for i in range(3_000) for j in (i, i + 1)]
    begun = process_time()
    assert count_parties([*chain, *((f"more {i}", "k0") for i in range(3_000))]) == 3_000
    assert process_time() - begun < 2
