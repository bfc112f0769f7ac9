"""Renewing published layouts: only the expiry changes, and nobody's signature is lost."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.openpgp import OpenPGPKey
from fixtures.shipped import write_directory
from fixtures.supply_chain import SupplyChain
from pip_intoto import files, verify
from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.authoring import Document, Envelope
from pip_intoto.maintainer.keys.signing import Made
from pip_intoto.maintainer.layouts.expiry import expiry_of, written
from pip_intoto.maintainer.layouts.published import Published, published
from pip_intoto.maintainer.layouts.reissue import NotRenewed
from pip_intoto.maintainer.layouts.renewal import (
    Outcome,
    Renewer,
    State,
)
from pip_intoto.metadata.envelope import PAYLOAD_TYPE, pre_authentication_encoding
from pip_intoto.metadata.keys import load_public
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.names import BUNDLE_SUFFIX
from pip_intoto.verdict import Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import Signer, SigningKey
    from pip_intoto.metadata.keys import PublicKey

OWNER, BOB = key("owner"), key("second-owner")
NOW = datetime.now(timezone.utc).replace(microsecond=0)
SOON = NOW + timedelta(days=7)
LATER = NOW + timedelta(days=400)
WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo", expires=SOON)
TWO = replace(CHAIN, owners=(OWNER, BOB))
FORMS = pytest.mark.parametrize("form", list(Envelope), ids=lambda form: form.value)


def renewer(
    *signers: Signer,
    expires: datetime = LATER,
    knows: Iterable[SigningKey] = (),
    shorten: bool = False,
    signs: bool = True,
) -> Renewer:
    named = {f"name-{each.keyid[:4]}": each.public_key for each in knows}
    return Renewer(
        signers or (OWNER,), expires, now=NOW, owners=named, shorten=shorten, signs=signs
    )


def lines(bundle: bytes) -> list[JsonObject]:
    return [json.loads(line) for line in bundle.splitlines() if line]


def layouts(bundle: bytes) -> list[Layout]:
    found = [documents.read(line).payload for line in bundle.splitlines() if line.strip()]
    return [each for each in found if isinstance(each, Layout)]


def keyids(bundle: bytes, expires: datetime) -> set[str]:
    """Who signed the layout with this expiry, allegedly."""
    for line in bundle.splitlines():
        document = documents.read(line)
        if isinstance(document.payload, Layout) and document.payload.expires == expires:
            return set(document.keyids)
    return set()


def verdict(folder: Path, chain: SupplyChain) -> Status:
    """What a consumer says who trusts the owners of the chain."""
    return verify(folder / WHEEL.filename, policy=chain.policy(folder / "policy")).status


def publish(folder: Path, bundle: bytes) -> Path:
    WHEEL.write(folder)
    path = folder / (WHEEL.filename + BUNDLE_SUFFIX)
    path.write_bytes(bundle)
    return path


# --- one owner ------------------------------------------------------------------------------


@FORMS
def test_only_the_expiry_of_the_layout_changes_and_all_other_lines_stay_byte_for_byte(
    form: Envelope,
) -> None:
    before = replace(CHAIN, envelope=form).bundle(WHEEL)
    outcome, after = renewer().bundle(before)

    assert (outcome.state, outcome.before, outcome.expires) == (State.RENEWED, SOON, LATER)
    assert after.splitlines()[1:] == before.splitlines()[1:]
    (old,), (new,) = layouts(before), layouts(after)
    assert new == replace(old, expires=LATER)
    assert documents.read(after.splitlines()[0]).form is form


@FORMS
def test_a_renewed_bundle_verifies_where_the_old_one_would_have_expired(
    form: Envelope, tmp_path: Path
) -> None:
    expired = replace(CHAIN, envelope=form, expires=NOW - timedelta(days=1))
    path = publish(tmp_path, expired.bundle(WHEEL))
    assert verdict(tmp_path, expired) is Status.INVALID

    Published(path).renew(renewer())

    assert verdict(tmp_path, expired) is Status.VERIFIED


def test_unknown_members_their_order_and_the_spelling_of_numbers_are_kept() -> None:
    payload = CHAIN.layout()
    text = json.dumps({"x-first": "expires", "nested": {"expires": "x"}, **payload, "x-last": 0})
    text = text.replace('"x-last": 0', '"x-last": 1.10e1, "expires\\u0031": "ö"').replace(
        ": ", ":  "
    )
    body = text.encode()
    signed = pre_authentication_encoding(PAYLOAD_TYPE, body)
    content: JsonObject = {
        "x-member": [1, 2],
        "payload": base64.urlsafe_b64encode(body).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [authoring.signature(signed, OWNER, Envelope.DSSE)],
        "name": "root.layout",
    }
    _, after = renewer().bundle(json.dumps(content).encode() + b"\n")

    (made,) = lines(after)
    assert list(made) == list(content)
    assert made["x-member"] == [1, 2]
    renewed = base64.b64decode(str(made["payload"])).decode()
    assert renewed == text.replace(written(SOON), written(LATER))


def test_a_layout_that_spells_its_type_in_escapes_is_found_all_the_same() -> None:
    body = json.dumps(CHAIN.layout()).replace('"layout"', '"\\u006cayout"').encode()
    signed = pre_authentication_encoding(PAYLOAD_TYPE, body)
    content = {
        "payload": base64.b64encode(body).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [authoring.signature(signed, OWNER, Envelope.DSSE)],
    }
    _, after = renewer().bundle(json.dumps(content).encode())
    assert layouts(after)[0].expires == LATER


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_lines_that_nobody_understands_and_line_ends_stay(end: bytes) -> None:
    good = CHAIN.bundle(WHEEL).splitlines()
    before = b"not json" + (end or b"\n") + b"\n" + good[1] + b"\n" + good[0] + end
    _, after = renewer().bundle(before)
    assert after.startswith(before[: -len(good[0] + end)])
    assert after.endswith(b"}" + end)
    assert b"\n\n\n" not in after


def test_renewing_again_to_the_same_date_changes_nothing() -> None:
    _, once = renewer().bundle(CHAIN.bundle(WHEEL))
    outcome, twice = renewer().bundle(once)
    assert outcome.state is State.DONE
    assert twice == once


def test_an_expiry_is_shortened_only_when_that_is_said() -> None:
    long = replace(CHAIN, expires=LATER).bundle(WHEEL)
    with pytest.raises(NotRenewed, match="lasts longer already"):
        renewer(expires=SOON).bundle(long)
    _, after = renewer(expires=SOON, shorten=True).bundle(long)
    assert [each.expires for each in layouts(after)] == [SOON]


def test_a_layout_that_this_owner_never_signed_is_refused() -> None:
    with pytest.raises(NotRenewed, match="never signed") as caught:
        renewer(key("stranger")).bundle(CHAIN.bundle(WHEEL))
    assert OWNER.keyid[:8] in caught.value.found


def test_a_keyid_alone_makes_nobody_the_owner() -> None:
    # E7: "keyid is a hint".
    foreign = replace(CHAIN, owners=(key("stranger"),)).bundle(WHEEL)
    renamed = foreign.replace(key("stranger").keyid.encode(), OWNER.keyid.encode())
    assert renamed != foreign
    with pytest.raises(NotRenewed, match="never signed"):
        renewer().bundle(renamed)


def test_a_bundle_without_a_layout_is_refused() -> None:
    links = b"\n".join(CHAIN.bundle(WHEEL).splitlines()[1:])
    with pytest.raises(NotRenewed, match="no layout"):
        renewer().bundle(links)


def test_a_layout_of_the_owner_that_cannot_be_read_is_refused_and_says_why() -> None:
    payload: JsonObject = {**CHAIN.layout(), "functionaries": {"x": 1}}
    signed = authoring.sign(payload, [OWNER])
    with pytest.raises(NotRenewed, match=r"cannot be read.*does not know how to check"):
        renewer().bundle(authoring.bundle([Document(signed)]))


def test_the_same_layout_in_both_envelopes_is_renewed_in_both() -> None:
    before = CHAIN.bundle(WHEEL) + authoring.bundle(
        [Document(authoring.sign(CHAIN.layout(), [OWNER], Envelope.METABLOCK))]
    )
    _, after = renewer().bundle(before)
    assert [each.expires for each in layouts(after)] == [LATER, LATER]
    assert [("signed" in line) for line in lines(after)] == [False, False, False, True]


def test_another_layout_of_the_same_owner_is_left_alone_and_mentioned() -> None:
    old = {**CHAIN.layout(), "readme": "an older chain", "expires": written(NOW)}
    before = CHAIN.bundle(WHEEL) + authoring.bundle([Document(authoring.sign(old, [OWNER]))])
    outcome, after = renewer().bundle(before)
    assert [each.expires for each in layouts(after)] == [LATER, NOW]
    assert outcome.others == (NOW,)


# --- sublayouts -----------------------------------------------------------------------------


def with_sublayout(builder: SigningKey, hint: str = "build.link") -> bytes:
    chain = replace(CHAIN, builder=builder)
    inner = {**chain.layout(), "readme": "how it is built", "expires": written(NOW)}
    sublayout = Document(authoring.sign(inner, [builder]), hint)
    return authoring.bundle([sublayout]) + chain.bundle(WHEEL)


def test_U1_a_sublayout_is_its_functionarys_and_is_left_alone() -> None:
    before = with_sublayout(key("builder"))
    outcome, after = renewer().bundle(before)
    assert [each.expires for each in layouts(after)] == [NOW, LATER]
    assert after.splitlines()[0] == before.splitlines()[0]
    (sublayout,) = outcome.sublayouts
    assert (sublayout.steps, sublayout.expires) == (("build",), NOW)


def test_U1_an_owner_who_is_a_functionary_as_well_renews_the_root_only() -> None:
    outcome, after = renewer().bundle(with_sublayout(OWNER))
    assert [each.expires for each in layouts(after)] == [NOW, LATER]
    assert outcome.sublayouts[0].steps == ("build",)


def test_when_nothing_tells_root_from_sublayout_nothing_is_renewed() -> None:
    bundle = with_sublayout(OWNER, hint="root.layout")
    with pytest.raises(NotRenewed, match="root layout from the sublayouts"):
        renewer().bundle(bundle)


# --- several owners -------------------------------------------------------------------------


def test_two_owners_on_two_machines_and_consumers_verify_all_the_time(tmp_path: Path) -> None:
    path = publish(tmp_path, TWO.bundle(WHEEL))

    # On the first machine, which knows nothing of the second owner's key.
    outcome = Published(path).renew(renewer(OWNER))
    assert outcome.missing == (f"key {BOB.keyid[:8]}",)
    assert [each.expires for each in layouts(path.read_bytes())] == [SOON, LATER]
    assert verdict(tmp_path, TWO) is Status.VERIFIED

    # On the second machine, which has the first one's public key.
    outcome = Published(path).renew(renewer(BOB, knows=[OWNER]))
    assert (outcome.state, outcome.missing, outcome.unknown) == (State.SIGNED, (), ())
    assert [each.expires for each in layouts(path.read_bytes())] == [LATER]
    assert keyids(path.read_bytes(), LATER) == {OWNER.keyid, BOB.keyid}
    assert verdict(tmp_path, TWO) is Status.VERIFIED


def test_the_old_layout_stays_while_a_signature_cannot_be_checked() -> None:
    _, first = renewer(OWNER).bundle(TWO.bundle(WHEEL))
    outcome, second = renewer(BOB).bundle(first)
    assert outcome.unknown == (f"key {OWNER.keyid[:8]}",)
    assert [each.expires for each in layouts(second)] == [SOON, LATER]
    # Once the key is known, it goes.
    outcome, third = renewer(BOB, knows=[OWNER]).bundle(second)
    assert outcome.state is State.RENEWED
    assert [each.expires for each in layouts(third)] == [LATER]


def test_a_broken_signature_on_the_renewed_layout_does_not_take_the_old_one_away() -> None:
    _, first = renewer(OWNER).bundle(TWO.bundle(WHEEL))
    documents_ = lines(first)
    renewed = documents_[1]
    renewed["signatures"] = [{"keyid": OWNER.keyid, "sig": "AAAA"}]
    broken = b"".join(json.dumps(each).encode() + b"\n" for each in documents_)
    outcome, after = renewer(BOB, knows=[OWNER]).bundle(broken)
    assert outcome.missing == (f"name-{OWNER.keyid[:4]}",)
    assert [each.expires for each in layouts(after)] == [SOON, LATER]


def test_both_owners_at_once_leave_no_old_layout() -> None:
    outcome, after = renewer(OWNER, BOB).bundle(TWO.bundle(WHEEL))
    assert outcome.missing == ()
    assert keyids(after, LATER) == {OWNER.keyid, BOB.keyid}
    assert len(layouts(after)) == 1


def test_what_two_machines_renewed_apart_is_joined() -> None:
    before = TWO.bundle(WHEEL)
    _, one = renewer(OWNER).bundle(before)
    _, other = renewer(BOB).bundle(before)
    joined = one + other
    outcome, after = renewer(OWNER, knows=[BOB]).bundle(joined)
    assert outcome.state is State.RENEWED
    assert keyids(after, LATER) == {OWNER.keyid, BOB.keyid}
    assert len(layouts(after)) == 1


def test_an_owner_who_signs_under_another_keyid_is_known_by_the_key() -> None:
    # K4: "In practice opaque"; the signature tells.
    before = TWO.bundle(WHEEL).replace(BOB.keyid.encode(), b"0" * 64)
    outcome, after = renewer(OWNER, BOB).bundle(before)
    assert outcome.missing == ()
    assert [each.expires for each in layouts(after)] == [LATER]


def test_two_dates_do_not_replace_each_other_before_all_have_signed() -> None:
    other_day = LATER + timedelta(days=1)
    _, first = renewer(OWNER).bundle(TWO.bundle(WHEEL))
    _, second = renewer(BOB, expires=other_day, knows=[OWNER]).bundle(first)
    assert [each.expires for each in layouts(second)] == [SOON, other_day, LATER]
    outcome, third = renewer(OWNER, expires=other_day, knows=[BOB]).bundle(second)
    assert outcome.state is State.SIGNED
    assert [each.expires for each in layouts(third)] == [other_day]


# --- OpenPGP --------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenPGPSigner:
    """Signs as GnuPG would."""

    pgp: OpenPGPKey

    @property
    def keyid(self) -> str:
        return self.pgp.keyid

    @property
    def public_key(self) -> PublicKey:
        return load_public(json.dumps(self.pgp.described()).encode(), limits=DEFAULT)

    def signature(self, data: bytes) -> Made:
        made = self.pgp.sign(data)
        return Made(
            keyid=str(made["keyid"]),
            value=bytes.fromhex(str(made.get("signature") or made["sig"])),
            other_headers=str(made["other_headers"]),
        )


@FORMS
def test_K6_owners_with_openpgp_keys_renew_like_others(form: Envelope) -> None:
    signer = OpenPGPSigner(OpenPGPKey(name="pgp-owner"))
    signed = authoring.sign(CHAIN.layout(), [signer, BOB], form)
    before = authoring.bundle([Document(signed, "root.layout")])

    outcome, first = renewer(signer).bundle(before)
    assert outcome.missing == (f"key {BOB.keyid[:8]}",)
    known = Renewer([BOB], LATER, now=NOW, owners={"pgp": signer.public_key})
    outcome, second = known.bundle(first)
    assert outcome.missing == ()
    assert keyids(second, LATER) == {signer.keyid, BOB.keyid}
    assert len(layouts(second)) == 1


def test_a_signer_whose_signatures_do_not_verify_changes_nothing() -> None:
    liar = replace(OWNER, private=Ed25519PrivateKey.generate())
    with pytest.raises(CommandError, match="does not verify"):
        renewer(liar).bundle(CHAIN.bundle(WHEEL))


# --- files ----------------------------------------------------------------------------------


@FORMS
def test_a_layout_in_a_file_of_its_own_waits_beside_it_until_all_have_signed(
    form: Envelope, tmp_path: Path
) -> None:
    path = tmp_path / "root.layout"
    chain = replace(TWO, envelope=form)
    documents.of(dict(chain.root().content)).write(path)
    before = path.read_bytes()

    Published(path).renew(renewer(OWNER))
    assert path.read_bytes() == before
    waiting = tmp_path / "root.layout.renewed"
    assert documents.load_layout(waiting)[1].expires == LATER

    outcome = Published(path).renew(renewer(BOB, knows=[OWNER]))
    assert outcome.missing == ()
    assert not waiting.exists()
    document, layout = documents.load_layout(path)
    assert layout.expires == LATER
    assert set(document.keyids) == {OWNER.keyid, BOB.keyid}


def test_another_date_than_the_one_that_waits_is_refused_for_a_file(tmp_path: Path) -> None:
    path = tmp_path / "root.layout"
    documents.of(dict(TWO.root().content)).write(path)
    Published(path).renew(renewer(OWNER))
    with pytest.raises(NotRenewed, match="another date"):
        Published(path).renew(renewer(BOB, expires=LATER + timedelta(days=1), knows=[OWNER]))


def test_the_directory_form_is_renewed_and_its_sublayouts_are_left_alone(tmp_path: Path) -> None:
    WHEEL.write(tmp_path)
    inner = authoring.sign({**CHAIN.layout(), "readme": "inner"}, [CHAIN.builder])
    found = (*CHAIN.evidence(WHEEL), Document(inner, "build.12345678.link"))
    folder = write_directory(tmp_path / WHEEL.filename, found)
    links = {path.name: path.read_bytes() for path in folder.glob("*.link")}

    (target,) = published([tmp_path])
    outcome = target.renew(renewer())

    assert outcome.sublayouts[0].steps == ("build",)
    assert {path.name: path.read_bytes() for path in folder.glob("*.link")} == links
    assert documents.load_layout(folder / "root.layout")[1].expires == LATER
    (folder / "build.12345678.link").unlink()
    assert verdict(tmp_path, CHAIN) is Status.VERIFIED


def test_among_links_nothing_is_taken_for_the_root_layout(tmp_path: Path) -> None:
    WHEEL.write(tmp_path)
    later = {**CHAIN.layout(), "readme": "of another time", "expires": written(LATER)}
    stray = Document(authoring.sign(later, [OWNER]), "stray.12345678.link")
    folder = write_directory(tmp_path / WHEEL.filename, (*CHAIN.evidence(WHEEL), stray))
    before = (folder / stray.name).read_bytes()

    (target,) = published([tmp_path])
    outcome = target.renew(renewer())

    assert (outcome.state, outcome.others) == (State.RENEWED, ())
    assert documents.load_layout(folder / "root.layout")[1].expires == LATER
    assert (folder / stray.name).read_bytes() == before


def test_whoever_is_interrupted_has_old_or_new_files_and_finishes_by_running_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{number}.intoto.jsonl" for number in range(5)]
    before = CHAIN.bundle(WHEEL)
    for path in paths:
        path.write_bytes(before)
    written_ = 0
    replace_ = files.replace

    def interrupted(path: Path, content: bytes) -> None:
        nonlocal written_
        written_ += 1
        if written_ == 3:
            raise KeyboardInterrupt
        replace_(path, content)

    monkeypatch.setattr(files, "replace", interrupted)
    done = []
    with pytest.raises(KeyboardInterrupt):
        done += [each.renew(renewer()) for each in published([tmp_path])]
    assert done == []
    monkeypatch.undo()
    (after,) = {path.read_bytes() for path in paths} - {before}

    states = [each.renew(renewer()).state for each in published([tmp_path])]

    assert states == [State.DONE, State.DONE, *[State.RENEWED] * 3]
    assert {path.read_bytes() for path in paths} == {after}


def test_nothing_is_signed_or_written_when_nothing_shall_be(tmp_path: Path) -> None:
    path = publish(tmp_path, TWO.bundle(WHEEL))
    before = path.read_bytes()
    outcome = Published(path).renew(renewer(OWNER, knows=[BOB], signs=False), writes=False)
    assert isinstance(outcome, Outcome)
    assert (outcome.state, outcome.missing) == (State.RENEWED, (f"name-{BOB.keyid[:4]}",))
    assert path.read_bytes() == before


def test_what_is_named_is_found_once_and_what_is_not_there_is_said(tmp_path: Path) -> None:
    bundle = publish(tmp_path, CHAIN.bundle(WHEEL))
    (tmp_path / "again.intoto.jsonl").symlink_to(bundle)
    layout = tmp_path / "sub" / "root.layout"
    layout.parent.mkdir()
    layout.write_bytes(b"{}")
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe.layout")
    found = [each.path for each in published([tmp_path, bundle, layout])]
    assert len(found) == 2
    with pytest.raises(CommandError, match="not there"):
        published([tmp_path / "gone"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="nothing to renew"):
        published([tmp_path / "empty"])


# --- dates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-12-31", "2027-12-31T23:59:59Z"),
        ("2027-12-31T12:00:00Z", "2027-12-31T12:00:00Z"),
        ("2027-12-31T12:00:00+02:00", "2027-12-31T10:00:00Z"),
        ("90 days", "2027-02-19T23:59:59Z"),
        ("6 months", "2027-05-21T23:59:59Z"),
        ("1 year", "2027-11-21T23:59:59Z"),
    ],
)
def test_an_expiry_is_a_date_a_moment_or_a_period(text: str, moment: str) -> None:
    now = datetime(2026, 11, 21, 19, 0, tzinfo=timezone.utc)
    assert written(expiry_of(text, now=now)) == moment


@pytest.mark.parametrize(
    "text", ["soon", "0 days", "2027-13-01", "2027-12-31T12:00:00", "9999 years"]
)
def test_what_is_no_expiry_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"this (is no )?expiry"):
        expiry_of(text, now=NOW)
