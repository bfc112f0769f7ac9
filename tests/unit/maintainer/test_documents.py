"""Signed documents on disk: read, signed again, written; what was signed stays as it is."""

from __future__ import annotations

import base64
import json
import stat
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from fixtures.keys import key
from pip_intoto.errors import (
    CommandError,
    LayoutFeatureUnsupported,
    MetadataMalformed,
    MetadataTooLarge,
)
from pip_intoto.limits import Limits
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.keys.signing import Made
from pip_intoto.metadata.envelope import PAYLOAD_TYPE
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.link import Link
from pip_intoto.verification.signatures import Keyring

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.documents import SignedDocument
    from pip_intoto.maintainer.keys.signing import SigningKey

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
forms = pytest.mark.parametrize("form", list(Envelope), ids=lambda form: form.value)


def layout() -> JsonObject:
    return authoring.layout(
        expires=datetime(2100, 1, 1, tzinfo=timezone.utc),
        keys=[ALICE],
        steps=[authoring.step("build", functionaries=[ALICE])],
    )


def verified(document: SignedDocument, *keys: SigningKey) -> list[str]:
    keyring = Keyring([each.public_key for each in keys])
    return [signing.key.keyid for signing in keyring.signings(document.envelope)]


# --- signatures -----------------------------------------------------------------------------------


@forms
@pytest.mark.accepts("E6")
def test_E6_owners_sign_one_after_the_other(form: Envelope) -> None:
    first = documents.of(authoring.sign(layout(), [ALICE], form))
    second = first.signed_by([BOB], keep=True)
    assert second.form is form
    assert second.keyids == (ALICE.keyid, BOB.keyid)
    assert verified(second, ALICE, BOB, CAROL) == [ALICE.keyid, BOB.keyid]
    assert second.envelope.signed == first.envelope.signed
    assert second.content["signatures"][:1] == first.content["signatures"]  # type: ignore[index]


@forms
def test_without_keep_there_are_only_the_new_signatures(form: Envelope) -> None:
    first = documents.of(authoring.sign(layout(), [ALICE], form))
    second = first.signed_by([BOB, CAROL], keep=False)
    assert second.keyids == (BOB.keyid, CAROL.keyid)
    assert verified(second, ALICE, BOB, CAROL) == [BOB.keyid, CAROL.keyid]


@forms
def test_who_signs_again_has_one_signature_and_not_two(form: Envelope) -> None:
    first = documents.of(authoring.sign(layout(), [ALICE, BOB], form))
    broken = dict(first.content)
    for signature in broken["signatures"]:  # type: ignore[union-attr]
        signature["sig"] = "00"  # type: ignore[call-overload, index]
    if form is Envelope.DSSE:
        broken["signatures"][0]["sig"] = "AAAA"  # type: ignore[call-overload, index]
    again = documents.of(broken).signed_by([ALICE], keep=True)
    assert again.keyids == (BOB.keyid, ALICE.keyid)
    assert verified(again, ALICE, BOB) == [ALICE.keyid]


@forms
def test_what_others_put_into_a_document_stays_in_it_in_order(form: Envelope) -> None:
    content = authoring.sign(layout(), [], form)
    foreign: JsonObject = {"keyid": "ab" * 32, "sig": "AAAA", "cert": "theirs", "of": [1, None]}
    mixed: JsonObject = {"note": "ours", **content, "signatures": [foreign], "z": {"b": 1, "a": 2}}
    signed = documents.of(mixed).signed_by([ALICE], keep=True)
    assert list(signed.content) == ["note", *content, "z"]
    assert signed.content["signatures"][0] == foreign  # type: ignore[index]
    assert json.loads(signed.to_bytes()) == signed.content
    assert verified(documents.read(signed.to_bytes()), ALICE) == [ALICE.keyid]


@pytest.mark.accepts("E2")
def test_E2_members_that_nobody_knows_are_signed_with_the_rest() -> None:
    payload: JsonObject = {**layout(), "x-of-another-tool": ["ü", {"deep": 1}]}
    for form in Envelope:
        signed = documents.of(authoring.sign(payload, [], form)).signed_by([ALICE], keep=False)
        assert verified(signed, ALICE) == [ALICE.keyid]
        assert b"x-of-another-tool" in signed.envelope.signed


