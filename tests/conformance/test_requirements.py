"""Every requirement has a test that accepts and one that refuses, and none goes missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance import requirements

if TYPE_CHECKING:
    from pathlib import Path

#: How many of each family there are: a requirement leaves this list by a decision, not by mistake.
FAMILIES = {
    "L": 10,
    "H": 2,
    "K": 6,
    "E": 7,
    "C": 1,
    "J": 5,
    "S": 7,
    "T": 3,
    "R": 12,
    "P": 9,
    "N": 4,
    "U": 5,
    "I": 7,
    "Q": 4,
    "X": 1,
    "V": 12,
    "A": 10,
}


def test_no_requirement_goes_missing() -> None:
    expected = [f"{name}{n}" for name, count in FAMILIES.items() for n in range(1, count + 1)]
    assert [each.id for each in requirements.load()] == expected


@pytest.mark.parametrize("requirement", requirements.load(), ids=lambda each: each.id)
def test_a_requirement_says_what_is_demanded_and_what_others_do(
    requirement: requirements.Requirement,
) -> None:
    assert bool(requirement.quote) != bool(requirement.said)
    assert requirement.kind in {"specification", "ITE", "implementations", "hardening"}
    assert requirement.where
    assert requirement.python
    assert requirement.go
    # Where the others do not agree, this engine cannot be "the same" as both.
    assert requirement.here or requirement.go.startswith(("The same", "So", requirement.python))


def test_marks_name_requirements_and_belong_to_tests() -> None:
    assert list(requirements.faults(requirements.marks(), requirements.load())) == []


def test_every_requirement_is_shown_both_ways() -> None:
    assert list(requirements.missing(requirements.marks(), requirements.load())) == []


# --- the marks are found ------------------------------------------------------------------------

SOURCE = """
import pytest
from pytest import mark

pytestmark = [pytest.mark.accepts("L1"), mark.slow]
CASES = [pytest.param(1, id="one", marks=pytest.mark.rejects("L3")), 2, *(
    pytest.param(n, marks=mark.rejects("L8")) for n in range(3)
)]
both = pytest.mark.rejects("L4", "L5")

class TestClass:
    pytestmark = pytest.mark.accepts("L2")

    @both
    def test_in_a_class(self): ...

@pytest.mark.parametrize("x", [*CASES, pytest.param(3, marks=[mark.rejects("L6")])])
@mark.rejects("L7")
@pytest.mark.rejects("L7")
def test_with_parameters(x): ...

def no_test(): ...
"""


def of(text: str, folder: Path) -> requirements.Marks:
    tests = folder / "tests"
    tests.mkdir()
    (tests / "test_x.py").write_text(text, encoding="utf-8")
    return requirements.marks(tests)


def test_marks_of_modules_classes_functions_and_parameters(tmp_path: Path) -> None:
    found = of(SOURCE, tmp_path)
    one = requirements.Test("tests/test_x.py", "test_in_a_class")
    two = requirements.Test("tests/test_x.py", "test_with_parameters")
    assert found.tests["accepts"] == {"L1": [one, two], "L2": [one]}
    assert found.tests["rejects"] == {
        "L4": [one],
        "L5": [one],
        "L3": [requirements.Test("tests/test_x.py", "test_with_parameters[one]")],
        "L8": [two],
        "L6": [two],
        "L7": [two],
    }
    assert found.faults == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('@pytest.mark.accepts("L1")\ndef helper(): ...', "belongs to no test"),
        ('x = pytest.mark.rejects("L1")', "belongs to no test"),
        ("@pytest.mark.accepts(ID)\ndef test_x(): ...", "must name its ids"),
        ("@pytest.mark.accepts()\ndef test_x(): ...", "must name its ids"),
    ],
)
def test_a_mark_that_cannot_count_is_told(text: str, fault: str, tmp_path: Path) -> None:
    (told,) = of(text, tmp_path).faults
    assert fault in told


def test_an_unknown_id_and_a_missing_test_are_told(tmp_path: Path) -> None:
    known = requirements.load()[:2]
    found = of('@pytest.mark.accepts("L1", "L2", "Z9")\ndef test_x(): ...', tmp_path)
    assert list(requirements.faults(found, known)) == [
        "tests/test_x.py: test_x accepts Z9, which is no requirement"
    ]
    assert list(requirements.missing(found, known)) == [
        "L1: no test rejects it",
        "L2: no test rejects it",
    ]
