"""``pip-intoto layout lint``: what is unwise about a layout, and what to write instead."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import BLOCKED
from pip_intoto.cli.layout.naming import add_owner_option, owner_keys
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError, EvidenceInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer.documents import read_layout
from pip_intoto.maintainer.evidence import evidence_files
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.layout_source import DEFAULT_NAME, is_source, load_source
from pip_intoto.maintainer.layouts.lint import Severity, lint
from pip_intoto.maintainer.layouts.owners import Owners, principals_of
from pip_intoto.metadata.envelope import read_payload
from pip_intoto.metadata.link import Link
from pip_intoto.policy.file import canonical_name
from pip_intoto.reports.lines import Tone
from pip_intoto.verification.wording import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from pip_intoto.maintainer.layouts.layout_source import LayoutSource
    from pip_intoto.maintainer.layouts.lint import Finding
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.verification.trust import Owner

HELP = "say what is unwise about a layout, and what to write instead"
EXAMPLES = """
  # ./supply-chain.toml, before a layout is made of it
  pip-intoto layout lint

  # the same with the links of a release: patterns that fit nothing, files that no rule speaks of
  pip-intoto layout lint --links links

  # a layout that somebody else has made
  pip-intoto layout lint root.layout --project demo --owner alice.pub --format json

the exit status is 1 when there are errors; warnings and notes do not change it. Every code is
explained in docs/reference/lint.md
"""
SCHEMA = 1

_TONES = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.DOUBT, Severity.NOTE: Tone.PLAIN}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``layout lint``."""
    parser.add_argument(
        "layout",
        metavar="SOURCE|LAYOUT",
        nargs="?",
        type=Path,
        default=Path(DEFAULT_NAME),
        help=f"a layout source (.toml), or a layout (default: {DEFAULT_NAME})",
    )
    parser.add_argument(
        "--links",
        metavar="DIR|BUNDLE",
        action="append",
        type=Path,
        default=[],
        help="links to hold the rules against: a directory, a bundle, or a link; may be given"
        " again. Their signatures are not looked at",
    )
    add_owner_option(parser)
    parser.add_argument(
        "--project", metavar="NAME", help="the project that a layout is for; a source says so"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Report what there is to say. Raises the errors of this package."""
    terminal = Terminal.of(args)
    now = datetime.now(timezone.utc)
    looked_at = _read(args, now)
    findings = lint(
        looked_at.layout,
        now=now,
        project=looked_at.project,
        owners=looked_at.owners,
        principals=looked_at.principals,
        links=_links(args.links, terminal),
    )
    if args.format == "json":
        sys.stdout.write(_as_json(args.layout, findings, looked_at.source))
    else:
        report(terminal, args.layout, findings, looked_at.source)
    return BLOCKED if has_errors(findings) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _LookedAt:
    """A layout, and what is known of it besides."""

    layout: Layout
    project: str
    owners: Sequence[Owner] = ()
    principals: Mapping[str, str] = field(default_factory=dict)
    source: LayoutSource | None = None


def _read(args: argparse.Namespace, now: datetime) -> _LookedAt:
    named = owner_keys(args.owners)
    owners = Owners.of_keys(named).trusted if named else ()
    if not is_source(args.layout):
        return _LookedAt(
            layout=read_layout(args.layout)[1],
            project=canonical_name(args.project or ""),
            owners=owners,
        )
    source = load_source(args.layout)
    if args.project and canonical_name(args.project) != source.project:
        raise CommandError(
            f"the layout source is for the project {source.project}",
            found=f"--project {args.project}",
        )
    return _LookedAt(
        layout=compile_layout(source, now=now)[1],
        project=source.project,
        owners=owners or Owners.of_source(source).trusted,
        principals=principals_of(source),
        source=source,
    )


def _links(paths: Iterable[Path], terminal: Terminal) -> tuple[Link, ...]:
    links: list[Link] = []
    for path in paths:
        notes: list[str] = []
        if path.is_dir():
            papers, notes = evidence_files.read_folder(path)
        elif path.suffix == ".jsonl":
            papers, notes = evidence_files.read_bundle(path)
        else:
            papers = (evidence_files.read_document(path),)
        found = []
        for document in (paper.document for paper in papers):
            try:
                payload = read_payload(document.envelope, limits=LOCAL)
            except EvidenceInvalid as error:
                notes.append(f"{document.origin} is left out: {error}")
                continue
            if isinstance(payload, Link):
                found.append(payload)
        for note in notes:
            terminal.warn(note)
        if not found:
            raise CommandError(
                f"there are no links in {path}", expected="a directory or a bundle with links"
            )
        links += found
    return tuple(links)


# --- reports --------------------------------------------------------------------------------


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether one of them is an error."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def report(
    terminal: Terminal, path: Path, findings: Sequence[Finding], source: LayoutSource | None
) -> None:
    """Print findings, grouped by the item that they are about, and how many there are."""
    item: str | None = None
    for finding in findings:
        if finding.item != item:
            item = finding.item
            terminal.report(item or "the whole chain", Tone.TITLE)
        line = _line(finding, source)
        places = [finding.where, f"{path}:{line}" if line else ""]
        place = " ".join(each for each in places if each)
        terminal.report(
            f"  {finding.severity.value} [{finding.code}]{' ' if place else ''}{place}",
            _TONES[finding.severity],
        )
        terminal.report(f"    {finding.what}")
        terminal.report(f"    why: {finding.why}", Tone.FAINT)
        terminal.report(f"    instead: {finding.instead}")
    terminal.report(
        f"{path}: {_counts(findings)}",
        Tone.BAD if has_errors(findings) else Tone.DOUBT if findings else Tone.GOOD,
    )


def _counts(findings: Sequence[Finding]) -> str:
    numbers = Counter(finding.severity for finding in findings)
    return ", ".join(counted(numbers[each], each.value) for each in Severity)


def _line(finding: Finding, source: LayoutSource | None) -> int | None:
    if source is None or not finding.path.startswith(("steps", "inspect")):
        return None
    return source.line_of(finding.path)


def _as_json(path: Path, findings: Sequence[Finding], source: LayoutSource | None) -> str:
    numbers = Counter(finding.severity for finding in findings)
    content = {
        "schema": SCHEMA,
        "layout": str(path),
        "exit-status": BLOCKED if has_errors(findings) else 0,
        "counts": {each.value: numbers[each] for each in Severity},
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.value,
                "place": finding.place,
                "path": finding.path,
                "line": _line(finding, source),
                "what": finding.what,
                "why": finding.why,
                "instead": finding.instead,
            }
            for finding in findings
        ],
    }
    return json.dumps(content, indent=2) + "\n"
