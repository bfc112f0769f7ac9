"""``pip-intoto record``: a step that no single command carries out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.cli import add_commands, load

if TYPE_CHECKING:
    import argparse

#: One module each, below this package.
COMMANDS = ("start", "stop")
HELP = "report a step that takes more than one command: what there was, and what there is then"
EXAMPLES = """
  # what is there before, and what is there after whatever you do
  pip-intoto record start -n edit --signing-key ../keys/author.pem -m src
  pip-intoto record stop -n edit --signing-key ../keys/author.pem -p src -d links
"""

_PACKAGE = "pip_intoto.cli.record"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands below ``record``."""
    add_commands(parser, COMMANDS, _PACKAGE, dest="record_command")


def run(args: argparse.Namespace) -> int:
    """Begin or finish. Raises the errors of :mod:`pip_intoto.errors`."""
    return load(args.record_command, _PACKAGE).run(args)
