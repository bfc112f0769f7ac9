"""What a command line may name a signer by, and the signers that it opens."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from securesystemslib.signer import (
    SIGNER_FOR_URI_SCHEME,
    CryptoSigner,
    SSlibKey,
    VaultSigner,
)
from securesystemslib.signer import Signer as Theirs

from fixtures import gnupg, softhsm
from pip_intoto.errors import CommandError
from pip_intoto.maintainer.keys import key_files, signing
from pip_intoto.maintainer.keys.openpgp_signers import OpenPGPSigner
from pip_intoto.maintainer.keys.signers import open_signer, scheme_of
from pip_intoto.maintainer.keys.signing import KeyType, SigningKey
from pip_intoto.metadata.envelope import Signature as Ours
from pip_intoto.verification.signatures import verify_signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from securesystemslib.signer import (
        Key,
        SecretsHandler,
        Signature,
    )

    from pip_intoto.maintainer.keys.signing import Signer

needs_softhsm = pytest.mark.skipif(bool(softhsm.missing()), reason=softhsm.missing() or "it is")
needs_gnupg = pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")


def nobody_asks(what: str) -> str:
    raise AssertionError(f"asked for the {what}")


def check_signs(signer: Signer) -> None:
    """Check that what it signs verifies, and not for other data."""
    made = signer.signature(b"data")
    assert made.keyid == signer.keyid == signer.public_key.keyid
    signature = Ours(made.keyid, made.value)
    assert verify_signature(signer.public_key, signature, b"data")
    assert not verify_signature(signer.public_key, signature, b"other data")


# --- references ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "scheme"),
    [
        ("owner.pem", ""),
        ("keys/owner.pem", ""),
        ("C:\\keys\\owner.pem", ""),
        ("hsm:2?label=x", "hsm"),
        ("azurekms://vault.vault.azure.net/keys/x", "azurekms"),
        ("file2:owner.pem", "file2"),
        ("nonsense:x", "nonsense"),
    ],
)
def test_a_uri_is_told_from_a_path(reference: str, scheme: str) -> None:
    assert scheme_of(reference) == scheme


def test_a_file_with_the_name_of_a_uri_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key = signing.generate()
    (tmp_path / "hsm:2").write_bytes(key.private_pem())
    assert open_signer("hsm:2", nobody_asks).keyid == key.keyid


def test_a_path_is_a_key_in_a_file(tmp_path: Path) -> None:
    key = signing.generate(KeyType.ECDSA)
    private, _ = key_files.write_pair(tmp_path / "owner", key, password="pw")
    signer = open_signer(str(private), lambda _: "pw")
    assert isinstance(signer, SigningKey)
    check_signs(signer)


def test_file2_is_securesystemslibs_word_for_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = signing.generate()
    private, public = key_files.write_pair(tmp_path / "owner", key)
    check_signs(open_signer(f"file2:{private}", nobody_asks))
    check_signs(open_signer(f"file2:{private}#public={public}", nobody_asks))
    monkeypatch.setenv("CRYPTO_SIGNER_PATH_PREFIX", str(tmp_path))
    assert open_signer("file2:owner.pem", nobody_asks).keyid == key.keyid
    theirs = SSlibKey.from_crypto(key.private.public_key())
    assert CryptoSigner.from_priv_key_uri("file2:owner.pem", theirs).public_key.keyid == key.keyid


def test_the_public_part_of_another_key_is_no_help(tmp_path: Path) -> None:
    private, _ = key_files.write_pair(tmp_path / "owner", signing.generate())
    _, other = key_files.write_pair(tmp_path / "other", signing.generate())
    with pytest.raises(CommandError, match="the public part of another key"):
        open_signer(f"file2:{private}#public={other}", nobody_asks)
    with pytest.raises(CommandError, match="cannot be read"):
        open_signer(f"file2:{private}#public={tmp_path / 'none.pub'}", nobody_asks)


def test_a_scheme_that_nobody_knows_is_told_those_that_are_known() -> None:
    with pytest.raises(CommandError, match="'nonsense:x' names no signing key") as caught:
        open_signer("nonsense:x", nobody_asks)
    for scheme in ("awskms", "azurekms", "file2", "gcpkms", "gnupg", "hsm", "hv", "tkey"):
        assert f"{scheme}:" in caught.value.expected


@pytest.mark.parametrize(
    ("uri", "library", "extra"),
    [
        ("awskms:alias/owner", "boto3", "awskms"),
        ("azurekms://v.vault.azure.net/keys/owner", "azure", "azurekms"),
        ("gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", "google", ""),
        ("hv:owner", "hvac", "vault"),
        ("hsm:", "pkcs11", "hsm"),
        ("tkey:?digest=7c75714", "keylet", "tkey"),
    ],
)
def test_a_library_that_is_missing_is_named_with_what_installs_it(
    uri: str, library: str, extra: str
) -> None:
    if importlib.util.find_spec(library) is not None:
        pytest.skip(f"{library} is installed here")
    with pytest.raises(CommandError, match="a library is missing") as caught:
        open_signer(uri, nobody_asks)
    assert f"pip install 'securesystemslib[{extra or 'gcpkms'}]" in caught.value.advice


# --- signers of securesystemslib's ---------------------------------------------------------------


class Elsewhere(Theirs):
    """A signer that another library registers: ``elsewhere:<how it behaves>``."""

    KEY = signing.generate()

    def __init__(self, behaviour: str, public_key: Key) -> None:
        self._behaviour = behaviour
        self._public_key = public_key

    @property
    def public_key(self) -> Key:
        return self._public_key

    @classmethod
    def from_priv_key_uri(
        cls,
        priv_key_uri: str,
        public_key: Key,
        secrets_handler: SecretsHandler | None = None,
    ) -> Elsewhere:
        behaviour = priv_key_uri.partition(":")[2]
        if behaviour == "closed":
            raise ConnectionError("no route")
        assert secrets_handler is not None
        if behaviour == "secret":
            assert secrets_handler("pin") == secrets_handler("pin") == "4711"
        return cls(behaviour, public_key)

    def sign(self, payload: bytes) -> Signature:
        if self._behaviour == "raises":
            raise TimeoutError
        return CryptoSigner(self.KEY.private).sign(payload)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Register it, and give ``#public=`` with its public key."""
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "elsewhere", Elsewhere)
    _, public = key_files.write_pair(tmp_path / "elsewhere", Elsewhere.KEY)
    return f"#public={public}"


