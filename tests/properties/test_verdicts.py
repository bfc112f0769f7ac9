"""What a verdict depends on, and what it does not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.maintainer.authoring import Envelope
from tests.properties.pools import KEYS, judge, pools, signed, trusts
from tests.properties.thoroughness import tried_on
from tests.unit.verification.supply import (
    BUILDER,
    OWNER,
    STRANGER,
    TAGGER,
    build_link,
    layout,
    tag_link,
    trust,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue
    from pip_intoto.verification.trust import Trust
    from tests.properties.pools import Judged, Signed

randoms = st.randoms(use_true_random=False)


def lines_of(pool: Sequence[Signed]) -> list[str]:
    return [document.line for document in pool]


def shuffled(value: JsonValue, random: Random) -> JsonValue:
    """The same value with the members of all objects in another order."""
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: shuffled(value[name], random) for name in names}
    return [shuffled(each, random) for each in value] if isinstance(value, list) else value


@tried_on(100)
@given(pools(), trusts, randoms)
def test_A8_the_verdict_does_not_depend_on_the_order_of_lines(
    pool: list[Signed], trusted: Trust, random: Random
) -> None:
    # Everything is the same: messages and notes too, apart from the numbers of lines.
    lines = lines_of(pool)
    before = judge(lines, trusted)
    random.shuffle(lines)
    assert judge(lines, trusted) == before


@tried_on(100)
@given(pools(), trusts, randoms)
def test_E6_the_verdict_does_not_depend_on_the_order_of_signatures(
    pool: list[Signed], trusted: Trust, random: Random
) -> None:
    changed = []
    for document in pool:
        content = document.content
        signatures = content["signatures"]
        assert isinstance(signatures, list)
        random.shuffle(signatures)
        changed.append(json.dumps(content))
    assert judge(changed, trusted).verdict == judge(lines_of(pool), trusted).verdict


@tried_on(100)
@given(pools(), trusts, randoms)
def test_E2_the_verdict_does_not_depend_on_the_order_of_members(
    pool: list[Signed], trusted: Trust, random: Random
) -> None:
    # In a Metablock the payload's as well: what is signed is its canonical form. A DSSE payload
    # is a string, which stays as it is.
    changed = [json.dumps(shuffled(document.content, random)) for document in pool]
    assert judge(changed, trusted).verdict == judge(lines_of(pool), trusted).verdict


@tried_on(120)
@given(pools(), trusts, st.data())
def test_one_document_more_never_turns_a_pass_into_a_block(
    pool: list[Signed], trusted: Trust, data: st.DataObject
) -> None:
    # And so one document less never turns a block into a pass.
    whole: Judged | None = None
    for _ in range(3):
        part = judge(lines_of([each for each in pool if data.draw(st.booleans())]), trusted)
        if part.passed:
            whole = whole or judge(lines_of(pool), trusted)
            assert whole.passed, whole


# --- what nobody signed -----------------------------------------------------------------------


@dataclass(slots=True)
class Tampered:
    """A document in the hands of somebody without keys.

    ``content`` is what they make of it, None when they leave it out. ``rest`` is the document
    as it was, without the signatures that did not survive.
    """

    content: JsonObject | None
    rest: JsonObject | None


Tampering: TypeAlias = "Callable[[Tampered, st.DrawFn], None]"
anything: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


def _signatures(content: JsonObject) -> list[JsonObject]:
    signatures = content["signatures"]
    assert isinstance(signatures, list)
    return signatures  # type: ignore[return-value]


def with_other_keyids(document: Tampered, draw: st.DrawFn) -> None:
    assert document.content is not None
    for signature in _signatures(document.content):
        signature["keyid"] = draw(st.sampled_from([*KEYS, "", "x", None, 7, "ab" * 4_000]))
        if draw(st.booleans()):
            del signature["keyid"]


def with_more_signatures(document: Tampered, draw: st.DrawFn) -> None:
    assert document.content is not None
    signatures: list[JsonValue] = list(_signatures(document.content))
    entry: st.SearchStrategy[JsonValue] = st.one_of(
        anything,
        st.sampled_from(signatures or [None]),
        st.sampled_from(sorted(KEYS)).map(lambda keyid: {"keyid": keyid, "sig": "ab" * 64}),
        st.just({"keyid": OWNER.keyid, "sig": "ab" * 64, "other_headers": "04"}),
        st.just({"keyid": OWNER.keyid, "sig": "ab" * 64, "cert": "-----BEGIN CERTIFICATE-----"}),
    )
    for _ in range(draw(st.integers(1, 4))):
        signatures.insert(draw(st.integers(0, len(signatures))), draw(entry))
    document.content["signatures"] = signatures


def with_fewer_signatures(document: Tampered, draw: st.DrawFn) -> None:
    assert document.content is not None
    assert document.rest is not None
    ours = _signatures(document.content)
    kept = [draw(st.booleans()) for _ in ours]
    document.rest["signatures"] = [
        dict(each) for each, keep in zip(ours, kept, strict=True) if keep
    ]
    if draw(st.booleans()):
        # Garbled instead of taken out.
        for each, keep in zip(ours, kept, strict=True):
            if not keep:
                each["sig"] = draw(st.sampled_from(["", "00" * 64, "AAAA", None]))
    else:
        document.content["signatures"] = [
            each for each, keep in zip(ours, kept, strict=True) if keep
        ]


def with_other_members(document: Tampered, draw: st.DrawFn) -> None:
    assert document.content is not None
    names = st.sampled_from(["name", "note", "_type", "keys", "mediaType", "signers", "PAYLOAD"])
    known = "build.8bf5a507.link", "root.layout", "../../x", "evil/"
    for name in draw(st.sets(names, min_size=1)):
        document.content[name] = draw(anything | st.sampled_from(known))


def spelled_otherwise(document: Tampered, draw: st.DrawFn) -> None:
    assert document.content is not None
    document.content = shuffled(document.content, draw(randoms))  # type: ignore[assignment]
    assert isinstance(document.content, dict)
    payload = document.content.get("payload")
    if isinstance(payload, str):
        document.content["payload"] = payload.rstrip("=").translate(str.maketrans("+/", "-_"))
    else:
        for signature in _signatures(document.content):
            signature["sig"] = str(signature["sig"]).upper()


def with_another_payload(document: Tampered, draw: st.DrawFn) -> None:
    assert document.content is not None
    document.rest = None
    if "signed" in document.content:
        payload = document.content["signed"]
        assert isinstance(payload, dict)
        payload[draw(st.sampled_from(["note", "products", "keys", "threshold", "_type"]))] = {}
    elif draw(st.booleans()):
        document.content["payload"] = str(document.content["payload"])[:-8] + "fSAgfQ=="
    else:
        types = ["application/json", "", None, "application/vnd.in-toto.layout+json"]
        document.content["payloadType"] = draw(st.sampled_from(types))


def left_out(document: Tampered, _draw: st.DrawFn) -> None:
    document.content = document.rest = None


#: Nothing that was signed is lost by these; they are done in this order.
HARMLESS: tuple[Tampering, ...] = (
    with_other_keyids,
    spelled_otherwise,
    with_more_signatures,
    with_other_members,
)
HARMFUL: tuple[Tampering, ...] = (with_fewer_signatures, with_another_payload, left_out)
NOISE = ["", "{}", "[]", "null", "nonsense", '{"payload": 1}', '{"signed": {}, "signatures": []}']


@st.composite
def tampered(
    draw: st.DrawFn, pool: Sequence[Signed], *, harmless: bool = False
) -> tuple[list[str], list[str]]:
    """A bundle in the hands of somebody without keys, and what of it is left that was signed."""
    lines: list[str] = []
    rest: list[str] = []
    for each in pool:
        document = Tampered(each.content, each.content)
        if not harmless and not draw(st.integers(0, 3)):
            draw(st.sampled_from(HARMFUL))(document, draw)
        if document.content is not None:
            for way in HARMLESS:
                if not draw(st.integers(0, 2)):
                    way(document, draw)
        if document.content is not None:
            spaced = draw(st.booleans())
            lines.append(
                json.dumps(document.content, separators=(" ,\t", " : ") if spaced else None)
            )
        if document.rest is not None:
            rest.append(json.dumps(document.rest))
    # Copies, other people's documents, and what is no document at all.
    foreign = [signed(json.loads(each.payload), STRANGER).line for each in pool]
    lines += draw(st.lists(st.sampled_from([*NOISE, *foreign, *lines]), max_size=3))
    return draw(st.permutations(lines)), rest


@tried_on(70)
@given(pools(), trusts, st.data())
def test_E7_what_nobody_signed_changes_no_pass(
    pool: list[Signed], trusted: Trust, data: st.DataObject
) -> None:
    before = judge(lines_of(pool), trusted)
    lines, _ = data.draw(tampered(pool, harmless=True))
    after = judge(lines, trusted)
    assert after.passed == before.passed
    if before.passed:
        assert after.verdict == before.verdict


@tried_on(70)
@given(pools(), trusts, st.data())
def test_without_a_key_one_can_only_leave_out_what_was_signed(
    pool: list[Signed], trusted: Trust, data: st.DataObject
) -> None:
    # Whatever is done to a bundle, it says what the signatures that survive say, no more.
    lines, rest = data.draw(tampered(pool))
    after, expected = judge(lines, trusted), judge(rest, trusted)
    assert after.passed == expected.passed
    if after.passed:
        assert after.verdict == expected.verdict


@tried_on(80)
@given(st.sampled_from(Envelope), st.data())
def test_a_chain_without_surplus_passes_as_it_was_signed_or_not_at_all(
    form: Envelope, data: st.DataObject
) -> None:
    pool = [
        signed(layout(), OWNER, envelope=form),
        signed(tag_link(), TAGGER, envelope=form),
        signed(build_link(), BUILDER, envelope=form),
    ]
    before = judge(lines_of(pool), trust())
    assert before.passed
    lines, _ = data.draw(tampered(pool))
    after = judge(lines, trust())
    assert not after.passed or after.verdict == before.verdict
