"""``pip-intoto layout renew``: a new expiry for the layouts that a project has published."""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import FAILED
from pip_intoto.cli.progress import progress_for
from pip_intoto.cli.signers import add_signer_options, signers_of
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError, PipIntotoError
from pip_intoto.maintainer.keys.key_files import read_public
from pip_intoto.maintainer.layouts.expiry import expiry_of, written
from pip_intoto.maintainer.layouts.layout_source import DEFAULT_NAME, load_source
from pip_intoto.maintainer.layouts.published import published
from pip_intoto.maintainer.layouts.renewal import Renewer, State
from pip_intoto.reports.lines import Tone, error_lines, printable
from pip_intoto.sources.addresses import printable as shown
from pip_intoto.verification.wording import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pip_intoto.maintainer.layouts.published import Published
    from pip_intoto.maintainer.layouts.renewal import Outcome
    from pip_intoto.metadata.keys import PublicKey

HELP = "give published layouts a new expiry, and put them back where they were"
EXAMPLES = """
  # all bundles and layouts of a project; first see what it would do
  pip-intoto layout renew --expires "6 months" --signing-key ../keys/owner.pem --dry-run public/
  pip-intoto layout renew --expires "6 months" --signing-key ../keys/owner.pem public/

  # one bundle, to the end of a day
  pip-intoto layout renew --expires 2027-12-31 --signing-key ../keys/owner.pem \\
      public/demo/demo-1.0-py3-none-any.whl.intoto.jsonl

  # the second owner, on another machine, with the date that the first one was told
  pip-intoto layout renew --expires 2027-12-31T23:59:59Z --signing-key ../keys/bob.pem \\
      --key ../keys/owner.pub public/
"""

_SHOWN = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``layout renew``."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        type=Path,
        help="bundles, layouts, and directories of them",
    )
    parser.add_argument(
        "--expires",
        metavar="WHEN",
        required=True,
        help="2027-12-31 (its end), 2027-12-31T12:00:00Z, or a period from today: 90 days,"
        " 6 months, 1 year",
    )
    add_signer_options(parser)
    parser.add_argument(
        "--key",
        dest="keys",
        metavar="FILE",
        action="append",
        type=Path,
        default=[],
        help="public key of another owner, whose signatures are to be checked; may be given"
        f" again (default: the owners in {DEFAULT_NAME})",
    )
    parser.add_argument(
        "--shorten", action="store_true", help="also where a layout would last longer as it is"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would change, no more")


def run(args: argparse.Namespace) -> int:
    """Renew, and report. Raises the errors of this package."""
    terminal = Terminal.of(args)
    now = datetime.now(timezone.utc)
    expires = expiry_of(args.expires, now=now)
    if expires <= now:
        raise CommandError(
            "a layout cannot be renewed into the past",
            expected=f"a date after {written(now)}",
            found=written(expires),
        )
    found = published(args.paths)
    renewer = Renewer(
        signers_of(args),
        expires,
        now=now,
        owners=_owners(args.keys, terminal),
        shorten=args.shorten,
        signs=not args.dry_run,
    )
    outcomes: dict[Outcome, list[Path]] = defaultdict(list)
    refused = 0
    with progress_for(terminal).task("renewing", len(found)) as advance:
        for each in found:
            try:
                outcome = _renewed(each, renewer, writes=not args.dry_run)
            except CommandError as error:
                refused += 1
                # As it happens: whoever interrupts the rest has seen it.
                print(printable("\n".join(error_lines(error))), file=sys.stderr)
            else:
                outcomes[outcome].append(each.path)
                terminal.detail(f"{each.path}: {outcome.state.value}")
            advance(1)
    for outcome, paths in outcomes.items():
        _report(terminal, outcome, paths, is_dry=args.dry_run)
    if len({outcome.digest for outcome in outcomes}) > 1:
        # An old layout, put there by somebody else, has the owner's signature as well.
        terminal.warn(
            "these are different layouts, and not only in their expiry; `pip-intoto layout diff`"
            " compares two files"
        )
    if any(outcome.missing for outcome in outcomes):
        terminal.tell(f"The others sign with --expires {written(expires)}, this very date.")
    if refused:
        terminal.tell(f"{counted(refused, 'file')} of {len(found)} stayed as they were.", Tone.BAD)
    return FAILED if refused else 0


def _renewed(each: Published, renewer: Renewer, *, writes: bool) -> Outcome:
    try:
        return each.renew(renewer, writes=writes)
    except CommandError as error:
        if str(each.path) not in str(error):
            error.place = str(each.path)
        raise


def _owners(paths: Sequence[Path], terminal: Terminal) -> dict[str, PublicKey]:
    """Public keys of the owners, by name. Raises CommandError for what cannot be read."""
    owners: dict[str, PublicKey] = {}
    source = Path(DEFAULT_NAME)
    if source.is_file():
        try:
            owners = {key.name: key.key for key in load_source(source).owners}
        except PipIntotoError as error:
            # Renewing needs no source: it only knows names and keys.
            terminal.warn(f"the owners in {source} are not known: {error}")
    return {**owners, **{path.stem: read_public(path) for path in paths}}


def _report(terminal: Terminal, outcome: Outcome, paths: Sequence[Path], *, is_dry: bool) -> None:
    what = counted(len(paths), "file")
    new = written(outcome.expires)
    if outcome.state is State.DONE:
        head = f"{what} nothing to do, expires {new}"
    elif outcome.state is State.SIGNED:
        head = f"{what} {'would be signed' if is_dry else 'signed'}, expires {new}"
    else:
        done = "would be renewed" if is_dry else "renewed"
        head = f"{what} {done}, from {written(outcome.before)} to {new}"
    tone = Tone.DOUBT if outcome.missing or outcome.unknown else Tone.GOOD
    terminal.report(f"{head} (layout {outcome.digest[:8]})", tone)
    for path in paths[:_SHOWN]:
        terminal.report(f"  {shown(str(path))}", Tone.FAINT)
    if len(paths) > _SHOWN:
        terminal.report(f"  and {len(paths) - _SHOWN} more", Tone.FAINT)
    for line in _details(outcome):
        terminal.report(f"  {line}", Tone.DOUBT)


def _details(outcome: Outcome) -> list[str]:
    lines = []
    if outcome.missing:
        lines.append(
            f"still to sign: {', '.join(outcome.missing)}; until then the old layout stays as well"
        )
    if outcome.unknown:
        lines.append(
            f"not checked: the signature of {', '.join(outcome.unknown)}, whose public key --key"
            " would give; until then the old layout stays as well"
        )
    for sublayout in outcome.sublayouts:
        ends = " before the layout does" if sublayout.expires < outcome.expires else ""
        lines.append(
            f"left alone: the sublayout for {', '.join(sublayout.steps)}, which expires"
            f"{ends} ({written(sublayout.expires)}) and is its functionary's to renew"
        )
    lines += [
        f"left alone: another layout, which expires {written(expires)}"
        for expires in outcome.others
    ]
    return lines
