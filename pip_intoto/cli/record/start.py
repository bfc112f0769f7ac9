"""``pip-intoto record start``: what there is before a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import recording
from pip_intoto.cli.signers import add_signer_options
from pip_intoto.cli.terminal import Terminal
from pip_intoto.verification.wording import counted

if TYPE_CHECKING:
    import argparse

HELP = "record what a step will use, in a file that `record stop` finishes"
EXAMPLES = """
  # leaves .edit.<keyid>.link-unfinished in this directory
  pip-intoto record start -n edit --signing-key ../keys/author.pem -m src

  # with GnuPG's default key, in a DSSE envelope
  pip-intoto record start -n edit --gpg --use-dsse -m src
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``record start``."""
    recording.add_step_name(parser)
    recording.add_paths(parser, "-m", "--materials", "files and directories that the step uses")
    add_signer_options(parser)
    recording.add_selection_options(parser)
    recording.add_base_path(parser)
    recording.add_use_dsse(parser)


def run(args: argparse.Namespace) -> int:
    """Begin a step in this directory."""
    terminal = Terminal.of(args)
    report = recording.functionary_of(args, terminal).begin(
        materials=args.materials, directory=Path(), form=recording.form_of(args)
    )
    terminal.tell(
        f"{report.path}: {counted(report.materials, 'material')};"
        " `pip-intoto record stop` finishes it"
    )
    return 0
