"""How the cases came out, to be printed at the end of `make conformance`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts outcomes by name."""

    counts: Counter[str] = field(default_factory=Counter)

    def count(self, outcome: str) -> None:
        """Add one."""
        self.counts[outcome] += 1


def lines(counts: Counter[str]) -> list[str]:
    """Return the counts, one a line, with their share of all cases of the same kind."""
    totals: Counter[str] = Counter()
    for outcome, number in counts.items():
        totals[outcome.partition(":")[0]] += number
    return [
        f"{number:7} {100 * number / totals[outcome.partition(':')[0]]:5.1f} %  {outcome}"
        for outcome, number in sorted(
            counts.items(), key=lambda item: (item[0].partition(":")[0], -item[1])
        )
    ]
