"""``pip-intoto prepare``: the wheel's metadata, as the build backend makes it from the sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli.progress import progress_for
from pip_intoto.cli.terminal import Terminal
from pip_intoto.maintainer.projects import prepared

if TYPE_CHECKING:
    import argparse

HELP = "let the build backend prepare the wheel's metadata from the sources"
EXAMPLES = """
  # METADATA, entry_points.txt and licences of the project here, into wheel-metadata/
  pip-intoto prepare

  # the same as a part of the source step, so that the wheel can be held against it
  pip-intoto run --step-name source --signing-key ../keys/author.pem \\
      --metadata-directory links --products pyproject.toml src wheel-metadata \\
      -- pip-intoto prepare -o wheel-metadata
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``prepare``."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        type=Path,
        default=Path(),
        help="the project's directory (default: the working directory)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        default=Path(prepared.FOLDER),
        help=f"where it goes; an earlier result is replaced (default: {prepared.FOLDER})",
    )
    add_isolation(parser)


def add_isolation(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the build backend comes from."""
    parser.add_argument(
        "--no-isolation",
        dest="isolated",
        action="store_false",
        help="use the build backend that is installed here, instead of installing it anew",
    )


def run(args: argparse.Namespace) -> int:
    """Prepare the metadata, and list it. Raises CommandError."""
    terminal = Terminal.of(args)
    terminal.tell("The project's own build backend prepares the metadata, in a copy.")
    names = prepared.prepare(
        args.source, args.output, isolated=args.isolated, progress=progress_for(terminal)
    )
    for name in names:
        terminal.report((args.output / name).as_posix())
    return 0
