"""``pip-intoto verify``: against the policy, plainly against a layout, or by an earlier result.

What the three have in common stands here: the options, and what becomes of the verdicts. How each
comes to its verdicts stands in a module of its own.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from pip_intoto.cli import add_password_options, add_policy_options
from pip_intoto.cli.terminal import Terminal
from pip_intoto.cli.verify.reporting import Reporter, add_report_options
from pip_intoto.errors import CommandError

if TYPE_CHECKING:
    import argparse

HELP = "verify files, wheelhouses, releases, lockfiles and environments"
EXAMPLES = """
  pip-intoto verify dist/demo-1.0-py3-none-any.whl
  pip-intoto verify wheelhouse/ --policy ci/policy.toml
  pip-intoto verify demo==1.0 --index-url https://pypi.acme.example/simple/

everything that a lock pins, without downloading it:
  pip-intoto verify pylock.toml --fail-under 95
  pip-intoto verify uv.lock --report sarif=verify.sarif --report markdown=summary.md
  pip-intoto verify requirements.txt --only-changed-since origin/main --allow-unchanged
  pip-intoto verify pylock.toml --trust-diff origin/main:pylock.toml
  pip-intoto verify pylock.toml --format html -o report.html

where there is no network:
  pip-intoto verify pylock.toml --export evidence/
  pip-intoto verify pylock.toml --offline --import evidence/ --find-links wheelhouse/

what is installed, and whether it is still what was verified:
  pip-intoto verify --installed --python .venv

the result as evidence for others, signed:
  pip-intoto verify pylock.toml --format attestation --signing-key ci.pem -o result.intoto.jsonl
  pip-intoto verify wheelhouse/ --result result.intoto.jsonl --result-key ci.pub

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
        help="a wheel or sdist, a directory of them, NAME==VERSION, or a lockfile: pylock.toml,"
        " requirements.txt, uv.lock, poetry.lock, pdm.lock, Pipfile.lock",
    )
    parser.add_argument(
        "--installed",
        action="store_true",
        help="what is installed in this environment, or in that of --python",
    )
    add_policy_options(parser)
    _add_lock_options(parser.add_argument_group("lockfiles"))
    _add_evidence_options(parser.add_argument_group("evidence"))
    add_report_options(parser.add_argument_group("reports"))
    signing = parser.add_argument_group("attestations")
    signing.add_argument(
        "--signing-key",
        dest="signing_keys",
        metavar="KEY",
        action="append",
        default=[],
        help="who signs an attestation of the result: a private key in PEM, or the URI of one that"
        " lies elsewhere",
    )
    add_password_options(signing)
    _add_result_options(parser.add_argument_group("by an earlier result, instead of a policy"))
    _add_layout_options(parser.add_argument_group("by a layout, instead of a policy"))


def _add_lock_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--python",
        metavar="PYTHON",
        help="the interpreter, or the virtual environment, that a lock is read for; default: the"
        " one that runs pip-intoto",
    )
    group.add_argument(
        "--all-files",
        action="store_true",
        help="every file that a lock allows, for whatever interpreter; without it, of each project"
        " the one that would be installed",
    )
    group.add_argument(
        "--only-changed-since",
        metavar="GIT-REF",
        help="only what the lock did not have in that revision",
    )
    group.add_argument(
        "--allow-unchanged",
        action="store_true",
        help="with --only-changed-since: where nothing changed, the exit status is 0, although"
        " nothing was verified",
    )
    group.add_argument(
        "--trust-diff",
        metavar="OLD",
        help="say what changed in trust against an older lock: a file, or REVISION:PATH as in git",
    )
    group.add_argument(
        "--fail-under",
        metavar="PERCENT",
        type=_percentage,
        help="the exit status is 1 when fewer distributions are verified",
    )


def _add_evidence_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--find-links",
        metavar="DIR",
        action="append",
        default=[],
        help="where files lie that a lock pins, for layouts that look into them; again for each",
    )
    group.add_argument(
        "--export", metavar="DIR", help="write all evidence of the targets into this new directory"
    )
    group.add_argument(
        "--import",
        dest="imported",
        metavar="DIR",
        help="look into this directory, which --export wrote, before anything else",
    )
    group.add_argument(
        "--refresh", action="store_true", help="ask again for what the cache has, and decide anew"
    )
    group.add_argument("--no-cache", action="store_true", help="neither read nor write the cache")
    group.add_argument(
        "--cache-dir", metavar="DIR", help="where the cache lies; default: the user's own"
    )


def _add_result_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--result", metavar="FILE", help="an attestation that `verify --format attestation` made"
    )
    group.add_argument(
        "--result-key",
        dest="result_keys",
        metavar="FILE",
        action="append",
        default=[],
        help="a public key that must have signed it; may be given again: then all must",
    )
    group.add_argument(
        "--max-age", metavar="DAYS", type=_days, help="how old it may be; default: any age"
    )


