"""What the conformance page says of in-toto 3.1.0, held against in-toto 3.1.0."""

from __future__ import annotations

import base64
import copy
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import EvidenceInvalid
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.names import link_filename
from tests.conformance.reference import ROOT, files, reference
from tests.unit.metadata.documents import pae
from tests.unit.verification.supply import (
    ALL_CREATED,
    BUILDER,
    OWNER,
    STRANGER,
    TAGGER,
    as_document,
    build_link,
    build_step,
    digests,
    layout,
    passes,
    tag_link,
    tag_step,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue

NOW = datetime.now(timezone.utc).replace(microsecond=0)
TAG = link_filename("tag", TAGGER.keyid)
BUILD = link_filename("build", BUILDER.keyid)
DSSE, METABLOCK = Envelope.DSSE, Envelope.METABLOCK
WITHOUT = "this member is taken away"


def changed(value: JsonObject, changes: Mapping[str, JsonValue]) -> JsonObject:
    merged = {**value, **changes}
    return {name: each for name, each in merged.items() if each != WITHOUT}


def root(*steps: JsonObject, **changes: JsonValue) -> JsonObject:
    return changed(layout(*steps, expires=NOW + timedelta(days=1)), changes)


def chain(
    *,
    layout: JsonObject | None = None,
    tag: JsonObject | None = None,
    build: JsonObject | None = None,
    envelope: Envelope = DSSE,
) -> dict[str, JsonObject]:
    """A chain, some of it given, by the names of its files."""
    return {
        ROOT: authoring.sign(layout or root(), [OWNER], envelope),
        TAG: authoring.sign(tag or tag_link(), [TAGGER], envelope),
        BUILD: authoring.sign(build or build_link(), [BUILDER], envelope),
    }


def with_key(keyid: str, key: JsonObject) -> dict[str, JsonObject]:
    """A chain whose layout also lists ``key``, which no step names."""
    keys = root()["keys"]
    assert isinstance(keys, dict)
    return chain(layout=root(keys={**keys, keyid: key}))


def with_signatures(envelope: Envelope, *more: JsonValue, **changes: JsonValue) -> JsonObject:
    """The link of the build; entries stand before its good signature, which is changed."""
    content = authoring.sign(build_link(), [BUILDER], envelope)
    (good,) = content["signatures"]  # type: ignore[misc,str-unpack]
    assert isinstance(good, dict)
    return {**content, "signatures": [*more, changed(good, changes)]}


def forged(envelope: Envelope) -> JsonValue:
    """The signature of a stranger who calls himself as the builder."""
    (entry,) = authoring.sign(build_link(), [STRANGER], envelope)["signatures"]  # type: ignore[misc,str-unpack]
    assert isinstance(entry, dict)
    return {**entry, "keyid": BUILDER.keyid}


def with_a_member_twice() -> JsonObject:
    """A link that is of one step for those who take the first name, of another for the rest."""
    body = b'{"name": "tag", ' + json.dumps(build_link()).encode()[1:]
    sig = base64.b64encode(BUILDER.sign(pae(body))).decode()
    content = authoring.sign(build_link(), [BUILDER])
    entry: JsonObject = {"keyid": BUILDER.keyid, "sig": sig}
    return {**content, "payload": base64.b64encode(body).decode(), "signatures": [entry]}


def matching(hashes: JsonObject) -> dict[str, JsonObject]:
    """The build's only material has these digests, and so has what the tag left."""
    rules: list[list[str]] = [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "tag"], ["DISALLOW", "*"]]
    step = build_step(expected_materials=rules, expected_products=ALL_CREATED)
    artifacts: JsonObject = {"x": hashes}
    return chain(
        layout=root(tag_step(), step),
        tag=changed(tag_link(), {"products": artifacts}),
        build=changed(build_link(), {"materials": artifacts, "products": {}}),
    )


def key_without(member: str) -> JsonObject:
    return changed(authoring.key_object(STRANGER), {member: WITHOUT})


