"""A run as Markdown, for the summary of a CI step: what blocks, what changed, and the totals.

Every text that may be a stranger's is written so that nothing in it is markup, in any dialect. The
page stays below what GitHub takes for one step; what there is no room for is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from pip_intoto.reports import wording
from pip_intoto.reports.lines import OF_ACTION, Tone, one_line, parts, subject
from pip_intoto.verdict import Action, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pip_intoto.account import Account, Change, Checked
    from pip_intoto.distribution import Place
    from pip_intoto.errors import PipIntotoError

_Row = TypeVar("_Row")

#: GitHub takes 1 MiB for the summary of one step; others may write to the same page.
LARGEST = 900 * 1024
#: Room for the headings and totals that come after the lists.
_RESERVED = 8 * 1024
#: Rows of one table; browsers get slow with more, and nobody reads them.
ROWS = 1_000
#: Characters of one text in a table.
_LONGEST = 300
_MARKS = {
    Tone.GOOD: "✅",
    Tone.DOUBT: "⚠️",
    Tone.BAD: "❌",
}


def render(account: Account, *, base: str = "") -> str:
    """Render a page. ``base`` is the address that links to lockfiles begin with; see `base_of`."""
    page = _Page(base)
    page.add(f"## {_title(account)}", "")
    _totals(page, account)
    blocking = [each for each in account.checked if each.verdict.action is Action.BLOCK]
    _table(
        page,
        "### What blocks",
        ("Distribution", "Decision", "Where", "Why"),
        blocking,
        lambda each: _row(page, each),
    )
    _list(page, "### What could not be judged", account.failures, _failure)
    if account.changes is not None:
        _table(
            page,
            "### What changed in trust",
            ("Project", "Change", "Where", "Before", "Now"),
            wording.by_weight(account.changes),
            lambda each: _changed(page, each),
        )
        if not account.changes:
            page.add("### What changed in trust", "", "Nothing.", "")
    others = [
        each
        for each in account.checked
        if each.verdict.status is not Status.VERIFIED and each.verdict.action is not Action.BLOCK
    ]
    _folded(page, "Not verified, and let through", others)
    _details(page, blocking)
    verified = [each for each in account.checked if each.verdict.status is Status.VERIFIED]
    _folded(page, "Verified", verified)
    _about(page, account)
    return page.text()


def base_of(environment: Mapping[str, str]) -> str:
    """Address of the files of the commit that a CI job runs for; empty where that is not known.

    The job has to run in the root of the checkout for links to fit.
    """
    known = environment.get
    if all(known(name) for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA")):
        return (
            f"{known('GITHUB_SERVER_URL')}/{known('GITHUB_REPOSITORY')}/blob/{known('GITHUB_SHA')}/"
        )
    if all(known(name) for name in ("CI_PROJECT_URL", "CI_COMMIT_SHA")):
        return f"{known('CI_PROJECT_URL')}/-/blob/{known('CI_COMMIT_SHA')}/"
    return ""


# --- text that is not markup ----------------------------------------------------------------

#: All that means something in some dialect of Markdown, in HTML, or to what GitHub makes links of.
_MARKUP = re.compile(r"[^\w .,'/=+-]|_", re.ASCII)
#: What would be a heading, an item or a rule where a line begins.
_AT_THE_BEGINNING = re.compile(r"^([-+=]+|\d+\.(?=\s|$))")
_ADDRESS = re.compile(r"(?<=www)\.", re.IGNORECASE)


def text(words: str, longest: int = _LONGEST) -> str:
    """``words`` on one line, as text and nothing else; cut when they are longer than that."""
    line = one_line(" ".join(words.split()))
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    line = _MARKUP.sub(_entity, line)
    line = _AT_THE_BEGINNING.sub(lambda found: "".join(map(_named, found[0])), line)
    return _ADDRESS.sub("&#46;", line)


def _entity(found: re.Match[str]) -> str:
    character = found[0]
    if ord(character) > _ASCII:
        return character
    # Entities are read before names of people and numbers of issues are made links.
    return _named(character) + ("&#8203;" if character in "@#" else "")


def _named(character: str) -> str:
    return f"&#{ord(character)};"


_ASCII = 0x7F


def code(words: str) -> str:
    """``words`` as :func:`text`, in the font of code."""
    return f"<code>{text(words)}</code>" if words.strip() else ""


# --- the page -------------------------------------------------------------------------------


class _Page:
    """Lines that together stay below :data:`LARGEST` bytes."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._lines: list[str] = []
        self._room = LARGEST - _RESERVED

    def add(self, *lines: str) -> None:
        """Add lines that are short, and always fit."""
        self._lines += lines

    def offer(self, line: str) -> bool:
        """Add a line if there is room for it."""
        size = len(line.encode()) + 1
        if size > self._room:
            return False
        self._room -= size
        self._lines.append(line)
        return True

    def text(self) -> str:
        """Give all of it."""
        return "\n".join(self._lines).rstrip("\n") + "\n"

    def linked(self, place: Place | None) -> str:
        """Give a place, as a link where the page is known to be about a repository."""
        if place is None:
            return ""
        path = place.path
        if not self.base or path.is_absolute() or ".." in path.parts:
            return code(str(place))
        encoded = path.as_posix().encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        return f"[{text(str(place))}]({quote(self.base, safe='/:')}{quote(encoded)}#L{place.line})"


def _offer_all(page: _Page, lines: Iterable[str], count: int) -> int:
    """Add lines while there is room for them; gives how many were left out."""
    for at, line in enumerate(lines):
        if at == ROWS or not page.offer(line):
            return count - at
    return 0


