"""A run for people, on a terminal or in a file: what does not pass in full, the rest in short.

Up to :data:`FEW` verdicts are shown in full, in the order of the targets; what no rule names has a
line each. Of more, what is verified is only counted (``-v``: one line each), what passes otherwise
has a line each, and what blocks, or would in enforce mode, is shown in full. Then come the totals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.reports import wording
from pip_intoto.reports.lines import (
    OF_ACTION,
    OF_CHANGE,
    Line,
    Tone,
    decided,
    error_lines,
    one_line,
    printable,
    subject,
    verdict_lines,
)
from pip_intoto.verdict import Action, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.account import Account, Change, Checked

#: So many verdicts are shown in full, whatever they are.
FEW = 20
#: How many distributions one note names.
_NAMED = 3


def render(account: Account) -> str:
    """Render the account as plain text, neutralised."""
    return "".join(f"{printable(line.text)}\n" for line in lines(account))


def lines(account: Account, *, verbose: bool = False, quiet: bool = False) -> list[Line]:
    """Give the report in lines, not yet neutralised.

    ``verbose`` adds traces, and verified ones where there are many; ``quiet`` leaves out the
    verdicts that pass and the totals of a run that is a success, and shows warnings in short.
    """
    sections = (
        _verdicts(account, verbose=verbose, quiet=quiet),
        _failures(account),
        _changes(account),
        _totals(account, verbose=verbose) if account.exit_status or not quiet else (),
    )
    told: list[Line] = []
    for section in map(list, sections):
        told += [Line(""), *section] if told and section else section
    return told


# --- verdicts -------------------------------------------------------------------------------


def _verdicts(account: Account, *, verbose: bool, quiet: bool) -> Iterator[Line]:
    told = [each for each in account.checked if not quiet or each.verdict.action is not Action.PASS]
    if len(account.checked) <= FEW and not quiet:
        yield from _few(told, verbose=verbose)
        return
    in_full = [each for each in told if _matters(each)]
    in_short = [each for each in told if not _matters(each)]
    for each in in_full:
        yield from _in_full(each, verbose=verbose)
    if in_full and in_short:
        yield Line("")
    for each in in_short:
        if verbose or each.verdict.status is not Status.VERIFIED:
            yield _short(each)
    yield from _notes(in_short)


def _few(told: list[Checked], *, verbose: bool) -> Iterator[Line]:
    """Show all in order; what no rule names has nothing to tell, so that a line is enough."""
    unlisted = [
        each
        for each in told
        if each.verdict.status is Status.UNLISTED and not _matters(each) and not verbose
    ]
    for each in told:
        if each in unlisted:
            yield _short(each)
        else:
            yield from _in_full(each, verbose=verbose)
    yield from _notes(unlisted)
    if any(each.verdict.action is Action.WARN for each in unlisted):
        yield Line(
            "hint: `pip-intoto trust add NAME --key …`, or `--publisher …`, lists a project.",
            Tone.FAINT,
        )


def _in_full(checked: Checked, *, verbose: bool) -> list[Line]:
    return verdict_lines(
        checked.verdict, trace=verbose, place=checked.place, notes=_worth_saying(checked)
    )


def _matters(checked: Checked) -> bool:
    """Whether a person has to look: it blocks, or would if the policy were enforced."""
    verdict = checked.verdict
    return verdict.action is Action.BLOCK or verdict.status in {
        Status.MISSING,
        Status.UNREACHABLE,
        Status.INVALID,
    }


def _worth_saying(checked: Checked) -> tuple[str, ...]:
    return tuple(note for note in dict.fromkeys(checked.notes) if note != checked.verdict.found)


def _short(checked: Checked) -> Line:
    verdict = checked.verdict
    said = f"{subject(verdict.distribution)}: {decided(verdict)}"
    if verdict.exception is not None:
        said += f" until {verdict.exception.expires}, says {verdict.exception.owner}"
    if checked.place is not None:
        said += f"  ({checked.place})"
    return Line(one_line(said), OF_ACTION[verdict.action])


def _notes(checked: list[Checked]) -> Iterator[Line]:
    """Say each note once, and of whom: a lock without digests has the same for each of 400."""
    of: dict[str, list[str]] = {}
    for each in checked:
        for note in _worth_saying(each):
            of.setdefault(note, []).append(subject(each.verdict.distribution))
    for note, subjects in of.items():
        more = len(subjects) - _NAMED
        named = ", ".join(subjects[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
        yield Line(f"note: {one_line(note)} ({named})", Tone.FAINT)


# --- what is not a verdict ------------------------------------------------------------------


def _failures(account: Account) -> Iterator[Line]:
    if account.failures:
        yield Line("What could not be judged", Tone.TITLE)
    for failure in account.failures:
        yield from (Line(f"  {line}", Tone.BAD) for line in error_lines(failure))


def _changes(account: Account) -> Iterator[Line]:
    if account.changes is None:
        return
    yield Line("What changed in trust", Tone.TITLE)
    if not account.changes:
        yield Line("  nothing")
    for change in wording.by_weight(account.changes):
        yield Line(
            f"  {change.kind:<16}  {_changed(change)}", OF_CHANGE.get(change.kind, Tone.PLAIN)
        )


def _changed(change: Change) -> str:
    said = change.project
    if what := wording.change(change):
        said += f": {what}"
    if change.place is not None:
        said += f"  ({change.place})"
    return one_line(said)


# --- totals ---------------------------------------------------------------------------------


def _totals(account: Account, *, verbose: bool) -> Iterator[Line]:
    counts = account.counts
    if verbose and account.policy is not None:
        path = one_line(str(account.policy.path))
        yield Line(f"policy {path} ({account.policy.mode})", Tone.FAINT)
    seconds = (account.ended - account.began).total_seconds()
    checked = wording.number(len(account.checked), "distribution")
    yield Line(f"{checked} in {seconds:.1f} s: {wording.buckets(counts)}", Tone.TITLE)
    tone = Tone.BAD if wording.falls_short(account) or not counts[Status.VERIFIED] else Tone.PLAIN
    yield Line(f"coverage: {wording.coverage(account)}", tone)
    for said in wording.passed_over(account):
        yield Line(said, Tone.FAINT)
    if said := wording.traffic(account.traffic):
        yield Line(said, Tone.FAINT)
    if account.interrupted:
        yield Line("interrupted: what was not checked by then is not counted", Tone.BAD)
