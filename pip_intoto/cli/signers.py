"""The options that say who signs, the same for every command that signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.signing import open_signer

if TYPE_CHECKING:
    import argparse

    from pip_intoto.maintainer.signing import Signer


def add_signer_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--signing-key``, which may be given again."""
    parser.add_argument(
        "--signing-key",
        dest="signing_keys",
        metavar="KEY",
        action="append",
        default=[],
        help="who signs: a private key in PEM, or the URI of one that lies elsewhere",
    )


def signers_of(args: argparse.Namespace) -> tuple[Signer, ...]:
    """Open what the options name, at least one. Raises CommandError."""
    signers = tuple(open_signer(reference) for reference in args.signing_keys)
    if not signers:
        raise CommandError("nobody signs", expected="--signing-key")
    return signers


def signer_of(args: argparse.Namespace) -> Signer:
    """Open the one that the options name. Raises CommandError when they name several."""
    signers = signers_of(args)
    if len(signers) > 1:
        raise CommandError("links are signed by one key each", found=f"{len(signers)} keys")
    return signers[0]
