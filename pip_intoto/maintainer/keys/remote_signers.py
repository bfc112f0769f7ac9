"""Keys that never leave where they are: hardware modules and clouds, through securesystemslib.

Its signers take their time to import, and each needs a library of its own. Every signature is
checked before it is used: whoever names the wrong public key learns it now, and not when somebody
cannot verify a release.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import (
    SIGNER_FOR_URI_SCHEME,
    AWSSigner,
    AzureSigner,
    GCPSigner,
    HSMSigner,
    Key,
    VaultSigner,
)
from securesystemslib.signer import Signer as Theirs

from pip_intoto.errors import CommandError, PipIntotoError, UnusableKey
from pip_intoto.maintainer.keys.signing import Made
from pip_intoto.metadata.envelope import Signature
from pip_intoto.metadata.keys import PublicKey as Public
from pip_intoto.metadata.keys import default_keyid, identity, load_pem
from pip_intoto.verification.signatures import verify_signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult

    from pip_intoto.maintainer.keys.signing import Secrets

#: What brings the library that a signer needs.
_EXTRAS = {
    "hsm": "hsm",
    "awskms": "awskms",
    "gcpkms": "gcpkms",
    "azurekms": "azurekms",
    "hv": "vault",
    "tkey": "tkey",
}
_ADVICE = {
    "hsm": "PYKCS11LIB must name the PKCS #11 library of the module; versions of securesystemslib"
    " before 1.6 lack what is needed here.",
    "awskms": "The credentials are those of the AWS command line and of boto3.",
    "gcpkms": "The credentials are Google's application default credentials.",
    "azurekms": "The credentials are those that azure-identity finds, such as `az login`.",
    "hv": "VAULT_ADDR and VAULT_TOKEN say where the vault is and who asks.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSigner:
    """A key that a securesystemslib URI names."""

    uri: str
    public_key: Public
    _signer: Theirs = field(repr=False)

    @property
    def keyid(self) -> str:
        """The id that its public part has in PEM."""
        return self.public_key.keyid

    def signature(self, data: bytes) -> Made:
        """Sign *data* where the key lies, and check what comes back. Raises CommandError."""
        try:
            value = bytes.fromhex(self._signer.sign(data).signature)
        except PipIntotoError:
            raise
        except Exception as error:
            raise _failed(self.uri, "cannot sign", error) from error
        if not verify_signature(self.public_key, Signature(self.keyid, value), data):
            raise CommandError(
                f"{self.uri} signs with another key than the public one that was named",
                expected=f"signatures of the key {self.keyid}",
                advice="Name the right one: URI#public=FILE.",
            )
        return Made(keyid=self.keyid, value=value)


def open_remote(uri: str, public: Public | None, secrets: Secrets) -> RemoteSigner:
    """Open the key that ``uri`` names; without ``public``, its public part is read from there.

    Raises CommandError.
    """
    scheme = urlsplit(uri).scheme
    if scheme not in SIGNER_FOR_URI_SCHEME:
        raise CommandError(
            f"{uri!r} names no signing key",
            expected="a file that exists, or a URI that begins with one of "
            + ", ".join(f"{known}:" for known in sorted(SIGNER_FOR_URI_SCHEME)),
        )

    # Somebody who signs many documents types a PIN once.
    @functools.cache
    def ask(what: str) -> str:
        return secrets(f"{what.upper() if what == 'pin' else what} of {uri}")

    try:
        if public is None:
            uri, public = _read_public(uri, ask)
        theirs = Key.from_dict(
            public.keyid,
            {
                "keytype": public.keytype,
                "scheme": public.scheme,
                "keyval": {"public": public.public},
            },
        )
        signer = Theirs.from_priv_key_uri(uri, theirs, ask)
    except PipIntotoError:
        raise
    except Exception as error:
        raise _failed(uri, "cannot be opened", error) from error
    return RemoteSigner(uri=uri, public_key=public, _signer=signer)


# --- public keys ------------------------------------------------------------------------------


def _read_public(uri: str, ask: Secrets) -> tuple[str, Public]:
    """Ask for the public part where the private one lies; the URI may become more precise."""
    parts = urlsplit(uri)
    reader = _READERS.get(parts.scheme)
    if reader is None:
        raise CommandError(
            f"the public key of {uri} cannot be read from there", expected=f"{uri}#public=FILE"
        )
    precise, theirs = reader(parts, ask)
    value = theirs.keyval["public"]
    try:
        # Read anew: a key is spelled in one way only, so that everybody gives it the same keyid.
        key = load_pem(value.encode()) if "-----BEGIN" in value else _raw(theirs, value)
        identity(key)
    except UnusableKey as error:
        raise CommandError(
            f"{uri}: this key cannot sign: {error}", expected=error.expected, found=error.found
        ) from None
    if key.scheme != theirs.scheme:
        raise CommandError(
            f"{uri} signs by a method that nobody would expect of its public key",
            expected=key.scheme,
            found=theirs.scheme,
            advice="Make another key: ECDSA on P-256, or RSA with PSS and SHA-256.",
        )
    return precise, key


def _raw(theirs: Key, value: str) -> Public:
    return Public(
        keyid=default_keyid(theirs.keytype, theirs.scheme, value),
        keytype=theirs.keytype,
        scheme=theirs.scheme,
        public=value,
    )


def _of_hsm(parts: SplitResult, ask: Secrets) -> tuple[str, Key]:
    number = int(parts.path) if parts.path else None
    return HSMSigner.import_(number, dict(parse_qsl(parts.query)).get("label"), ask)


def _of_aws(parts: SplitResult, _: Secrets) -> tuple[str, Key]:
    return AWSSigner.import_(parts.path)


def _of_gcp(parts: SplitResult, _: Secrets) -> tuple[str, Key]:
    return GCPSigner.import_(parts.path)


def _of_azure(parts: SplitResult, _: Secrets) -> tuple[str, Key]:
    # azurekms://<vault>.vault.azure.net/keys/<name>[/<version>]
    _root, _keys, name, *version = parts.path.split("/")
    found, key = AzureSigner.import_(parts.netloc.partition(".")[0], name)
    return _of_version(parts, found, key, is_said=any(version))


def _of_vault(parts: SplitResult, _: Secrets) -> tuple[str, Key]:
    # hv:<name>[/<version>]
    name, _slash, version = parts.path.partition("/")
    found, key = VaultSigner.import_(name)
    return _of_version(parts, found, key, is_said=bool(version))


def _of_tkey(parts: SplitResult, ask: Secrets) -> tuple[str, Key]:
    # Older versions do not have it, and are not asked: its scheme is unknown to them.
    from securesystemslib.signer import TKeySigner

    query = dict(parse_qsl(parts.query))
    passphrase = ask("passphrase") if query.get("passphrase", "").lower() == "true" else None
    device = parts.path if parts.path != "/" else ""
    return TKeySigner.import_(query.get("digest"), device or None, passphrase)


def _of_version(parts: SplitResult, found: str, key: Key, *, is_said: bool) -> tuple[str, Key]:
    """Their signers show the newest version of a key, whichever one was asked for."""
    if is_said and found != parts.geturl():
        raise CommandError(
            f"{parts.geturl()} is not the newest version of this key, and no other can be read",
            expected=found,
            advice=f"Name that one, or the public key as well: {parts.geturl()}#public=FILE.",
        )
    return found, key


_READERS: dict[str, Callable[[SplitResult, Secrets], tuple[str, Key]]] = {
    "hsm": _of_hsm,
    "awskms": _of_aws,
    "gcpkms": _of_gcp,
    "azurekms": _of_azure,
    "hv": _of_vault,
    "tkey": _of_tkey,
}


# --- failures -----------------------------------------------------------------------------------


def _failed(uri: str, what: str, error: Exception) -> CommandError:
    scheme = uri.partition(":")[0]
    extra = _EXTRAS.get(scheme)
    if isinstance(error, UnsupportedLibraryError) and extra:
        return CommandError(
            f"{uri} {what}: a library is missing",
            found=str(error),
            advice=f"pip install 'securesystemslib[{extra}]>=1.6'",
        )
    kind = type(error).__name__
    return CommandError(
        f"{uri} {what}",
        found=f"{kind}: {error}" if str(error) else kind,
        advice=_ADVICE.get(scheme, ""),
    )
