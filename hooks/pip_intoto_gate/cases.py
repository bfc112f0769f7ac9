"""The distributions of one pip run, and what is said about them."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, Any

from pip_intoto_gate import addresses
from pip_intoto_gate.blocked import UNTOUCHED, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

#: How many unlisted projects the summary names.
_NAMED = 10


class Case:
    """One distribution under decision."""

    def __init__(self, number: int, announcement: dict[str, Any], why: str) -> None:
        self.number = number
        self.announcement = announcement
        self.why = why
        self.sha256: str | None = None
        self.asked = False
        self.verdict: dict[str, Any] | None = None
        #: Another case asked again about the same thing, under the name it turned out to have.
        self.renamed = False

    @property
    def name(self) -> str:
        """The PEP 503 name, "" while nobody knows it."""
        return str(self.announcement["name"])

    @property
    def is_file(self) -> bool:
        """Whether there is a file that a verdict can be about."""
        return self.announcement["kind"] in ("wheel", "sdist")

    @property
    def title(self) -> str:
        """How a person would call it."""
        return str(self.announcement["filename"] or self.name or self.announcement["url"])


def summary(all_cases: Iterable[Case]) -> str:
    """Count the verdicts: "2 verified, 1 unlisted (six)"."""
    counts: dict[str, int] = {"verified": 0}
    named = set()
    for case in all_cases:
        if case.verdict is None or case.renamed:
            continue
        status = str(case.verdict["status"])
        counts[status] = counts.get(status, 0) + 1
        if (status, case.verdict["action"]) == ("unlisted", "warn"):
            # The policy wants a warning about these: they are named.
            named.add(case.name or case.title)
    verified = counts.pop("verified")
    parts = [f"{verified} verified"]
    for status, count in sorted(counts.items()):
        names = _listed(sorted(named)) if status == "unlisted" and named else ""
        parts.append(f"{count} {status}{names}")
    return ", ".join(parts)


def _listed(names: list[str]) -> str:
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return printable(f" ({', '.join(names[:_NAMED] + more)})")


def note(case: Case) -> str:
    """What was done, and where to read more, if there is a command that can tell."""
    announced = case.announcement
    target = addresses.local_path(str(announced["url"]))
    if not target and announced["index"] and announced["version"]:
        target = "{name}=={version}".format(**announced)
    if not (case.is_file and target):
        return UNTOUCHED
    page, _, last = str(announced["index"] or "").rstrip("/").rpartition("/")
    option = ""
    if "==" in target and last == case.name and _names_an_index(sys.argv):
        # What pip is configured with, `explain` asks too; of pip's command line it knows nothing.
        option = f"--index-url {shlex.quote(addresses.without_user(page))}/ "
    return f"{UNTOUCHED} For the whole trace: pip-intoto explain {option}{shlex.quote(target)}"


def _names_an_index(arguments: Iterable[str]) -> bool:
    return any(re.match(r"-i|--(extra-)?index-url", argument) for argument in arguments)


def warning(case: Case) -> str:
    """What would have blocked, where the policy only warns."""
    verdict = case.verdict or {}
    summary = str(verdict.get("summary")).rstrip(".")
    if case.title not in summary:
        summary = f"{case.title}: {summary}"
    parts = [f"[{verdict.get('reason')}] {summary}"]
    parts += [f"{part}: {verdict[part]}" for part in ("expected", "found") if verdict.get(part)]
    return printable("; ".join(parts) + " (a warning, as the policy says: the install goes on)")
