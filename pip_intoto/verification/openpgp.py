"""OpenPGP signatures, which securesystemslib checks (K6).

Imported only when one is met: securesystemslib's signers take long to import.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key
from securesystemslib.signer import Signature as Theirs

from pip_intoto.metadata.keys import material
from pip_intoto.metadata.openpgp import read_numbers

if TYPE_CHECKING:
    from pip_intoto.metadata.envelope import Signature
    from pip_intoto.metadata.keys import PublicKey

_LOG = logging.getLogger(__name__)


def verifies(key: PublicKey, signature: Signature, signed: bytes) -> bool:
    """Whether the OpenPGP signature is ``key``'s over ``signed``.

    The method that its headers name must be the key's: they were checked when they were read, and
    nothing in them is by this. Neither keyids nor periods of validity are looked at. Raises
    :class:`pip_intoto.errors.UnusableKey`.
    """
    material(key)
    headers = signature.openpgp
    if headers is None:
        return False
    theirs = {
        "keytype": key.keytype,
        "scheme": key.scheme,
        "keyval": {"public": read_numbers(key.public)},
    }
    try:
        Key.from_dict(key.keyid, theirs).verify_signature(
            # The same names: theirs ignores the keyid, and no version of it shall mind.
            Theirs(key.keyid, signature.value.hex(), {"other_headers": headers.octets.hex()}),
            signed,
        )
    except UnverifiedSignatureError:
        return False
    except Exception:  # noqa: BLE001 - signatures are hostile, and which errors it lets by unknown
        _LOG.debug("securesystemslib cannot check this signature", exc_info=True)
        return False
    return True
