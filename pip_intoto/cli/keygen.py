"""``pip-intoto keygen``: make a key, or write the public part of one that is there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.cli import add_password_options
from pip_intoto.cli.signers import Secrets, add_gpg_home, prompt
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.keys import key_files, signing
from pip_intoto.maintainer.keys.signers import open_signer
from pip_intoto.maintainer.keys.signing import KeyType
from pip_intoto.metadata.keys import identity, load_public

if TYPE_CHECKING:
    import argparse

HELP = "make a key that signs layouts or links"
EXAMPLES = """
  # ../keys/owner.pem signs, ../keys/owner.pub is for everybody; a password is asked for
  pip-intoto keygen ../keys/owner

  # in a script, where nobody can be asked
  pip-intoto keygen builder --no-password
  pip-intoto keygen builder --password-file builder.password

  # another kind of key
  pip-intoto keygen owner --type ecdsa --size 384
  pip-intoto keygen owner --type ml-dsa

  # the public part of a key that lies in a file, in a hardware module, in a cloud, in GnuPG
  pip-intoto keygen owner --from owner.pem
  pip-intoto keygen owner --from 'hsm:2?label=YubiKey'
  pip-intoto keygen owner --gpg 7B3ABB26B97B655AB9296BD15B0BD02E1C768C43
"""

_SIZES = "; ".join(
    f"{kind.value}: {', '.join(map(str, sorted(sizes)))} (default: {sizes[0]})"
    for kind, sizes in signing.SIZES.items()
    if sizes
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``keygen``."""
    parser.add_argument(
        "path",
        metavar="PATH",
        type=Path,
        help="where the key goes: PATH.pem is the private part, PATH.pub the public one;"
        " a directory that is missing is made",
    )
    parser.add_argument(
        "--type",
        dest="keytype",
        choices=[kind.value for kind in KeyType],
        help="the kind of key (default: ed25519)",
    )
    parser.add_argument("--size", metavar="N", type=int, help=_SIZES)
    parser.add_argument(
        "--no-password", action="store_true", help="do not encrypt the private part"
    )
    add_password_options(
        parser,
        "encrypt the private part with this password; without PASSWORD, or on a terminal without"
        " -P, it is asked for; with --from, the password or PIN of the key",
    )
    parser.add_argument(
        "--from",
        dest="reference",
        metavar="KEY",
        help="make no key, but write PATH.pub for this one: a private key in PEM, or its URI",
    )
    parser.add_argument(
        "-g",
        "--gpg",
        metavar="ID",
        nargs="?",
        const="",
        help="the same for a key of GnuPG's, without ID its default key",
    )
    add_gpg_home(parser)


def run(args: argparse.Namespace) -> int:
    """Write a key's two files, or one. Raises CommandError."""
    terminal = Terminal.of(args)
    private, public = key_files.paths_of(args.path)
    files.check_free(public)
    if args.reference is not None or args.gpg is not None:
        _refuse_what_makes_keys(args)
        key_files.write_public(public, _public_part(args))
        _report(terminal, public)
        return 0
    files.check_free(private)
    password = _new_password(args, private)
    key = signing.generate(KeyType(args.keytype or KeyType.ED25519.value), args.size)
    key_files.write_pair(args.path, key, password=password)
    terminal.report(f"private key: {private} ({'' if password else 'not '}encrypted)")
    _report(terminal, public)
    if key_files.git_would_take(private):
        terminal.warn(f"{private} lies in a git repository that does not ignore it")
        terminal.tell(f"Move it away, or put {private.name} into .gitignore.")
    terminal.tell(
        f"Keep {private} to yourself; {public} is for everybody.\n"
        f"Next: `pip-intoto init --owner {public}` if it is the project owner's key,"
        " or --author, or --builder."
    )
    return 0


def _new_password(args: argparse.Namespace, private: Path) -> str:
    secrets = Secrets.of(args)
    if args.no_password:
        if args.password is not None or args.password_file is not None:
            raise CommandError("a password, or --no-password: not both")
        return ""
    if secrets.given:
        return secrets.given
    if not (secrets.prompts or sys.stdin.isatty()):
        raise CommandError(
            "shall the private key have a password? There is no terminal to ask on",
            expected="--password-file FILE, or --no-password",
            advice="Without a password, whoever can read the file can sign.",
        )
    password = prompt(f"Password for {private} (empty for none): ")
    if password and prompt("The same password again: ") != password:
        raise CommandError("the two passwords differ", advice="Nothing was written; try again.")
    return password


def _refuse_what_makes_keys(args: argparse.Namespace) -> None:
    if args.reference is not None and args.gpg is not None:
        raise CommandError("one key at a time", expected="--from, or --gpg")
    if args.keytype or args.size or args.no_password:
        raise CommandError(
            "--type, --size and --no-password are for new keys",
            expected="nothing of that with --from and --gpg",
        )


def _public_part(args: argparse.Namespace) -> bytes:
    # Imported here for start-up time: who makes a new key does not need it.
    from pip_intoto.maintainer.keys.openpgp_signers import OpenPGPSigner

    if args.gpg is not None:
        return OpenPGPSigner(args.gpg, args.gpg_home).exported()
    signer = open_signer(args.reference, Secrets.of(args))
    if isinstance(signer, OpenPGPSigner):
        return signer.exported()
    return key_files.to_pem(signer.public_key)


def _report(terminal: Terminal, public: Path) -> None:
    # What reaches the file is what is shown, as `trust add` will show it.
    key = load_public(files.read(public, DEFAULT.key_bytes), limits=DEFAULT)
    terminal.report(f"public key: {public}")
    terminal.report(f"key {public.stem}: {key.keytype}, sha256:{identity(key)}")
    terminal.report(f"keyid: {key.keyid}")
