"""``pip-intoto record stop``: what there is after a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import recording
from pip_intoto.cli.signers import add_signer_options
from pip_intoto.cli.terminal import Terminal

if TYPE_CHECKING:
    import argparse

HELP = "record what a step has made, and sign the link of what was begun in this directory"
EXAMPLES = """
  # with the same key, in the same directory
  pip-intoto record stop -n edit --signing-key ../keys/author.pem -p src -d links
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``record stop``."""
    recording.add_step_name(parser)
    recording.add_paths(parser, "-p", "--products", "files and directories that the step made")
    add_signer_options(parser)
    recording.add_selection_options(parser)
    recording.add_base_path(parser)
    recording.add_metadata_directory(parser)
    parser.add_argument(
        "--use-dsse",
        action="store_true",
        help="for nothing: the link has the envelope that `record start` gave it",
    )


def run(args: argparse.Namespace) -> int:
    """Finish what was begun in this directory."""
    terminal = Terminal.of(args)
    report = recording.functionary_of(args, terminal).finish(
        products=args.products, begun_in=Path(), directory=args.metadata_directory
    )
    recording.tell_report(terminal, report)
    return 0
