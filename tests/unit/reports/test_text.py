"""The report for people: in full what needs a person, the rest in short, totals at the end."""

from __future__ import annotations

import time
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.account import CHANGES, Checked, Traffic
from pip_intoto.reports import text, wording
from pip_intoto.reports.lines import Tone, printable
from pip_intoto.verdict import Action, Status
from tests.unit.reports.accounts import (
    HOSTILE,
    account,
    clean,
    everything,
    hostile,
    invalid,
    large,
    unlisted,
)

if TYPE_CHECKING:
    from pip_intoto.account import Account


def of_many(*others: int) -> Account:
    """Give 100 verified ones, and those of :func:`everything` with these numbers."""
    few = everything()
    return replace(
        large(100, blocked_every=1000),
        checked=large(100).checked[1:50] + tuple(few[at] for at in others),
    )


# --- verdicts -------------------------------------------------------------------------------


def test_what_blocks_is_said_with_place_reason_and_hint() -> None:
    assert """\
jinja2-3.1.4-py3-none-any.whl: invalid [rule-violated], block
  A rule of step 'build' of jinja2 3.1.4 is violated.
  at: locks/pylock.toml:140
  expected: every material of 'build' to be a product of 'source'
  found: src/demo/extra.py, which 'source' does not have
  hint: Do not install this file before the project has explained the difference.
  note: two files of the lock would do here; the first was chosen
""" in text.render(account())


def test_few_verdicts_are_all_shown_in_the_order_of_the_targets() -> None:
    said = text.render(account())
    names = ["flask", "click", "legacy_tool", "left_pad", "rich", "numpy", "jinja2", "werkzeug"]
    at = [said.index(f"{name}-") for name in names]
    assert at == sorted(at)
    assert "flask-3.1.0-py3-none-any.whl: verified\n  flask 3.1.0 is verified" in said


def test_what_no_rule_names_has_a_line_each_and_one_hint_together() -> None:
    checked = tuple(Checked(verdict=unlisted()) for _ in range(3))
    said = text.render(account(checked=checked))
    (name,) = {each.verdict.distribution.filename for each in checked}
    assert said.startswith(f"{name}: unlisted, warn\n" * 3 + "hint: `pip-intoto trust add NAME")
    assert "No rule of the policy" not in said
    verbose = "".join(line.text for line in text.lines(account(checked=checked), verbose=True))
    assert "No rule of the policy" in verbose


def test_a_checkout_is_known_by_its_name() -> None:
    assert "\nown-tool: unverifiable, warn\n" in text.render(account())


def test_of_many_what_is_verified_is_counted_only() -> None:
    said = text.render(large(400))
    assert said.count(": invalid [rule-violated], block\n") == 8
    assert ": verified" not in said
    assert "400 distributions in 3.2 s: 392 verified, 8 invalid\n" in said
    assert said.count("\n") < 80


def test_twenty_are_few_and_one_more_is_many() -> None:
    assert text.render(clean(20)).count(": verified\n") == 20
    assert ": verified\n" not in text.render(clean(21))


def test_of_many_what_passes_otherwise_has_a_line_each() -> None:
    said = text.render(of_many(2, 3, 8))
    assert said.startswith(
        "legacy_tool-1.9-py3-none-any.whl: exempt until 2027-03-31, says security@acme.example"
        "  (locks/pylock.toml:60)\n"
        "left_pad-0.1-py3-none-any.whl: unlisted, warn  (locks/pylock.toml:80)\n"
        "own-tool: unverifiable, warn  (requirements/dev tools.txt:7)\n\n"
    )


def test_of_many_what_would_be_blocked_in_enforce_mode_is_in_full() -> None:
    assert "\n  There is no evidence for rich 13.9.\n" in text.render(of_many(9))


def test_verbose_names_the_verified_and_shows_the_way_to_the_others() -> None:
    said = "\n".join(line.text for line in text.lines(of_many(6), verbose=True))
    assert said.count(": verified  (locks/pylock.toml:") == 49
    assert "  fail  step 'build': DISALLOW * refused src/demo/extra.py" in said
    assert "policy /etc/pip-intoto/policy.toml (enforce)" in said


def test_quiet_leaves_out_what_passes() -> None:
    told = [line.text for line in text.lines(account(), quiet=True)]
    assert not [line for line in told if line.startswith(("flask", "legacy_tool"))]
    assert [line for line in told if line.startswith("left_pad")]