def test_what_was_signed_in_dsse_stays_as_it_is_byte_for_byte() -> None:
    body = json.dumps(layout(), indent=3).encode() + b"\n \n"
    content: JsonObject = {
        "payload": base64.b64encode(body).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [],
    }
    signed = documents.of(content).signed_by([ALICE], keep=True)
    assert signed.content["payload"] == content["payload"]
    assert signed.envelope.signed.endswith(body)


def test_K6_an_openpgp_signature_has_the_member_names_of_its_envelope() -> None:
    made = Made(keyid="ab" * 20, value=b"\x01\x02", other_headers="04")

    class Signer:
        keyid = made.keyid
        public_key = ALICE.public_key

        def signature(self, data: bytes) -> Made:
            assert data == b"data"
            return made

    metablock = authoring.signature(b"data", Signer(), Envelope.METABLOCK)
    dsse = authoring.signature(b"data", Signer(), Envelope.DSSE)
    assert metablock == {"keyid": made.keyid, "signature": "0102", "other_headers": "04"}
    assert dsse == {"keyid": made.keyid, "sig": "AQI=", "other_headers": "04"}


# --- files ----------------------------------------------------------------------------------------


@forms
def test_a_document_is_read_with_what_is_in_it(tmp_path: Path, form: Envelope) -> None:
    path = tmp_path / "root.layout"
    documents.of(authoring.sign(layout(), [ALICE], form)).write(path)
    document, content = documents.load_layout(path)
    assert isinstance(content, Layout)
    assert (document.form, document.keyids) == (form, (ALICE.keyid,))
    link = documents.of(authoring.sign(authoring.link("build"), [ALICE], form))
    link.write(tmp_path / "build.link")
    assert documents.load_link(tmp_path / "build.link")[1].name == "build"
    assert isinstance(documents.load(tmp_path / "build.link").payload, Link)


def test_a_link_is_no_layout_and_a_layout_no_link(tmp_path: Path) -> None:
    documents.of(authoring.sign(layout(), [])).write(tmp_path / "a")
    documents.of(authoring.sign(authoring.link("build"), [])).write(tmp_path / "b")
    with pytest.raises(CommandError, match="a is a layout"):
        documents.load_link(tmp_path / "a")
    with pytest.raises(CommandError, match="b is a link"):
        documents.load_layout(tmp_path / "b")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"garbage", MetadataMalformed),
        (b"{}", MetadataMalformed),
        (b'{"signed": {"_type": "key"}, "signatures": []}', MetadataMalformed),
        (b'{"payload": "e30=", "payloadType": "x", "signatures": []}', MetadataMalformed),
    ],
)
def test_what_is_no_document_is_refused_with_the_name_of_its_file(
    tmp_path: Path, content: bytes, error: type[Exception]
) -> None:
    path = tmp_path / "root.layout"
    path.write_bytes(content)
    with pytest.raises(error, match=r"root\.layout"):
        documents.load(path)
    assert path.read_bytes() == content


def test_limits_and_features_are_those_of_verifiers(tmp_path: Path) -> None:
    path = tmp_path / "root.layout"
    documents.of(authoring.sign(layout(), [ALICE])).write(path)
    with pytest.raises(MetadataTooLarge, match=r"root\.layout"):
        documents.load(path, limits=Limits(signatures=0))
    with pytest.raises(CommandError, match="too large"):
        documents.load(path, limits=Limits(document_bytes=100))
    strange: JsonObject = {
        **layout(),
        "steps": [{**authoring.step("a", functionaries=[]), "threshold": 0}],
    }
    with pytest.raises((MetadataMalformed, LayoutFeatureUnsupported)):
        documents.of(authoring.sign(strange, []))


def test_who_makes_a_document_is_not_told_to_ask_the_project(tmp_path: Path) -> None:
    path = tmp_path / "root.layout"
    for content in (b"{}", json.dumps({"signed": {**layout(), "steps": 1}}).encode()):
        path.write_bytes(content)
        with pytest.raises(MetadataMalformed) as caught:
            documents.load(path)
        assert caught.value.place.startswith(str(path))
        assert "Ask the project" not in caught.value.advice
        assert "pip-intoto layout build" in caught.value.advice


def test_a_document_takes_the_place_of_a_file_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "root.layout"
    document = documents.of(authoring.sign(layout(), [ALICE]))
    path.write_text("precious")
    path.chmod(0o640)
    document.write(path)
    assert documents.load(path).content == document.content
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["root.layout"]
