"""Who signs a project's layout: whom the source names, and who has signed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.metadata.keys import identity
from pip_intoto.verification.parties import count_parties
from pip_intoto.verification.signatures import Keyring
from pip_intoto.verification.trust import Owner
from pip_intoto.verification.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pip_intoto.maintainer.layouts.layout_source import LayoutSource
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.keys import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerKey:
    """An owner's key, what messages call it, and the file that it was read from, if any."""

    name: str
    key: PublicKey
    principal: str
    path: Path | None = None

    @property
    def private(self) -> str:
        """Where the private key may lie: ``keygen`` writes ``alice.pem`` beside ``alice.pub``."""
        path = self.path
        if path is None or path.suffix != ".pub":
            return f"{self.name}.pem"
        return str(path.with_suffix(".pem"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """The keys of those who sign a layout; ``threshold`` of the principals behind them must."""

    keys: tuple[OwnerKey, ...]
    threshold: int

    @classmethod
    def of_source(cls, source: LayoutSource) -> Owners:
        """As the source names them."""
        return cls(
            keys=tuple(
                OwnerKey(name=key.name, key=key.key, principal=key.principal, path=key.path)
                for key in source.owners
            ),
            threshold=source.threshold,
        )

    @classmethod
    def of_keys(cls, keys: Sequence[OwnerKey], threshold: int | None = None) -> Owners:
        """As a command line names them; all must sign, unless ``threshold`` says otherwise.

        Raises CommandError for a threshold that they cannot reach.
        """
        principals = len({identity(key.key) for key in keys})
        if threshold is not None and not 1 <= threshold <= principals:
            raise CommandError(
                f"{threshold} of {counted(principals, 'owner')} cannot sign",
                expected=f"--threshold 1 to {principals}",
            )
        return cls(keys=tuple(keys), threshold=principals if threshold is None else threshold)

    @property
    def trusted(self) -> tuple[Owner, ...]:
        """The same for verification."""
        return tuple(Owner(key=each.key, principal=each.principal) for each in self.keys)

    def standing(self, envelope: Envelope, *, now: datetime) -> Standing:
        """Say whose signatures on ``envelope`` are good at ``now`` (aware).

        Raises MetadataTooLarge.
        """
        keyring = Keyring((each.key for each in self.keys), now=now)
        good: dict[str, str] = {}
        pairs = []
        for signing in keyring.signings(envelope):
            owner = next(each for each in self.keys if each.key == signing.key)
            problem = signing.invalid_at(now)
            good[owner.name] = problem
            if not problem:
                pairs.append((owner.principal, signing.identity))
        return Standing(
            signed=tuple(each for each in self.keys if good.get(each.name) == ""),
            invalid={name: problem for name, problem in good.items() if problem},
            missing=tuple(each for each in self.keys if each.name not in good),
            claimed=frozenset(
                each.name
                for each in self.keys
                if each.name not in good and _names(each.key) & _claimed(envelope)
            ),
            strangers=_strangers(envelope, keyring),
            parties=count_parties(pairs),
            threshold=self.threshold,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who has signed: verified with their keys, not merely by name.

    ``claimed`` are those under whose keyid there is a signature that is not theirs, ``invalid``
    those whose OpenPGP key does not count now, and why. ``strangers`` are keyids of signatures by
    nobody known.
    """

    signed: tuple[OwnerKey, ...]
    missing: tuple[OwnerKey, ...]
    invalid: Mapping[str, str]
    claimed: frozenset[str]
    strangers: tuple[str, ...]
    parties: int
    threshold: int

    @property
    def is_complete(self) -> bool:
        """Whether enough of them have."""
        return self.parties >= self.threshold

    @property
    def wanted(self) -> tuple[OwnerKey, ...]:
        """Who could still add a party to those that have signed."""
        parties = {each.principal for each in self.signed}
        return tuple(each for each in self.missing if each.principal not in parties)


def principals_of(source: LayoutSource) -> Mapping[str, str]:
    """The parties of a source by the identities of their keys, subkeys included."""
    return {each: key.principal for key in source.keys.values() for each in key.identities}


def _names(key: PublicKey) -> set[str]:
    return {key.keyid, *(subkey.keyid for subkey in key.subkeys)}


def _claimed(envelope: Envelope) -> set[str]:
    return {signature.keyid for signature in envelope.signatures}


def _strangers(envelope: Envelope, keyring: Keyring) -> tuple[str, ...]:
    found: Iterable[str] = (
        signature.keyid
        for signature in envelope.signatures
        if not keyring.signings(replace(envelope, signatures=(signature,)))
    )
    return tuple(dict.fromkeys(found))
