"""``pip-intoto disable``: let pip in an environment work without verification again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto import arming
from pip_intoto.cli.enable import add_python
from pip_intoto.cli.terminal import Terminal
from pip_intoto.environments import find_environment

if TYPE_CHECKING:
    import argparse

HELP = "disarm the gate; the policy stays where it is"
EXAMPLES = """
  # pip in this environment no longer verifies anything
  pip-intoto disable

  # take the gate's files out of another environment
  pip-intoto disable --python ~/service/.venv
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``disable``."""
    add_python(parser)


def run(args: argparse.Namespace) -> int:
    """Disarm the gate; idempotent, and never touches a policy. Raises CommandError."""
    terminal = Terminal.of(args)
    environment = find_environment(args.python)
    removed = arming.disarm(environment)
    for change in removed:
        terminal.detail(change)
    if removed:
        terminal.tell(f"The gate is gone from {environment.prefix}: pip verifies nothing there.")
    else:
        terminal.tell(f"There was no gate in {environment.prefix}.")
    return 0