def _add_layout_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--layout", "-l", metavar="FILE", help="the layout")
    group.add_argument(
        "--layout-key",
        "-k",
        dest="layout_keys",
        metavar="FILE",
        action="append",
        default=[],
        help="a public key that must have signed the layout, in PEM, or an OpenPGP key in JSON;"
        " may be given again",
    )
    group.add_argument(
        "--verification-keys",
        "--layout-keys",
        dest="layout_keys",
        metavar="FILE",
        nargs="+",
        action="extend",
        help="the same, several at once",
    )
    group.add_argument(
        "--gpg",
        "-g",
        metavar="FINGERPRINT",
        nargs="+",
        action="extend",
        default=[],
        help="OpenPGP keys in GnuPG's keyring that must have signed the layout",
    )
    group.add_argument(
        "--gpg-home", metavar="DIR", help="where that keyring is; default: GnuPG's own directory"
    )
    group.add_argument(
        "--link-dir", metavar="DIR", help="where the links lie; default: the working directory"
    )
    group.add_argument("--parameters", metavar="FILE", help="values for {NAME}, as a JSON object")
    group.add_argument(
        "--run-inspections",
        action="store_true",
        help="run any command that the layout's inspections name",
    )


def run(args: argparse.Namespace) -> int:
    """Verify, report, and give the exit status. Raises the errors of this package."""
    terminal = Terminal.of(args)
    check_options(args)
    # What was asked for in reports is wrong before anything is verified, or not at all.
    reporter = Reporter.of(args, terminal)
    # Imported here because each form needs much that the others do not.
    if args.layout is not None:
        from pip_intoto.cli.verify.by_layout import account
    elif args.result is not None:
        from pip_intoto.cli.verify.by_result import account
    else:
        from pip_intoto.cli.verify.by_policy import account
    return reporter.report(account(args, terminal))


#: The options that say by what is verified, with what belongs to each; the policy needs none.
_LAYOUT = ("layout_keys", "gpg", "gpg_home", "link_dir", "parameters", "run_inspections")
_RESULT = ("result_keys", "max_age")
#: What says how locks are read belongs to both that take them.
_LOCKS = ("python", "all_files")
_POLICY = (
    "policy",
    "index_url",
    "offline",
    "installed",
    "only_changed_since",
    "allow_unchanged",
    "trust_diff",
    "find_links",
    "export",
    "imported",
    "refresh",
    "no_cache",
    "cache_dir",
    "signing_keys",
)
#: Where the name of an option is not that of its value.
_SPELLED = {
    "layout_keys": "--layout-key",
    "result_keys": "--result-key",
    "signing_keys": "--signing-key",
    "imported": "--import",
}


def check_options(args: argparse.Namespace) -> None:
    """Tell the three forms apart. Raises CommandError when they are mixed."""
    by = "layout" if args.layout is not None else "result" if args.result is not None else "policy"
    if by == "layout" and args.result is not None:
        raise _mixed("--result", "cannot be used with --layout")
    foreign = {
        "layout": (("", (*_POLICY, *_LOCKS, *_RESULT)),),
        "result": (("", _POLICY), ("--layout", _LAYOUT)),
        "policy": (("--layout", _LAYOUT), ("--result", _RESULT)),
    }[by]
    for needs, names in foreign:
        for name in names:
            if _is_given(getattr(args, name)):
                why = f"needs {needs}" if needs else f"cannot be used with --{by}"
                raise _mixed(_spelled(name), why)
    if args.allow_unchanged and not args.only_changed_since:
        raise CommandError("--allow-unchanged needs --only-changed-since")
    if args.no_cache and (args.refresh or args.cache_dir):
        other = "--refresh" if args.refresh else "--cache-dir"
        raise CommandError(f"--no-cache and {other} contradict each other")


def _is_given(value: object) -> bool:
    # An age of 0 days is one, and an empty path too.
    return value is not None and value is not False and value != []


def _spelled(name: str) -> str:
    return _SPELLED.get(name) or f"--{name.replace('_', '-')}"


def _mixed(option: str, why: str) -> CommandError:
    return CommandError(
        f"{option} {why}",
        expected="either a policy, or --layout and the keys that sign it, or --result and the keys"
        " that sign it",
    )


def _percentage(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 100:  # noqa: PLR2004 - percent
        raise ArgumentTypeError(f"{text!r} is no percentage: 0 to 100")
    return value


def _days(text: str) -> int:
    # What is longer is no age of anything, and more than a date can be told from another.
    if not (text.isascii() and text.isdecimal() and len(text) <= 5):  # noqa: PLR2004 - digits
        raise ArgumentTypeError(f"{text!r} is no number of days, 0 to 99999")
    return int(text)
