"""Two things that take turns, and what is told of them."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    #: Does it once, and gives the seconds that it took.
    Timed = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a comparison should come to; seconds, or a ratio."""

    ratio: float | None = None
    added: float | None = None
    within: float | None = None

    def __str__(self) -> str:
        if self.ratio is not None:
            return f"≤ {self.ratio:.2f} ×"
        if self.added is not None:
            return f"≤ +{_milliseconds(self.added)}"
        if self.within is not None:
            return f"≤ {_milliseconds(self.within)}"
        return "–"


#: For what is only reported.
NONE = Aim()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Seconds of each turn of the one, and of the other."""

    what: str
    one: str
    other: str
    aim: Aim
    ones: tuple[float, ...]
    others: tuple[float, ...]

    @property
    def first(self) -> float:
        """The median of the one."""
        return statistics.median(self.ones)

    @property
    def second(self) -> float:
        """The median of the other."""
        return statistics.median(self.others)

    @property
    def ratio(self) -> float:
        """How many times the other is of the one: the median over the pairs."""
        return statistics.median(
            other / one for one, other in zip(self.ones, self.others, strict=True)
        )

    @property
    def added(self) -> float:
        """What the other takes longer: the median over the pairs."""
        return statistics.median(
            other - one for one, other in zip(self.ones, self.others, strict=True)
        )

    @property
    def met(self) -> bool | None:
        """Whether the aim is reached; None where there is none."""
        if self.aim.ratio is not None:
            return self.ratio <= self.aim.ratio
        if self.aim.added is not None:
            return self.added <= self.aim.added
        if self.aim.within is not None:
            return self.second <= self.aim.within
        return None

    def cells(self) -> tuple[str, ...]:
        """Give what a row of the table says."""
        return (
            self.what,
            f"{self.one}: {_milliseconds(self.first)}",
            f"{self.other}: {_milliseconds(self.second)}",
            f"{self.ratio:.2f} ×",
            f"{self.added * 1000:+.{_digits(self.added)}f} ms",
            str(self.aim),
            {True: "yes", False: "no", None: "–"}[self.met],
            str(len(self.ones)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """What each turn of the reference, of this engine and, maybe, of the floor took.

    ``aim`` is how many times this engine's the reference's should be. ``unit`` is "s", or "MB".
    """

    what: str
    aim: float
    taken: tuple[tuple[float, ...], ...]
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """How many times this engine's the reference's is: the median over the turns."""
        reference, ours, *_ = self.taken
        return statistics.median(theirs / our for theirs, our in zip(reference, ours, strict=True))

    def cells(self) -> tuple[str, ...]:
        """Give what a row of the table says."""
        medians = [self._shown(statistics.median(each)) for each in self.taken]
        return (
            self.what,
            *(medians if len(medians) == _CONTESTANTS else [*medians, "–"]),
            f"{self.ratio:.1f}",
            f"≥ {self.aim:.3g}",
            "yes" if self.ratio >= self.aim else "no",
            str(len(self.taken[0])),
        )

    def _shown(self, value: float) -> str:
        return f"{value:,.0f} MB" if self.unit == "MB" else _milliseconds(value)


_CONTESTANTS = 3


def interleaved(
    what: str,
    one: tuple[str, Timed],
    other: tuple[str, Timed],
    *,
    turns: int,
    aim: Aim = NONE,
) -> Comparison:
    """Let both take *turns* turns, after one that does not count; who begins alternates."""
    ones, others = in_turns([one[1], other[1]], turns=turns)
    return Comparison(what=what, one=one[0], other=other[0], aim=aim, ones=ones, others=others)


def in_turns(
    runs: Sequence[Timed], *, turns: int, warm: bool = True
) -> tuple[tuple[float, ...], ...]:
    """Let all take *turns* turns, after one that does not count if *warm*; the order alternates."""
    if warm:
        for run in runs:
            run()
    taken: list[list[float]] = [[] for _ in runs]
    for turn in range(turns):
        order = list(zip(taken, runs, strict=True))
        for times, run in order if turn % 2 == 0 else reversed(order):
            times.append(run())
    return tuple(map(tuple, taken))


def timed(work: Callable[[], object]) -> Timed:
    """Give the seconds that a call of *work* takes in this process, by the wall clock."""

    def once() -> float:
        gc.collect()
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return once


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.{_digits(seconds)}f} ms"


def _digits(seconds: float) -> int:
    """Give as many decimals as the figure can bear."""
    return 2 if abs(seconds) < 0.01 else 1 if abs(seconds) < 0.1 else 0
