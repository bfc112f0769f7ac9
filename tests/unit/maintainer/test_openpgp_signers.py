"""Signatures of a real GnuPG, and packets that no GnuPG makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from fixtures import gnupg
from fixtures.openpgp import OpenPGPKey
from pip_intoto import gnupg as gpg
from pip_intoto.errors import CommandError, MetadataMalformed
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.keys.openpgp_signers import OpenPGPSigner, read_signature
from pip_intoto.verification.signatures import Keyring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_gnupg = pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
HEADERS = OpenPGPKey(name="owner").headers()


@pytest.fixture(scope="module")
def ring() -> Iterator[gnupg.Keyring]:
    with gnupg.keyring() as ring:
        yield ring


# --- GnuPG ----------------------------------------------------------------------------------------


@needs_gnupg
@pytest.mark.accepts("K6")
@pytest.mark.parametrize("form", list(Envelope), ids=lambda form: form.value)
@pytest.mark.parametrize("algorithm", gnupg.ALGORITHMS)
def test_K6_what_gnupg_signs_verifies(ring: gnupg.Keyring, algorithm: str, form: Envelope) -> None:
    master = ring.key(f"{algorithm} {form.value}", algorithm, expires="1y")
    signer = OpenPGPSigner(master, str(ring.home))
    content = authoring.sign(authoring.link("build"), [signer], form)
    document = documents.of(content)
    assert document.keyids == (master,) == (signer.keyid,)
    assert [s.key for s in Keyring([signer.public_key]).signings(document.envelope)] == [
        signer.public_key
    ]


@needs_gnupg
@pytest.mark.accepts("K6")
def test_K6_a_subkey_signs_for_its_master_and_is_named(ring: gnupg.Keyring) -> None:
    master = ring.key("with a subkey", "rsa2048", usage="cert,sign")
    subkey = ring.subkey(master, "rsa2048")
    home = str(ring.home)
    # Named by its fingerprint, by its address, or not at all: before anything was signed, too.
    for user in (master, subkey, "with a subkey@example.org"):
        assert OpenPGPSigner(user, home).keyid == subkey
    signer = OpenPGPSigner(master, home)
    assert (signer.public_key.keyid, signer.public_key.subkeys) == (subkey, ())
    assert gpg.master_of(subkey, home) == master
    whole = gpg.public_key(master, home)
    assert [each.keyid for each in whole.subkeys] == [subkey]
    document = documents.of(authoring.sign(authoring.link("build"), [signer]))
    for key in (signer.public_key, whole):
        (signing,) = Keyring([key]).signings(document.envelope)
        assert signing.signer.keyid == subkey


@needs_gnupg
def test_the_ids_of_no_key_of_a_stranger_and_of_one_that_cannot_sign(ring: gnupg.Keyring) -> None:
    home = str(ring.home)
    master = ring.key("encrypts", "rsa2048", usage="cert,sign")
    encrypting = ring.subkey(master, "rsa2048", usage="encr")
    with pytest.raises(CommandError, match="a subkey that cannot sign"):
        gpg.public_key(encrypting, home)
    with pytest.raises(CommandError, match="not the fingerprint"):
        gpg.public_key("alice@example.org", home)
    with pytest.raises(CommandError, match="GnuPG does not sign with stranger") as caught:
        OpenPGPSigner("stranger@example.org", home).signature(b"data")
    assert "No secret key" in caught.value.found
    assert "[GNUPG:]" not in caught.value.found
    # What looks like an option is none.
    with pytest.raises(CommandError, match="does not sign with --version"):
        OpenPGPSigner("--version", home).signature(b"data")


@needs_gnupg
def test_a_directory_of_keys_may_have_any_name(ring: gnupg.Keyring, tmp_path: Path) -> None:
    keyid = ring.key("somewhere else", "ed25519")
    link = tmp_path / "it's a home; of keys"
    link.symlink_to(ring.home)
    assert OpenPGPSigner(keyid, str(link)).signature(b"data").keyid == keyid


@needs_gnupg
def test_a_key_that_in_toto_has_no_word_for_is_refused(ring: gnupg.Keyring) -> None:
    keyid = ring.key("nist", "nistp256")
    with pytest.raises(CommandError, match="signatures that in-toto cannot use") as caught:
        OpenPGPSigner(keyid, str(ring.home)).signature(b"data")
    assert "ed25519" in caught.value.expected


# --- packets --------------------------------------------------------------------------------------


def number(value: bytes) -> bytes:
    """A multiprecision integer, as OpenPGP writes it."""
    integer = int.from_bytes(value, "big")
    size = integer.bit_length()
    return size.to_bytes(2, "big") + integer.to_bytes((size + 7) // 8, "big")


def packet(body: bytes, *, new: bool = False) -> bytes:
    if not new:
        return b"\x89" + len(body).to_bytes(2, "big") + body
    if len(body) < 192:
        return b"\xc2" + bytes([len(body)]) + body
    length = len(body) - 192
    return b"\xc2" + bytes([192 + (length >> 8), length & 0xFF]) + body


def body(*numbers: bytes, headers: bytes = HEADERS, unhashed: bytes = b"") -> bytes:
    joined = b"".join(map(number, numbers))
    return headers + len(unhashed).to_bytes(2, "big") + unhashed + b"\xab\xcd" + joined


@pytest.mark.parametrize("new", [False, True], ids=["old format", "new format"])
def test_zeros_that_openpgp_leaves_out_come_back(new: bool) -> None:
    first, second = b"\0\0" + b"\x11" * 30, b"\0" + b"\x22" * 31
    for unhashed in (b"", bytes(200)):
        headers, value = read_signature(packet(body(first, second, unhashed=unhashed), new=new))
        assert headers == HEADERS
        assert value == first + second


def test_rsa_has_one_number_and_dsa_two() -> None:
    rsa, dsa = (HEADERS[:2] + bytes([kind]) + HEADERS[3:] for kind in (1, 17))
    assert read_signature(packet(body(b"\x12" * 256, headers=rsa))) == (rsa, b"\x12" * 256)
    headers, value = read_signature(packet(body(b"\x12" * 32, b"\x13" * 32, headers=dsa)))
    assert headers == dsa
    assert decode_dss_signature(value) == (int("12" * 32, 16), int("13" * 32, 16))


@pytest.mark.parametrize(
    "broken",
    [
        packet(body(b"\x11" * 32))[:-1],
        packet(body(b"\x11" * 32, b"\x22" * 32)) + b"x",
        packet(body(b"\x11" * 32, b"\x22" * 32)[:-1]),
        packet(body(b"\x11" * 32)),
        packet(body(b"\x11" * 32, b"\x22" * 32, b"\x33" * 32)),
        b"\x99" + packet(body(b"\x11" * 32, b"\x22" * 32))[1:],
        b"",
    ],
    ids=["cut", "more behind", "short number", "one", "three", "no signature", "nothing"],
)
def test_a_packet_that_is_not_one_signature_is_none(broken: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        read_signature(broken)


@pytest.mark.rejects("K6")
@pytest.mark.parametrize("at", [0, 1, 2, 3], ids=["version", "type", "algorithm", "hash"])
def test_K6_what_no_verifier_takes_is_not_made(at: int) -> None:
    headers = HEADERS[:at] + bytes([99]) + HEADERS[at + 1 :]
    with pytest.raises(MetadataMalformed, match="not supported"):
        read_signature(packet(body(b"\x11" * 32, b"\x22" * 32, headers=headers)))
