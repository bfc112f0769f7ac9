"""Lines for people: what they say, how they are meant, and nothing in them that does harm.

Whatever comes from metadata or from a server is neutralised before it is shown: a project's name
may not move the cursor, hide a line, or give a command to the CI service that keeps the log.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pip_intoto.sources import addresses
from pip_intoto.verdict import Action, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pip_intoto.distribution import Distribution, Place
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


OF_ACTION = {Action.PASS: Tone.GOOD, Action.WARN: Tone.DOUBT, Action.BLOCK: Tone.BAD}
OF_CHANGE = {
    "newly-unverified": Tone.BAD,
    "signer-changed": Tone.DOUBT,
    "status-changed": Tone.DOUBT,
    "layout-changed": Tone.DOUBT,
    "newly-verified": Tone.GOOD,
}
_OF_OUTCOME = {Outcome.OK: Tone.GOOD, Outcome.NOTE: Tone.DOUBT, Outcome.FAIL: Tone.BAD}


# --- verdicts and errors --------------------------------------------------------------------


def subject(distribution: Distribution) -> str:
    """What a verdict is about, on one line: the file, or what stands in its place."""
    url = "" if distribution.url is None else addresses.redacted(distribution.url)
    return one_line(distribution.filename or distribution.name or url) or "?"


def decided(verdict: Verdict) -> str:
    """Status, reason where it says more, and action where it is not to pass."""
    said = verdict.status.value
    if verdict.reason != said:
        said += f" [{verdict.reason}]"
    if verdict.action is not Action.PASS:
        said += f", {verdict.action.value}"
    return said


def verdict_lines(
    verdict: Verdict,
    *,
    trace: bool = False,
    place: Place | None = None,
    notes: Sequence[str] = (),
) -> list[Line]:
    """One verdict: what it is about, what was decided and why, and what to do."""
    title = f"{subject(verdict.distribution)}: {decided(verdict)}"
    lines = [Line(title, OF_ACTION[verdict.action])]
    if verdict.summary:
        lines.append(Line(f"  {_indented(verdict.summary)}"))
    if place is not None:
        lines.append(Line(f"  at: {one_line(str(place))}"))
    lines += [Line(f"  {label}: {_indented(text)}") for label, text in parts(verdict)]
    lines += [Line(f"  note: {_indented(note)}") for note in notes]
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
    lines += [f"  {label}: {_indented(text)}" for label, text in parts(error)]
    lines.append(f"  [{error.code}]")
    return [printable(line) for line in lines]


def parts(of: Verdict | PipIntotoError) -> list[tuple[str, str]]:
    """What was expected, what was found, and what to do; only what there is."""
    named = (("expected", of.expected), ("found", of.found), ("hint", of.advice))
    return [(label, text) for label, text in named if text]


def _indented(text: str, by: int = 4) -> str:
    return text.strip("\n").replace("\n", "\n" + " " * by)


# --- nothing that does harm -----------------------------------------------------------------

#: What CI services take for commands: `::set-output …` at the beginning of a line, whatever space
#: stands before it, and `##[…]`, `##vso[…]`, `##teamcity[…]` anywhere.
_COMMAND = re.compile(r"^(?P<space>\s*):(?=:)|#(?=#\w*\[)", re.MULTILINE)


def printable(text: str) -> str:
    """``text`` without what could drive a terminal, reorder a line, or command a CI service."""
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    if not text.isprintable():
        text = "".join(
            character
            if character == "\n" or not _is_harmful(unicodedata.category(character))
            else f"\\x{ord(character):02x}"
            for character in text
        )
    return _COMMAND.sub(_spelled, text)


def _is_harmful(category: str) -> bool:
    # Controls and marks of direction; and separators of lines and paragraphs, which some readers
    # of logs begin a line after.
    return category[0] == "C" or category in {"Zl", "Zp"}


def one_line(text: str) -> str:
    """``text`` made harmless, with the ends of its lines spelled out."""
    return printable(addresses.printable(text))


def _spelled(command: re.Match[str]) -> str:
    space = command["space"]
    return "\\x23" if space is None else f"{space}\\x3a"