UNKNOWN_KEY: JsonObject = {
    "keyid": "0dd" * 8,
    "keytype": "quantum",
    "scheme": "q",
    "keyval": {"public": "00"},
}

ACCEPTED_THERE = [
    pytest.param(
        chain(layout=root(expires=WITHOUT)), id="no expiry", marks=pytest.mark.rejects("L2", "L3")
    ),
    pytest.param(
        chain(layout=root(expires="")), id="empty expiry", marks=pytest.mark.rejects("L3", "H2")
    ),
    pytest.param(chain(layout=root(steps=[])), id="no steps", marks=pytest.mark.rejects("L6")),
    pytest.param(
        chain(tag=changed(tag_link(), {"materials": WITHOUT})),
        id="no materials",
        marks=pytest.mark.rejects("L10"),
    ),
    pytest.param(matching({}), id="no digests", marks=pytest.mark.rejects("H1")),
    pytest.param(matching({"md5": "00" * 16}), id="md5 alone", marks=pytest.mark.rejects("H1")),
    pytest.param(matching({"sha256": "00"}), id="a short digest", marks=pytest.mark.rejects("H1")),
    pytest.param(
        with_key("cc" * 32, authoring.key_object(STRANGER)),
        id="a key under another keyid",
        marks=pytest.mark.rejects("K5"),
    ),
    pytest.param(
        {**chain(), BUILD: with_a_member_twice()},
        id="a member twice",
        marks=pytest.mark.rejects("J3"),
    ),
    pytest.param(
        chain(layout=root(tag_step(), build_step(threshold=True))),
        id="true as a threshold",
        marks=pytest.mark.rejects("J2", "S3"),
    ),
    pytest.param(
        chain(layout=root(tag_step(), build_step(threshold=0))),
        id="a threshold of 0",
        marks=pytest.mark.rejects("S3"),
    ),
    pytest.param(
        chain(layout=root(tag_step(), build_step(_type="x"))),
        id="a step of another type",
        marks=pytest.mark.rejects("S1"),
    ),
    pytest.param(
        chain(build=build_link(name="tag")),
        id="a link of another step",
        marks=pytest.mark.rejects("N4"),
    ),
]

REFUSED_THERE = [
    pytest.param(
        chain(layout=root(readme=None)), id="null as readme", marks=pytest.mark.accepts("L4")
    ),
    pytest.param(
        chain(layout=root(future=1), envelope=METABLOCK),
        id="an unknown member in a Metablock",
        marks=pytest.mark.accepts("L8", "E2"),
    ),
    pytest.param(
        chain(build=build_link(byproducts=None, environment=None)),
        id="null as byproducts",
        marks=pytest.mark.accepts("L10"),
    ),
    pytest.param(
        with_key(STRANGER.keyid, key_without("keyid")),
        id="no keyid inside a key",
        marks=pytest.mark.accepts("K1", "K5"),
    ),
    pytest.param(
        with_key("0dd" * 8, UNKNOWN_KEY),
        id="an unknown kind of key",
        marks=pytest.mark.accepts("K3"),
    ),
    *(
        pytest.param(
            chain() | {BUILD: with_signatures(envelope, forged(envelope))},
            id=f"a bad signature under the same keyid in {envelope.value}",
            marks=pytest.mark.accepts("E6"),
        )
        for envelope in Envelope
    ),
    *(
        pytest.param(
            chain() | {BUILD: with_signatures(envelope, keyid=WITHOUT)},
            id=f"no keyid in {envelope.value}",
            marks=pytest.mark.accepts("E7"),
        )
        for envelope in Envelope
    ),
    *(
        pytest.param(
            chain() | {BUILD: with_signatures(envelope, {})},
            id=f"a malformed signature in {envelope.value}",
            marks=pytest.mark.accepts("E3"),
        )
        for envelope in Envelope
    ),
    pytest.param(
        chain(build=build_link(byproducts={"seconds": 1.5})),
        id="a float in byproducts of DSSE",
        marks=pytest.mark.accepts("C1", "J2"),
    ),
]


