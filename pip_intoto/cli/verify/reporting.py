"""Where the reports of ``verify`` go: one to standard output or ``-o``, any number to files."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import FAILED
from pip_intoto.cli.terminal import write
from pip_intoto.errors import CommandError, PipIntotoError
from pip_intoto.reports import FORMATS, renderer
from pip_intoto.reports.lines import error_lines
from pip_intoto.reports.text import lines
from pip_intoto.reports.wording import buckets

if TYPE_CHECKING:
    import argparse

    from pip_intoto.account import Account
    from pip_intoto.cli.terminal import Terminal
    from pip_intoto.maintainer.keys.signing import Signer

ATTESTATION = "attestation"
_ALL = (*FORMATS, ATTESTATION)


def add_report_options(group: argparse._ArgumentGroup) -> None:
    """Add what says which reports there are, and where they go."""
    group.add_argument(
        "--format", choices=_ALL, default="text", help="of the report; default: text"
    )
    group.add_argument("-o", "--output", metavar="FILE", help="write the report here")
    group.add_argument(
        "--report",
        dest="reports",
        metavar="FORMAT=FILE",
        action="append",
        default=[],
        help="a report more, into a file; may be given again",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """The reports that the options ask for. ``path`` None is standard output."""

    terminal: Terminal
    wanted: tuple[tuple[str, Path | None], ...]
    signers: tuple[Signer, ...] = ()

    @classmethod
    def of(cls, args: argparse.Namespace, terminal: Terminal) -> Reporter:
        """As the options ask for. Raises CommandError before anything is verified."""
        output = None if args.output is None else Path(args.output)
        wanted = [(args.format, output), *map(_named, args.reports)]
        for _, path in wanted:
            if path is not None and not path.absolute().parent.is_dir():
                raise CommandError(
                    f"{path} cannot be written", found=f"there is no directory {path.parent}"
                )
        signs = any(name == ATTESTATION for name, _ in wanted)
        if args.signing_keys and not signs:
            raise CommandError(
                "--signing-key signs attestations, and none is asked for",
                expected="--format attestation, or --report attestation=FILE",
            )
        return cls(
            terminal=terminal,
            wanted=tuple(wanted),
            signers=_signers(args) if signs else (),
        )

    def report(self, account: Account) -> int:
        """Write all reports; those in files first. Gives the exit status of the run.

        A report that cannot be made is an error, and keeps back none of the others.
        """
        errors = [*account.failures]
        for name, path in sorted(self.wanted, key=lambda each: each[1] is None):
            try:
                self._give(name, path, account)
            except PipIntotoError as error:
                errors.append(error)
        for each in errors:
            sys.stderr.write("\n".join(error_lines(each)) + "\n")
        if ("text", None) not in self.wanted:
            self.terminal.tell(buckets(account.counts))
        return account.exit_status or (FAILED if errors else 0)

    def _give(self, name: str, path: Path | None, account: Account) -> None:
        if path is not None:
            _write(path, self._rendered(name, account))
        elif name == "text":
            self._show(account)
        else:
            sys.stdout.write(self._rendered(name, account))

    def _show(self, account: Account) -> None:
        terminal = self.terminal
        # What could not be judged was said already, where errors are said.
        judged = replace(account, failures=())
        write(lines(judged, verbose=terminal.verbose, quiet=terminal.quiet), sys.stdout)

    def _rendered(self, name: str, account: Account) -> str:
        # Imported here for start-up time: a run has one report or two.
        if name == ATTESTATION:
            from pip_intoto.reports import attestation

            return attestation.render(account, self.signers)
        if name == "markdown":
            from pip_intoto.reports import markdown

            # Only where it is read later is known what links should begin with.
            return markdown.render(account, base=markdown.base_of(os.environ))
        return renderer(name).render(account)


def _write(path: Path, text: str) -> None:
    # Imported here for start-up time: most reports go to a terminal.
    from pip_intoto import files

    files.replace(path, text.encode())


def _named(report: str) -> tuple[str, Path]:
    name, separator, path = report.partition("=")
    if name not in _ALL or not separator or not path:
        raise CommandError(
            "--report wants a format and a file",
            expected=f"FORMAT=FILE, FORMAT one of {', '.join(_ALL)}",
            found=report,
        )
    return name, Path(path)


def _signers(args: argparse.Namespace) -> tuple[Signer, ...]:
    # Imported here for start-up time: keys and their kinds are many.
    from pip_intoto.cli.signers import Secrets, opened

    if not args.signing_keys:
        raise CommandError("an attestation is signed", expected="--signing-key KEY")
    return opened(args.signing_keys, (), None, Secrets.of(args))
