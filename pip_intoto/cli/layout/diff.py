"""``pip-intoto layout diff``: what a new layout changes in meaning."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.cli.terminal import Terminal
from pip_intoto.maintainer.layouts.differences import Effect, differences
from pip_intoto.maintainer.layouts.layouts_in import layout_in
from pip_intoto.reports.lines import Line, Tone
from pip_intoto.sources.addresses import printable
from pip_intoto.verification.wording import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pip_intoto.maintainer.layouts.differences import Change

HELP = "say what a new layout changes in meaning, and whether that weakens it"
EXAMPLES = """
  # layouts, bundles and layout sources can be compared with each other
  pip-intoto layout diff root.layout new.layout
  pip-intoto layout diff public/demo-1.0-py3-none-any.whl.intoto.jsonl supply-chain.toml

  # for programs; the exit status is 1 when anything is different
  pip-intoto layout diff --format json root.layout new.layout

signatures are not looked at: `layout status` says who has signed
"""

SCHEMA = 1
#: Something is different.
DIFFERENT = 1
_TONES = {
    Effect.WEAKER: Tone.BAD,
    Effect.STRICTER: Tone.GOOD,
    Effect.NEITHER: Tone.PLAIN,
    Effect.UNCLEAR: Tone.DOUBT,
}
#: Rules of one change that are shown to people.
_SHOWN = 20
#: Of these changes, what is gone and what came is more than the sentence says.
_LISTED = {"rules", "certificates"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``layout diff``."""
    for name, text in (("OLD", "the layout as it was"), ("NEW", "the layout as it shall be")):
        parser.add_argument(
            name.lower(), metavar=name, type=Path, help=f"{text}: a layout, source or bundle"
        )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the report here")


def run(args: argparse.Namespace) -> int:
    """Compare, report, and give the exit status. Raises the errors of this package."""
    terminal = Terminal.of(args)
    # One moment for both: sources that count from today do not differ by how long this takes.
    now = datetime.now(timezone.utc)
    old, new = layout_in(args.old, now=now), layout_in(args.new, now=now)
    changes = differences(old, new)
    if args.format == "json":
        report = json.dumps(_for_programs(old.origin, new.origin, changes), indent=2) + "\n"
    else:
        report = "".join(f"{line.text}\n" for line in _lines(changes))
    if args.output is not None:
        files.replace(args.output, report.encode("utf-8"))
    elif args.format == "json":
        print(report, end="")
    else:
        for line in _lines(changes):
            terminal.report(line.text, line.tone)
    for found, path in ((old, args.old), (new, args.new)):
        if found.origin != str(path):
            terminal.tell(f"{path}: compared {found.origin}")
    return DIFFERENT if changes else 0


def _lines(changes: Sequence[Change]) -> Iterator[Line]:
    """The report; no name in it begins another line."""
    return (Line(printable(line.text), line.tone) for line in _said(changes))


def _said(changes: Sequence[Change]) -> Iterator[Line]:
    if not changes:
        yield Line("Both layouts mean the same.", Tone.GOOD)
        return
    for change in changes:
        yield Line(f"{change.effect.value:<8}  {change.place} {change.what}", _TONES[change.effect])
        if change.code in _LISTED:
            for sign, rules in (("-", change.gone), ("+", change.came)):
                for rule in rules[:_SHOWN]:
                    yield Line(f"{'':10}{sign} {rule}")
                if len(rules) > _SHOWN:
                    yield Line(f"{'':10}{sign} and {len(rules) - _SHOWN} more", Tone.FAINT)
        yield Line(f"{'':10}{change.means}", Tone.FAINT)
    counts = [
        f"{count} {effect.value}"
        for effect in Effect
        if (count := sum(change.effect is effect for change in changes))
    ]
    yield Line(f"{counted(len(changes), 'change')}: {', '.join(counts)}", Tone.TITLE)


def _for_programs(old: str, new: str, changes: Sequence[Change]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "old": old,
        "new": new,
        "same": not changes,
        "changes": [
            {
                "code": change.code,
                "place": change.place,
                "effect": change.effect.value,
                "what": change.what,
                "means": change.means,
                "old": list(change.gone),
                "new": list(change.came),
            }
            for change in changes
        ],
    }
