"""``pip-intoto attest``: a signed statement about files, other than a link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.cli.signers import add_signer_options, signers_of
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import attesting, authoring
from pip_intoto.maintainer.evidence import evidence_files
from pip_intoto.maintainer.predicate_types import predicate_type
from pip_intoto.metadata.predicate_names import SHORT, TEST_RESULT, as_filename
from pip_intoto.reports.lines import Tone
from pip_intoto.verification.wording import counted, short_keyid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import Signer

HELP = "sign a statement about files: a test result, a summary of a verification, or any other"
EXAMPLES = """
  # the tests passed, with this configuration -> test-result.<keyid prefix>.json
  pip-intoto attest --test-result PASSED --configuration tox.ini \\
      --signing-key ../keys/ci.pem dist/demo-1.0-py3-none-any.whl

  # the same, into the evidence that ships beside each file of the release
  pip-intoto attest --test-result PASSED --signing-key ../keys/ci.pem --bundle dist/*

  # any predicate, by its URI or in short; the JSON is what somebody else's tool has made
  pip-intoto attest --predicate-type https://in-toto.io/attestation/vulns/v0.2 \\
      --predicate scan.json --signing-key ../keys/ci.pem -o scan.intoto.json dist/*.whl
  pip-intoto attest --predicate-type vsa --predicate summary.json --signing-key ../keys/ci.pem \\
      dist/demo-1.0-py3-none-any.whl

links are made by `pip-intoto run`; a layout asks for statements in the `[[step.statement]]` of
its source
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``attest``."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="what the statement is about"
    )
    parser.add_argument(
        "--predicate-type",
        metavar="TYPE",
        help=f"what kind of statement: a URI, or in short {', '.join(SHORT)}",
    )
    parser.add_argument(
        "--predicate",
        metavar="FILE.json",
        type=Path,
        help="what is stated: a JSON object",
    )
    parser.add_argument(
        "--test-result",
        metavar="|".join(attesting.RESULTS),
        choices=attesting.RESULTS,
        help="state this of tests, without --predicate-type; --predicate may say more",
    )
    parser.add_argument(
        "--configuration",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="with --test-result: what the tests were configured with; may be given again",
    )
    parser.add_argument(
        "--url", metavar="URL", default="", help="with --test-result: where to read about the run"
    )
    add_signer_options(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE|DIR",
        type=Path,
        help="where the statement goes (default: <type>.<keyid prefix>.json here, or in this"
        " directory); with --bundle, the directory of the bundles (default: that of"
        " `pip-intoto bundle`)",
    )
    parser.add_argument(
        "--bundle",
        action="store_true",
        help="add it to the evidence of each FILE, FILE.intoto.jsonl, made if need be",
    )


def run(args: argparse.Namespace) -> int:
    """Write one signed statement about all files. Raises the errors of this package."""
    terminal = Terminal.of(args)
    type_uri, predicate = _stated(args)
    subjects = attesting.described(args.files)
    signers = signers_of(args)
    content = attesting.attested(subjects, type_uri, predicate, signers)
    if predicate.get("result") == "FAILED" or predicate.get("verificationResult") == "FAILED":
        terminal.warn("this says that something failed: no layout takes it for evidence")
    if args.bundle:
        targets = _bundled(args, content)
    else:
        name = _name(type_uri, signers)
        path = args.output or Path(name)
        if path.is_dir():
            path /= name
        targets = {path: authoring.written(content)}
    for path, data in targets.items():
        files.make_folder(path.parent)
        files.replace(path, data)
    who = ", ".join(short_keyid(signer.keyid) for signer in signers)
    for path in targets:
        terminal.report(
            f"{path}: {as_filename(type_uri)} about"
            f" {counted(len(subjects), 'file')}, signed by {who}",
            Tone.GOOD,
        )
    return 0


def _stated(args: argparse.Namespace) -> tuple[str, JsonObject]:
    """Which type of predicate, and what it says."""
    about = None if args.predicate is None else attesting.read_predicate(args.predicate)
    if args.test_result is not None:
        if args.predicate_type not in (None, "test-result", TEST_RESULT):
            raise CommandError(
                "a test result is of another type",
                expected=f"--test-result alone, which is {TEST_RESULT}",
                found=f"--predicate-type {args.predicate_type}",
            )
        return TEST_RESULT, attesting.result_of_tests(
            args.test_result, configuration=args.configuration, url=args.url, about=about
        )
    for option, value in (("--configuration", args.configuration), ("--url", args.url)):
        if value:
            raise CommandError(
                f"{option} belongs to a test result", expected="--test-result besides"
            )
    if args.predicate_type is None or about is None:
        raise CommandError(
            "nobody says what is to be stated",
            expected="--predicate-type TYPE and --predicate FILE.json, or --test-result PASSED",
        )
    return predicate_type(args.predicate_type), about


def _name(type_uri: str, signers: Sequence[Signer]) -> str:
    return f"{as_filename(type_uri)}.{signers[0].keyid[:8]}.json"


def _bundled(args: argparse.Namespace, content: JsonObject) -> Mapping[Path, bytes]:
    """What each bundle will hold, none of them written yet."""
    made: dict[Path, bytes] = {}
    for file in args.files:
        folder = args.output or evidence_files.find_folder(file, None)
        path = folder / evidence_files.bundle_name(file.name)
        present = files.read(path, LOCAL.bundle_bytes) if path.exists() else b""
        made[path] = attesting.with_line(present, content, str(path))
    return made
