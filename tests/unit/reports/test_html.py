"""The page: that all is in it, that nothing of others breaks out of it, and that it can be read."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hatchling.builders.wheel import WheelBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from pip_intoto.account import Checked
from pip_intoto.drawing.arrangement import rows
from pip_intoto.drawing.lettering import columns
from pip_intoto.reports import FORMATS, html, renderer
from pip_intoto.reports.page.chains import Drawings
from pip_intoto.verdict import Outcome, Station, Status
from tests.unit.reports import accounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.account import Account
    from pip_intoto.verdict import Verdict

ROOT = Path(__file__).parents[3]
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """The page as a browser without scripts reads it; complains of what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def elements_with(self, attribute: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.elements if attribute in attributes]

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and wanted.items() <= attributes.items()
        ]


def page(account: Account | None = None) -> Page:
    return Page(html.render(account or accounts.account()))


def one(verdict: Verdict) -> Account:
    return replace(accounts.account(), checked=(Checked(verdict=verdict),))


def drawn(*stations: Station, **changes: object) -> str:
    """Give the texts of a drawing."""
    verdict = accounts.invalid()
    assert verdict.chain is not None
    chain = replace(verdict.chain, stations=stations, **changes)  # type: ignore[arg-type]
    return Page(Drawings().draw(verdict, chain)).text


# --- what is in it ----------------------------------------------------------------------------


def test_it_is_the_format_called_html() -> None:
    assert "html" in FORMATS
    assert renderer("html").render(accounts.clean()).startswith("<!DOCTYPE html>\n")


def test_totals_have_all_seven_counts_coverage_and_the_terms_of_the_run() -> None:
    shown = page()
    assert [each["data-status"] for each in shown.elements_with("data-status")] == [
        "verified",
        "exempt",
        "unlisted",
        "unreachable",
        "missing",
        "unverifiable",
        "invalid",
    ]
    assert "4 of 10 distributions blocked" in shown.text
    assert "20.0 % coverage: 2 of 10 distributions verified, at least 95 % wanted: missed" in (
        shown.text
    )
    for expected in (
        "/etc/pip-intoto/policy.toml mode enforce, sha256",
        "2026-11-21 12:00:00 UTC took 3.2 s",
        "1: something blocks",
        "410 requests, 1.2 MB received 200.0 kB of them files, 180.4 MB not downloaded",
        "3 not installed here 2 unchanged",
        "pip-intoto 0.1.0",
        "locks/pylock.toml wheelhouse",
    ):
        assert expected in shown.text


def test_each_distribution_says_all_that_is_known_of_it() -> None:
    shown = page()
    for checked in accounts.everything():
        verdict = checked.verdict
        texts = [verdict.summary, verdict.expected, verdict.found, verdict.advice, *checked.notes]
        texts += [part for entry in verdict.trace for part in (entry.what, entry.detail)]
        texts += [verdict.distribution.sha256 or "", str(checked.place or "")]
        if verdict.chain:
            texts += [verdict.chain.layout_sha256, *verdict.chain.documents]
            texts += [name for each in verdict.chain.stations for name in each.functionaries]
        for text in texts:
            assert text in shown.text
    assert "Owner security@acme.example , expires 2027-03-31 , waives everything." in shown.text
    assert "token" not in shown.text


def test_what_needs_somebody_comes_first() -> None:
    classes = [str(each["class"]) for each in page().elements_with("id") if each.get("class")]
    rows = [each for each in classes if each in {status.value for status in Status}]
    assert rows == [
        *("invalid", "invalid", "unverifiable", "missing", "missing"),
        *("unreachable", "unlisted", "exempt", "verified", "verified"),
    ]


def test_changes_in_trust_are_listed_what_matters_most_first() -> None:
    text = page().text
    assert text.index("newly unverified") < text.index("signer changed") < text.index("removed")
    assert "alice and bob alice and mallory locks/pylock.toml:40" in text
    assert "Nothing has changed in trust." in page(replace(accounts.account(), changes=())).text
    assert "Changes in trust" not in page(accounts.clean()).text


