"""The page that tells the figures."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from tests.integration.interpreters import NEWEST_PIP

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from tests.benchmarks.comparing import Comparison

_HEAD = ("what", "one", "other", "ratio", "added", "aim", "met", "turns")

_ABOUT = """\
# Benchmarks

Written by `make bench` on {date}, on a machine with {cores} cores ({machine}, {system}), with
Python {python} and pip {pip}. {load}

Every row compares two things that take turns in one run. Times are medians by the wall clock,
ratio and difference are medians over the pairs of turns. What matters is the ratio or the
difference: the times themselves say more about the machine. Nothing here is asserted by a test.

- The index is a process of its own on the loopback interface. There is no HTTP cache, byte code
  is there, and what was installed is removed before the next turn.
- Both environments hold the same packages; only the file that arms the gate is missing in one.
- With the gate, a policy is in force that lists every project, and each wheel is verified: a
  layout and two links, in a bundle beside it.

"""


def load() -> str:
    """Say how busy the machine is, as far as it tells."""
    if not hasattr(os, "getloadavg"):
        return ""
    return f"Before it began, {os.getloadavg()[1]:.1f} other processes wanted to run at a time."


def markdown(comparisons: Iterable[Comparison], day: date, busy: str) -> str:
    """Write the whole page; *busy* is what :func:`load` said before anything was measured."""
    about = _ABOUT.format(
        date=day.isoformat(),
        cores=os.cpu_count(),
        machine=platform.machine(),
        system=platform.system(),
        python=platform.python_version(),
        pip=NEWEST_PIP,
        load=busy,
    )
    rows = [_HEAD, ("---",) * len(_HEAD), *(comparison.cells() for comparison in comparisons)]
    return about + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def line(comparison: Comparison) -> str:
    """Write one comparison for a terminal."""
    what, one, other, ratio, added, aim, met, turns = comparison.cells()
    return f"{what}\n    {one}; {other}; {ratio}, {added} (aim {aim}: {met}; {turns} turns)"
