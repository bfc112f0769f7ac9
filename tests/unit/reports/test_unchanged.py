"""A lock in which nothing changed, where ``--allow-unchanged`` says that this is fine."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from pip_intoto.reports import html, junit, markdown, sarif, text
from tests.unit.reports import accounts

UNCHANGED = accounts.account(
    checked=(), failures=(), changes=(), exit_status=0, unchanged=18, fail_under=50.0
)


def test_no_share_of_nothing_is_too_low() -> None:
    assert "coverage: 0.0 % (0 of 0 verified)\n" in text.render(UNCHANGED)
    for render in (text.render, markdown.render, junit.render, sarif.render, html.render):
        assert "below the 50 %" not in render(UNCHANGED), render


def test_the_summary_says_that_nothing_has_changed() -> None:
    assert "pip-intoto: nothing has changed, 0 of 0 dist" in markdown.render(UNCHANGED)


def test_no_case_of_junit_fails_and_none_passes() -> None:
    (case,) = ET.fromstring(junit.render(UNCHANGED)).iter("testcase")  # noqa: S314 - our own
    assert [child.tag for child in case] == ["skipped", "system-out"]


def test_sarif_notifies_of_nothing() -> None:
    (run,) = json.loads(sarif.render(UNCHANGED))["runs"]
    (invocation,) = run["invocations"]
    assert invocation.get("toolExecutionNotifications", []) == []