def test_quiet_has_a_line_for_a_warning() -> None:
    calm = tuple(each for each in everything() if each.verdict.action is Action.WARN)
    calm = tuple(each for each in calm if each.verdict.status is Status.UNLISTED)
    assert calm
    told = text.lines(account(checked=calm, failures=(), changes=None), quiet=True)
    assert all("unlisted, warn  (" in line.text for line in told[: len(calm)])
    assert not [line for line in told if line.text.startswith("  hint")]


def test_a_note_that_is_what_was_found_is_not_said_twice() -> None:
    (first, *_) = (each for each in everything() if each.verdict.found)
    noted = replace(first, notes=(first.verdict.found, "something else"))
    said = text.render(account(checked=(noted,), failures=(), changes=None))
    assert f"note: {first.verdict.found}" not in said
    assert "  note: something else\n" in said


def test_a_note_that_many_have_is_said_once() -> None:
    many = large(400, blocked_every=1000)
    noted = tuple(replace(each, notes=("the lock has no digest",)) for each in many.checked)
    said = text.render(replace(many, checked=noted))
    assert said.count("the lock has no digest") == 2  # the one that blocks says it by itself
    assert "(project_1-1.0-py3-none-any.whl, project_2-1.0-py3-none-any.whl," in said
    assert " and 396 more)\n" in said


def test_quiet_says_nothing_of_a_success_and_the_totals_of_the_rest() -> None:
    assert text.lines(clean(400), quiet=True) == []
    short = replace(clean(), fail_under=100.1, exit_status=1)
    assert [line.text for line in text.lines(short, quiet=True)] == [
        "2 distributions in 3.2 s: 2 verified",
        "coverage: 100.0 % (2 of 2 verified), below the 100.1 % that are asked for",
        wording.traffic(short.traffic),
    ]


# --- totals ---------------------------------------------------------------------------------


def test_the_buckets_are_never_mixed() -> None:
    assert (
        "10 distributions in 3.2 s: 2 verified, 1 exempt, 1 unlisted, 2 missing, 1 unreachable,"
        " 2 invalid, 1 unverifiable\n" in text.render(account())
    )


@pytest.mark.parametrize(
    ("fail_under", "said"),
    [
        (None, "coverage: 98.0 % (392 of 400 verified)\n"),
        (95.0, "coverage: 98.0 % (392 of 400 verified); 95 % are asked for\n"),
        (98.5, "coverage: 98.0 % (392 of 400 verified), below the 98.5 % that are asked for\n"),
    ],
)
def test_the_coverage_is_said_and_whether_it_is_enough(fail_under: float, said: str) -> None:
    assert said in text.render(replace(large(400), fail_under=fail_under))


def test_a_coverage_is_never_rounded_up() -> None:
    almost = replace(large(5000, blocked_every=5000), fail_under=100.0)
    assert "coverage: 99.9 % (4,999 of 5,000 verified), below the 100 %" in text.render(almost)


def test_nothing_verified_is_said_in_the_tone_of_a_fault() -> None:
    for checked in ((), everything()[2:4]):
        told = text.lines(account(checked=checked, fail_under=None))
        (line,) = [line for line in told if line.text.startswith("coverage")]
        assert line.tone is Tone.BAD
        assert line.text.startswith("coverage: 0.0 % (0 of ")


@pytest.mark.parametrize(
    ("traffic", "said"),
    [
        (Traffic(), ""),
        (Traffic(requests=1, received=999), "fetched 999 bytes of evidence in 1 request"),
        (
            Traffic(requests=410, received=1_234_567, spared=180_000_000),
            """fetched 1.2 MB of evidence in 410 requests; \
the files themselves would have been 180.0 MB""",
        ),
        (
            Traffic(requests=1410, received=1_234_567, files=200_000, spared=3_999_800_000),
            """fetched 1.0 MB of evidence in 1,410 requests, \
and 200.0 kB of files that had to be looked into; the files themselves would have been 4.0 GB""",
        ),
    ],
)
def test_traffic_is_put_in_words(traffic: Traffic, said: str) -> None:
    assert wording.traffic(traffic) == said
    assert said in text.render(account(traffic=traffic))


