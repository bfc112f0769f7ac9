"""``pip-intoto sign``: sign a layout or a link, or say whose signatures it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import BLOCKED, add_password_options
from pip_intoto.cli.signers import Secrets, add_gpg_home, opened
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError
from pip_intoto.maintainer import documents
from pip_intoto.maintainer.keys import key_files
from pip_intoto.maintainer.keys.signers import open_signer, scheme_of
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.link import Link
from pip_intoto.metadata.names import check_step_name, link_filename
from pip_intoto.metadata.node import Node
from pip_intoto.reports.lines import Tone
from pip_intoto.verification.signatures import Keyring
from pip_intoto.verification.wording import counted, short_keyid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pip_intoto.maintainer.documents import SignedDocument
    from pip_intoto.metadata.keys import PublicKey

HELP = "sign a layout, a link or a statement, or verify its signatures"
EXAMPLES = """
  # two keys at once; the signed layout goes to another file
  pip-intoto sign -f unsigned.layout -k alice.pem bob.pem -o root.layout

  # a second owner adds a signature, on another machine
  pip-intoto sign -f root.layout -k 'hsm:2?label=YubiKey' --append

  # with GnuPG's default key
  pip-intoto sign -f root.layout --gpg

  # a link with another key's signature, in build.<keyid prefix>.link
  pip-intoto sign -f build.2f89b927.link -k builder.pem

  # whose signatures are good?
  pip-intoto sign -f root.layout --verify -k alice.pub bob.pub

the exit status is 1 when --verify finds a key without a good signature, 2 when the command could
not do its work
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``sign``, which are those of ``in-toto-sign``."""
    parser.add_argument(
        "-f", "--file", metavar="FILE", type=Path, required=True, help="what is signed"
    )
    parser.add_argument(
        "-k",
        "--key",
        dest="keys",
        metavar="KEY",
        nargs="+",
        action="extend",
        default=[],
        help="who signs: private keys in PEM, or URIs; with --verify, public keys",
    )
    parser.add_argument(
        "-p", "--prompt", action="store_true", help="ask for the password of an encrypted key"
    )
    add_password_options(parser)
    parser.add_argument(
        "-g",
        "--gpg",
        metavar="ID",
        nargs="*",
        action="extend",
        help="sign with these keys of GnuPG's, without ID with its default key; with --verify,"
        " fingerprints",
    )
    add_gpg_home(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="where the signed document goes (default: layouts to where they were, links to"
        " <name>.<keyid prefix>.link)",
    )
    parser.add_argument(
        "-a",
        "--append",
        action="store_true",
        help="add to the signatures that a layout has, instead of replacing them",
    )
    parser.add_argument(
        "--verify", action="store_true", help="sign nothing, but verify the keys' signatures"
    )


def run(args: argparse.Namespace) -> int:
    """Sign or verify. Raises CommandError, and what :func:`documents.load` raises."""
    if not args.keys and args.gpg is None:
        raise CommandError(
            "no key was named", expected="--key KEY, or --gpg", advice="Say whose signature."
        )
    if args.verify:
        return _verify(args)
    document = documents.load(args.file)
    _check_possible(args, document)
    terminal = Terminal.of(args)
    payload = document.payload
    if isinstance(payload, Layout) and payload.expires <= datetime.now(timezone.utc):
        terminal.warn(f"the layout expired on {payload.expires:%Y-%m-%d}: nobody will accept it")
    # Without an id, --gpg means GnuPG's default key.
    users = [] if args.gpg is None else args.gpg or [""]
    signers = opened(args.keys, users, args.gpg_home, _secrets(args))
    signed = document.signed_by(signers, keep=args.append)
    path = args.output or args.file
    if args.output is None and isinstance(payload, Link):
        path = Path(link_filename(payload.name, signed.keyids[0]))
    signed.write(path)
    _tell_what_became_of(terminal, document, signed, path)
    return 0


# --- sign -------------------------------------------------------------------------------------


def _check_possible(args: argparse.Namespace, document: SignedDocument) -> None:
    """Links are filed under the one key that signed them."""
    if not isinstance(document.payload, Link):
        return
    # Without an id, --gpg means one key as well.
    count = len(args.keys) + (0 if args.gpg is None else max(1, len(args.gpg)))
    if count > 1:
        raise CommandError("links are signed by one key each", found=f"{count} keys")
    if args.append:
        raise CommandError(
            "links are signed by one key each",
            expected="a link without --append",
            advice="Another functionary signs a link of their own.",
        )
    check_step_name(Node(document.payload.name, "name"))


def _secrets(args: argparse.Namespace) -> Secrets:
    given = Secrets.of(args)
    return replace(given, prompts=given.prompts or args.prompt)


def _tell_what_became_of(
    terminal: Terminal, before: SignedDocument, after: SignedDocument, path: Path
) -> None:
    dropped = [short_keyid(keyid) for keyid in before.keyids if keyid not in after.keyids]
    if dropped:
        terminal.warn(
            f"{path} lacks {counted(len(dropped), 'signature')} that there "
            f"{'was' if len(dropped) == 1 else 'were'} before, of {', '.join(dropped)}"
            + ("" if isinstance(before.payload, Link) else "; --append keeps them")
        )
    signed_by = ", ".join(short_keyid(keyid) for keyid in after.keyids)
    terminal.tell(f"Wrote {path}, signed by {signed_by}.")


# --- verify -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A public key, as it was named."""

    name: str
    key: PublicKey


def _verify(args: argparse.Namespace) -> int:
    for is_given, option in ((args.append, "--append"), (args.output, "--output")):
        if is_given:
            raise CommandError(f"{option} is for signing", expected="--verify without it")
    if args.gpg is not None and not args.gpg:
        raise CommandError("--verify needs to know which key of GnuPG's", expected="--gpg ID")
    named = _named(args)
    document = documents.load(args.file)
    now = datetime.now(timezone.utc)
    keyring = Keyring([each.key for each in named], now=now)
    found = {
        signing.key: signing.invalid_at(now) for signing in keyring.signings(document.envelope)
    }
    terminal = Terminal.of(args)
    failed = 0
    for each in named:
        problem = found.get(each.key, _why_not(document, each.key))
        failed += bool(problem)
        key = f"{each.name}, key {short_keyid(each.key.keyid)}"
        if problem:
            terminal.report(f"{key}: {problem}", Tone.BAD)
        else:
            terminal.report(f"{key}: good signature", Tone.GOOD)
    terminal.tell(
        f"{args.file}: {len(named) - failed} of {counted(len(named), 'key')} verified, "
        f"{counted(len(document.keyids), 'signature')} in all"
    )
    return BLOCKED if failed else 0


def _named(args: argparse.Namespace) -> Sequence[_Named]:
    named = []
    for reference in args.keys:
        if scheme_of(reference):
            key = open_signer(reference, _secrets(args)).public_key
        else:
            key = key_files.read_public(Path(reference))
        named.append(_Named(name=reference, key=key))
    if args.gpg:
        # Imported here for start-up time: most keys are not OpenPGP keys.
        from pip_intoto import gnupg

        named += [
            _Named(name=f"GnuPG's {keyid}", key=gnupg.public_key(keyid, args.gpg_home))
            for keyid in args.gpg
        ]
    return named


def _why_not(document: SignedDocument, key: PublicKey) -> str:
    if document.envelope.sigstore:
        return "no signature: whoever signed this has no key, and `pip-intoto verify` says who"
    keyids = {key.keyid, *(subkey.keyid for subkey in key.subkeys)}
    if keyids.isdisjoint(document.keyids):
        return "no signature"
    return "the signature is not good: what was signed, or the key, is another"
