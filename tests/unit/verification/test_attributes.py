"""Conditions (ITE-11): what CEL says of them, what they cost, and how each fault is told."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import AttributeMissing, AttributeUnusable, AttributeViolated
from pip_intoto.limits import DEFAULT
from pip_intoto.verification.attributes import check, parsed

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

pytest.importorskip("celpy")

STATEMENT: dict[str, JsonValue] = {
    "type": "https://in-toto.io/Statement/v1",
    "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
    "subject": [
        {"name": "demo-1.0-py3-none-any.whl", "digest": {"sha256": "ab" * 32}},
        {"name": "demo-1.0.tar.gz", "digest": {"sha256": "cd" * 32}},
    ],
    "predicate": {
        "result": "PASSED",
        "passed": 3,
        "ratio": 1.0,
        "half": 0.5,
        "flaky": False,
        "nothing": None,
        "large": 9_223_372_036_854_775_808,
        "began": "2026-11-21T10:00:00Z",
        "ended": "2026-11-21T10:20:30.5+00:00",
        "took": "1h2m",
        "network": [],
        "numbers": [1, 2, 3],
        "mixed": [1, "two", None],
        "monitor": {"policies": [{"Name": "connect"}, {"Name": "exec"}]},
        "with-dash": {"ä": "ö"},
    },
}


def holds(*expressions: str) -> None:
    """Check conditions over the statement of these tests."""
    check(expressions, STATEMENT, place="steps[0].expected_attributes", limits=DEFAULT)


# --- what is true -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        # The examples of ITE-11, over what they are about.
        "predicate.result == 'PASSED'",
        "predicate.monitor.policies.exists(p, p['Name'] == 'connect')",
        "size(predicate.network) == 0",
        "predicate['with-dash']['ä'] == 'ö'",
        # Numbers are equal by value, and JSON's may be written in either way.
        "predicate.ratio == 1",
        "predicate.passed == 3.0",
        "predicate.passed > 2.5 && predicate.half < 1",
        "3u == 3 && 2u < 3 && 5u % 3u == 2u",
        "predicate.large > 9223372036854775807",
        # A truth value is no number, and null is itself.
        "predicate.flaky != 0 && true != 1 && !(1 == true)",
        "predicate.nothing == null && predicate.nothing != false",
        "1 != '1' && [1] != '1' && {'a': 1} != [1]",
        # Lists and maps are equal by their content.
        "predicate.numbers == [1.0, 2, 3u] && predicate.numbers != [1, 2]",
        "{'a': [1], 'b': null} == {'b': null, 'a': [1.0]} && {'a': 1} != {'b': 1}",
        "2 in predicate.numbers && !(4 in predicate.numbers) && !('2' in predicate.numbers)",
        "'result' in predicate && !('nope' in predicate) && !(1 in predicate)",
        "predicate.mixed.exists(x, x == 'two') && null in predicate.mixed",
        # Arithmetic.
        "7 / 2 == 3 && -7 / 2 == -3 && -7 % 3 == -1 && 7 - 2 * 3 == 1 && - -1 == 1",
        "7.0 / 2.0 == 3.5 && 1.0 / 0.0 > 1e300 && -1.0 / 0.0 < -1e300 && -0.5 < 0.0",
        "'a' + 'b' == 'ab' && b'a' + b'b' == b'ab' && [1] + [2] == [1, 2]",
        "'a' < 'b' && b'a' < b'b' && false < true && 'a' <= 'a' && 'b' > 'a' && 2 >= 2",
        # Texts.
        "predicateType.startsWith('https://in-toto.io/') && predicateType.endsWith('/v0.1')",
        "type.contains('Statement') && predicate.result.size() == 6 && size('ä') == 1",
        r"subject[0].name.matches('^demo-[0-9]+(\\.[0-9]+)*-py3-none-any\\.whl$')",
        r"matches('v1.2', r'^v\d+\.\d+$') && !'v1x2'.matches(r'^v\d+\.\d+$')",
        r"'\x41\u00e4\101\n' == 'AäA' + '\n' && b'\x00' != b'\x01' && '\'' == '\x27'",
        # Macros, nested, over lists and over the names in a map; the inner name wins.
        "subject.all(s, s.digest.all(name, name == 'sha256'))",
        "subject.exists_one(s, s.name.endsWith('.whl'))",
        "predicate.numbers.map(n, n * 2) == [2, 4, 6]",
        "predicate.numbers.map(n, n > 1, n * 2) == [4, 6]",
        "predicate.numbers.filter(n, n > 1).size() == 2",
        "[1].all(predicate, predicate == 1) && [[1]].all(x, x.all(x, x == 1))",
        "[].all(x, false) && ![].exists(x, true)",
        # Selection and presence.
        "has(predicate.result) && !has(predicate.nope) && has(predicate.nothing)",
        "has(predicate.nope) ? predicate.nope == 1 : true",
        # Types and conversions.
        "type(predicate.passed) == int && type(predicate.ratio) == double && type(1u) == uint",
        "type(predicate.result) == string && type(null) == null_type && type(b'') == bytes",
        "type(predicate) == map && type([]) == list && type(type(1)) != int",
        "int('12') == 12 && int(3.9) == 3 && int(2u) == 2",
        "uint('7') == 7u && double('1e2') == 100 && double(3) == 3.0",
        "string(12) == '12' && string(true) == 'true' && string(b'a') == 'a' && bytes('a') == b'a'",
        "bool('true') && !bool('false') && bool(true) && dyn(1) == 1",
        # Times.
        "timestamp(predicate.ended) - timestamp(predicate.began) < duration('21m')",
        "timestamp(predicate.began) + duration(predicate.took) > timestamp(predicate.ended)",
        "timestamp(predicate.began).getFullYear() == 2026 && duration('90s').getMinutes() == 1",
        "int(timestamp('1970-01-01T00:01:00Z')) == 60",
        # Spaces and comments.
        "predicate.passed ==\n 3 // all of them",
    ],
)
def test_a_condition_holds_as_CEL_has_it(expression: str) -> None:
    holds(expression)


@pytest.mark.parametrize(
    "expression",
    [
        # An error does not matter where the other side decides, on either side of the operator.
        "predicate.nope == 1 || true",
        "true || predicate.nope == 1",
        "!(predicate.nope == 1 && false)",
        "!(false && predicate.nope == 1)",
        "1 / 0 == 1 || true",
        "'text' || true",
        "[0, 1].exists(x, 1 / x == 1)",
        "![0, 1].all(x, 1 / x != 1)",
        "true ? true : predicate.nope",
    ],
)
def test_an_error_is_absorbed_where_the_other_side_decides(expression: str) -> None:
    holds(expression)


# --- what is not ------------------------------------------------------------------------------


def test_a_condition_that_is_false_is_named_with_what_was_found() -> None:
    with pytest.raises(AttributeViolated) as refused:
        holds(
            "predicate.result == 'PASSED'", "predicate.result == 'FAILED' && predicate.passed > 1"
        )
    assert refused.value.code == "attribute-violated"
    assert refused.value.place == "steps[0].expected_attributes[1]"
    assert refused.value.expected == "predicate.result == 'FAILED' && predicate.passed > 1"
    # && asks both sides: neither comes first.
    assert refused.value.found == "predicate.result = 'PASSED'"


@pytest.mark.parametrize(
    ("expression", "missing"),
    [
        ("predicate.nope == 1", "predicate.nope"),
        ("predicate.nope.deeper == 1", "predicate.nope"),
        ("!has(predicate.nope.deeper)", "predicate.nope"),
        ("predicate['nope'] == 1", "predicate['nope']"),
        ("subject[2].name == ''", "subject[2]"),
        ("subject[-1].name == ''", "subject[-1]"),
        ("subject.all(s, s.nope == 1)", "….nope"),
        ("predicate.nope != 1", "predicate.nope"),
        ("predicate.nope == 1 || false", "predicate.nope"),
        ("predicate.nope == 1 && true", "predicate.nope"),
        ("predicate.nope == 1 ? true : true", "predicate.nope"),
    ],
)
def test_what_is_not_there_is_missing_and_never_a_value(expression: str, missing: str) -> None:
    with pytest.raises(AttributeMissing) as refused:
        holds(expression)
    assert missing in refused.value.message
    assert refused.value.expected == expression


def test_a_statement_without_a_predicate_lacks_what_a_condition_asks_of_it() -> None:
    with pytest.raises(AttributeMissing):
        check(["predicate.a == 1"], {"type": "t"}, place="here", limits=DEFAULT)


@pytest.mark.parametrize(
    "expression",
    ["1", "predicate", "predicate.nothing", "'true'", "[true]", "predicate.result", "int"],
)
def test_what_is_neither_true_nor_false_does_not_hold(expression: str) -> None:
    with pytest.raises(AttributeUnusable, match="neither true nor false"):
        holds(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "predicate.result > 1",
        "predicate.flaky < 1",
        "'a' in 'abc'",
        "1 + '1' == ''",
        "1 + 1.0 == 2",
        "predicate.passed && true",
        "predicate.passed ? true : true",
        "predicate.result.x == 1",
        "!predicate.passed",
        "-'a' == ''",
        "1u - 2u == 0u",
        "1 / 0 == 0",
        "1 % 0 == 0",
        "9223372036854775807 + 1 == 0",
        "predicate.large + 1 == 0",
        "predicate.result.all(c, true)",
        "predicate.passed.all(x, true)",
        "[1, 2].exists_one(x, x)",
        "[1, 2].filter(x, x) == []",
        "predicate[1] == 1",
        "subject['name'] == 1",
        "subject[true].name == ''",
        "size(1) == 1",
        "(1).contains('1')",
        "'a'.contains(1)",
        "'a'.matches('(')",
        "'a'.matches('(?=a)')",
        "'a'.matches('(a)\\\\1')",
        "int('1_000') == 1000",
        "int(' 1') == 1",
        "int('99999999999999999999') == 1",
        "int(1e300) == 1",
        "int(true) == 1",
        "uint(-1) == 1u",
        "double('nan') == 1.0",
        "double('1e999') == 1.0",
        "string([]) == ''",
        "bytes(1000000000000) == b''",
        "string(b'\\xff') == ''",
        "bool('yes')",
        "timestamp('now') > timestamp('2020-01-01T00:00:00Z')",
        "timestamp('2020-01-01') > timestamp('2020-01-01T00:00:00Z')",
        "timestamp('2020-13-01T00:00:00Z') == null",
        "timestamp(1) == null",
        "timestamp('9999-12-31T00:00:00Z') + duration('999999999999h') == null",
        "duration('1d') == null",
        "duration('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!') == null",
        "duration('1.5s').getMilliseconds() == 500",
        "{'a': 1, 'a': 2} == {}",
        "{1: 2} == {}",
        "has(predicate.result.x)",
    ],
)
def test_what_has_no_value_does_not_hold(expression: str) -> None:
    with pytest.raises(AttributeUnusable, match="cannot be evaluated") as refused:
        holds(expression)
    assert refused.value.place == "steps[0].expected_attributes[0]"
    assert refused.value.found


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "predicate.",
        "predicate.result = 'PASSED'",
        "predicate.result === 'PASSED'",
        "predicate.result == \"PASSED'",
        "'unclosed",
        "'two\nlines' == ''",
        "'''three''' == ''",
        r"'\q' == ''",
        r"'\ud800' == ''",
        r"b'\u00e4' == b''",
        "result == 'PASSED'",
        "statement.predicate",
        "x.all(predicate.y, true)",
        "subject.all(s)",
        "subject.all(s, t, true)",
        "subject.reduce(a, b, 0, a) == 1",
        "[1, 2].min() == 1",
        "'a'.format([1]) == ''",
        "'%s'.format([1]) == ''",
        "nope(1)",
        "size() == 1",
        "size(1, 2) == 1",
        "'a'.contains() == 1",
        "has(predicate)",
        "has(predicate['a'])",
        "has()",
        "timestamp('2020-01-01T00:00:00Z').getHours('Europe/Paris') == 1",
        "google.protobuf.Int32Value{value: 1} == 1",
        ".predicate.result == 'PASSED'",
        "9223372036854775808 == 1",
        "18446744073709551616u == 1u",
        "-1u == 0",
        "-1u8 == 1",
        "1e999 == 1.0",
        "9" * 1_000 + " == 1",
        "(" * 1_000 + "1" + ")" * 1_000,
        "[" * 100 + "]" * 100 + " == []",
        "!" * 1_000 + "true",
        "predicate" + ".a" * 1_000,
        "||".join(["true"] * 500),
        "true?" * 300 + "true" + ":true" * 300,
        "'" + r"\n" * 2_000,
        "x" * 10_000,
        "\x00",
        "predicate.result == 'PASSED' ☺",
    ],
)
def test_what_is_no_expression_is_told_so_at_once(expression: str) -> None:
    started = time.process_time()
    with pytest.raises(AttributeUnusable, match="is not CEL") as refused:
        parsed(expression, place="here", limits=DEFAULT)
    assert time.process_time() - started < 2
    assert len(refused.value.found) < 500
    assert refused.value.found.isprintable()


# --- what it costs ----------------------------------------------------------------------------

_HUGE: dict[str, JsonValue] = {
    "type": "t",
    "predicate": {
        "numbers": list(range(50_000)),
        "text": "a" * 1_000_000,
        "ab": "ab" * 500_000,
        "é": "é" * 200_000,
    },
}


@pytest.mark.parametrize(
    "expression",
    [
        "['a']" + ".map(x, x + x)" * 40 + " == []",
        "[predicate.numbers]" + ".map(x, x + x)" * 30 + " == []",
        "[b'a']" + ".map(x, x + x)" * 40 + " == []",
        "[[1]]" + ".map(x, [x, x])" * 30 + " == " + "[[1]]" + ".map(x, [x, x])" * 30,
        "predicate.numbers.all(a, predicate.numbers.all(b, a + b >= 0))",
        "predicate.numbers.exists(a, -1 in predicate.numbers)",
        "predicate.numbers.exists(a, predicate.numbers != predicate.numbers)",
        "predicate.numbers.exists(a, predicate.text < predicate.text)",
        "predicate.numbers.exists(a, predicate.text.contains('b'))",
        "predicate.numbers.exists(a, string(predicate.text) == '')",
        "predicate.numbers.exists(a, bytes(predicate.text) == b'')",
        "predicate.numbers.exists(a, predicate.ab.matches('[ab]*a[ab]{200}c'))",
        "predicate.numbers.exists(a, predicate.text.matches('(a*)*(a*)*b'))",
        "predicate['é'].matches('((.?é){1,20}){1,10}z')",
        "predicate.numbers.exists(a, 'a'.matches('[ab]{900}' + string(a)))",
        "predicate.numbers.exists(a, 'a'.matches('(' + string(a)) || false)",
        "'a'.matches('" + "a" * 300 + "')",
        # What costs too much is absorbed by nothing.
        "predicate.numbers.exists(a, predicate.numbers.exists(b, a + b < 0)) || true",
    ],
)
def test_what_costs_too_much_ends_and_says_so(expression: str) -> None:
    started = time.process_time()
    with pytest.raises(AttributeUnusable, match=r"a condition (takes|makes|has) .*too") as refused:
        check([expression], _HUGE, place="here", limits=DEFAULT)
    assert refused.value.code == "attribute-unusable"
    assert refused.value.place == "here[0]"
    assert time.process_time() - started < 20


def test_all_conditions_of_a_list_share_what_they_may_cost() -> None:
    one = "predicate.numbers.all(n, n >= 0)"
    check([one], _HUGE, place="here", limits=DEFAULT)
    with pytest.raises(AttributeUnusable, match="too many steps") as refused:
        check([one] * 5, _HUGE, place="here", limits=DEFAULT)
    assert refused.value.place == "here[2]"


def test_a_large_document_costs_nothing_where_nobody_looks() -> None:
    document: dict[str, JsonValue] = {
        "type": "t",
        "predicate": {"packages": [{}] * 500_000, "result": "PASSED"},
    }
    check(["predicate.result == 'PASSED'"], document, place="here", limits=DEFAULT)
    with pytest.raises(AttributeViolated):
        check(["size(predicate.packages) == 0"], document, place="here", limits=DEFAULT)


def test_messages_are_bounded_and_on_one_line() -> None:
    document: dict[str, JsonValue] = {"type": "t", "predicate": {"text": "a\x1b[31m\n" * 100_000}}
    with pytest.raises(AttributeViolated) as refused:
        check(["predicate.text == ''" + " " * 3_000], document, place="here", limits=DEFAULT)
    told = refused.value.expected + refused.value.found
    assert len(told) < 600
    assert told.isprintable()


# --- the library ------------------------------------------------------------------------------

_WITHOUT = """
import sys
sys.modules["celpy"] = None
from pip_intoto.errors import AttributesUnsupported
from pip_intoto.limits import DEFAULT
from pip_intoto.verification.attributes import check
check([], {}, place="here", limits=DEFAULT)
try:
    check(["true"], {}, place="here", limits=DEFAULT)
except AttributesUnsupported as refused:
    print(refused.code, refused.place, refused.advice)
"""


def test_without_the_extra_the_message_says_what_to_install() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("attributes-unsupported here ")
    assert "pip install 'pip-intoto[cel]'" in answer.stdout


_QUIET = """
import sys
before = sys.getrecursionlimit()
from pip_intoto.limits import DEFAULT
from pip_intoto.verification.attributes import check
assert "celpy" not in sys.modules
for text in ("predicate.a == 1", "'a'.matches('(')", "x(", "1 / 0 == 1"):
    try:
        check([text], {"predicate": {}}, place="here", limits=DEFAULT)
    except Exception:
        pass
assert "celpy" in sys.modules
assert sys.getrecursionlimit() == before
"""


def test_the_library_is_loaded_late_says_nothing_and_changes_nothing_of_the_process() -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", _QUIET], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