def test_what_was_passed_over_is_counted() -> None:
    said = text.render(account())
    assert "3 projects of the lock left out: not installed here (-v names them)\n" in said
    assert "2 projects passed over, unchanged\n" in said


def test_an_interrupted_run_says_so() -> None:
    assert text.render(account(interrupted=True)).endswith(
        "interrupted: what was not checked by then is not counted\n"
    )
    assert "interrupted" not in text.render(account())


# --- failures and changes -------------------------------------------------------------------


def test_what_could_not_be_judged_is_said_as_errors_are() -> None:
    assert """
What could not be judged
  error: locks/pylock.next.toml:1: the version is not one that is known
    expected: lock-version = "1.0"
    found: lock-version = "9.9"
    hint: Have the tool that wrote the file write it again.
    [lockfile-invalid]
""" in text.render(account())


def test_changes_in_trust_have_a_line_each_the_gravest_first() -> None:
    said = text.render(account())
    section = said[said.index("What changed in trust\n") :].split("\n\n")[0].splitlines()
    assert section[1] == (
        "  newly-unverified  jinja2: verified → invalid [rule-violated]  (locks/pylock.toml:140)"
    )
    assert [line.split()[0] for line in section[1:]] == list(CHANGES)
    assert "  removed           nose: was 1.3.7, unlisted" in section


def test_changes_are_not_spoken_of_unless_asked_for() -> None:
    assert "What changed in trust" not in text.render(account(changes=None))
    assert "What changed in trust\n  nothing\n" in text.render(account(changes=()))


# --- hostile text, and much of it -----------------------------------------------------------


@pytest.mark.parametrize("checked", [None, 30])
def test_what_comes_from_metadata_does_no_harm(checked: int | None) -> None:
    told = hostile()
    if checked is not None:
        told = replace(told, checked=told.checked[:checked] + large(30).checked)
    said = text.render(told)
    assert not {each for each in said if unicodedata.category(each)[0] == "C"} - {"\n"}
    assert not [line for line in said.splitlines() if line.lstrip().startswith(("::", "##["))]
    assert "##vso[" not in said
    assert "hunter2" not in said
    said.encode()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("::error::x", "\\x3a:error::x"),
        ("fine\n  ::set-output name=x::y", "fine\n  \\x3a:set-output name=x::y"),
        ("fine\n\u00a0::add-mask::x", "fine\n\u00a0\\x3a:add-mask::x"),
        ("fine\u2028::error::x\u2029::error::x", "fine\\x2028::error::x\\x2029::error::x"),
        ("##[error]x and ##vso[task.x] and ##teamcity[x]", None),
        ("a::b, C::D, # heading, #1, ##, [x]", "a::b, C::D, # heading, #1, ##, [x]"),
        ("###[group]", None),
    ],
)
def test_a_log_of_a_ci_service_gets_no_commands(given: str, shown: str | None) -> None:
    said = printable(given)
    if shown is None:
        assert "##[" not in said
        assert "##vso[" not in said
        assert "##teamcity[" not in said
    else:
        assert said == shown


def test_every_hostile_text_is_still_there_to_be_read() -> None:
    said = text.render(hostile())
    assert said.count("evil") >= len([each for each in HOSTILE if "evil" in each])
    assert "\\x1b[2J" in said
    assert "\\x202eevil\\x2066" in said or "\\u202eevil\\u2066" in said


def test_5000_distributions_are_rendered_at_once() -> None:
    many = large(5000)
    began = time.perf_counter()
    said = text.render(many)
    assert time.perf_counter() - began < 30
    assert said.count("block\n") == 100


def test_all_verified_is_short() -> None:
    assert text.render(replace(clean(400), traffic=Traffic())) == (
        "400 distributions in 3.2 s: 400 verified\ncoverage: 100.0 % (400 of 400 verified)\n"
    )


def test_long_texts_are_cut() -> None:
    wordy = replace(invalid(), summary="x" * 100_000)
    said = text.render(account(checked=(Checked(verdict=wordy),)))
    assert "x" * 3_000 in said
    assert "x" * 5_000 not in said


def test_every_status_is_shown_by_its_name() -> None:
    for each in everything():
        status = each.verdict.status
        assert f": {status.value}" in text.render(account(checked=(each,)))
    assert {each.verdict.status for each in everything()} == set(Status)
