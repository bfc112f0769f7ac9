"""``pip-intoto layout status``: whose signatures a layout has, and whose are missing."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import BLOCKED
from pip_intoto.cli.layout.naming import add_owner_option, owner_keys
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError
from pip_intoto.maintainer.documents import load_layout
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.expiry import written
from pip_intoto.maintainer.layouts.layout_source import DEFAULT_NAME, load_source
from pip_intoto.maintainer.layouts.owners import Owners
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.reports.lines import Tone
from pip_intoto.verification.wording import counted, short_keyid

if TYPE_CHECKING:
    import argparse

    from pip_intoto.maintainer.layouts.layout_source import LayoutSource
    from pip_intoto.maintainer.layouts.owners import Standing
    from pip_intoto.metadata.layout import Layout

HELP = "say who has signed a layout, and who has not"
EXAMPLES = """
  # the owners in ./supply-chain.toml, or in another source
  pip-intoto layout status
  pip-intoto layout status root.layout --source chain.toml

  # without a source: two of these three
  pip-intoto layout status root.layout --owner alice.pub --owner bob.pub --owner carol.pub \\
      --threshold 2

the exit status is 1 when signatures are missing, or the layout has expired
"""
SCHEMA = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``layout status``."""
    parser.add_argument(
        "layout",
        metavar="LAYOUT",
        nargs="?",
        type=Path,
        default=Path(ROOT_LAYOUT),
        help=f"the layout (default: {ROOT_LAYOUT})",
    )
    parser.add_argument(
        "--source",
        metavar="FILE",
        type=Path,
        help=f"the layout source, which names the owners (default: {DEFAULT_NAME})",
    )
    add_owner_option(parser)
    parser.add_argument(
        "--threshold",
        metavar="N",
        type=int,
        help="with --owner: how many of them must have signed (default: all)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Report who has signed. Raises the errors of this package."""
    terminal = Terminal.of(args)
    now = datetime.now(timezone.utc)
    source = _source(args)
    owners = _owners(args, source)
    document, layout = load_layout(args.layout)
    standing = owners.standing(document.envelope, now=now)
    # L3: "now == expires" is still valid.
    status = 0 if standing.is_complete and now <= layout.expires else BLOCKED
    if args.format == "json":
        sys.stdout.write(_as_json(args.layout, layout, owners, standing, status))
        return status
    for key in owners.keys:
        text, tone = _said_of(key.name, standing)
        terminal.report(f"{key.name}, key {short_keyid(key.key.keyid)}: {text}", tone)
    for keyid in standing.strangers:
        if keyid not in {key.key.keyid for key in owners.keys}:
            terminal.report(f"key {short_keyid(keyid)}: signed, and is no owner", Tone.DOUBT)
    terminal.report(
        f"{args.layout}: {standing.parties} of {standing.threshold} needed",
        Tone.GOOD if standing.is_complete else Tone.BAD,
    )
    terminal.report(*_expiry(layout, now))
    if source is not None and _differs(layout, source, now):
        terminal.warn(
            f"{source.path} describes another layout now; `pip-intoto layout diff {args.layout}"
            f" {source.path}` says what is different"
        )
    for line in next_commands(standing, args.layout):
        terminal.report(line)
    return status


def next_commands(standing: Standing, path: Path) -> list[str]:
    """What is to be typed next, and by whom; nothing once enough owners have signed."""
    missing = standing.threshold - standing.parties
    wanted = standing.wanted
    if missing <= 0 or not wanted:
        return []
    who = counted(missing, "owner")
    lines = [f"{who} still to sign, wherever the key is:"]
    for owner in wanted:
        command = ("pip-intoto", "sign", "-f", str(path), "-a", "-k", owner.private)
        lines.append(f"  {shlex.join(command)}")
    return lines


def _source(args: argparse.Namespace) -> LayoutSource | None:
    if args.owners:
        if args.source is not None:
            raise CommandError("the owners are named twice", expected="--owner, or --source")
        return None
    if args.threshold is not None:
        raise CommandError("nobody says whose threshold this is", expected="--owner besides")
    if args.source is None and not Path(DEFAULT_NAME).exists():
        raise CommandError(
            "nobody says who is to sign",
            expected=f"--owner KEY for each owner, --source FILE, or {DEFAULT_NAME} here",
        )
    return load_source(args.source or Path(DEFAULT_NAME))


def _owners(args: argparse.Namespace, source: LayoutSource | None) -> Owners:
    if source is not None:
        return Owners.of_source(source)
    return Owners.of_keys(owner_keys(args.owners), args.threshold)


def _said_of(name: str, standing: Standing) -> tuple[str, Tone]:
    if any(name == key.name for key in standing.signed):
        return "signed", Tone.GOOD
    if name in standing.invalid:
        return f"signed, and does not count: {standing.invalid[name]}", Tone.BAD
    if name in standing.claimed:
        return "a signature that is not good: what was signed, or the key, is another", Tone.BAD
    return "not signed", Tone.DOUBT if standing.is_complete else Tone.BAD


def _expiry(layout: Layout, now: datetime) -> tuple[str, Tone]:
    day = f"{layout.expires:%Y-%m-%d %H:%M} UTC"
    if now > layout.expires:
        return f"expired on {day}: nobody accepts it any more", Tone.BAD
    return f"valid until {day}, {counted((layout.expires - now).days, 'day')}", Tone.PLAIN


def _differs(layout: Layout, source: LayoutSource, now: datetime) -> bool:
    described = compile_layout(source, now=now)[1]
    return replace(described, expires=layout.expires) != layout


def _as_json(path: Path, layout: Layout, owners: Owners, standing: Standing, status: int) -> str:
    content = {
        "schema": SCHEMA,
        "layout": str(path),
        "exit-status": status,
        "expires": written(layout.expires),
        "threshold": standing.threshold,
        "signed": standing.parties,
        "owners": [
            {
                "name": key.name,
                "principal": key.principal,
                "keyid": key.key.keyid,
                "signed": key in standing.signed,
                "said": _said_of(key.name, standing)[0],
            }
            for key in owners.keys
        ],
        "strangers": list(standing.strangers),
    }
    return json.dumps(content, indent=2) + "\n"
