"""``pip-intoto verify``: against the policy, or plainly against a layout and its keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import FAILED, add_policy_options
from pip_intoto.cli.outcomes import exit_status, summary_line
from pip_intoto.cli.terminal import Terminal, error_lines, printable
from pip_intoto.errors import CommandError, EvidenceInvalid, NothingVerified
from pip_intoto.verdict import Action

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.verdict import Verdict

HELP = "verify files, wheelhouses and releases"
EXAMPLES = """
  pip-intoto verify dist/demo-1.0-py3-none-any.whl
  pip-intoto verify wheelhouse/ --policy ci/policy.toml
  pip-intoto verify demo==1.0 --index-url https://pypi.acme.example/simple/
  pip-intoto verify dist/*.whl --format json -o report.json

without a policy, as the in-toto tools do:
  pip-intoto verify --layout root.layout --layout-key alice.pub --link-dir links/ demo-1.0.tar.gz
  pip-intoto verify --layout root.layout --layout-key alice.pub --run-inspections
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``verify``."""
    parser.add_argument(
        "targets",
        metavar="TARGET",
        nargs="*",
        help="a wheel or sdist, a directory of them, or NAME==VERSION",
    )
    add_policy_options(parser)
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="of the report; default: text"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report here")
    plain = parser.add_argument_group("without a policy")
    plain.add_argument("--layout", "-l", metavar="FILE", help="the layout")
    plain.add_argument(
        "--layout-key",
        "-k",
        dest="layout_keys",
        metavar="FILE",
        action="append",
        default=[],
        help="a public key that must have signed the layout, in PEM, or an OpenPGP key in JSON;"
        " may be given again",
    )
    plain.add_argument(
        "--verification-keys",
        "--layout-keys",
        dest="layout_keys",
        metavar="FILE",
        nargs="+",
        action="extend",
        help="the same, several at once",
    )
    plain.add_argument(
        "--gpg",
        "-g",
        metavar="FINGERPRINT",
        nargs="+",
        action="extend",
        default=[],
        help="OpenPGP keys in GnuPG's keyring that must have signed the layout",
    )
    plain.add_argument(
        "--gpg-home", metavar="DIR", help="where that keyring is; default: GnuPG's own directory"
    )
    plain.add_argument(
        "--link-dir", metavar="DIR", help="where the links lie; default: the working directory"
    )
    plain.add_argument("--parameters", metavar="FILE", help="values for {NAME}, as a JSON object")
    plain.add_argument(
        "--run-inspections",
        action="store_true",
        help="run any command that the layout's inspections name",
    )


def run(args: argparse.Namespace) -> int:
    """Verify, report, and give the exit status. Raises the errors of this package."""
    terminal = Terminal.of(args)
    verdicts, failures = _plainly(args) if _is_plain(args) else _by_policy(args, terminal)
    for failure in failures:
        sys.stderr.write(printable("\n".join(error_lines(failure))) + "\n")
    if not verdicts and not failures:
        raise NothingVerified("there was nothing to verify")
    status = exit_status(verdicts)
    if failures and status == 0:
        status = FAILED
    _report(args, terminal, verdicts, status)
    return status


def _is_plain(args: argparse.Namespace) -> bool:
    """Tell the two forms apart. Raises CommandError when they are mixed."""
    needs_layout = {
        "--layout-key": args.layout_keys,
        "--gpg": args.gpg,
        "--gpg-home": args.gpg_home,
        "--link-dir": args.link_dir,
        "--parameters": args.parameters,
        "--run-inspections": args.run_inspections,
    }
    needs_policy = {
        "--policy": args.policy,
        "--index-url": args.index_url,
        "--offline": args.offline,
    }
    plain = args.layout is not None
    for option, value in (needs_policy if plain else needs_layout).items():
        if value:
            raise CommandError(
                f"{option} {'cannot be used with --layout' if plain else 'needs --layout'}",
                expected="either a policy, or --layout and the keys that sign it",
                found=f"--layout and {option}" if plain else f"{option} without --layout",
            )
    return plain


def _by_policy(
    args: argparse.Namespace, terminal: Terminal
) -> tuple[list[Verdict], list[CommandError]]:
    # Imported here because the other form knows no policy, which takes its time to import.
    from pip_intoto.cli.targets import Judge, expand

    if not args.targets:
        raise NothingVerified(
            "there is nothing to verify", expected="a file, a directory, or NAME==VERSION"
        )
    targets = list(expand(args.targets))
    judge = Judge.of(args)
    terminal.detail(f"policy {judge.policy.path}, {len(judge.policy.projects)} projects listed")
    verdicts: list[Verdict] = []
    failures: list[CommandError] = []
    for target in targets:
        terminal.detail(f"verifying {target}")
        try:
            verdicts.append(judge.verdict(target))
        except CommandError as error:
            failures.append(error)
    return verdicts, failures


def _plainly(args: argparse.Namespace) -> tuple[list[Verdict], list[CommandError]]:
    # Imported here because the other form does not need it.
    from pip_intoto.verifier.plain import prepare, verify_plain

    try:
        plain = prepare(
            layout=Path(args.layout),
            keys=[Path(key) for key in args.layout_keys],
            openpgp=[_master_key(keyid, args.gpg_home) for keyid in args.gpg],
            link_dir=Path(args.link_dir or "."),
            parameters=None if args.parameters is None else Path(args.parameters),
            run_inspections=args.run_inspections,
        )
    except EvidenceInvalid as error:
        raise CommandError(
            f"{args.layout} is no layout: {error}", expected=error.expected, found=error.found
        ) from error
    files: Sequence[Path | None] = [Path(target) for target in args.targets] or [None]
    return [verify_plain(plain, file) for file in files], []


def _master_key(keyid: str, home: str | None) -> PublicKey:
    # Imported here because most layouts are not signed with OpenPGP keys.
    from pip_intoto.gnupg import master_key

    return master_key(keyid, home)


def _report(
    args: argparse.Namespace, terminal: Terminal, verdicts: Sequence[Verdict], status: int
) -> None:
    if args.format == "json" or args.output:
        text = _rendered(args, verdicts, status)
        if args.output:
            try:
                Path(args.output).write_text(text, encoding="utf-8")
            except OSError as error:
                raise CommandError(
                    f"{args.output} cannot be written", found=str(error.strerror or error)
                ) from error
        else:
            sys.stdout.write(text)
    else:
        for verdict in verdicts:
            if verdict.action is not Action.PASS or not terminal.quiet:
                terminal.verdict(verdict)
    terminal.tell(summary_line(verdicts))


def _rendered(args: argparse.Namespace, verdicts: Sequence[Verdict], status: int) -> str:
    if args.format == "json":
        # Imported here because only this format needs it.
        from pip_intoto.reports import machine

        return machine.render(verdicts, exit_status=status)
    # Imported here because the terminal needs colours, and a file does not.
    from pip_intoto.cli.terminal import verdict_lines

    lines = [
        printable(line.text)
        for verdict in verdicts
        for line in verdict_lines(verdict, trace=args.verbose)
    ]
    return "\n".join(lines) + "\n"
