"""The SARIF report: the official schema, the lines it points at, and what services make of it."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from pip_intoto.account import Checked
from pip_intoto.distribution import Place
from pip_intoto.reports import sarif
from pip_intoto.reports.reasons import reason
from pip_intoto.verdict import Action
from tests.integration.interpreters import ROOT
from tests.unit.reports.accounts import (
    LOCK,
    RUNS,
    account,
    clean,
    everything,
    exempt,
    hostile,
    invalid,
    large,
    missing,
    unlisted,
)
from tests.unit.reports.schemas import SARIF, text_of

if TYPE_CHECKING:
    from pip_intoto.account import Account


def run_of(of: Account) -> dict[str, Any]:
    log = json.loads(sarif.render(of))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def result_of(checked: Checked) -> dict[str, Any]:
    (result,) = run_of(account(checked=(checked,)))["results"]
    assert isinstance(result, dict)
    return result


def uri_of(path: str) -> dict[str, str]:
    result = result_of(Checked(verdict=missing(), place=Place(Path(path), 3)))
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert isinstance(artifact, dict)
    return artifact


# --- the schema -----------------------------------------------------------------------------


@pytest.mark.matrix
@pytest.mark.registry
@pytest.mark.parametrize("of", RUNS.values(), ids=RUNS)
def test_the_official_schema_is_satisfied(of: Account) -> None:
    schema = json.loads(text_of(SARIF))
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(
        json.loads(sarif.render(of))
    )


@pytest.mark.parametrize("of", [account(), hostile(), clean()])
def test_every_reference_within_the_log_leads_somewhere(of: Account) -> None:
    run = run_of(of)
    driver = run["tool"]["driver"]
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(set(rules)) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    described = {each["id"] for each in driver["notifications"]}
    for each in run["invocations"][0]["toolExecutionNotifications"]:
        assert each["descriptor"]["id"] in described


# --- results --------------------------------------------------------------------------------


def test_a_result_points_at_the_line_that_names_the_distribution() -> None:
    (location,) = result_of(Checked(verdict=missing(), place=Place(LOCK, 140)))["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "locks/pylock.toml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 140},
    }
    assert location["logicalLocations"] == [
        {"name": "rich", "fullyQualifiedName": "rich==13.9", "kind": "package"}
    ]


@pytest.mark.parametrize(
    ("path", "artifact"),
    [
        ("a b/ü.txt", {"uri": "a%20b/%C3%BC.txt", "uriBaseId": "%SRCROOT%"}),
        ("./x/pylock.toml", {"uri": "x/pylock.toml", "uriBaseId": "%SRCROOT%"}),
        ("a:b.txt", {"uri": "a%3Ab.txt", "uriBaseId": "%SRCROOT%"}),
        ("a#b?c%20.txt", {"uri": "a%23b%3Fc%2520.txt", "uriBaseId": "%SRCROOT%"}),
        ("/srv/app/uv.lock", {"uri": "file:///srv/app/uv.lock"}),
    ],
)
def test_paths_are_addresses(path: str, artifact: dict[str, str]) -> None:
    assert uri_of(path) == artifact


def test_a_file_that_was_given_itself_is_its_own_place() -> None:
    verdict = invalid()
    given = replace(verdict.distribution, path=Path("wheelhouse/jinja2.whl"))
    (location,) = result_of(Checked(verdict=replace(verdict, distribution=given)))["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "wheelhouse/jinja2.whl", "uriBaseId": "%SRCROOT%"}
    }


def test_what_no_file_names_is_known_by_project_and_version() -> None:
    verdict = invalid()
    copy = replace(verdict.distribution, path=Path("/tmp/private/jinja2.whl"))
    for each in (verdict, replace(verdict, distribution=copy)):
        (location,) = result_of(Checked(verdict=each))["locations"]
        assert list(location) == ["logicalLocations"]


def test_levels_follow_the_action_and_not_the_status() -> None:
    for action, level in ((Action.BLOCK, "error"), (Action.WARN, "warning")):
        for verdict in (missing(), unlisted()):
            assert result_of(Checked(verdict=replace(verdict, action=action)))["level"] == level


def test_what_passes_is_no_finding() -> None:
    assert run_of(clean())["results"] == []
    allowed = Checked(verdict=replace(unlisted(), action=Action.PASS))
    assert run_of(account(checked=(allowed,)))["results"] == []
    reported = {result["ruleId"] for result in run_of(account())["results"]}
    assert "verified" not in reported
    assert len(run_of(account())["results"]) == len(everything()) - 2


def test_what_an_exception_lets_through_is_a_suppressed_note() -> None:
    result = result_of(Checked(verdict=exempt()))
    assert result["level"] == "note"
    (suppression,) = result["suppressions"]
    assert suppression["status"] == "accepted"
    assert suppression["justification"] == (
        "upstream ships no layout before 2.0 (security@acme.example, until 2027-03-31)"
    )


def test_a_message_says_what_was_expected_found_and_to_be_done() -> None:
    message = result_of(everything()[6])["message"]["text"]
    assert message.splitlines() == [
        "jinja2-3.1.4-py3-none-any.whl: A rule of step 'build' of jinja2 3.1.4 is violated.",
        "Expected: every material of 'build' to be a product of 'source'",
        "Found: src/demo/extra.py, which 'source' does not have",
        "Hint: Do not install this file before the project has explained the difference.",
        "Note: two files of the lock would do here; the first was chosen",
    ]


def test_a_message_names_its_distribution_once() -> None:
    (checked, *_) = everything()[6:]
    named = replace(
        checked,
        verdict=replace(checked.verdict, summary="jinja2-3.1.4-py3-none-any.whl: it is violated."),
    )
    message = result_of(named)["message"]["text"]
    assert message.splitlines()[0] == "jinja2-3.1.4-py3-none-any.whl: it is violated."


# --- fingerprints ---------------------------------------------------------------------------


def fingerprint(checked: Checked) -> str:
    found = result_of(checked)["partialFingerprints"]["primaryLocationLineHash"]
    assert re.fullmatch(r"[0-9a-f]{16}:1", found)
    return str(found)


def test_fingerprints_survive_lines_that_move_and_nothing_else() -> None:
    verdict = missing()
    first = Checked(verdict=verdict, place=Place(LOCK, 10))
    assert fingerprint(first) == fingerprint(replace(first, place=Place(LOCK, 99)))
    assert fingerprint(first) == fingerprint(
        replace(first, verdict=replace(verdict, summary="in other words"), notes=("a note",))
    )
    changed = (
        replace(first, place=Place(Path("other.lock"), 10)),
        replace(first, verdict=replace(verdict, reason="rule-violated")),
        replace(
            first,
            verdict=replace(verdict, distribution=replace(verdict.distribution, sha256="0" * 64)),
        ),
        replace(
            first,
            verdict=replace(verdict, distribution=replace(verdict.distribution, version="14")),
        ),
    )
    assert len({fingerprint(each) for each in (first, *changed)}) == 1 + len(changed)


def test_the_same_finding_twice_has_two_fingerprints() -> None:
    first = Checked(verdict=missing(), place=Place(LOCK, 10))
    results = run_of(account(checked=(first, replace(first, place=Place(LOCK, 20)))))["results"]
    hashes = [each["partialFingerprints"]["primaryLocationLineHash"] for each in results]
    assert [each.partition(":")[2] for each in hashes] == ["1", "2"]


# --- rules and the invocation ---------------------------------------------------------------


def test_rules_are_the_reason_codes_that_occur_and_explain_themselves() -> None:
    rules = run_of(account())["tool"]["driver"]["rules"]
    assert {rule["id"] for rule in rules} == {each.verdict.reason for each in everything()} - {
        "verified"
    }
    for rule in rules:
        assert "Cause: " in rule["help"]["text"]
        assert "**Cure.** " in rule["help"]["markdown"]
        assert "](" not in rule["help"]["markdown"]


def test_every_code_of_the_reference_has_an_explanation() -> None:
    page = (ROOT / "docs" / "reference" / "reasons.md").read_text("utf-8")
    codes = re.findall(r"^### `([a-z-]+)`$", page, re.MULTILINE)
    assert len(codes) > 30
    for code in codes:
        about = reason(code)
        assert all((about.title, about.cause, about.cure)), f"{code}: run docs/check.py --write"


def test_a_code_that_nobody_explained_is_no_fault_of_the_run() -> None:
    checked = Checked(verdict=replace(missing(), reason="quite-new"))
    (rule,) = run_of(account(checked=(checked,)))["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "'quite-new'"


def test_the_invocation_says_how_the_run_ended() -> None:
    (invocation,) = run_of(clean())["invocations"]
    assert invocation["executionSuccessful"] is True
    assert (invocation["exitCode"], invocation["exitCodeDescription"]) == (0, "passed")
    assert invocation["startTimeUtc"] == "2026-11-21T12:00:00Z"
    assert invocation["toolExecutionNotifications"] == []
    assert run_of(clean())["tool"]["driver"]["version"] == "0.1.0"


def test_what_could_not_be_judged_is_a_notification() -> None:
    (invocation,) = run_of(account(interrupted=True))["invocations"]
    assert invocation["executionSuccessful"] is False
    told = {
        each["descriptor"]["id"]: each["message"]["text"]
        for each in invocation["toolExecutionNotifications"]
    }
    assert list(told) == ["lockfile-invalid", "usage", "fail-under", "interrupted"]
    assert told["lockfile-invalid"].startswith("locks/pylock.next.toml:1: the version is not")
    assert "20.0 % (2 of 10 verified), below the 95 %" in told["fail-under"]


def test_nothing_verified_is_a_notification() -> None:
    (invocation,) = run_of(account(checked=(), failures=(), fail_under=None))["invocations"]
    (told,) = invocation["toolExecutionNotifications"]
    assert told["descriptor"]["id"] == "nothing-verified"


# --- hostile text, and much of it -----------------------------------------------------------


def texts(part: object) -> list[str]:
    if isinstance(part, str):
        return [part]
    if isinstance(part, dict):
        return [text for each in part.values() for text in texts(each)]
    return [text for each in part for text in texts(each)] if isinstance(part, list) else []


def test_what_comes_from_metadata_is_no_link_no_placeholder_and_no_control() -> None:
    said = sarif.render(hostile())
    assert said.isascii()
    assert "hunter2" not in said
    run = run_of(hostile())
    for result in run["results"]:
        text = result["message"]["text"]
        assert not re.search(r"\]\(", text)
        assert not re.search(r"(?<!\{)\{(\{\{)*(?!\{)", text)
        for each in texts(result):
            assert not {character for character in each if ord(character) < 32} - {"\n"}
            assert not re.search("[\u202a-\u202e\u2066-\u2069\ud800-\udfff]", each)
    for each in run["invocations"][0]["toolExecutionNotifications"]:
        assert not re.search(r"\]\(", each["message"]["text"])


def test_addresses_of_hostile_paths_are_addresses() -> None:
    for result in run_of(hostile())["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9._~%/-]+", uri)


def test_5000_distributions_are_rendered_at_once() -> None:
    many = large(5000, blocked_every=1)
    began = time.perf_counter()
    assert len(run_of(many)["results"]) == 5000
    assert time.perf_counter() - began < 30
