"""Measure, print, and write ``docs/benchmarks.md``.

Without a subject all are measured. A subject that is not measured keeps its section of the page.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import installing, locking, places, recording, report, starting, verifying
from tests.integration.interpreters import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


_PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> None:
    """Run what was asked for."""
    subjects = ("starting", "installing", "verifying", "recording", "locking")
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("subject", nargs="*", metavar="SUBJECT", help=", ".join(subjects))
    parser.add_argument("--turns", type=int, default=9, help="how often installs are repeated")
    parser.add_argument("--dry", action="store_true", help="leave the page as it is")
    options = parser.parse_args()
    unknown = set(options.subject) - set(subjects)
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    day = datetime.now(timezone.utc).date()
    sections: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="pip-intoto-bench-") as name:
        folder = Path(name)
        pair = functools.cache(functools.partial(places.pair, folder))
        measure: dict[str, Callable[[], Iterable[report.Measured]]] = {
            "starting": lambda: starting.compare(pair(), folder, options.turns),
            "installing": lambda: installing.compare(pair(), folder, options.turns),
            "verifying": lambda: verifying.compare(folder, options.turns),
            "recording": lambda: recording.compare(folder, options.turns),
            "locking": lambda: locking.compare(folder, options.turns),
        }
        for subject in options.subject or subjects:
            busy = report.load()
            measured: list[report.Measured] = []
            for each in measure[subject]():
                measured.append(each)
                print(report.line(each), flush=True)
            sections[subject] = report.section(subject, measured, day, busy)
    if not options.dry:
        before = _PAGE.read_text(encoding="utf-8") if _PAGE.exists() else ""
        _PAGE.write_text(report.page(sections, before), encoding="utf-8")


if __name__ == "__main__":
    main()
