"""J1-J5: one reading of JSON, and bounds that hold before anything is built."""

from __future__ import annotations

import dataclasses
import json
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.strict_json import parse

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue


@pytest.mark.accepts("J1", "J3", "J5")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        (' {"a": [1, -2, true, false, null, "x"]}\r\n\t', {"a": [1, -2, True, False, None, "x"]}),
        ('"\\u00e4\\ud83d\\ude00é\\\\\\"\\n"', 'ä😀é\\"\n'),
        ('{"a:": "[{", "b\\"": "}", "\\\\": "\\\\\\""}', {"a:": "[{", 'b"': "}", "\\": '\\"'}),
        ('["a","b:","", ":"]', ["a", "b:", "", ":"]),
        (
            '{"a":{"x":1},"b":{"x":2},"c":[{"x":3}]}',
            {"a": {"x": 1}, "b": {"x": 2}, "c": [{"x": 3}]},
        ),
        ("1.5e3", 1500.0),
        ("0", 0),
        ("9223372036854775807", 9223372036854775807),
    ],
)
def test_J_reads_what_json_says(text: str, value: JsonValue) -> None:
    assert parse(text.encode(), limits=DEFAULT) == value


@pytest.mark.rejects("J1")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"[1,]",
        b"{'a': 1}",
        b"{} {}",
        b"{}x",
        b'{"a" 1}',
        b'"a\nb"',
        b'"\\x"',
        b"01",
        b"+1",
        b"[1}",
        b'{"a":1]',
        b'"',
        b'\\"',
        b'[\\"[]',
        b"// comment\n{}",
        b"\x00",
    ],
)
def test_J1_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(MetadataMalformed):
        parse(data, limits=DEFAULT)


@pytest.mark.rejects("J1")
@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        "{}".encode("utf-16-le"),
        "{}".encode("utf-16-be"),
        "{}".encode("utf-32"),
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
    ],
)
def test_J1_other_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(MetadataMalformed):
        parse(data, limits=DEFAULT)


def test_J1_the_place_of_a_fault_is_told() -> None:
    with pytest.raises(MetadataMalformed) as caught:
        parse(b'{\n  "a": oops\n}', limits=DEFAULT)
    assert caught.value.place == "line 2 column 8"


@pytest.mark.rejects("J2")
@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "[NaN]"])
def test_J2_numbers_are_finite(text: str) -> None:
    with pytest.raises(MetadataMalformed):
        parse(text.encode(), limits=DEFAULT)


def test_J2_a_negative_zero_is_no_integer() -> None:
    value = parse(b"-0", limits=DEFAULT)
    assert isinstance(value, float)


@pytest.mark.rejects("J3")
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": 1, "\\u0061": 1}',
        '{"x": [{"y": {"a": 1, "b": 2, "a": 1}}]}',
        '{"a:": 1, "a:": 2}',
        '{"": 1, "": 2}',
        '{"\\\\": 1, "\\\\": 2}',
    ],
)
def test_J3_a_member_may_stand_only_once(text: str) -> None:
    with pytest.raises(MetadataMalformed, match="twice"):
        parse(text.encode(), limits=DEFAULT)


def test_J3_the_duplicate_is_named() -> None:
    with pytest.raises(MetadataMalformed) as caught:
        parse(b'{"x": {"payload": 1, "payload": 2}}', limits=DEFAULT)
    assert caught.value.found == "'payload'"


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
def test_J4_depth_up_to_the_limit_is_read_and_no_deeper() -> None:
    deepest = DEFAULT.json_depth
    value = parse(b"[" * deepest + b"]" * deepest, limits=DEFAULT)
    for _ in range(deepest - 1):
        assert isinstance(value, list)
        value = value[0]
    assert value == []
    with pytest.raises(MetadataTooLarge):
        parse(b"[" * (deepest + 1) + b"]" * (deepest + 1), limits=DEFAULT)


@pytest.mark.rejects("J4")
@pytest.mark.parametrize(
    "data",
    [
        b"[" * 1_000_000,
        b'{"a":' * 500_000,
        b"[" * 500_000 + b"]" * 500_000,
        b'{"a":[' * 100_000 + b"]}" * 100_000,
        b'"\\\\\\"' + b"[" * 100_000,
        b'\\"' + b"[" * 100_000 + b'"' + b"]" * 100_000,
    ],
)
def test_J4_depth_is_refused_before_anything_is_built(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((MetadataTooLarge, MetadataMalformed)):
            parse(data, limits=DEFAULT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Copies of the text, but no lists in lists: those take 56 bytes each and more.
    assert peak < 8 * len(data)


@pytest.mark.accepts("J4")
def test_J4_brackets_in_strings_are_no_depth() -> None:
    text = json.dumps({"[" * 1000: ["{" * 1000, '\\"' * 100 + "[" * 1000]})
    assert parse(text.encode(), limits=DEFAULT) == json.loads(text)


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
def test_J4_size_up_to_the_limit_is_read_and_no_more() -> None:
    limits = dataclasses.replace(DEFAULT, document_bytes=10)
    assert parse(b'"12345678"', limits=limits) == "12345678"
    with pytest.raises(MetadataTooLarge):
        parse(b'"123456789"', limits=limits)
    assert parse(b'"123456789"', limits=limits, max_bytes=11) == "123456789"


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
def test_J4_integers_have_as_many_digits_as_the_limit_says() -> None:
    digits = "9" * DEFAULT.json_digits
    assert parse(digits.encode(), limits=DEFAULT) == int(digits)
    assert parse(f"-{digits}".encode(), limits=DEFAULT) == -int(digits)
    for text in (f"{digits}9", f"-{digits}9", "1" * 1_000_000):
        with pytest.raises(MetadataTooLarge):
            parse(text.encode(), limits=DEFAULT)


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
def test_J4_floats_are_bounded_too() -> None:
    assert parse(b"-1.7976931348623157e+308", limits=DEFAULT) == -1.7976931348623157e308
    with pytest.raises(MetadataTooLarge):
        parse(b"0." + b"1" * 1_000_000, limits=DEFAULT)


@pytest.mark.rejects("J5")
@pytest.mark.parametrize(
    "text", ['"\\ud800"', '"\\udc00\\ud800"', '{"\\uDBFF": 1}', '[["x", "\\ud83dx"]]']
)
def test_J5_half_a_surrogate_pair_is_refused(text: str) -> None:
    with pytest.raises(MetadataMalformed):
        parse(text.encode(), limits=DEFAULT)


@pytest.mark.accepts("J5")
@pytest.mark.parametrize(
    "text", ['"\\ud83d\\ude00"', '"\\\\ud800"', '{"\\uD83D\\uDE00": "\\u0000"}']
)
def test_J5_whole_pairs_and_escaped_backslashes_are_text(text: str) -> None:
    assert parse(text.encode(), limits=DEFAULT) == json.loads(text)


@pytest.mark.accepts("J4")
@pytest.mark.parametrize(
    "unit",
    ["{},", "0,", '"",', "[[]],", '{"a":0},', '"\\\\",', '"\\"",', '"\\ud83d\\ude00",', "0.5,"],
)
def test_J4_hostile_documents_of_full_size_take_a_moment(unit: str) -> None:
    count = DEFAULT.document_bytes // len(unit) - 1
    data = f"[{(unit * count)[:-1]}]".encode()
    start = time.process_time()
    value = parse(data, limits=DEFAULT)
    assert isinstance(value, list)
    assert len(value) == count
    assert time.process_time() - start < 5
