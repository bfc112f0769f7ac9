"""``pip-intoto layout``: the description of the chain, which the project's owners sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.cli import add_commands, load

if TYPE_CHECKING:
    import argparse

#: In the order in which a layout meets them; one module each, below this package.
COMMANDS: tuple[str, ...] = ("build", "lint", "show", "diff", "renew", "status")
HELP = "make, check, draw, compare and renew the layout of a project"
EXAMPLES = """
  # supply-chain.toml describes the chain; what is wrong with it, and the layout that it makes
  pip-intoto layout lint
  pip-intoto layout build --signing-key ../keys/owner.pem

  # the chain as a drawing; what another layout would change
  pip-intoto layout show root.layout
  pip-intoto layout diff root.layout new.layout

  # who has signed, and who has not
  pip-intoto layout status root.layout

  # half a year more for everything that was published
  pip-intoto layout renew --expires "6 months" --signing-key ../keys/owner.pem public/
"""

_PACKAGE = "pip_intoto.cli.layout"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands below ``layout``."""
    add_commands(parser, COMMANDS, _PACKAGE, dest="layout_command")


def run(args: argparse.Namespace) -> int:
    """Carry one of the commands out. Raises the errors of :mod:`pip_intoto.errors`."""
    return load(args.layout_command, _PACKAGE).run(args)