def test_signers_that_others_register_sign_too(elsewhere: str) -> None:
    signer = open_signer(f"elsewhere:{elsewhere}", nobody_asks)
    assert signer.keyid == Elsewhere.KEY.keyid
    check_signs(signer)


def test_a_secret_is_asked_for_once(elsewhere: str) -> None:
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return "4711"

    check_signs(open_signer(f"elsewhere:secret{elsewhere}", ask))
    assert asked == ["PIN of elsewhere:secret"]


def test_a_public_key_that_cannot_be_read_from_there_has_to_be_named(elsewhere: str) -> None:
    assert elsewhere
    with pytest.raises(CommandError, match="cannot be read from there") as caught:
        open_signer("elsewhere:x", nobody_asks)
    assert caught.value.expected == "elsewhere:x#public=FILE"


def test_whatever_a_signer_raises_becomes_an_error_that_says_so(elsewhere: str) -> None:
    with pytest.raises(CommandError, match="elsewhere:closed cannot be opened") as caught:
        open_signer(f"elsewhere:closed{elsewhere}", nobody_asks)
    assert caught.value.found == "ConnectionError: no route"
    signer = open_signer(f"elsewhere:raises{elsewhere}", nobody_asks)
    with pytest.raises(CommandError, match="elsewhere:raises cannot sign") as caught:
        signer.signature(b"data")
    assert caught.value.found == "TimeoutError"


def test_who_cannot_give_a_secret_says_why_in_their_own_words(elsewhere: str) -> None:
    def nobody(what: str) -> str:
        raise CommandError(f"no terminal for the {what}")

    with pytest.raises(CommandError, match="no terminal for the PIN of elsewhere:secret"):
        open_signer(f"elsewhere:secret{elsewhere}", nobody)


def test_a_signature_of_another_key_is_never_used(elsewhere: str, tmp_path: Path) -> None:
    assert elsewhere
    _, other = key_files.write_pair(tmp_path / "other", signing.generate())
    signer = open_signer(f"elsewhere:#public={other}", nobody_asks)
    with pytest.raises(CommandError, match="signs with another key"):
        signer.signature(b"data")


