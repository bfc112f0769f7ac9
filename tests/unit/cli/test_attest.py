"""``pip-intoto attest``: statements about files, as somebody signs and ships them."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.keys import key
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.predicate_types import predicate_type
from pip_intoto.metadata.envelope import parse_envelope, read_statement
from pip_intoto.metadata.predicate_names import SHORT, as_filename, spelled
from pip_intoto.verification.signatures import Keyring
from tests.unit.cli.shells import Shell

if TYPE_CHECKING:
    from pip_intoto.metadata.statement import Statement

WHEEL = "demo-1.0-py3-none-any.whl"
SDIST = "demo-1.0.tar.gz"
CI = key("ci")


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ci.pem").write_bytes(CI.private_pem())
    (tmp_path / "dist").mkdir()
    for name in (WHEEL, SDIST):
        (tmp_path / "dist" / name).write_bytes(name.encode())
    (tmp_path / "tox.ini").write_text("[tox]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def attest(shell: Shell, *words: object) -> int:
    return shell.run("attest", "--signing-key", "ci.pem", *words)


def stated(data: bytes) -> Statement:
    """The statement in a document, which the key has signed."""
    envelope = parse_envelope(data, of_statement=True, limits=DEFAULT)
    (signing,) = Keyring([CI.public_key]).signings(envelope)
    assert signing.key == CI.public_key
    return read_statement(envelope, limits=DEFAULT)


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_test_result_is_stated_about_each_file(shell: Shell) -> None:
    assert (
        attest(
            shell,
            "--test-result",
            "PASSED",
            "--configuration",
            "tox.ini",
            "--url",
            "https://ci.example/1",
            f"dist/{WHEEL}",
            f"dist/{SDIST}",
        )
        == 0
    )
    made = f"test-result.{CI.keyid[:8]}.json"
    assert made in shell.out
    statement = stated(Path(made).read_bytes())
    assert statement.predicate_type == "https://in-toto.io/attestation/test-result/v0.1"
    assert [(each.name, each.digests["sha256"]) for each in statement.subjects] == [
        (WHEEL, sha256(f"dist/{WHEEL}")),
        (SDIST, sha256(f"dist/{SDIST}")),
    ]
    assert statement.predicate.value == {
        "result": "PASSED",
        "configuration": [{"name": "tox.ini", "digest": {"sha256": sha256("tox.ini")}}],
        "url": "https://ci.example/1",
    }


def test_a_test_result_may_say_more(shell: Shell) -> None:
    Path("more.json").write_text('{"passedTests": ["a", "b"]}', encoding="utf-8")
    words = ("--test-result", "PASSED", "--predicate", "more.json", f"dist/{WHEEL}")
    assert attest(shell, *words, "-o", "out/result.json") == 0
    predicate = stated(Path("out/result.json").read_bytes()).predicate
    assert predicate.member("passedTests").strings() == ("a", "b")
    assert predicate.member("result").string() == "PASSED"


@pytest.mark.parametrize(
    ("named", "uri", "called"),
    [
        ("vulns", "https://in-toto.io/attestation/vulns/v0.2", "vulns"),
        ("spdx", "https://spdx.dev/Document/v3", "spdx"),
        ("https://acme.example/Review/v1", "https://acme.example/Review/v1", "Review"),
        ("urn:acme:approved", "urn:acme:approved", "approved"),
    ],
)
def test_any_predicate_is_signed_as_it_is(shell: Shell, named: str, uri: str, called: str) -> None:
    said = {"any": ["thing", 1, 0.25, None], "unicode": "é"}
    Path("p.json").write_text(json.dumps(said), encoding="utf-8")
    words = ("--predicate-type", named, "--predicate", "p.json", f"dist/{WHEEL}")
    assert attest(shell, *words) == 0
    statement = stated(Path(f"{called}.{CI.keyid[:8]}.json").read_bytes())
    assert (statement.predicate_type, statement.predicate.value) == (uri, said)


def test_it_goes_into_a_folder_that_is_named(shell: Shell) -> None:
    Path("links").mkdir()
    assert attest(shell, "--test-result", "PASSED", f"dist/{WHEEL}", "-o", "links") == 0
    assert [each.name for each in Path("links").iterdir()] == [f"test-result.{CI.keyid[:8]}.json"]


def test_E4_the_payload_type_says_nothing_of_the_predicate(shell: Shell) -> None:
    assert attest(shell, "--test-result", "PASSED", f"dist/{WHEEL}", "-o", "r.json") == 0
    envelope = json.loads(Path("r.json").read_bytes())
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    payload = json.loads(base64.b64decode(envelope["payload"]))
    assert payload["_type"] == "https://in-toto.io/Statement/v1"


def test_it_joins_the_evidence_of_each_file(shell: Shell) -> None:
    beside = Path("dist-evidence")
    beside.mkdir()
    present = b'{"payload": "e30=", "payloadType": "x", "signatures": []}'
    (beside / f"{WHEEL}.intoto.jsonl").write_bytes(present)
    words = ("--test-result", "PASSED", "--bundle", f"dist/{WHEEL}", f"dist/{SDIST}")
    assert attest(shell, *words) == 0
    first, second, *rest = (beside / f"{WHEEL}.intoto.jsonl").read_bytes().split(b"\n")
    assert (first, rest) == (present, [b""])
    assert (beside / f"{SDIST}.intoto.jsonl").read_bytes() == second + b"\n"
    assert len(stated(second).subjects) == 2


def test_the_same_statement_is_not_added_twice(shell: Shell) -> None:
    words = ("--test-result", "PASSED", "--bundle", "-o", "evidence", f"dist/{WHEEL}")
    assert attest(shell, *words) == 0
    once = Path(f"evidence/{WHEEL}.intoto.jsonl").read_bytes()
    assert attest(shell, *words) == 0
    assert Path(f"evidence/{WHEEL}.intoto.jsonl").read_bytes() == once


def test_nothing_is_written_where_one_of_the_bundles_cannot_be(shell: Shell) -> None:
    Path("dist-evidence").mkdir()
    (Path("dist-evidence") / f"{SDIST}.intoto.jsonl").write_bytes(b"\xff\xfe")
    words = ("--test-result", "PASSED", "--bundle", f"dist/{WHEEL}", f"dist/{SDIST}")
    assert attest(shell, *words) == 2
    assert [path.name for path in Path("dist-evidence").iterdir()] == [f"{SDIST}.intoto.jsonl"]


def test_a_failure_is_signed_with_a_warning(shell: Shell) -> None:
    assert attest(shell, "--test-result", "FAILED", f"dist/{WHEEL}") == 0
    assert "no layout takes it for evidence" in shell.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((f"dist/{WHEEL}",), "nobody says what is to be stated"),
        (("--predicate-type", "vsa", f"dist/{WHEEL}"), "nobody says what is to be stated"),
        (
            ("--predicate-type", "tset-result", "--predicate", "p.json", f"dist/{WHEEL}"),
            "Did you mean test-result?",
        ),
        (
            ("--predicate-type", "vsa", "--test-result", "PASSED", f"dist/{WHEEL}"),
            "a test result is of another type",
        ),
        (("--url", "https://x", "--predicate", "p.json", f"dist/{WHEEL}"), "--url belongs to"),
        (("--test-result", "PASSED", "dist"), "dist is a directory"),
        (("--test-result", "PASSED", "dist/none.whl"), "'dist/none.whl' cannot be recorded"),
        (
            ("--test-result", "PASSED", f"dist/{WHEEL}", f"other/{WHEEL}"),
            f"two files are called {WHEEL}",
        ),
        (
            ("--test-result", "PASSED", "--predicate", "result.json", f"dist/{WHEEL}"),
            "the predicate says `result` already",
        ),
        (
            ("--predicate-type", "vsa", "--predicate", "list.json", f"dist/{WHEEL}"),
            "list.json has no predicate",
        ),
        (
            ("--predicate-type", "vsa", "--predicate", "whole.json", f"dist/{WHEEL}"),
            "whole.json is a whole statement",
        ),
        (
            ("--predicate-type", "vsa", "--predicate", "torn.json", f"dist/{WHEEL}"),
            "hint: Correct it, or have whatever made it make it again.",
        ),
        (
            # Those who verify look for its result.
            ("--predicate-type", "vsa", "--predicate", "p.json", f"dist/{WHEEL}"),
            "this makes no statement that anybody accepts",
        ),
    ],
)
def test_what_makes_no_statement_is_told(
    shell: Shell, words: tuple[str, ...], message: str
) -> None:
    Path("other").mkdir()
    (Path("other") / WHEEL).write_bytes(b"other")
    for name, text in (
        ("p.json", "{}"),
        ("list.json", "[]"),
        ("torn.json", '{"a": '),
        ("result.json", '{"result": "FAILED"}'),
        ("whole.json", '{"predicateType": "x:y", "predicate": {}}'),
    ):
        Path(name).write_text(text, encoding="utf-8")
    before = set(Path().iterdir())
    assert attest(shell, *words) == 2
    assert message in shell.err
    assert set(Path().iterdir()) == before


def test_nobody_signs_for_somebody_who_names_no_key(shell: Shell) -> None:
    assert shell.run("attest", "--test-result", "PASSED", f"dist/{WHEEL}") == 2
    assert "nobody signs" in shell.err


def test_every_short_name_stands_for_one_type() -> None:
    assert len(set(SHORT.values())) == len(SHORT)
    for name, uri in SHORT.items():
        assert (predicate_type(name), as_filename(uri), spelled(uri)) == (uri, name, name)


def test_a_link_is_a_statement_too(shell: Shell) -> None:
    Path("p.json").write_text('{"name": "build"}', encoding="utf-8")
    words = ("--predicate-type", "link", "--predicate", "p.json", f"dist/{WHEEL}")
    assert attest(shell, *words) == 0
    statement = stated(Path(f"link.{CI.keyid[:8]}.json").read_bytes())
    assert statement.predicate_type == "https://in-toto.io/attestation/link/v0.3"
