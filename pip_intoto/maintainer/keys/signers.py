"""Signers by the text that a command line has for them.

That is the path of a private key in PEM, or a URI as securesystemslib writes them, with
``#public=FILE`` behind it when the public key cannot be read from where the private one lies.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.keys import key_files
from pip_intoto.metadata.keys import identity

if TYPE_CHECKING:
    from pip_intoto.maintainer.keys.signing import Secrets, Signer
    from pip_intoto.metadata.keys import PublicKey

# One letter before the colon is a drive, not a scheme.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):")
_PUBLIC = "#public="
#: securesystemslib's: what the paths of its ``file2:`` are relative to.
_PREFIX = "CRYPTO_SIGNER_PATH_PREFIX"


def open_signer(reference: str, secrets: Secrets) -> Signer:
    """Open the key that ``reference`` names; ``secrets`` is asked for passwords and PINs.

    Raises CommandError when there is no such key, or when it cannot sign in-toto metadata.
    """
    scheme = scheme_of(reference)
    if not scheme:
        return key_files.open_private(Path(reference), secrets)
    uri, _, named = reference.partition(_PUBLIC)
    public = key_files.read_public(Path(named)) if named else None
    if scheme == "file2":
        path = Path(os.environ.get(_PREFIX, ""), uri.partition(":")[2])
        signer: Signer = key_files.open_private(path, secrets)
        _check_same(reference, signer, public)
        return signer
    # Imported here for start-up time: most keys are in files.
    if scheme == "gnupg":
        from pip_intoto.maintainer.keys.openpgp_signers import OpenPGPSigner

        signer = OpenPGPSigner(public.keyid if public else "", uri.partition(":")[2] or None)
        _check_same(reference, signer, public)
        return signer
    from pip_intoto.maintainer.keys.remote_signers import open_remote

    return open_remote(uri, public, secrets)


def scheme_of(reference: str) -> str:
    """The scheme of a signer's URI; empty for the path of a file."""
    matched = _SCHEME.match(reference)
    return matched[1] if matched and not Path(reference).exists() else ""


def _check_same(reference: str, signer: Signer, public: PublicKey | None) -> None:
    if public is None:
        return
    known = {identity(public), *map(identity, public.subkeys)}
    if identity(signer.public_key) not in known:
        raise CommandError(
            f"{reference}: this is the public part of another key",
            expected=f"the key {public.keyid}",
            found=signer.keyid,
        )
