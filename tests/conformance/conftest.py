"""Tests may count how their cases came out; the sums are printed at the end.

Counts travel with the reports of the tests, so that they also arrive from other processes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.conformance.differential.tally import Tally, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROPERTY = "outcomes"
_all: Counter[str] = Counter()


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Count outcomes of this test."""
    counted = Tally()
    yield counted
    request.node.user_properties.append((_PROPERTY, dict(counted.counts)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up."""
    if report.when == "teardown":
        for name, counts in report.user_properties:
            if name == _PROPERTY and isinstance(counts, dict):
                _all.update(counts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sums."""
    if _all:
        terminalreporter.section("how the cases came out")
        for line in lines(_all):
            terminalreporter.write_line(line)