def judged(contents: dict[str, JsonObject]) -> bool:
    return passes([as_document(each) for each in contents.values()], subject=None, now=NOW)


@pytest.mark.parametrize("envelope", list(Envelope))
def test_both_accept_what_the_differences_start_from(envelope: Envelope, tmp_path: Path) -> None:
    assert reference(chain(envelope=envelope), tmp_path) is None
    assert judged(chain(envelope=envelope))


@pytest.mark.parametrize("contents", ACCEPTED_THERE)
def test_refused_here_and_accepted_there(contents: dict[str, JsonObject], tmp_path: Path) -> None:
    assert reference(contents, tmp_path) is None
    with pytest.raises(EvidenceInvalid):
        judged(contents)


@pytest.mark.parametrize("contents", REFUSED_THERE)
def test_accepted_here_and_refused_there(contents: dict[str, JsonObject], tmp_path: Path) -> None:
    assert reference(contents, tmp_path) is not None
    assert judged(contents)


@pytest.mark.rejects("N3")
def test_a_step_whose_link_lies_outside_the_directory(tmp_path: Path) -> None:
    step = build_step(name="../evil", expected_materials=[], expected_products=[])
    contents = chain(layout=root(tag_step(), step))
    outside = authoring.sign(build_link(name="../evil"), [BUILDER])
    contents[link_filename("../evil", BUILDER.keyid)] = outside
    folder = tmp_path / "links"
    folder.mkdir()
    assert reference(contents, folder) is None
    assert (tmp_path / link_filename("evil", BUILDER.keyid)).is_file()
    with pytest.raises(EvidenceInvalid):
        judged(contents)


@pytest.mark.accepts("L5")
@pytest.mark.rejects("L5")
def test_both_know_only_the_keys_that_the_layout_lists(tmp_path: Path) -> None:
    keys = copy.deepcopy(root()["keys"])
    assert isinstance(keys, dict)
    assert judged(chain(layout=root(keys=keys)))
    del keys[BUILDER.keyid]
    contents = chain(layout=root(keys=keys))
    assert reference(contents, tmp_path) is not None
    with pytest.raises(EvidenceInvalid):
        judged(contents)


@pytest.mark.accepts("L7")
@pytest.mark.rejects("L7")
def test_both_want_a_list_of_inspections_that_may_be_empty(tmp_path: Path) -> None:
    contents = files(
        authoring.sign(root(inspect=[]), [OWNER]),
        authoring.sign(build_link(), [BUILDER]),
        BUILDER.keyid,
    )
    assert reference(contents, tmp_path) is None
    assert judged(contents)
    for other in (None, {"a": 1}, WITHOUT):
        wrong = {**contents, ROOT: authoring.sign(root(inspect=other), [OWNER])}  # type: ignore[arg-type]
        assert reference(wrong, tmp_path) is not None
        with pytest.raises(EvidenceInvalid):
            judged(wrong)


@pytest.mark.rejects("J5")
def test_half_a_surrogate_pair_is_an_error_of_ours_and_a_crash_of_theirs(tmp_path: Path) -> None:
    contents = chain(build=build_link(byproducts={"stdout": "\ud800"}))
    assert isinstance(reference(contents, tmp_path), UnicodeEncodeError)
    with pytest.raises(EvidenceInvalid):
        judged(contents)


@pytest.mark.accepts("H1")
@pytest.mark.parametrize("name", ["sha256", "sha512"])
def test_both_accept_equal_digests(name: str, tmp_path: Path) -> None:
    hashes: JsonObject = {name: {"sha256": digests("x")["sha256"], "sha512": "a" * 128}[name]}
    assert reference(matching(hashes), tmp_path) is None
    assert judged(matching(hashes))
