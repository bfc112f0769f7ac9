"""The page that tells the figures: a head, and a section for each subject."""

from __future__ import annotations

import os
import platform
import re
from typing import TYPE_CHECKING

from tests.benchmarks.comparing import Race
from tests.benchmarks.locking import Audit
from tests.integration.interpreters import NEWEST_PIP

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from typing import TypeAlias

    from tests.benchmarks.comparing import Comparison

    #: What a row of a table tells.
    Measured: TypeAlias = Comparison | Race | Audit

_COMPARISON = ("what", "one", "other", "ratio", "added", "aim", "met", "turns")
_RACE = ("steps × artifacts", "in-toto", "pip-intoto", "floor", "ratio", "aim", "met", "turns")

_AUDIT = ("distributions", "cold", "rate", "warm", "faster", "memory", "fetched", "wheels", "turns")

_HEAD = """\
# Benchmarks

Written by `make bench`. What is compared takes turns in one run. Times are medians by the wall
clock, ratios and differences are medians over the turns. What matters is the ratio or the
difference: the times themselves say more about the machine. Nothing here is asserted by a test.
"""

_ABOUT = {
    "starting": """\
## Starting

Both environments hold the same packages; only the file that arms the gate is missing in one. The
extras (`sigstore`, `tuf`, `cel`) are loaded where a document needs them: the last rows verify one
wheel with a layout and two links by the library, in an interpreter of the checkout.
""",
    "installing": """\
## Installing

The index is a process of its own on the loopback interface. There is no HTTP cache, byte code is
there, and what was installed is removed before the next turn. With the gate, a policy is in force
that lists every project, and each wheel is verified: a layout and two links, in a bundle beside
it.
""",
    "verifying": """\
## Verifying

The reference implementation, in-toto 3.1.0, and this engine verify the same files. In each step
every artifact is both material and product, and a third of them changes; the rules are MATCH,
MODIFY, CREATE and DISALLOW, unless the row says otherwise. One Ed25519 key signs each document,
in a Metablock unless the row says otherwise. The ratio is the reference's figure divided by ours.

The floor reads each file, parses it with the standard library, restores what was signed (with the
standard library's encoder and without any check, or from base64) and checks one signature. An
engine that checked nothing else would take as long.

The rows of 5 × 100,000 and of the commands are processes of their own. In the former, the time is
that of the verification alone, and the memory is the most that the process ever had.
""",
    "recording": """\
## Recording

Both commands record the same files, sign one link with an Ed25519 key, and run nothing. A file
that is hashed alone is in the cache of the operating system, and is read in pieces of 256 KiB.
""",
    "locking": """\
## Whole lockfiles

`pip-intoto verify pylock.toml`, as a process of its own with a report in JSON, against an index
that is another process on the same machine. The policy lists every project by name; beside each
wheel lies a bundle with a layout and two links. Nothing is remembered when a cold run begins; the
warm run comes right after it, with the cache that it left. The aims, from 500 distributions on:
200 a second when cold, 5 times faster when warm, less than 200 MB of memory. No wheel is fetched;
the last figure is what the wheels of the lock weigh.
""",
}

_MEASURED = """
Measured on {date}, on a machine with {cores} cores ({machine}, {system}), with Python {python} and
pip {pip}. {load}
"""


def load() -> str:
    """Say how busy the machine is, as far as it tells."""
    if not hasattr(os, "getloadavg"):
        return ""
    return f"Before it began, {os.getloadavg()[1]:.1f} other processes wanted to run at a time."


def section(
    subject: str, measured: Sequence[Comparison | Race | Audit], day: date, busy: str
) -> str:
    """Write what was *measured* of one subject; *busy* is what :func:`load` said before."""
    about = _MEASURED.format(
        date=day.isoformat(),
        cores=os.cpu_count(),
        machine=platform.machine(),
        system=platform.system(),
        python=platform.python_version(),
        pip=NEWEST_PIP,
        load=busy,
    ).rstrip()
    heads = {Race: _RACE, Audit: _AUDIT}
    head = heads.get(type(measured[0]), _COMPARISON)
    rows = [head, ("---",) * len(head), *(each.cells() for each in measured)]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"{_ABOUT[subject]}{about}\n\n{table}"


def page(sections: dict[str, str], before: str) -> str:
    """Write the whole page: each subject's new section, else the one that it had *before*."""
    known = {part.split("\n", 1)[0]: part for part in re.split(r"(?m)^(?=## )", before)}
    parts = [
        sections.get(subject) or known.get(about.split("\n", 1)[0], "")
        for subject, about in _ABOUT.items()
    ]
    return "\n".join([_HEAD, *(part.rstrip("\n") + "\n" for part in parts if part)])


def line(each: Measured) -> str:
    """Write one comparison for a terminal."""
    if isinstance(each, Race):
        what, reference, ours, floor, ratio, aim, met, turns = each.cells()
        return (
            f"{what}\n    in-toto {reference}, pip-intoto {ours}, floor {floor}: {ratio}"
            f" (aim {aim}: {met}; {turns} turns)"
        )
    if isinstance(each, Audit):
        return f"{each.count:,} distributions\n    " + "; ".join(
            f"{name} {cell}" for name, cell in zip(_AUDIT[1:], each.cells()[1:], strict=True)
        )
    what, one, other, ratio, added, aim, met, turns = each.cells()
    return f"{what}\n    {one}; {other}; {ratio}, {added} (aim {aim}: {met}; {turns} turns)"
