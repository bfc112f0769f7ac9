"""The options that say who signs, the same for every command that signs."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from getpass import GetPassWarning, getpass
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.cli import add_password_options
from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.keys.signers import open_signer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from pip_intoto.maintainer.keys.signing import Signer


def add_signer_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--signing-key`` and ``--gpg``, which may be given again, and what they may need."""
    parser.add_argument(
        "--signing-key",
        dest="signing_keys",
        metavar="KEY",
        action="append",
        default=[],
        help="who signs: a private key in PEM, or the URI of one that lies elsewhere, such as hsm:,"
        " awskms:, gcpkms:, azurekms:, hv: or gnupg:",
    )
    parser.add_argument(
        "-g",
        "--gpg",
        dest="gpg",
        metavar="ID",
        nargs="?",
        action="append",
        const="",
        default=[],
        help="sign with this key of GnuPG's, without ID with its default key",
    )
    add_gpg_home(parser)
    add_password_options(parser)


def add_gpg_home(parser: argparse.ArgumentParser) -> None:
    """Add ``--gpg-home``."""
    parser.add_argument(
        "--gpg-home", metavar="DIR", help="where GnuPG's keys are (default: its own directory)"
    )


def signers_of(args: argparse.Namespace) -> tuple[Signer, ...]:
    """Open what the options name, at least one. Raises CommandError."""
    signers = opened(args.signing_keys, args.gpg, args.gpg_home, Secrets.of(args))
    if not signers:
        raise CommandError(
            "nobody signs",
            expected="--signing-key KEY, or --gpg",
            advice="`pip-intoto keygen PATH` makes a key.",
        )
    return signers


def opened(
    keys: Iterable[str], users: Iterable[str], home: str | None, secrets: Secrets
) -> tuple[Signer, ...]:
    """Open ``keys``, files and URIs, and those of GnuPG's ``users`` ("" for its default key).

    Raises CommandError.
    """
    signers = [open_signer(key, secrets) for key in keys]
    for user in users:
        # Imported here for start-up time: most keys are not OpenPGP keys.
        from pip_intoto.maintainer.keys.openpgp_signers import OpenPGPSigner

        signers.append(OpenPGPSigner(user, home))
    return tuple(signers)


def signer_of(args: argparse.Namespace) -> Signer:
    """Open the one that the options name. Raises CommandError when they name several."""
    count = len(args.signing_keys) + len(args.gpg)
    if count > 1:
        raise CommandError("links are signed by one key each", found=f"{count} keys")
    return signers_of(args)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Gives passwords and PINs: the one that the options give, else whatever somebody types."""

    given: str = ""
    #: Asked for even if standard input is no terminal.
    prompts: bool = False

    @classmethod
    def of(cls, args: argparse.Namespace) -> Secrets:
        """As the options ask for. Raises CommandError when they contradict each other."""
        if args.password is not None and args.password_file is not None:
            raise CommandError("there are two passwords", expected="-P, or --password-file")
        if args.password_file is not None:
            return cls(given=_first_line(Path(args.password_file)))
        return cls(given=args.password or "", prompts=args.password == "")

    def __call__(self, what: str) -> str:
        """Give the secret called ``what``. Raises CommandError where nobody can be asked."""
        if self.given:
            return self.given
        if not (self.prompts or sys.stdin.isatty()):
            raise CommandError(
                f"the {what} is needed, and there is no terminal to ask for it",
                expected="--password-file FILE, or -P PASSWORD",
            )
        return prompt(f"{what[0].upper()}{what[1:]}: ")


def prompt(text: str) -> str:
    """Ask on the terminal, without showing the answer. Raises CommandError without a terminal."""
    try:
        with warnings.catch_warnings():
            # Where it cannot hide what is typed, getpass warns and asks all the same.
            warnings.simplefilter("error", GetPassWarning)
            return getpass(text)
    except (GetPassWarning, EOFError, OSError):
        raise CommandError(
            "there is no terminal to ask for a password",
            expected="--password-file FILE, or -P PASSWORD",
        ) from None


def _first_line(path: Path) -> str:
    try:
        line = files.read(path, DEFAULT.key_bytes).decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        line = ""
    if not line:
        raise CommandError(f"{path} has no password in its first line", expected="text in UTF-8")
    return line
