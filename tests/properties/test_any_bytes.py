"""Whatever bytes there are, the engine answers, or raises an error of its own.

The harnesses of tests/fuzz are given their seeds, damaged; payloads are signed after the damage, so
that it reaches the parsers of layouts and links, the rules, and the choice of links.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.harnesses import HARNESSES, archives, bundles, payloads, policies
from tests.fuzz.seeds import SEEDS
from tests.properties.thoroughness import tried_on
from tests.unit.verification.supply import BUILDER, TAGGER, sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from pip_intoto.metadata.strict_json import JsonValue

MADE = {name: list(seeds()) for name, seeds in SEEDS.items()}


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """A seed with a few bytes changed, cut out, or taken from another seed."""
    seeds = st.sampled_from(MADE[name])
    content = draw(seeds)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 60)))
        match draw(st.sampled_from(["change", "insert", "cut", "splice", "end"])):
            case "change":
                piece = draw(st.binary(min_size=1, max_size=4))
                content = content[:start] + piece + content[start + len(piece) :]
            case "insert":
                content = content[:start] + draw(st.binary(max_size=4)) + content[start:]
            case "cut":
                content = content[:start] + content[end:]
            case "splice":
                other = draw(seeds)
                content = content[:start] + other[draw(st.integers(0, len(other))) :]
            case _:
                content = content[:start]
    return content


def survives(harness: Callable[[bytes], None], data: bytes) -> bool:
    harness(data)
    return True


@tried_on(100)
@given(st.sampled_from(sorted(HARNESSES)), st.binary(max_size=300))
def test_any_bytes_at_all(name: str, data: bytes) -> None:
    assert survives(HARNESSES[name], data)


@tried_on(150)
@given(damaged("bundles"))
def test_damaged_bundles(data: bytes) -> None:
    assert survives(bundles, data)


@tried_on(150)
@given(damaged("payloads"))
def test_damaged_payloads_with_good_signatures(data: bytes) -> None:
    assert survives(payloads, data)


@tried_on(200)
@given(damaged("archives"))
def test_damaged_archives(data: bytes) -> None:
    assert survives(archives, data)


@tried_on(150)
@given(damaged("policies"))
@example(b"a = " + b"[" * 5_000)
@example(b"a = " + b"9" * 5_000)
def test_damaged_policies_and_keys(data: bytes) -> None:
    assert survives(policies, data)


# --- payloads with other values in them -------------------------------------------------------

words = st.one_of(
    st.sampled_from(
        ["", "*", "[", "[!", "[]-", "**?", "tag", "build", "fetch", "sha256", "sha512", "..", "/",
         "a//b", "{version}", "{", "MATCH", "IN", "WITH", "PRODUCTS", "FROM", "DISALLOW", "layout",
         "link", "2030-02-30T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "\x00",
         "\ud83d\ude00", sha256(""), TAGGER.keyid, BUILDER.public, "x-1.0-py3-none-any.whl",
         "demo-1.0.tar.gz", "https://example/a"]
    ),
    st.text(max_size=6),
)  # fmt: skip
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**65) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)


def _places(value: JsonValue) -> list[tuple[dict[str, JsonValue] | list[JsonValue], str | int]]:
    """Every member and element in ``value``, with what holds it."""
    found: list[tuple[dict[str, JsonValue] | list[JsonValue], str | int]] = []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += [(value, name), *_places(inner)]
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += [(value, index), *_places(inner)]
    return found


@st.composite
def other_payloads(draw: st.DrawFn) -> bytes:
    """A chain in which some values are replaced, moved, taken away, or renamed."""
    lines = draw(st.sampled_from(MADE["payloads"])).split(b"\n")
    read: list[tuple[bytes, JsonValue]] = []
    for line in lines:
        signers, _, payload = line.partition(b" ")
        read.append((signers, json.loads(payload)))
    for _ in range(draw(st.integers(1, 3))):
        places = _places(draw(st.sampled_from([value for _, value in read])))
        if not places:
            continue
        holder, at = draw(st.sampled_from(places))
        donor, there = draw(st.sampled_from(places))
        value = draw(values | st.just(donor[there]))  # type: ignore[index]
        if isinstance(holder, dict):
            if draw(st.booleans()):
                holder[draw(words)] = holder.pop(str(at))
            else:
                holder[str(at)] = json.loads(json.dumps(value))
        elif isinstance(at, int):
            holder[at : at + draw(st.integers(0, 1))] = json.loads(json.dumps([value]))
    return b"\n".join(
        signers + b" " + json.dumps(payload, ensure_ascii=False).encode("utf-8", "surrogatepass")
        for signers, payload in read
    )


@tried_on(200)
@given(other_payloads())
def test_signed_payloads_with_anything_in_them(data: bytes) -> None:
    assert survives(payloads, data)