def test_what_could_not_be_judged_is_there() -> None:
    text = page().text
    assert "lockfile-invalid the version is not one that is known" in text
    assert "locks/pylock.next.toml:1" in text
    assert "Could not be judged" not in page(accounts.clean()).text


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        (accounts.clean(), "All 2 distributions pass"),
        (accounts.clean(1), "The distribution passes"),
        (accounts.account(checked=(), failures=()), "Nothing has changed"),
        (accounts.account(checked=(), failures=(), unchanged=0), "Nothing was looked at"),
        (accounts.account(checked=()), "2 targets could not be judged"),
        (replace(accounts.clean(), checked=(), interrupted=True), "Interrupted after 0"),
        (replace(one(accounts.warned()), failures=()), "Coverage of 0.0 % is too low"),
        (replace(one(accounts.warned()), failures=(), fail_under=None), "Nothing was verified"),
        (
            replace(
                accounts.clean(),
                checked=(*accounts.clean().checked, Checked(verdict=accounts.unlisted())),
            ),
            "1 of 3 distributions with a warning",
        ),
    ],
)
def test_the_title_says_what_the_run_came_to(account: Account, sentence: str) -> None:
    shown = page(account)
    assert shown.text.count(sentence) == 2


def test_without_a_policy_it_says_so() -> None:
    assert "none: verified against a layout" in page(replace(accounts.clean(), policy=None)).text


def test_reasons_that_keep_from_passing_are_explained() -> None:
    text = page().text
    assert "layout-missing Every source answered, and none has evidence. Cause: " in text
    assert "What the reasons mean" not in page(accounts.clean()).text
    assert "<code>&lt;file&gt;.intoto.jsonl</code>" in html.render(accounts.account())


# --- supply chains ----------------------------------------------------------------------------


def test_a_chain_has_functionaries_numbers_and_where_it_broke_in_words() -> None:
    text = page(one(accounts.invalid())).text
    assert "source 1 of 1: alice 0 materials → 42 products" in text
    assert "build 2 of 2: builder-1, builder-2 42 materials → 1 product" in text
    assert "broke here: src/demo/extra.py is in no material of source" in text
    assert "the chain does not reach it" in text
    assert "Layout signed by alice bob , expires 2027-06-30" in text


def test_a_chain_has_statements_and_who_made_them() -> None:
    text = page(one(accounts.attested())).text
    assert "states slsa-provenance, Reviewed" in text
    assert "github:acme/demo:release.yml (refs/tags/v1, environment acme/demo)" in text
    # What the policy itself asks for holds as long as the policy does.
    assert "9999" not in text


def test_arrows_say_how_much_flows_and_lead_to_the_file() -> None:
    shown = page(one(accounts.verified()))
    assert text_count(shown, "42 products") == 2
    assert len(shown.all("path", **{"class": "edge"})) == 5
    assert "found in products of step" in shown.text


def test_a_file_that_the_chain_does_not_lead_to_is_where_it_broke() -> None:
    station = Station(name="build", functionaries=("ben",), wanted=1)
    assert drawn(station, binding="").endswith("broke here: rule-violated")


def test_where_nothing_was_looked_at_the_layout_is_what_it_is_about() -> None:
    verdict = replace(accounts.invalid(), reason="layout-expired")
    assert verdict.chain is not None
    stations = tuple(replace(each, outcome=Outcome.NOTE) for each in verdict.chain.stations)
    past = accounts.BEGAN - timedelta(days=1)
    chain = replace(verdict.chain, stations=stations, expires=past)
    text = page(one(replace(verdict, chain=chain))).text
    assert "expired 2026-11-20 ✕ broke here: layout-expired" in text


def test_too_few_functionaries_are_marked() -> None:
    shown = drawn(Station(name="build", wanted=2, outcome=Outcome.FAIL, detail="1 of 2 needed"))
    assert "build 0 of 2 broke here: 1 of 2 needed" in shown


def test_feeds_that_no_arrow_can_show_are_told() -> None:
    shown = drawn(Station(name="source", feeds=("build", "gone")), Station(name="build"))
    assert "takes from build, gone" in shown


def test_an_enormous_chain_is_still_a_drawing() -> None:
    names = [f"step-{at}" for at in range(2_000)]
    stations = [
        Station(name=name, wanted=1, functionaries=("x" * 5_000,) * 500, feeds=tuple(names[:at]))
        for at, name in enumerate(names)
    ]
    stations[1_500] = replace(stations[1_500], outcome=Outcome.FAIL, detail="y" * 10_000)
    began = time.monotonic()
    shown = drawn(*stations, binding="")
    assert time.monotonic() - began < 60
    assert "step-1500" in shown
    assert "1,960 stations more, not drawn" in shown
    assert len(shown) < 40_000


def test_of_many_arrows_into_one_box_five_are_drawn_and_the_others_told() -> None:
    names = [f"s{at}" for at in range(8)]
    stations = [Station(name=name) for name in names]
    shown = drawn(*stations, Station(name="last", feeds=tuple(names)))
    # Those of the row above are nearest.
    assert "takes from s2, s3, s4 jinja2" in shown


