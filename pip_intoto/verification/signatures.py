"""Which keys signed an envelope (E6, E7, K4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.limits import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.envelope import Envelope, Signature
    from pip_intoto.metadata.keys import PublicKey


def verify_signature(key: PublicKey, signature: Signature, signed: bytes) -> bool:
    """Whether ``signature`` is ``key``'s over ``signed``; the keyid is not looked at.

    Raises :class:`pip_intoto.errors.UnusableKey` when no signature could ever verify with it.
    """
    raise NotImplementedError


def signers(
    envelope: Envelope, keys: Iterable[PublicKey], *, limits: Limits = DEFAULT
) -> tuple[PublicKey, ...]:
    """Every one of ``keys`` that has a verifying signature on ``envelope``, in the given order.

    Unusable keys are skipped. Keys of equal material are all returned: who counts them counts
    :func:`pip_intoto.metadata.keys.identity`. Raises
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    raise NotImplementedError
