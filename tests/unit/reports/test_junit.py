"""The JUnit report: the form that Jenkins checks, and that only what is verified passes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree.ElementTree import fromstring

import pytest
import xmlschema

from pip_intoto.account import Checked
from pip_intoto.reports import junit
from pip_intoto.verdict import Action
from tests.unit.reports.accounts import (
    HOSTILE,
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
    unreachable,
    unverifiable,
    verified,
)
from tests.unit.reports.schemas import JUNIT, text_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from pip_intoto.account import Account
    from pip_intoto.verdict import Verdict

COUNTED = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


def document(of: Account) -> Element:
    # Written by this package, from texts that it has made harmless: that is what is tested.
    return fromstring(junit.render(of))  # noqa: S314


def case(verdict: Verdict, notes: tuple[str, ...] = ()) -> Element:
    (suite, _) = document(account(checked=(Checked(verdict=verdict, notes=notes),)))
    (found,) = suite.iter("testcase")
    return found


def of_the_run(of: Account) -> dict[str, list[str]]:
    """Names of the cases that are about the run, and what they hold."""
    suite = document(of)[-1]
    assert suite.get("name") == "run"
    return {str(each.get("name")): [part.tag for part in each] for each in suite}


# --- the form -------------------------------------------------------------------------------


@pytest.mark.matrix
@pytest.mark.registry
@pytest.mark.parametrize("of", RUNS.values(), ids=RUNS)
def test_the_schema_of_jenkins_is_satisfied(of: Account) -> None:
    xmlschema.XMLSchema(text_of(JUNIT)).validate(junit.render(of))


@pytest.mark.parametrize("of", [account(interrupted=True), clean(), hostile()])
def test_the_numbers_are_those_of_the_cases(of: Account) -> None:
    root = document(of)
    for suite in root:
        for name, tag in COUNTED.items():
            assert suite.get(name) == str(len(list(suite.iter(tag))))
    for name in ("tests", "failures", "errors"):
        assert root.get(name) == str(len(list(root.iter(COUNTED[name]))))


def test_a_suite_is_a_file_that_names_distributions() -> None:
    suites = {str(suite.get("name")): suite.get("tests") for suite in document(account())}
    assert suites == {
        "locks/pylock.toml": "8",
        "targets": "1",
        "requirements/dev tools.txt": "1",
        "run": "3",
    }


def test_the_document_says_when_and_how_long() -> None:
    root = document(account())
    assert root.get("time") == "3.250"
    assert {suite.get("timestamp") for suite in root} == {"2026-11-21T12:00:00"}


# --- cases ----------------------------------------------------------------------------------


def test_only_what_is_verified_passes() -> None:
    passed = {
        each.get("name")
        for suite in document(account())
        if suite.get("name") != "run"
        for each in suite
        if not {part.tag for part in each} & {"failure", "error", "skipped"}
    }
    assert passed == {"flask-3.1.0-py3-none-any.whl", "click-8.1.7-py3-none-any.whl"}


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        (invalid(), "failure"),
        (missing(), "failure"),
        (replace(unlisted(), action=Action.BLOCK), "failure"),
        (replace(verified(), action=Action.BLOCK), "failure"),
        (replace(unverifiable(), action=Action.BLOCK), "failure"),
        (unreachable(), "error"),
        (exempt(), "skipped"),
        (unlisted(), "skipped"),
        (replace(unlisted(), action=Action.PASS), "skipped"),
        (unverifiable(), "skipped"),
        # What warn mode lets through is not verified either.
        (replace(missing(), action=Action.WARN), "skipped"),
        (replace(invalid(), action=Action.WARN), "skipped"),
        (replace(unreachable(), action=Action.WARN), "skipped"),
    ],
)
def test_what_is_not_verified_is_told_apart(verdict: Verdict, tag: str) -> None:
    (part,) = case(verdict)
    assert part.tag == tag
    assert part.get("type") == verdict.reason
    assert part.get("message") == verdict.summary


def test_a_failure_says_all_that_helps() -> None:
    (suite, *_) = document(account())
    (text,) = [
        part.text
        for each in suite
        if each.get("classname") == "jinja2"
        for part in each
        if part.tag == "failure"
    ]
    assert str(text).splitlines() == [
        "jinja2-3.1.4-py3-none-any.whl: invalid [rule-violated], block",
        "A rule of step 'build' of jinja2 3.1.4 is violated.",
        "at: locks/pylock.toml:140",
        "expected: every material of 'build' to be a product of 'source'",
        "found: src/demo/extra.py, which 'source' does not have",
        "hint: Do not install this file before the project has explained the difference.",
        "  ok    layout: signed by alice and bob",
        "  fail  step 'build': DISALLOW * refused src/demo/extra.py",
    ]


def test_notes_are_the_output_of_a_case() -> None:
    (part,) = case(verified(), notes=("one note", "another"))
    assert (part.tag, part.text) == ("system-out", "one note\nanother")
    assert len(case(verified())) == 0


def test_dots_of_names_are_no_packages() -> None:
    named = replace(verified().distribution, name="zope.interface")
    assert case(replace(verified(), distribution=named)).get("classname") == "zope-interface"


# --- the run --------------------------------------------------------------------------------


def test_the_coverage_is_a_case_of_its_own() -> None:
    assert of_the_run(clean()) == {"coverage": ["system-out"]}
    enough = replace(clean(), fail_under=100.0)
    assert of_the_run(enough) == {"coverage": ["system-out"]}
    assert of_the_run(account(failures=())) == {"coverage": ["failure", "system-out"]}


def test_nothing_verified_is_an_error() -> None:
    for checked in ((), everything()[2:4]):
        nothing = account(checked=checked, failures=(), fail_under=None)
        assert of_the_run(nothing) == {"coverage": ["error", "system-out"]}


def test_what_could_not_be_judged_and_what_was_cut_short_are_errors() -> None:
    assert of_the_run(account(interrupted=True)) == {
        "coverage": ["failure", "system-out"],
        "locks/pylock.next.toml:1": ["error"],
        "gone.whl: there is no such file": ["error"],
        "interrupted": ["error"],
    }


# --- hostile text, and much of it -----------------------------------------------------------


def test_what_comes_from_metadata_is_text_and_nothing_else() -> None:
    said = junit.render(hostile())
    root = fromstring(said)  # noqa: S314
    assert {each.tag for each in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out",
    }  # fmt: skip
    assert len(list(root.iter("testcase"))) == 4 * len(HOSTILE) + 1
    assert "<script" not in said
    assert "<![CDATA[" not in said
    assert "]]>" not in said
    assert "hunter2" not in said
    said.encode()


def test_what_xml_cannot_have_is_spelled_out() -> None:
    said = junit.render(hostile())
    allowed = {"\n"}
    assert not {each for each in said if ord(each) < 32 or 0x7F <= ord(each) < 0xA0} - allowed
    assert "\\x1b[2J" in said
    assert "lone \\xd800 surrogate, \\xfffe and \\xffff" in said


def test_a_log_that_shows_the_report_gets_no_commands() -> None:
    for line in junit.render(hostile()).splitlines():
        assert not line.lstrip().startswith(("::", "##["))
        assert "##vso[" not in line


def test_5000_distributions_are_rendered_at_once() -> None:
    many = large(5000)
    began = time.perf_counter()
    root = document(many)
    assert time.perf_counter() - began < 30
    assert root.get("tests") == "5001"
    assert root.get("failures") == "100"
