"""Verification itself, beside the reference implementation and beside the floor of both."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.names import ROOT_LAYOUT
from tests.benchmarks import chains, engines
from tests.benchmarks.chains import Shape
from tests.benchmarks.comparing import Race, in_turns, timed
from tests.integration.interpreters import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_plain = functools.partial(Shape, materials=chains.by_patterns, products=chains.changed_by_patterns)
_LARGEST = _plain(steps=5, artifacts=100_000)
_TINY = _plain(steps=3, artifacts=10)
_MEGABYTE = 1e6
#: What the engines are called, in the order in which they take turns.
_NAMES = ("reference", "ours", "floor")

#: (what, shape, reference ÷ ours that it should come to, turns as a multiple of those of installs)
_ROWS = (
    ("3 × 10", _TINY, 4, 10),
    ("10 × 1,000", _plain(steps=10, artifacts=1_000), 7, 2),
    ("10 × 10,000", _plain(steps=10, artifacts=10_000), 7, 1 / 3),
    (
        "3 × 3,000, one rule for each file",
        Shape(
            steps=3,
            artifacts=3_000,
            materials=chains.by_name,
            products=chains.changed_by_name,
        ),
        30,
        1 / 3,
    ),
    (
        "10 × 10,000, 20 rules with IN prefixes",
        Shape(
            steps=10,
            artifacts=10_000,
            materials=chains.by_folder,
            products=chains.changed_by_patterns,
        ),
        5,
        1 / 3,
    ),
    ("10 × 1,000 in DSSE", _plain(steps=10, artifacts=1_000, envelope=Envelope.DSSE), 4, 2),
)
_MAIN = "import sys; from {} import main; sys.exit(main())"


def compare(folder: Path, turns: int) -> Iterator[Race]:
    """Compare chains of several sizes and shapes, the memory for the largest, and the commands."""
    for number, (what, shape, aim, often) in enumerate(_ROWS):
        place = folder / f"chain-{number}"
        chains.write(place, shape)
        runs = [timed(functools.partial(engines.ENGINES[name], place)) for name in _NAMES]
        taken = in_turns(runs, turns=max(3, round(often * turns)))
        yield Race(what=what, aim=aim, taken=taken)
    yield from _largest(folder / "largest")
    yield _commands(folder / "tiny", 2 * turns)


def _largest(folder: Path) -> Iterator[Race]:
    """Each turn is a process of its own, so that one engine's memory is not another's."""
    chains.write(folder, _LARGEST)
    peaks: dict[str, list[float]] = {name: [] for name in _NAMES}

    def apart(name: str) -> float:
        seconds, peak = engines.apart(name, folder)
        peaks[name].append(peak / _MEGABYTE)
        return seconds

    taken = in_turns([functools.partial(apart, name) for name in _NAMES], turns=3, warm=False)
    yield Race(what="5 × 100,000", aim=6, taken=taken)
    yield Race(
        what="5 × 100,000, peak memory",
        aim=2,
        taken=(tuple(peaks["reference"]), tuple(peaks["ours"])),
        unit="MB",
    )


def _commands(folder: Path, turns: int) -> Race:
    """Run the two commands on a tiny chain, as their scripts do."""
    chains.write(folder, _TINY)
    owner = folder / chains.OWNER_FILE
    layout = folder / ROOT_LAYOUT
    commands: tuple[list[Path | str], ...] = (
        [_MAIN.format("in_toto.in_toto_verify"), "--layout", layout, "--verification-keys", owner],
        [_MAIN.format("pip_intoto.cli"), "verify", "--layout", layout, "--layout-key", owner],
    )

    def run(*words: Path | str) -> float:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", *words, "--link-dir", folder],
            check=True,
            capture_output=True,
            cwd=folder,
            env={"PYTHONPATH": str(ROOT)},
        )
        return time.perf_counter() - started

    taken = in_turns([functools.partial(run, *words) for words in commands], turns=turns)
    return Race(what="`in-toto-verify` and `pip-intoto verify`, 3 × 10", aim=1 / 0.6, taken=taken)
