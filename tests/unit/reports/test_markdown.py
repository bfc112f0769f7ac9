"""The summary of a CI step: what it says, that none of it is a stranger's markup, its size."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from pip_intoto.account import CHANGES, Checked
from pip_intoto.distribution import Place
from pip_intoto.reports import markdown
from pip_intoto.reports.lines import one_line
from tests.unit.reports.accounts import (
    HOSTILE,
    account,
    clean,
    everything,
    hostile,
    invalid,
    large,
    missing,
    verified,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

#: Of GitHub, for one step.
MOST = 1024 * 1024
BASE = "https://github.example/acme/app/blob/0a1b/"


def tokens(page: str) -> Iterator[Token]:
    """What a parser of Markdown makes of a page, with tables and HTML."""
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page):
        yield token
        yield from token.children or ()


def section(page: str, heading: str) -> list[str]:
    return page[page.index(heading) :].split("\n\n")[1].splitlines()


def shown(line: str) -> str:
    """A line as a reader sees it."""
    return unescape(re.sub(r"<[^>]+>", "", line)).replace("\u200b", "")


# --- what it says ---------------------------------------------------------------------------


def test_the_title_says_how_the_run_ended() -> None:
    first, *_ = markdown.render(account()).splitlines()
    assert first == "## ❌ pip-intoto: blocked, 2 of 10 distributions verified"
    assert markdown.render(clean()).startswith(
        "## ✅ pip-intoto: passed, 2 of 2 distributions verified\n"
    )
    undecided = account(checked=everything()[:1], exit_status=2)
    assert "pip-intoto: not decided, 1 of 1 distribution verified" in markdown.render(undecided)
    nothing = account(checked=(), exit_status=2)
    assert "pip-intoto: nothing verified, 0 of 0" in markdown.render(nothing)


def test_the_totals_are_never_mixed() -> None:
    assert section(markdown.render(account()), "## ") == [
        (
            "| verified | exempt | unlisted | missing | unreachable | invalid | unverifiable"
            " | coverage |"
        ),
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
        "| 2 | 1 | 1 | 2 | 1 | 2 | 1 | 20.0 % |",
    ]
    assert section(markdown.render(clean()), "## ")[0] == "| verified | coverage |"


def test_a_coverage_that_falls_short_is_said() -> None:
    said = "The coverage is 20.0 % (2 of 10 verified), below the 95 % that are asked for."
    assert said in markdown.render(account())
    assert "The coverage is" not in markdown.render(account(fail_under=20.0))


def test_what_blocks_has_a_row_each_with_its_place() -> None:
    rows = section(markdown.render(account()), "### What blocks")
    assert len(rows) == 2 + 4
    assert shown(rows[4]) == (
        "| jinja2-3.1.4-py3-none-any.whl | ❌ invalid, rule-violated | locks/pylock.toml:140"
        " | A rule of step 'build' of jinja2 3.1.4 is violated. |"
    )
    assert "What blocks" not in markdown.render(clean())


def test_what_was_expected_and_found_is_folded_away() -> None:
    page = markdown.render(account())
    folded = page[page.index("<summary>What was expected and found: 4") :]
    assert "  - found: src/demo/extra.py, which 'source' does not have\n" in folded
    assert "  - fail: step 'build'&#58; DISALLOW &#42; refused src/demo/extra.py\n" in folded


def test_what_is_let_through_is_folded_away_and_counted() -> None:
    page = markdown.render(account())
    rows = section(page, "<summary>Not verified, and let through: 4")
    assert [shown(row).split(" | ")[1] for row in rows[2:]] == [
        "✅ exempt",
        "⚠️ unlisted",
        "⚠️ unverifiable",
        "⚠️ missing, layout-missing",
    ]
    assert "until 2027-03-31: upstream ships no layout before 2.0 (security@acme" in shown(rows[2])
    assert "<summary>Verified: 2</summary>" in page
    assert "- the lock has no digest&#59; the index's was used (1)\n" in page


def test_changes_in_trust_come_with_the_gravest_first() -> None:
    rows = section(markdown.render(account()), "### What changed in trust")
    assert shown(rows[2]) == (
        "| jinja2 | newly unverified | locks/pylock.toml:140 | verified | invalid [rule-violated] |"
    )
    assert len(rows) == 2 + len(CHANGES)
    assert "What changed in trust\n\nNothing.\n" in markdown.render(account(changes=()))
    assert "What changed in trust" not in markdown.render(account(changes=None))


def test_what_could_not_be_judged_is_listed() -> None:
    items = section(markdown.render(account()), "### What could not be judged")
    assert shown(items[0]) == (
        "- lockfile-invalid locks/pylock.next.toml:1: the version is not one that is known;"
        ' expected: lock-version = "1.0"; found: lock-version = "9.9";'
        " hint: Have the tool that wrote the file write it again."
    )


def test_an_interrupted_run_says_so() -> None:
    page = markdown.render(account(interrupted=True))
    assert "**interrupted**" in page
    assert page.startswith("## ❌ pip-intoto: interrupted")


def test_the_end_says_what_it_cost_and_by_which_policy() -> None:
    *_, last = markdown.render(account()).splitlines()
    assert "the files themselves would have been 180.6 MB" in last
    assert "policy <code>/etc/pip-intoto/policy.toml</code>, enforce" in last


# --- links ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "base"),
    [
        (
            {
                "GITHUB_SERVER_URL": "https://github.example",
                "GITHUB_REPOSITORY": "acme/app",
                "GITHUB_SHA": "0a1b",
            },
            BASE,
        ),
        (
            {"CI_PROJECT_URL": "https://gitlab.example/acme/app", "CI_COMMIT_SHA": "0a1b"},
            "https://gitlab.example/acme/app/-/blob/0a1b/",
        ),
        ({"GITHUB_SHA": "0a1b"}, ""),
        ({}, ""),
    ],
)
def test_links_begin_with_the_commit_of_the_job(environment: dict[str, str], base: str) -> None:
    assert markdown.base_of(environment) == base


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("locks/pylock.toml", "locks/pylock.toml#L3"),
        ("a b (1)/#.txt", "a%20b%20%281%29/%23.txt#L3"),
        ("x](javascript:alert(1))", "x%5D%28javascript%3Aalert%281%29%29#L3"),
    ],
)
def test_places_are_links_to_their_lines(path: str, address: str) -> None:
    checked = Checked(verdict=missing(), place=Place(Path(path), 3))
    page = markdown.render(account(checked=(checked,), changes=None), base=BASE)
    (link,) = {token.attrGet("href") for token in tokens(page) if token.type == "link_open"}
    assert link == BASE + address


@pytest.mark.parametrize("path", ["/srv/pylock.toml", "../pylock.toml"])
def test_places_outside_of_the_checkout_are_no_links(path: str) -> None:
    checked = Checked(verdict=missing(), place=Place(Path(path), 3))
    page = markdown.render(account(checked=(checked,), changes=None), base=BASE)
    assert BASE not in page
    assert f"<code>{path}&#58;3</code>" in page


def test_without_a_known_commit_there_are_no_links() -> None:
    assert not [token for token in tokens(markdown.render(account())) if "link" in token.type]


# --- hostile text ---------------------------------------------------------------------------

#: What the report itself writes.
OWN = {"<code>", "</code>", "<sub>", "</sub>"}
OWN_BLOCK = re.compile(r"<details><summary>[A-Za-z, ]+: \d+</summary>\n|</details>\n")
OWN_TOKENS = {
    "heading", "table", "thead", "tbody", "tr", "th", "td", "paragraph", "bullet_list",
    "list_item", "link",
}  # fmt: skip


@pytest.mark.parametrize("base", ["", BASE])
def test_nothing_of_a_stranger_is_markup(base: str) -> None:
    page = markdown.render(hostile(), base=base)
    for token in tokens(page):
        if token.type == "html_inline":
            assert token.content in OWN
        elif token.type == "html_block":
            assert OWN_BLOCK.fullmatch(token.content), token.content
        elif token.type.endswith(("_open", "_close")):
            assert token.type.rpartition("_")[0] in OWN_TOKENS, token
        else:
            assert token.type in {"inline", "text", "text_special", "softbreak"}, token
        if token.type == "link_open":
            assert str(token.attrGet("href")).startswith(BASE)
    # Every row has all its cells, and no more.
    widths = {line.count("|") for line in section(page, "### What blocks")}
    assert widths == {5}


def test_names_of_people_and_issues_and_addresses_are_no_links() -> None:
    page = markdown.render(hostile())
    assert not re.search(r"[@#](?=\w)", re.sub(r"&#\d+;", "", page))
    assert "://" not in page
    assert not re.search(r"www\.", page)
    assert markdown.text("www.evil.example WWW.evil") == "www&#46;evil.example WWW&#46;evil"
    assert markdown.text("@everyone #1") == "&#64;&#8203;everyone &#35;&#8203;1"


def test_a_log_that_shows_the_page_gets_no_commands() -> None:
    page = markdown.render(hostile())
    assert "::" not in page
    assert "##[" not in page
    assert "##vso[" not in page


def test_the_page_has_no_control_characters_and_can_be_encoded() -> None:
    page = markdown.render(hostile())
    page.encode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", page)
    assert "hunter2" not in page


@pytest.mark.parametrize("words", HOSTILE)
def test_a_reader_sees_the_words_as_they_are(words: str) -> None:
    line = MarkdownIt("commonmark").enable("table").render(markdown.text(words))
    assert shown(line).strip() == one_line(" ".join(words.split()))


@pytest.mark.parametrize("words", ["- item", "+ item", "1. item", "=====", "---", "   # x", "> x"])
def test_a_text_that_begins_an_item_is_no_block(words: str) -> None:
    kinds = [token.type for token in tokens(f"- {markdown.text(words)}")]
    assert kinds.count("list_item_open") == 1
    assert "heading_open" not in kinds
    assert "hr" not in kinds


# --- much of it -----------------------------------------------------------------------------


def test_long_texts_are_cut() -> None:
    assert len(unescape(markdown.text("x" * 10_000))) == 300
    assert markdown.text("x" * 10_000).endswith("…")


@pytest.mark.parametrize("blocked_every", [1, 50, 10_000])
def test_the_page_of_5000_distributions_is_small_enough_and_quick(blocked_every: int) -> None:
    many = large(5000, blocked_every=blocked_every)
    began = time.perf_counter()
    page = markdown.render(many, base=BASE)
    assert time.perf_counter() - began < 30
    assert len(page.encode()) < MOST
    assert page.count("<details>") == page.count("</details>")
    assert page.splitlines()[-1].startswith("<sub>5,000 distributions")


def test_a_table_has_a_thousand_rows_and_then_a_count() -> None:
    page = markdown.render(large(1_003, blocked_every=1))
    rows = re.findall(r"^\| <code>project", page, re.MULTILINE)
    assert len(rows) == markdown.ROWS == 1_000
    assert "and 3 more, for which there is no room here" in page


def test_of_many_notes_those_are_told_that_most_have() -> None:
    checked = [Checked(verdict=verified(), notes=(f"note {at}", "all")) for at in range(100)]
    page = markdown.render(account(checked=tuple(checked)))
    notes = re.findall(r"^- (note \d+|all) \(", page, re.MULTILINE)
    assert notes[0] == "all"
    assert len(notes) == 20


def test_what_there_is_no_room_for_is_counted() -> None:
    wordy = replace(invalid(), summary="<>" * 200, expected="|" * 5000, found="@" * 5000)
    noted = Checked(verdict=wordy, notes=("`" * 5000,), place=Place(Path("x" * 250), 1))
    passed = Checked(verdict=verified(), place=Place(Path("x" * 250), 1))
    page = markdown.render(account(checked=(noted,) * 900 + (passed,) * 5000), base=BASE)
    assert len(page.encode()) < MOST
    counts = re.findall(r"^and ([\d,]+) more,", page, re.MULTILINE)
    left_out = [int(count.replace(",", "")) for count in counts]
    assert left_out[-1] == 5000  # of those that are verified; what blocks comes first
    assert 0 < left_out[0] < 900
    assert page.count("<details>") == page.count("</details>") == 2
