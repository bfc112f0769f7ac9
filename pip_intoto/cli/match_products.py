"""``pip-intoto match-products``: whether files here are those that a link reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import BLOCKED, recording
from pip_intoto.cli.progress import progress_for
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import NothingVerified
from pip_intoto.maintainer.documents import load_link
from pip_intoto.maintainer.steps.matching import mismatch
from pip_intoto.maintainer.steps.recording import digests_of
from pip_intoto.reports.lines import Tone

if TYPE_CHECKING:
    import argparse

HELP = "compare files with the products of a link; who signed the link is not looked at"
EXAMPLES = """
  # is dist/ what the build made?
  pip-intoto match-products -l links/build.28b28e31.link -p dist --lstrip-paths dist/

  # is this tree what the author reviewed? (1 if not)
  pip-intoto match-products -l links/review.28b28e31.link -q
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``match-products``."""
    parser.add_argument("-l", "--link", metavar="FILE", type=Path, required=True, help="the link")
    recording.add_paths(parser, "-p", "--paths", "files and directories (default: here)")
    recording.add_selection_options(parser, exclude="-e")


def run(args: argparse.Namespace) -> int:
    """Compare; 1 if anything differs."""
    terminal = Terminal.of(args)
    _, link = load_link(args.link)
    selection = replace(recording.selection_of(args), regardless=link.products.keys())
    listing = selection.find(args.paths or ["."])
    recording.tell_of(terminal, "files", listing)
    if not listing.files and not link.products:
        raise NothingVerified(f"{args.link} has no products, and there is no file to compare")
    found = digests_of(listing.files, label="comparing", progress=progress_for(terminal))
    wrong = mismatch(link.products, found)
    if not args.quiet:
        for names, what in (
            (wrong.only_products, "only in products"),
            (wrong.not_in_products, "not in products"),
            (wrong.differ, "digests differ"),
        ):
            for name in names:
                terminal.report(f"{what}: {name}", Tone.BAD)
        if not wrong:
            terminal.report(f"all {len(found)} files are products of {args.link}", Tone.GOOD)
    return BLOCKED if wrong else 0
