"""``pip-intoto run``: carry out a step, and report it in a signed link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.cli import recording
from pip_intoto.cli.signers import add_signer_options
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError
from pip_intoto.metadata.node import shown
from pip_intoto.verification.wording import NAMED

if TYPE_CHECKING:
    import argparse

HELP = "carry out a step: record files, run its command, and sign a link about both"
EXAMPLES = """
  # what the build reads, what it makes, and the command that does it
  pip-intoto run --step-name build --signing-key ../keys/builder.pem --metadata-directory links \\
      --materials pyproject.toml README.md src --products dist --lstrip-paths dist/ -- \\
      python -m pip wheel --no-deps --wheel-dir dist .

  # a step without a command: who signs has reviewed what git tracks here
  pip-intoto run -n review --signing-key ../keys/rita.pem -m . -x

  # keep what the command says in the link, too
  pip-intoto run -n test --signing-key ../keys/ci.pem -m src tests -s -- python -m pytest
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``run``."""
    recording.add_step_name(parser)
    recording.add_paths(parser, "-m", "--materials", "files and directories that the step uses")
    recording.add_paths(parser, "-p", "--products", "files and directories that it makes")
    parser.add_argument(
        "-s",
        "--record-streams",
        action="store_true",
        help="keep what the command says in the link, as well as showing it",
    )
    parser.add_argument(
        "-x", "--no-command", action="store_true", help="there is no command, as for a review"
    )
    parser.add_argument(
        "--allow-failure",
        action="store_true",
        help="write the link even if the command fails; its exit status is still ours",
    )
    parser.add_argument(
        "--run-timeout",
        metavar="SECONDS",
        type=int,
        help="stop the command when it takes longer (default: it takes its time)",
    )
    add_signer_options(parser)
    recording.add_selection_options(parser)
    recording.add_base_path(parser)
    recording.add_metadata_directory(parser)
    recording.add_use_dsse(parser)
    parser.add_argument("link_command", metavar="COMMAND", nargs="*", help="after `--`")


def run(args: argparse.Namespace) -> int:
    """Carry out one step; the exit status is the command's own when it fails."""
    terminal = Terminal.of(args)
    command = [] if args.no_command else list(args.link_command)
    if not command and not args.no_command:
        raise CommandError(
            "there is no command", expected="-- COMMAND, or --no-command for a step without one"
        )
    report = recording.functionary_of(args, terminal).carry_out(
        command,
        materials=args.materials,
        products=args.products,
        directory=args.metadata_directory,
        form=recording.form_of(args),
        keep_streams=args.record_streams,
        seconds=args.run_timeout,
        even_failed=args.allow_failure,
    )
    outcome = report.outcome
    if outcome is not None and outcome.shortened:
        terminal.warn("the command said more than a link keeps: only the beginning is in it")
    if report.older:
        names = ", ".join(shown(name) for name in report.older[:NAMED])
        more = f" and {len(report.older) - NAMED} more" if len(report.older) > NAMED else ""
        terminal.warn(
            f"{names}{more}: there before the command, and listed among what it made."
            " Begin with an empty folder."
        )
    if report.path is not None:
        recording.tell_report(terminal, report)
    if outcome is None or outcome.status == 0:
        return 0
    written = "The link says so" if report.path else "No link was written (see --allow-failure)"
    terminal.warn(f"the command failed: {outcome.described}. {written}.")
    return outcome.exit_status