def test_only_the_newest_version_of_a_key_in_a_vault_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no vault here: what securesystemslib asks it is answered in its place."""
    key = SSlibKey.from_crypto(signing.generate().private.public_key())
    monkeypatch.setattr(VaultSigner, "import_", lambda name: (f"hv:{name}/12", key))
    with pytest.raises(CommandError, match="not the newest version") as caught:
        open_signer("hv:owner/1", nobody_asks)
    assert caught.value.expected == "hv:owner/12"
    assert "hv:owner/1#public=FILE" in caught.value.advice


@pytest.mark.rejects("K2")
def test_K2_a_key_that_signs_as_nobody_would_expect_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private = signing.generate(KeyType.RSA, 2048).private
    key = SSlibKey.from_crypto(private.public_key(), scheme="rsa-pkcs1v15-sha512")
    monkeypatch.setattr(VaultSigner, "import_", lambda name: (f"hv:{name}/1", key))
    with pytest.raises(CommandError, match="a method that nobody would expect") as caught:
        open_signer("hv:owner", nobody_asks)
    assert (caught.value.expected, caught.value.found) == (
        "rsassa-pss-sha256",
        "rsa-pkcs1v15-sha512",
    )


# --- a hardware module ---------------------------------------------------------------------------


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> softhsm.Module:
    module = softhsm.module()
    for name, value in module.variables.items():
        monkeypatch.setenv(name, value)
    return module


def pin(what: str) -> str:
    assert what.startswith("PIN of hsm:")
    return softhsm.PIN


@needs_softhsm
@pytest.mark.parametrize("number", [softhsm.P256, softhsm.P384])
def test_a_hardware_module_signs_and_shows_its_public_key(
    module: softhsm.Module, number: int
) -> None:
    signer = open_signer(module.uri(number), pin)
    assert signer.public_key.scheme == f"ecdsa-sha2-nistp{256 if number == softhsm.P256 else 384}"
    check_signs(signer)


@needs_softhsm
def test_the_public_key_is_read_without_a_pin_and_with_one_where_it_is_hidden(
    module: softhsm.Module,
) -> None:
    assert open_signer(module.uri(), nobody_asks).keyid
    check_signs(open_signer(module.uri(softhsm.HIDDEN), pin))


@needs_softhsm
def test_with_the_public_key_named_the_module_is_left_alone_until_it_signs(
    module: softhsm.Module, tmp_path: Path
) -> None:
    public = tmp_path / "owner.pub"
    public.write_bytes(key_files.to_pem(open_signer(module.uri(), nobody_asks).public_key))
    check_signs(open_signer(f"{module.uri()}#public={public}", pin))


@needs_softhsm
@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("hsm:9?label=Maintainer", "could not find ECDSA key"),
        ("hsm:2?label=Nobody", "No PKCS#11 token found for label Nobody"),
        ("hsm:2", "Multiple PKCS#11 tokens"),
        ("hsm:two", "ValueError"),
        (f"hsm:{softhsm.P521}?label=Maintainer", "secp521r1 is not a supported EC curve"),
    ],
)
def test_what_the_module_lacks_is_said(module: softhsm.Module, uri: str, found: str) -> None:
    assert module.variables
    with pytest.raises(CommandError, match="cannot be opened") as caught:
        open_signer(uri, pin)
    assert found in caught.value.found


@needs_softhsm
def test_a_wrong_pin_is_said_and_not_shown(module: softhsm.Module) -> None:
    signer = open_signer(module.uri(), lambda _: "0000")
    with pytest.raises(CommandError, match="cannot sign") as caught:
        signer.signature(b"data")
    assert caught.value.found == "PinIncorrect"
    assert "0000" not in str(vars(caught.value))


@needs_softhsm
def test_the_library_of_the_module_has_to_be_named(
    module: softhsm.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYKCS11LIB")
    with pytest.raises(CommandError, match="cannot be opened") as caught:
        open_signer(module.uri(), pin)
    assert "PYKCS11LIB" in caught.value.advice


# --- GnuPG ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ring() -> Iterator[gnupg.Keyring]:
    with gnupg.keyring() as ring:
        yield ring


@needs_gnupg
def test_gnupg_by_uri(ring: gnupg.Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ring.key("first", "ed25519"), ring.key("second", "ed25519")
    public = tmp_path / "owner.json"
    public.write_bytes(OpenPGPSigner(second, str(ring.home)).exported())
    signer = open_signer(f"gnupg:{ring.home}#public={public}", nobody_asks)
    assert signer.keyid == second
    monkeypatch.setenv("GNUPGHOME", str(ring.home))
    assert open_signer("gnupg:", nobody_asks).keyid == first