def test_arrows_past_hundreds_of_rows_are_told_instead_of_drawn() -> None:
    names = [f"s{at}" for at in range(39)]
    chain = [Station(name=name, feeds=tuple(names[:at][-1:])) for at, name in enumerate(names)]
    far = [replace(each, feeds=(*each.feeds, *names[:3])) for each in chain[20:]]
    verdict = accounts.invalid()
    assert verdict.chain is not None
    drawing = Drawings()
    drawing.draw(verdict, replace(verdict.chain, stations=(*chain[:20], *far)))
    # 38 short ones, and so many long ones that all pass 200 rows at the most.
    edges = Page(drawing.shapes()).all("path")
    assert 38 < len([each for each in edges if str(each.get("class")).startswith("edge")]) < 60


def test_a_long_text_in_a_box_has_four_lines() -> None:
    detail = " ".join(["word"] * 200)
    verdict = accounts.invalid()
    assert verdict.chain is not None
    station = Station(name="build", outcome=Outcome.FAIL, detail=detail)
    chain = replace(verdict.chain, stations=(station,))
    shown = Page(Drawings().draw(verdict, chain))
    assert len([each for each in shown.all("tspan") if each.get("class") == "w"]) == 4
    assert "…" in shown.text


def test_boxes_stand_five_in_a_row() -> None:
    assert rows(12, ()) == [*[0] * 5, *[1] * 5, *[2] * 2]
    assert columns("漢字") == 2 * columns("ab") == 4


def test_an_exception_holds_through_its_last_day() -> None:
    verdict = accounts.exempt()
    assert verdict.exception is not None
    for days, word in ((0, "expires"), (-1, "expired")):
        end = accounts.BEGAN.date() + timedelta(days=days)
        used = replace(verdict.exception, expires=end)
        assert f", {word} {end}" in page(one(replace(verdict, exception=used))).text


def test_of_a_text_of_many_lines_the_first_are_shown() -> None:
    verdict = replace(accounts.invalid(), found="\n".join(f"found-{at}." for at in range(1_000)))
    text = page(one(verdict)).text
    assert "found-199." in text
    assert "found-200." not in text


def test_chains_of_one_shape_share_it() -> None:
    few, many = page(accounts.large(10)), page(accounts.large(100))
    assert len(few.all("rect")) == len(many.all("rect"))
    assert len(many.all("use")) == 100


def test_where_there_is_no_chain_it_says_why() -> None:
    assert "no supply chain to draw: no layout is known." in page(one(accounts.missing())).text
    unsigned = replace(accounts.invalid(), chain=None)
    assert "to draw: no layout could be believed." in page(one(unsigned)).text


# --- what others wrote ------------------------------------------------------------------------


def test_nothing_that_others_wrote_becomes_markup() -> None:
    shown = page(accounts.hostile())
    assert len(shown.all("script")) == 1
    assert not shown.all("img")
    assert not shown.all("evil")
    assert shown.all("a") == [{"class": "skip", "href": "#packages"}]
    assert "</script><script>alert(1)</script>" in shown.text
    assert "secret" not in shown.text.replace("secrets.X", "")


def test_every_element_and_attribute_is_one_of_ours() -> None:
    known = {tag for tag, _ in page().elements}
    for tag, attributes in page(accounts.hostile()).elements:
        assert tag in known
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert set(attributes) <= {
            *("aria-controls", "aria-hidden", "aria-label", "aria-labelledby", "aria-live"),
            *("aria-sort", "autocomplete", "charset", "class", "colspan", "content", "cx", "d"),
            *("data-sort", "data-status", "datetime", "dy", "for", "height", "hidden", "href"),
            *("http-equiv", "id", "lang", "name", "open", "placeholder", "preserveaspectratio"),
            *("r", "role", "rx", "scope", "spellcheck", "tabindex", "transform", "type"),
            *("viewbox", "width", "x", "y"),
        }


def test_control_characters_direction_marks_and_surrogates_are_spelled_out() -> None:
    written = html.render(accounts.hostile())
    written.encode()
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", written
    )
    for spelled in (r"\u202eevil\u2066", r"nul\x00bell", r"lone \ud800 surrogate"):
        assert spelled in written


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_any_text_comes_out_as_text(name: str) -> None:
    verdict = accounts.verified()
    poisoned = replace(verdict, summary=name, trace=(replace(verdict.trace[0], detail=name),))
    shown = page(one(poisoned))
    assert len(shown.elements) == len(page(one(verdict)).elements) - 2 * 3 - (not name)


