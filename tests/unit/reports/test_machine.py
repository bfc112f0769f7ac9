"""The report for programs, and the schema that is published of it."""

from __future__ import annotations

import json
import re
import time
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from pip_intoto.account import CHANGES, Checked
from pip_intoto.reports import machine
from pip_intoto.verdict import Status
from tests.integration.interpreters import ROOT
from tests.unit.reports.accounts import RUNS, account, attested, changed, everything, hostile, large

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.account import Account

REFERENCE = ROOT / "docs" / "reference"
PUBLISHED: dict[str, Any] = json.loads((REFERENCE / "report.schema.json").read_text("utf-8"))


def objects(schema: object) -> Iterator[dict[str, Any]]:
    """Every part of a schema that describes an object."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def closed() -> dict[str, Any]:
    """The schema, refusing members that it does not describe, as readers must not."""
    schema = deepcopy(PUBLISHED)
    for part in objects(schema):
        part["additionalProperties"] = False
    return schema


STRICT = Draft202012Validator(closed(), format_checker=FormatChecker())


def parsed(of: Account) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(machine.render(of))
    return report


# --- the schema -----------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(PUBLISHED)


@pytest.mark.parametrize("of", RUNS.values(), ids=RUNS)
def test_reports_satisfy_the_schema_and_have_no_member_that_it_lacks(of: Account) -> None:
    STRICT.validate(parsed(of))


def test_every_member_is_required_and_described() -> None:
    for part in objects(PUBLISHED):
        assert part["required"] == list(part["properties"])
        for name, member in part["properties"].items():
            assert "description" in member or "$ref" in member, name


def test_the_kinds_of_changes_are_those_of_the_schema_and_of_the_page() -> None:
    assert PUBLISHED["$defs"]["change"]["properties"]["kind"]["enum"] == list(CHANGES)
    page = (REFERENCE / "report.md").read_text("utf-8")
    assert ", ".join(f"`{kind}`" for kind in CHANGES) in page
    assert {change.kind for change in changed()} == set(CHANGES)


def test_readers_are_to_pass_over_members_that_they_do_not_know() -> None:
    report = {**parsed(account()), "later": 1}
    Draft202012Validator(PUBLISHED).validate(report)
    assert not STRICT.is_valid(report)


@pytest.mark.parametrize(
    ("member", "value"),
    [("schema", 2), ("exit-status", 3), ("coverage", 101), ("coverage", "98 %"), ("counts", {})],
)
def test_the_schema_refuses_what_is_no_report(member: str, value: object) -> None:
    assert not STRICT.is_valid({**parsed(account()), member: value})


def test_the_page_explains_every_member() -> None:
    page = (REFERENCE / "report.md").read_text("utf-8")
    for part in objects(PUBLISHED):
        for name in part["properties"]:
            assert re.search(rf"`{name}`", page), name


# --- what it says ---------------------------------------------------------------------------


def test_the_totals_are_those_of_the_account() -> None:
    report = parsed(account())
    assert report["schema"] == 1
    assert report["exit-status"] == 1
    assert list(report["counts"]) == [status.value for status in Status]
    assert sum(report["counts"].values()) == len(report["verdicts"]) == 10
    assert (report["coverage"], report["fail-under"]) == (20.0, 95.0)
    assert [each["name"] for each in report["left-out"]] == ["colorama", "pywin32", "tzdata"]
    assert report["left-out"][0]["place"] == {"file": "locks/pylock.toml", "line": 200}
    assert report["unchanged"] == 2
    assert report["began"] == "2026-11-21T12:00:00Z"
    assert report["traffic"]["spared"] == 180_400_000


def test_a_verdict_says_where_the_distribution_is_named() -> None:
    verdicts = parsed(account())["verdicts"]
    assert verdicts[6]["place"] == {"file": "locks/pylock.toml", "line": 140}
    assert verdicts[7]["place"] is None
    assert verdicts[1]["notes"] == ["the lock has no digest; the index's was used"]


def test_a_verdict_shows_the_chain_and_where_it_broke() -> None:
    chain = parsed(account())["verdicts"][6]["chain"]
    assert [(each["name"], each["kind"], each["outcome"]) for each in chain["stations"]] == [
        ("source", "step", "ok"),
        ("build", "step", "fail"),
        ("approve", "step", "note"),
        ("unpack", "inspection", "note"),
    ]
    assert chain["expires"] == "2027-06-30T00:00:00Z"
    assert parsed(account())["verdicts"][4]["chain"] is None


def test_an_exception_is_named_with_owner_and_end() -> None:
    assert parsed(account())["verdicts"][2]["exception"] == {
        "owner": "security@acme.example",
        "reason": "upstream ships no layout before 2.0",
        "expires": "2027-03-31",
        "waives": [],
    }


def test_failures_carry_their_code() -> None:
    assert [each["code"] for each in parsed(account())["failures"]] == ["lockfile-invalid", "usage"]


def test_nobody_asked_for_changes_is_not_nothing_changed() -> None:
    assert parsed(account(changes=None))["changes"] is None
    assert parsed(account(changes=()))["changes"] == []


def test_a_single_verdict_can_stand_in_other_reports() -> None:
    (first, *_) = everything()
    assert machine.described(first.verdict)["place"] is None
    assert machine.described(first.verdict, place=first.place) == parsed(account())["verdicts"][0]


# --- hostile text, and much of it -----------------------------------------------------------


def test_the_text_is_ascii_whatever_metadata_says() -> None:
    said = machine.render(hostile())
    assert said.isascii()
    assert not {each for each in said if not each.isprintable()} - {"\n"}
    # Inside of a log, no line begins as a command; inside of HTML it would need escaping anyway.
    assert not [line for line in said.splitlines() if line.lstrip().startswith(("::", "##"))]


def test_each_member_and_each_verdict_has_a_line_of_its_own() -> None:
    of = account()
    lines = machine.render(of).splitlines()
    assert [each for each in lines if each.startswith('  "policy": {"path": ')]
    first = lines.index('  "verdicts": [') + 1
    for line, checked in zip(lines[first:], of.checked, strict=False):
        verdict = json.loads(line.rstrip(","))
        assert verdict["distribution"]["filename"] == checked.verdict.distribution.filename
    assert lines[first + len(of.checked)] == "  ],"
    assert machine.dumped({}) == "{\n\n}\n"
    assert '  "changes": [],' in machine.render(account(changes=())).splitlines()


def test_credentials_are_not_passed_on() -> None:
    assert "hunter2" not in machine.render(hostile())
    assert "token@" not in machine.render(account())


def test_5000_distributions_are_rendered_at_once() -> None:
    many = large(5000)
    began = time.perf_counter()
    report = parsed(many)
    assert time.perf_counter() - began < 30
    assert len(report["verdicts"]) == 5000


def test_a_log_of_a_ci_service_gets_no_commands() -> None:
    targets = ("##vso[task.x]y", "##[error]x", "a#b")
    rendered = machine.render(account(targets=targets))
    assert "##" not in rendered
    assert json.loads(rendered)["targets"] == [*targets]


def test_who_is_known_by_an_identity_is_told_in_full_and_in_short() -> None:
    run = replace(account(), checked=(Checked(verdict=attested()),))
    chain = parsed(run)["verdicts"][0]["chain"]
    assert chain["stations"][0]["predicates"] == [
        "https://slsa.dev/provenance/v1",
        "https://acme.example/Reviewed/v2",
    ]
    (credential,) = chain["credentials"]
    assert credential["publisher"] == (
        "github:acme/demo:release.yml (refs/tags/v1, environment acme/demo)"
    )
    assert credential["issuer"] == "https://token.actions.githubusercontent.com"
    assert credential["signed-at"] == "2026-11-21T12:00:00Z"
    assert credential["reused-workflow"] == ""
    assert len(chain["owner-keys"]) == 1