def _table(
    page: _Page,
    heading: str,
    columns: Sequence[str],
    rows: Sequence[_Row],
    cells: Callable[[_Row], Sequence[str]],
) -> None:
    if not rows:
        return
    page.add(heading, "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|")
    lines = (f"| {' | '.join(cells(row))} |" for row in rows)
    left_out = _offer_all(page, lines, len(rows))
    page.add("", *_more(left_out))


def _list(page: _Page, heading: str, items: Sequence[_Row], said: Callable[[_Row], str]) -> None:
    if not items:
        return
    page.add(heading, "")
    left_out = _offer_all(page, (f"- {said(item)}" for item in items), len(items))
    page.add("", *_more(left_out))


def _more(left_out: int) -> list[str]:
    return [f"and {left_out:,} more, for which there is no room here", ""] if left_out else []


# --- the parts ------------------------------------------------------------------------------


def _title(account: Account) -> str:
    mark = "✅" if account.exit_status == 0 else "❌"
    verified, all_of_them = account.counts[Status.VERIFIED], len(account.checked)
    return (
        f"{mark} pip-intoto: {wording.outcome(account)},"
        f" {verified:,} of {wording.number(all_of_them, 'distribution')} verified"
    )


def _totals(page: _Page, account: Account) -> None:
    shown = {
        status.value: count
        for status, count in account.counts.items()
        if count or status is Status.VERIFIED
    }
    page.add(
        f"| {' | '.join(shown)} | coverage |",
        "|--:" * (len(shown) + 1) + "|",
        f"| {' | '.join(f'{count:,}' for count in shown.values())}"
        f" | {wording.percent(account.coverage)} |",
        "",
    )
    if wording.falls_short(account):
        page.add(f"The coverage is {wording.coverage(account)}.", "")
    if account.interrupted:
        page.add("The run was **interrupted**: what was not checked by then is not here.", "")


def _row(page: _Page, checked: Checked) -> tuple[str, ...]:
    verdict = checked.verdict
    return (
        code(subject(verdict.distribution)),
        f"{_MARKS[OF_ACTION[verdict.action]]} {_decision(checked)}",
        page.linked(checked.place),
        text(verdict.summary),
    )


def _decision(checked: Checked) -> str:
    verdict = checked.verdict
    said = verdict.status.value
    return said if said == verdict.reason else f"{said}, {code(verdict.reason)}"


def _failure(failure: PipIntotoError) -> str:
    said = f"{code(failure.code)} {text(str(failure))}"
    return said + "".join(f"; {label}: {code(words)}" for label, words in parts(failure))


def _changed(page: _Page, change: Change) -> tuple[str, ...]:
    return (
        code(change.project),
        text(wording.kind(change)),
        page.linked(change.place),
        text(change.before),
        text(change.after),
    )


def _folded(page: _Page, title: str, checked: Sequence[Checked]) -> None:
    """Show a table that is closed until somebody opens it."""
    if not checked:
        return
    summary = f"<details><summary>{title}: {len(checked):,}</summary>"
    _table(
        page,
        summary,
        ("Distribution", "Decision", "Where", "Notes"),
        checked,
        lambda each: _short(page, each),
    )
    _notes(page, checked)
    page.add("</details>", "")


def _short(page: _Page, checked: Checked) -> tuple[str, ...]:
    verdict = checked.verdict
    about = ""
    if verdict.exception is not None:
        about = text(
            f"until {verdict.exception.expires}: {verdict.exception.reason}"
            f" ({verdict.exception.owner})"
        )
    elif verdict.status in {Status.MISSING, Status.UNREACHABLE, Status.INVALID}:
        about = text(verdict.summary)
    decision = f"{_MARKS[OF_ACTION[verdict.action]]} {_decision(checked)}"
    return code(subject(verdict.distribution)), decision, page.linked(checked.place), about


def _notes(page: _Page, checked: Sequence[Checked]) -> None:
    """Say each note once, with how many have it."""
    notes = Counter(note for each in checked for note in dict.fromkeys(each.notes))
    for note, count in notes.most_common(_NOTES):
        page.offer(f"- {text(note)} ({count:,})")
    if notes:
        page.add("")


_NOTES = 20


def _details(page: _Page, blocking: Sequence[Checked]) -> None:
    if not blocking:
        return
    page.add(f"<details><summary>What was expected and found: {len(blocking):,}</summary>", "")
    left_out = _offer_all(page, map(_detail, blocking), len(blocking))
    page.add("", *_more(left_out), "</details>", "")


def _detail(checked: Checked) -> str:
    verdict = checked.verdict
    said = [f"- {code(subject(verdict.distribution))}: {text(verdict.summary)}"]
    said += [f"  - {label}: {text(words)}" for label, words in parts(verdict)]
    said += [f"  - note: {text(note)}" for note in checked.notes]
    said += [
        f"  - {entry.outcome.value}: {text(f'{entry.what}: {entry.detail}')}"
        for entry in verdict.trace
    ]
    return "\n".join(said)


def _about(page: _Page, account: Account) -> None:
    seconds = (account.ended - account.began).total_seconds()
    said = [f"{wording.number(len(account.checked), 'distribution')} in {seconds:.1f} s"]
    said += wording.passed_over(account)
    if traffic := wording.traffic(account.traffic):
        said.append(traffic)
    if account.policy is not None:
        said.append(f"policy {code(str(account.policy.path))}, {account.policy.mode}")
    said.append(f"pip-intoto {account.version}")
    page.add(f"<sub>{'; '.join(said)}</sub>")