# --- one file, and nothing else may run -------------------------------------------------------


def test_the_policy_names_style_and_script_by_their_hashes() -> None:
    written = html.render(accounts.account())
    (policy,) = page().all("meta", **{"http-equiv": "Content-Security-Policy"})
    directives = dict(
        each.strip().split(" ", 1) for each in str(policy["content"]).split(";") if each.strip()
    )
    assert directives == {
        "default-src": "'none'",
        "style-src": f"'{sha256_of('style', written)}'",
        "script-src": f"'{sha256_of('script', written)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    # What stands before it is not under it.
    head = written[: written.index("Content-Security-Policy")]
    assert "<script" not in head
    assert "<style" not in head


def sha256_of(tag: str, written: str) -> str:
    (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", written, re.DOTALL)
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_no_other_file_is_wanted() -> None:
    written = html.render(accounts.account())
    assert not re.search(r"url\(|@import|src=|import\(|fetch\(|XMLHttp|eval\(|innerHTML", written)
    assert all(str(each["href"]).startswith("#") for each in page().elements_with("href"))


def test_the_wheel_has_what_the_page_is_made_of() -> None:
    shipped = {each.distribution_path for each in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"pip_intoto/reports/page/{name}" for name in ("style.css", "script.js")} <= shipped


# --- that it can be read ----------------------------------------------------------------------


def test_ids_are_unique_and_references_lead_somewhere() -> None:
    for shown in (page(), page(accounts.hostile())):
        ids = [each["id"] for each in shown.elements_with("id")]
        assert len(set(ids)) == len(ids)
        assert {str(each["href"])[1:] for each in shown.elements_with("href")} <= set(ids)
        assert {each["aria-labelledby"] for each in shown.elements_with("aria-labelledby")} <= {
            *ids
        }


def test_tables_have_heads_with_scope_and_controls_have_names() -> None:
    shown = page()
    assert all(each.get("scope") in {"col", "row"} for each in shown.all("th"))
    assert shown.all("label", **{"for": "text"})
    assert shown.all("p", role="status", **{"aria-live": "polite"})
    assert shown.all("html", lang="en")


def test_without_scripts_what_did_not_pass_is_open() -> None:
    details = [each for each in page().all("details") if each.get("class") != "words"]
    assert ["open" in each for each in details] == [True] * 7 + [False] * 3


def colours(scheme: str) -> dict[str, str]:
    written = html.render(accounts.clean())
    (found,) = {
        found
        for found in re.findall(r"\{color-scheme:(\w+);([^}]*)\}", written)
        if found[0] == scheme
    }
    return dict(pair.removeprefix("--").split(":") for pair in found[1].split(";"))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def pairs() -> Iterator[tuple[str, str, float]]:
    for ground in ("page", "card", "sunk"):
        for text in ("ink", "muted", "accent", "invalid", "missing", "verified"):
            yield text, ground, 4.5
        yield "edge", ground, 3
    for status in Status:
        yield status.value, f"{status.value}-tint", 4.5
        yield status.value, "card", 4.5
        yield "ink", f"{status.value}-tint", 4.5
        yield "muted", f"{status.value}-tint", 4.5
    # The marks of the drawings.
    yield "card", "verified", 4.5
    yield "card", "invalid", 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_stands_out_from_what_it_stands_on(scheme: str) -> None:
    values = colours(scheme)
    poor = {
        (text, ground): round(contrast(values[text], values[ground]), 2)
        for text, ground, least in pairs()
        if contrast(values[text], values[ground]) < least
    }
    assert not poor
    assert contrast("#ffffff", "#000000") == pytest.approx(21)


def test_every_status_has_a_sign_of_its_own() -> None:
    style = html.render(accounts.clean())
    signs = re.findall(r'\.(\w+) \.sign::before\{content:"(.)"', style)
    assert {name for name, _ in signs} == {status.value for status in Status}
    assert len({sign for _, sign in signs}) == len(Status)


# --- size -------------------------------------------------------------------------------------


def test_a_page_of_500_distributions_is_small_and_soon_made() -> None:
    began = time.monotonic()
    written = html.render(accounts.large(500))
    assert time.monotonic() - began < 60
    assert len(written.encode()) < 1_750_000


@pytest.mark.matrix
def test_a_page_of_5_000_distributions_grows_no_faster() -> None:
    few, many = (len(html.render(accounts.large(number)).encode()) for number in (500, 5_000))
    assert many < 15_500_000
    assert many / few < 10.5


def text_count(shown: Page, text: str) -> int:
    return sum(each.strip() == text for each in shown.texts)
