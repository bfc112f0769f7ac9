"""``pip-intoto layout build``: the layout that a source describes, signed by those at hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import BLOCKED
from pip_intoto.cli.layout.lint import has_errors, report
from pip_intoto.cli.layout.status import next_commands
from pip_intoto.cli.signers import add_signer_options, signers_of
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError, EvidenceInvalid
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.layout_source import DEFAULT_NAME, load_source
from pip_intoto.maintainer.layouts.lint import Severity, lint
from pip_intoto.maintainer.layouts.owners import Owners, principals_of
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.reports.lines import Tone
from pip_intoto.verification.wording import counted, short_keyid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pip_intoto.maintainer.documents import SignedDocument
    from pip_intoto.maintainer.keys.signing import Signer
    from pip_intoto.maintainer.layouts.layout_source import LayoutSource

HELP = "make the layout that a source describes, and sign it"
EXAMPLES = """
  # ./supply-chain.toml becomes root.layout
  pip-intoto layout build --signing-key ../keys/owner.pem

  # without a key the layout is not signed yet; each owner signs where their key is
  pip-intoto layout build chain.toml -o demo.layout
  pip-intoto sign -f demo.layout -a -k alice.pem
  pip-intoto layout status demo.layout --source chain.toml

the exit status is 1 when `layout lint` finds errors, and nothing was written
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``layout build``."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        type=Path,
        default=Path(DEFAULT_NAME),
        help=f"the layout source (default: {DEFAULT_NAME})",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        default=Path(ROOT_LAYOUT),
        help=f"where the layout goes (default: {ROOT_LAYOUT})",
    )
    add_signer_options(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="also where lint finds errors, or a key that signs is no owner's",
    )


def run(args: argparse.Namespace) -> int:
    """Make the layout and write it in one step. Raises the errors of this package."""
    terminal = Terminal.of(args)
    now = datetime.now(timezone.utc)
    source = load_source(args.source)
    owners = Owners.of_source(source)
    payload, layout = compile_layout(source, now=now)
    findings = lint(
        layout,
        now=now,
        project=source.project,
        owners=owners.trusted,
        principals=principals_of(source),
    )
    if has_errors(findings) and not args.force:
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        report(terminal, args.source, errors, source)
        terminal.tell("Nothing was written. --force makes the layout all the same.", Tone.BAD)
        return BLOCKED
    present = _present(args.output, force=args.force)
    signers = signers_of(args) if args.signing_keys or args.gpg else ()
    made = documents.of(authoring.sign(payload, (), source.envelope))
    is_same = present is not None and _is_same(present, made)
    if is_same and present is not None:
        # What others have signed stays signed.
        made = present
    signed = made.signed_by(signers, keep=True) if signers else made
    if signers and not args.force:
        _check_signers(signed, signers, owners, source, now)
    signed.write(args.output)
    _tell_what_changed(terminal, args.output, present, layout, is_same=is_same)
    if findings and not has_errors(findings):
        terminal.tell(f"`pip-intoto layout lint {args.source}` has {len(findings)} more to say.")
    _tell_what_is_next(terminal, args, signed, owners, now)
    return 0


def _present(path: Path, *, force: bool) -> SignedDocument | None:
    """The layout that is going to be replaced; other files are not."""
    if not path.exists():
        return None
    try:
        return documents.load_layout(path)[0]
    except (CommandError, EvidenceInvalid) as error:
        if force:
            return None
        raise CommandError(
            f"{path} is there, and is no layout",
            expected="a name that is free, or a layout to be replaced",
            found=str(error),
            advice="Choose another name with -o, or move the file away.",
        ) from None


def _is_same(present: SignedDocument, made: SignedDocument) -> bool:
    """Whether both mean the same until the same second, in the same envelope."""
    return present.form is made.form and present.payload == made.payload


def _check_signers(
    signed: SignedDocument,
    signers: Sequence[Signer],
    owners: Owners,
    source: LayoutSource,
    now: datetime,
) -> None:
    strangers = owners.standing(signed.envelope, now=now).strangers
    keyids = {signer.keyid for signer in signers}
    wrong = [keyid for keyid in strangers if keyid in keyids]
    if wrong:
        raise CommandError(
            f"the key {short_keyid(wrong[0])} is no owner's",
            expected=f"a key of {', '.join(key.name for key in owners.keys)}",
            found=wrong[0],
            advice="Name its public key in [owners], or sign with an owner's key. Consumers count"
            " no other signatures.",
            place=str(source.path),
        )


def _tell_what_changed(
    terminal: Terminal,
    path: Path,
    present: SignedDocument | None,
    layout: Layout,
    *,
    is_same: bool,
) -> None:
    until = f"{layout.expires:%Y-%m-%d}"
    steps = counted(len(layout.steps), "step")
    if present is None:
        terminal.tell(f"Wrote {path}: {steps}, valid until {until}.")
    elif is_same:
        kept = "; its signatures stay" if present.keyids else ""
        terminal.tell(f"{path} said so already, and until {until}{kept}.")
    else:
        before = present.payload
        only_expiry = (
            isinstance(before, Layout) and replace(before, expires=layout.expires) == layout
        )
        changed = f"nothing changed but the expiry, now {until}" if only_expiry else "it changed"
        gone = len(present.keyids)
        lost = f"; {counted(gone, 'signature')} of the old one fell away" if gone else ""
        terminal.tell(f"Wrote {path}: {changed}{lost}. Valid until {until}.")


def _tell_what_is_next(
    terminal: Terminal,
    args: argparse.Namespace,
    signed: SignedDocument,
    owners: Owners,
    now: datetime,
) -> None:
    standing = owners.standing(signed.envelope, now=now)
    names = ", ".join(key.name for key in standing.signed) or "nobody yet"
    terminal.tell(f"Signed by {names}; {standing.parties} of {standing.threshold} needed.")
    for line in next_commands(standing, args.output):
        terminal.tell(line)
