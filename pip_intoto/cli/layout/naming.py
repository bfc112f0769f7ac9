"""How the commands around a layout are told whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.maintainer.keys.key_files import read_public
from pip_intoto.maintainer.layouts.owners import OwnerKey

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable


def add_owner_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--owner``, which may be given again."""
    parser.add_argument(
        "--owner",
        dest="owners",
        metavar="KEY",
        action="append",
        default=[],
        help="public key of somebody who signs the layout: FILE, or NAME=FILE; again for each"
        " owner (default: those of the source)",
    )


def owner_keys(references: Iterable[str]) -> tuple[OwnerKey, ...]:
    """Read the keys that the option names. Raises CommandError."""
    keys = []
    for reference in references:
        name, is_named, file = reference.partition("=")
        path = Path(file if is_named else reference)
        name = name if is_named else path.stem
        keys.append(OwnerKey(name=name, key=read_public(path), principal=name, path=path))
    return tuple(keys)
