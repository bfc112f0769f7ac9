"""Where a command speaks: which stream, how much, and in colour where that helps.

Reports go to standard output, everything else to standard error. All of it is neutralised on its
way: see :mod:`pip_intoto.reports.lines`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from pip_intoto.reports.lines import Line, Tone, printable, verdict_lines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from pip_intoto.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Where a command speaks; ``quiet`` and ``verbose`` are the user's wishes."""

    quiet: bool = False
    verbose: bool = False

    @classmethod
    def of(cls, args: argparse.Namespace) -> Terminal:
        """As the options ask for."""
        return cls(quiet=bool(args.quiet), verbose=bool(args.verbose))

    def report(self, text: str = "", tone: Tone = Tone.PLAIN) -> None:
        """Print a part of what was asked for, to standard output."""
        write([Line(text, tone)], sys.stdout)

    def tell(self, text: str = "", tone: Tone = Tone.PLAIN) -> None:
        """Say what is going on, to standard error; not with ``-q``."""
        if not self.quiet:
            write([Line(text, tone)], sys.stderr)

    def detail(self, text: str) -> None:
        """Say more, to standard error; only with ``-v``."""
        if self.verbose:
            write([Line(text, Tone.FAINT)], sys.stderr)

    def warn(self, text: str) -> None:
        """Say what may be wrong, to standard error; ``-q`` does not silence it."""
        write([Line(f"warning: {text}", Tone.DOUBT)], sys.stderr)

    def verdict(self, verdict: Verdict, *, trace: bool = False) -> None:
        """Report one verdict; with ``trace``, everything that led to it."""
        write(verdict_lines(verdict, trace=trace or self.verbose), sys.stdout)


# --- the stream -----------------------------------------------------------------------------


def write(lines: Iterable[Line], stream: TextIO) -> None:
    """Print lines, neutralised, with colours where the reader wants them."""
    if not wants_colour(stream):
        for line in lines:
            print(printable(line.text), file=stream)
        return
    # Imported here for start-up time, and not at all where the output goes to a file.
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, force_terminal=True, soft_wrap=True, highlight=False)
    for line in lines:
        console.print(Text(printable(line.text), style=line.tone.value))


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour: never with NO_COLOR, always with FORCE_COLOR, else on a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"
