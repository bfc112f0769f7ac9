"""What people read: verdicts, traces and errors, in colour where that helps.

Reports go to standard output, everything else to standard error. Whatever comes from metadata or
from a server is neutralised first: a project's name may not move the cursor or hide a line.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TextIO

from pip_intoto.verdict import Action, Outcome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from pip_intoto.errors import PipIntotoError
    from pip_intoto.verdict import TraceEntry, Verdict

#: Longer texts are cut: nobody reads them, and a report should not become a flood.
LONGEST = 4_000


class Tone(Enum):
    """How a line is meant; the value is rich's style for it."""

    PLAIN = ""
    TITLE = "bold"
    FAINT = "dim"
    GOOD = "green"
    DOUBT = "yellow"
    BAD = "red"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and how it is meant."""

    text: str
    tone: Tone = Tone.PLAIN


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


# --- verdicts and errors --------------------------------------------------------------------

_OF_ACTION = {Action.PASS: Tone.GOOD, Action.WARN: Tone.DOUBT, Action.BLOCK: Tone.BAD}
_OF_OUTCOME = {Outcome.OK: Tone.GOOD, Outcome.NOTE: Tone.DOUBT, Outcome.FAIL: Tone.BAD}


def verdict_lines(verdict: Verdict, *, trace: bool = False) -> list[Line]:
    """One verdict: what it is about, what was decided and why, and what to do."""
    distribution = verdict.distribution
    subject = distribution.filename or distribution.name or distribution.url or "?"
    decided = verdict.status.value
    if verdict.reason != decided:
        decided += f" [{verdict.reason}]"
    if verdict.action is not Action.PASS:
        decided += f", {verdict.action.value}"
    lines = [Line(f"{subject}: {decided}", _OF_ACTION[verdict.action])]
    if verdict.summary:
        lines.append(Line(f"  {_indented(verdict.summary)}"))
    lines += [Line(f"  {label}: {_indented(text)}") for label, text in _parts(verdict)]
    if trace:
        lines += trace_lines(verdict.trace)
    return lines


def trace_lines(trace: Iterable[TraceEntry]) -> list[Line]:
    """What was looked at on the way to a verdict, one line each."""
    return [
        Line(
            f"  {entry.outcome.value:<4}  {entry.what}"
            + (f": {_indented(entry.detail, 8)}" if entry.detail else ""),
            _OF_OUTCOME[entry.outcome],
        )
        for entry in trace
    ]


def error_lines(error: PipIntotoError) -> list[str]:
    """One error: what happened, what was expected and found, what to do, and its code."""
    lines = [f"error: {_indented(str(error))}"]
    lines += [f"  {label}: {_indented(text)}" for label, text in _parts(error)]
    lines.append(f"  [{error.code}]")
    return [printable(line) for line in lines]


def _parts(of: Verdict | PipIntotoError) -> list[tuple[str, str]]:
    parts = (("expected", of.expected), ("found", of.found), ("hint", of.advice))
    return [(label, text) for label, text in parts if text]


def _indented(text: str, by: int = 4) -> str:
    return text.strip("\n").replace("\n", "\n" + " " * by)


# --- the stream -----------------------------------------------------------------------------


def printable(text: str) -> str:
    """``text`` without what could drive a terminal or reorder a line."""
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    return "".join(
        character
        if character == "\n" or unicodedata.category(character)[0] != "C"
        else f"\\x{ord(character):02x}"
        for character in text
    )


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
