"""The command line: one module a command, loaded only when it is asked for.

A command module has ``HELP`` (one line), ``EXAMPLES`` (shown below ``--help``),
``configure(parser)`` and ``run(args) -> int``. Exit statuses, for all commands: 1 when a verdict
blocks, 2 when nothing could be decided or the command could not do its work, else 0.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING, Protocol, cast

from pip_intoto import __version__
from pip_intoto.errors import PipIntotoError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Something was decided, and it blocks.
BLOCKED = 1
#: Nothing could be decided, or the command could not do its work.
FAILED = 2
#: What a shell reports of a program that Ctrl-C (signal 2) ended.
INTERRUPTED = 130

#: New objects before somebody looks for garbage among them; Python's own number is far lower.
_OBJECTS_PER_COLLECTION = 50_000

#: In the order in which a newcomer meets them.
COMMANDS = (
    "demo",
    "enable",
    "disable",
    "status",
    "doctor",
    "trust",
    "verify",
    "lock",
    "explain",
    # those of a maintainer
    "keygen",
    "init",
    "prepare",
    "layout",
    "run",
    "record",
    "attest",
    "sign",
    "match-products",
    "bundle",
    "check",
    "index",
    "compare",
)


class Command(Protocol):
    """What each module of this package offers."""

    HELP: str
    EXAMPLES: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's own arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work; the exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; ``argv`` defaults to the process's own. Returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    _leave_garbage()
    _print_whatever_the_encoding()
    try:
        args = parser_for(words).parse_args(words)
        status = load(args.command).run(args)
        sys.stdout.flush()
    except SystemExit as end:  # argparse, after --help or a mistake
        return end.code if isinstance(end.code, int) else FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has gone (`| head`). Without this, the interpreter would complain
        # about the same pipe once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except PipIntotoError as error:
        _tell(error)
        return FAILED
    except OSError as error:
        print(f"error: {_described(error)}", file=sys.stderr)
        return FAILED
    return status


def load(name: str, package: str = "pip_intoto.cli") -> Command:
    """Import the module of one command: ``match-products`` is in ``match_products``."""
    return cast("Command", importlib.import_module(f"{package}.{name.replace('-', '_')}"))


def parser_for(words: Sequence[str]) -> argparse.ArgumentParser:
    """Make the parser for a command line; only the command that it names is loaded."""
    parser = argparse.ArgumentParser(
        prog="pip-intoto",
        description="Verify in-toto evidence before pip unpacks, builds or installs anything.",
        epilog=_HOW_TO_BEGIN,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.set_defaults(quiet=False, verbose=False)
    parser.add_argument("--version", action="version", version=f"pip-intoto {__version__}")
    add_commands(parser, COMMANDS, words=words)
    return parser


def add_commands(
    parser: argparse.ArgumentParser,
    names: Sequence[str],
    package: str = "pip_intoto.cli",
    words: Sequence[str] = (),
    dest: str = "command",
) -> None:
    """Add the commands of a package below ``parser``; ``dest`` then says which was chosen.

    Only the one that ``words`` begin with, options aside, is loaded; all of them, when there is
    none, for their lines of help.
    """
    named = next((word for word in words if not word.startswith("-")), "")
    commands = parser.add_subparsers(prog=parser.prog, dest=dest, metavar="COMMAND", required=True)
    for name in (named,) if named in names else names:
        module = load(name, package)
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog="examples:\n" + module.EXAMPLES.strip("\n"),
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        add_common(command)
        module.configure(command)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has; commands with commands of their own use it too."""
    # Suppressed, because the default of a command's command would undo `trust -q add`.
    for short, long, text in (
        ("-q", "--quiet", "say only what went wrong"),
        ("-v", "--verbose", "say more on the way"),
    ):
        parser.add_argument(short, long, action="store_true", default=argparse.SUPPRESS, help=text)


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which policy and which index."""
    parser.add_argument(
        "--policy", metavar="FILE", help="the policy; without it, the one in force here"
    )
    parser.add_argument(
        "--index-url",
        metavar="URL",
        help="where NAME==VERSION is looked up (default: the rule's index, else pip's), and who is"
        " asked about files of which a lock names no index",
    )
    parser.add_argument(
        "--offline", action="store_true", help="ask nobody: only evidence on this machine counts"
    )


def add_password_options(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    text: str = "password of an encrypted key, or PIN of a hardware module; without PASSWORD, or on"
    " a terminal without -P, it is asked for",
) -> None:
    """Add what gives a password; it is read in ``signers``."""
    parser.add_argument("-P", "--password", metavar="PASSWORD", nargs="?", const="", help=text)
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="the password is the first line of a file, where other processes do not see it",
    )


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps examples as they are written, and the width the same everywhere."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=88, max_help_position=28)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # "-o, --output FILE" on every Python; those before 3.13 repeat FILE after each spelling.
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


_HOW_TO_BEGIN = """\
to begin:
  pip-intoto demo                              see the whole story, offline
  pip-intoto enable                            arm the gate in this environment
  pip-intoto trust add NAME --key owner.pub    list the first project

to begin as a maintainer, in the directory of a Python project:
  pip-intoto keygen ../keys/owner              make the key that your users trust
  pip-intoto init                              describe how your releases are made

Each command has examples below its own --help."""


def _tell(error: PipIntotoError) -> None:
    # Imported here because a command that succeeds needs none of it.
    from pip_intoto.reports.lines import error_lines

    print("\n".join(error_lines(error)), file=sys.stderr)


def _described(error: OSError) -> str:
    from pip_intoto.reports.lines import printable

    where = f"{error.filename}: " if error.filename else ""
    return printable(f"{where}{error.strerror or error}")


def _leave_garbage() -> None:
    """A command's objects live nearly as long as it does: looking for garbage is time lost."""
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    # The interpreter would look at everything once more before it ends.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def _print_whatever_the_encoding() -> None:
    """Names from metadata may not fit the terminal's encoding; that must not end a report."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
