"""Measure, print, and write ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import installing, places, report, starting, verifying
from tests.integration.interpreters import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.comparing import Comparison
    from tests.benchmarks.places import Pair

_PAGE = ROOT / "docs" / "benchmarks.md"

_SUBJECTS: dict[str, Callable[[Pair, Path, int], Iterator[Comparison]]] = {
    "starting": starting.compare,
    "installing": installing.compare,
    "verifying": verifying.compare,
}


def main() -> None:
    """Run what was asked for; the page is written only when that was everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("subject", nargs="*", metavar="SUBJECT", help=", ".join(_SUBJECTS))
    parser.add_argument("--turns", type=int, default=9, help="how often installs are repeated")
    options = parser.parse_args()
    unknown = set(options.subject) - set(_SUBJECTS)
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    found: list[Comparison] = []
    busy = report.load()
    with tempfile.TemporaryDirectory(prefix="pip-intoto-bench-") as folder:
        pair = places.pair(Path(folder))
        for subject in options.subject or _SUBJECTS:
            for comparison in _SUBJECTS[subject](pair, Path(folder), options.turns):
                found.append(comparison)
                print(report.line(comparison), flush=True)
    if not options.subject:
        day = datetime.now(timezone.utc).date()
        _PAGE.write_text(report.markdown(found, day, busy), encoding="utf-8")


if __name__ == "__main__":
    main()
