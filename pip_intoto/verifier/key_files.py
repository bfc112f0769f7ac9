"""Public keys that the command line names: each is a party, called by its file's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError, UnusableKey
from pip_intoto.limits import LOCAL
from pip_intoto.metadata.keys import identities, identity, load_public
from pip_intoto.verification.trust import Owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pip_intoto.metadata.keys import PublicKey


def owners(paths: Sequence[Path], openpgp: Iterable[PublicKey] = ()) -> tuple[Owner, ...]:
    """Read the keys, each of them once. Raises CommandError for what is no key, or not usable."""
    # Two files of one name are told apart by where they lie.
    names = [path.name for path in paths]
    named = [_read(path, path.name if names.count(path.name) == 1 else str(path)) for path in paths]
    named += [Owner(key, f"OpenPGP key {key.keyid}") for key in openpgp]
    found = {_identity(owner): owner for owner in named}
    # K6: keys of one family are one party, and could not both be asked for.
    known: dict[str, Owner] = {}
    for owner in found.values():
        for each in identities(owner.key):
            other = known.setdefault(each, owner)
            if other is not owner:
                raise CommandError(
                    f"{owner.principal} and {other.principal} are of one OpenPGP key",
                    expected="the master key alone, whose subkeys count for it",
                )
    return tuple(found.values())


def _read(path: Path, called: str) -> Owner:
    data = files.read(path, LOCAL.key_bytes)
    try:
        key = load_public(data, limits=LOCAL)
        identity(key)
    except UnusableKey as error:
        raise CommandError(
            f"{path} is no public key that can be used: {error}",
            expected=error.expected,
            found=error.found,
        ) from error
    return Owner(key, called)


def _identity(owner: Owner) -> str:
    try:
        return identity(owner.key)
    except UnusableKey as error:
        raise CommandError(
            f"the {owner.principal} cannot be used: {error}",
            expected=error.expected,
            found=error.found,
        ) from error
