"""K6: OpenPGP keys and the headers of their signatures."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from fixtures import gnupg
from fixtures.keys import key
from fixtures.openpgp import CREATED, YEAR, OpenPGPKey
from pip_intoto.errors import MetadataMalformed, UnusableKey
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import openpgp
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.keys import (
    PublicKey,
    identities,
    identity,
    load_pem,
    load_public,
    parse_key,
)
from pip_intoto.metadata.node import Node

if TYPE_CHECKING:
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue

MASTER = OpenPGPKey(
    name="pgp-master",
    validity=2 * YEAR,
    subkeys=(OpenPGPKey(name="pgp-one", validity=YEAR), OpenPGPKey(name="pgp-two")),
)
START = datetime.fromtimestamp(CREATED, timezone.utc)
RSA = rsa.generate_private_key(65537, 2048).public_key()


def parsed(value: JsonObject) -> PublicKey:
    return parse_key(Node(value), str(value.get("keyid", MASTER.keyid)))


def described(keytype: str, method: str, numbers: JsonValue, **changes: JsonValue) -> JsonObject:
    return {
        "keyid": "ab" * 20,
        "type": keytype,
        "method": method,
        "hashes": ["pgp+SHA2"],
        "keyval": {"public": numbers, "private": ""},
        **changes,
    }


def rsa_key(**changes: JsonValue) -> JsonObject:
    numbers = RSA.public_numbers()
    return described("rsa", "pgp+rsa-pkcsv1.5", {"n": f"{numbers.n:x}", "e": "010001"}, **changes)


# --- keys -------------------------------------------------------------------------------------


@pytest.mark.accepts("K6", "K1")
@pytest.mark.parametrize("has_inner_keyid", [True, False])
@pytest.mark.parametrize("spelling", ["type", "keytype"])
def test_K6_a_key_is_read_in_both_spellings(spelling: str, *, has_inner_keyid: bool) -> None:
    value = MASTER.described()
    if spelling == "keytype":
        value["keytype"], value["scheme"] = value.pop("type"), value.pop("method")
    if not has_inner_keyid:
        del value["keyid"]
    read = parsed(value)
    assert (read.keyid, read.keytype, read.scheme) == (MASTER.keyid, "eddsa", "pgp+eddsa-ed25519")
    assert (read.not_before, read.not_after) == (START, START + timedelta(seconds=2 * YEAR))
    assert [subkey.keyid for subkey in read.subkeys] == [each.keyid for each in MASTER.subkeys]
    assert read.subkeys[0].not_after == START + timedelta(seconds=YEAR)
    assert read.subkeys[1].not_after is None
    assert identity(read) == identity(load_pem(key("pgp-master").public_pem()))
    assert identities(read) == tuple(map(identity, (read, *read.subkeys)))


@pytest.mark.accepts("T3")
@pytest.mark.parametrize("spelled", ["{}", "00{}", "0{}"])
def test_T3_one_rsa_key_is_one_identity_as_pem_and_as_openpgp(spelled: str) -> None:
    numbers = RSA.public_numbers()
    value = described(
        "rsa", "pgp+rsa-pkcsv1.5", {"n": spelled.format(f"{numbers.n:X}"), "e": "10001"}
    )
    pem = RSA.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert identity(parsed(value)) == identity(load_pem(pem))
    assert parsed(value).public == parsed(rsa_key()).public


@pytest.mark.rejects("K6")
@pytest.mark.parametrize(
    "change",
    [
        {"type": "dsa"},
        {"type": None},
        {"keytype": "ed25519"},
        {"keyid": "x"},
        {"keyid": "cd" * 20},
        {"keyval": {}},
        {"keyval": {"public": "ab"}},
        {"keyval": {"public": {"n": "ab"}}},
        {"keyval": {"public": {"n": "", "e": "010001"}}},
        {"keyval": {"public": {"n": "0x0a", "e": "010001"}}},
        {"keyval": {"public": {"n": 5, "e": "010001"}}},
        {"creation_time": "yesterday"},
        {"creation_time": -1},
        {"creation_time": 2**32},
        {"creation_time": True},
        {"validity_period": 5},
        {"creation_time": 5, "validity_period": 2**32},
        {"subkeys": []},
        {"subkeys": {"x": {}}},
        {"subkeys": {"cd" * 20: {}}},
        {"subkeys": {"cd" * 20: key("author").public}},
        {"subkeys": {"cd" * 20: {"keytype": "ed25519", "scheme": "ed25519"}}},
        {"subkeys": {"ab" * 20: None}},
    ],
)
def test_K6_another_shape_is_refused(change: JsonObject) -> None:
    assert parsed(rsa_key()).public
    with pytest.raises(MetadataMalformed):
        parse_key(Node(rsa_key() | change), "ab" * 20)


@pytest.mark.rejects("K6")
def test_K6_a_subkey_has_no_subkeys() -> None:
    nested = OpenPGPKey(name="a", subkeys=(OpenPGPKey(name="b", subkeys=(OpenPGPKey(name="c"),)),))
    with pytest.raises(MetadataMalformed, match="no subkeys"):
        parsed(nested.described())
    for empty in ({}, nested.subkeys[0].subkeys[0].described()):
        assert not parsed(OpenPGPKey(name="b").described() | {"subkeys": {}} | empty).subkeys


@pytest.mark.rejects("K2", "K6")
@pytest.mark.parametrize(
    "numbers",
    [
        {"n": f"{(1 << 1023) + 1:x}", "e": "010001"},
        {"n": "00", "e": "010001"},
        {"n": f"{RSA.public_numbers().n:x}", "e": "00"},
        {"n": f"{RSA.public_numbers().n:x}", "e": "04"},
        {"n": "f" * 8192, "e": "010001"},
    ],
)
def test_K2_an_rsa_key_of_another_size_is_not_used(numbers: JsonValue) -> None:
    with pytest.raises(UnusableKey):
        identity(parsed(described("rsa", "pgp+rsa-pkcsv1.5", numbers)))


def dsa_key(bits: int) -> JsonObject:
    public = dsa.generate_private_key(bits).public_key().public_numbers()
    parameters = public.parameter_numbers
    numbers: JsonValue = {
        "p": f"{parameters.p:x}",
        "q": f"{parameters.q:x}",
        "g": f"{parameters.g:x}",
        "y": f"{public.y:x}",
    }
    return described("dsa", "pgp+dsa-fips-180-2", numbers)


@pytest.mark.rejects("K6")
def test_K6_a_dsa_key_of_1024_bits_is_not_used() -> None:
    with pytest.raises(UnusableKey, match="size"):
        identity(parsed(dsa_key(1024)))


@pytest.mark.accepts("K6")
def test_K6_a_dsa_key_of_2048_bits_is_used() -> None:
    assert len(identity(parsed(dsa_key(2048)))) == 64


@pytest.mark.rejects("K6")
@pytest.mark.parametrize("change", [{"y": "01"}, {"y": "00"}, {"g": "01"}, {"y": "02"}])
def test_K6_numbers_that_make_no_dsa_key_are_not_used(change: dict[str, str]) -> None:
    read = parsed(dsa_key(2048))
    numbers = openpgp.read_numbers(read.public) | change
    with pytest.raises(UnusableKey):
        openpgp.material(json.dumps(numbers))


@pytest.mark.rejects("K6")
@pytest.mark.parametrize("q", ["ab", "40" + "ab" * 32, "zz" * 32])
def test_K6_an_ed25519_key_has_32_octets(q: str) -> None:
    with pytest.raises(MetadataMalformed):
        parsed(described("eddsa", "pgp+eddsa-ed25519", {"q": q}))


@pytest.mark.accepts("K3")
@pytest.mark.rejects("K3")
def test_K3_another_method_of_openpgps_is_refused_only_when_used() -> None:
    for value in (
        {"type": "ecdsa", "method": "pgp+ecdsa-nistp256"},
        {"scheme": "pgp+", "type": ""},
    ):
        read = parse_key(Node(cast("JsonValue", value)), "ab" * 20)
        with pytest.raises(UnusableKey, match="not supported"):
            identity(read)
    with_subkey = MASTER.described() | {"subkeys": {"cd" * 20: {"type": "x", "method": "pgp+x"}}}
    read = parsed(with_subkey)
    assert identities(read) == (identity(read),)


@pytest.mark.rejects("K3")
def test_K3_numbers_are_only_read_of_openpgp_keys() -> None:
    numbers = parsed(MASTER.described()).public
    for scheme in ("ed25519", "rsassa-pss-sha256"):
        for keytype in ("ed25519", "rsa", "eddsa"):
            with pytest.raises(UnusableKey):
                identity(PublicKey(keyid="ab" * 20, keytype=keytype, scheme=scheme, public=numbers))


@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
def test_K6_validity_begins_and_ends() -> None:
    read = parsed(MASTER.described())
    end = START + timedelta(seconds=2 * YEAR)
    for now, reason in (
        (START - timedelta(seconds=1), "is not valid before 2024-01-01"),
        (START, ""),
        (end, ""),
        (end + timedelta(seconds=1), "expired on 2025-12-31"),
    ):
        assert read.invalid_at(now) == reason
    # RFC 4880, 5.2.3.6: "If this … has a value of zero, the key never expires."
    for_ever = parsed(MASTER.described() | {"validity_period": 0})
    assert for_ever.invalid_at(end + timedelta(days=365_000)) == ""
    latest = parsed(rsa_key(creation_time=2**32 - 1, validity_period=2**32 - 1))
    assert latest.not_after is not None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("0aF", max_size=66) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["n", "e", "q", "ab" * 20, "keyid", "public"]), inner)
        ),
        max_leaves=5,
    ),
    st.sampled_from(
        ["type", "keyval", "subkeys", "keyid", "creation_time", "validity_period", "method", "n"]
    ),
    st.sampled_from([MASTER.described(), rsa_key()]),
)
def test_K6_any_key_object_is_read_or_refused(
    value: JsonValue, member: str, known: JsonObject
) -> None:
    changed: JsonObject = known | {member: value}
    if member == "n":
        changed = rsa_key(keyval={"public": {"n": value, "e": value}})
    try:
        read = parse_key(Node(changed), str(known["keyid"]))
        own = identity(read)
    except (MetadataMalformed, UnusableKey):
        return
    assert identities(read)[0] == own


# --- files ------------------------------------------------------------------------------------


@pytest.mark.accepts("K6")
def test_K6_a_key_file_is_json_or_pem() -> None:
    content = json.dumps(MASTER.described()).encode()
    assert load_public(content, limits=DEFAULT) == parsed(MASTER.described())
    pem = key("owner").public_pem()
    assert load_public(pem, limits=DEFAULT) == load_pem(pem)


@pytest.mark.rejects("K6")
@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{}",
        b'{"keyid": 5}',
        b'{"keyid": "abababab"}',
        b'{"keyid": "abababab", "keyid": "cdcdcdcd"}',
        json.dumps(rsa_key(keyval={"public": {"n": "ab"}})).encode(),
        json.dumps(rsa_key(keyval={"public": {"n": "ab", "e": "03"}, "private": "ab"})).encode(),
        json.dumps({"keyid": "ab" * 32, "keytype": "ed25519", "scheme": "ed25519"}).encode(),
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEaSB\n-----END PGP PUBLIC KEY BLOCK-----\n",
    ],
)
def test_K6_a_file_with_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(UnusableKey):
        load_public(content, limits=DEFAULT)


# --- headers ------------------------------------------------------------------------------------


def headers(octets: bytes) -> openpgp.Headers:
    return openpgp.headers(Node(octets.hex()), DEFAULT)


@pytest.mark.accepts("K6")
def test_K6_headers_say_method_and_times() -> None:
    read = headers(MASTER.headers())
    assert (read.method, read.created, read.expires) == ("pgp+eddsa-ed25519", START, None)
    assert read.octets == MASTER.headers()
    # A subpacket that may be ignored, a long one, and one about the issuer that may not.
    more = (b"\x14note", b"\x1c" + b"x" * 150, b"\x90" + bytes(8))
    assert headers(MASTER.headers(*more)).method == "pgp+eddsa-ed25519"
    day = headers(MASTER.headers(b"\x83" + (86_400).to_bytes(4, "big")))
    assert day.expires == START + timedelta(days=1)
    assert headers(MASTER.headers(b"\x03" + bytes(4))).expires is None
    for length in (b"\xc0\x08", b"\xff\x00\x00\x00\xc8"):
        long = length + b"\x14" + b"x" * 199
        octets = MASTER.headers() + long
        octets = octets[:4] + (len(octets) - 6).to_bytes(2, "big") + octets[6:]
        assert headers(octets).created == START


GOOD = MASTER.headers()


@pytest.mark.rejects("K6", "V4")
@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x03" + GOOD[1:], id="version 3"),
        pytest.param(b"\x06" + GOOD[1:], id="version 6"),
        pytest.param(GOOD[:1] + b"\x01" + GOOD[2:], id="a text document"),
        pytest.param(GOOD[:1] + b"\x10" + GOOD[2:], id="a certification"),
        pytest.param(GOOD[:2] + b"\x13" + GOOD[3:], id="ECDSA"),
        pytest.param(GOOD[:3] + b"\x02" + GOOD[4:], id="SHA-1"),
        pytest.param(GOOD[:3] + b"\x01" + GOOD[4:], id="MD5"),
        pytest.param(GOOD[:3] + b"\x0a" + GOOD[4:], id="SHA-512, which is not checked"),
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD[:5], id="cut off"),
        pytest.param(GOOD[:-1], id="one octet too few"),
        pytest.param(GOOD + b"\x00", id="one octet too many"),
        pytest.param(b"\x04\x00\x16\x08\x00\x00", id="no time"),
        pytest.param(b"\x04\x00\x16\x08\x00\x01\x00", id="a subpacket without a type"),
        pytest.param(b"\x04\x00\x16\x08\x00\x01\x05", id="a subpacket that ends early"),
        pytest.param(b"\x04\x00\x16\x08\x00\x01\xc1", id="half a length of two octets"),
        pytest.param(b"\x04\x00\x16\x08\x00\x02\xff\x00", id="part of a length of five octets"),
        pytest.param(b"\x04\x00\x16\x08\x00\x02\x01\x02", id="a time without octets"),
        pytest.param(MASTER.headers(b"\x03\x00"), id="a time of one octet"),
        pytest.param(MASTER.headers(b"\x94note"), id="a critical notation"),
        pytest.param(MASTER.headers(*[b"\x14" + b"x" * 180] * 20), id="too long"),
    ],
)
def test_K6_other_headers_are_refused(octets: bytes) -> None:
    with pytest.raises(MetadataMalformed):
        headers(octets)


@pytest.mark.rejects("K6", "V4")
@pytest.mark.parametrize("value", [None, 4, [], {}, "zz", "0", " " + GOOD.hex(), "Ⅷ" * 6])
def test_K6_headers_are_hex(value: JsonValue) -> None:
    with pytest.raises(MetadataMalformed):
        openpgp.headers(Node(value), DEFAULT)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: GOOD[:4] + tail))
def test_K6_any_headers_are_read_or_refused(octets: bytes) -> None:
    try:
        read = headers(octets)
    except MetadataMalformed:
        return
    assert read.octets == octets


# --- signatures in envelopes --------------------------------------------------------------------


@pytest.mark.accepts("K6", "E6")
@pytest.mark.parametrize("name", ["signature", "sig"])
def test_K6_a_metablock_has_either_name_of_the_signature(name: str) -> None:
    entry: JsonObject = {
        "keyid": MASTER.keyid,
        name: "0a0b",
        "other_headers": GOOD.hex(),
        "short_keyid": "0a0b",
    }
    document = {"signed": {"_type": "link"}, "signatures": [entry]}
    (signature,) = parse_envelope(json.dumps(document).encode(), limits=DEFAULT).signatures
    assert (signature.keyid, signature.value) == (MASTER.keyid, b"\x0a\x0b")
    assert signature.openpgp == headers(GOOD)


@pytest.mark.rejects("K6", "V4")
@pytest.mark.parametrize(
    "entry",
    [
        {"signature": "0a0b"},
        {"signature": "", "other_headers": GOOD.hex()},
        {"signature": "zz", "other_headers": GOOD.hex()},
        {"signature": None, "other_headers": GOOD.hex()},
        {"signature": "0a0b", "other_headers": None},
        {"signature": "0a0b", "other_headers": "04"},
        {"other_headers": GOOD.hex()},
    ],
)
def test_V4_a_malformed_openpgp_signature_is_skipped_with_a_note(entry: JsonValue) -> None:
    document = {"signed": {"_type": "link"}, "signatures": [entry]}
    envelope = parse_envelope(json.dumps(document).encode(), limits=DEFAULT)
    assert envelope.signatures == ()
    assert len(envelope.notes) == 1


@pytest.mark.accepts("K6")
def test_K6_what_gnupg_made_is_read() -> None:
    for each in gnupg.stored():
        read = parse_key(Node(each["key"]), str(cast("JsonObject", each["key"])["keyid"]))
        (signature,) = parse_envelope(json.dumps(each["link"]).encode(), limits=DEFAULT).signatures
        assert signature.openpgp is not None
        assert signature.openpgp.method == read.scheme
        assert signature.keyid == read.keyid
