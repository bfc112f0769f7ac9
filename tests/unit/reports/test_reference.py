"""The page about reports shows what reports say."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.account import Traffic
from pip_intoto.reports import FORMATS, junit, markdown, renderer, sarif, text
from tests.integration.interpreters import ROOT
from tests.unit.reports.accounts import account, changed, clean, everything

if TYPE_CHECKING:
    from pip_intoto.account import Account

PAGE = (ROOT / "docs" / "reference" / "reports.md").read_text("utf-8")


def four_hundred() -> Account:
    """The run of the page: 398 verified ones, one exempt, one that blocks."""
    exempt, invalid = everything()[2], replace(everything()[6], notes=())
    return replace(
        clean(400),
        checked=(*clean(398).checked, exempt, invalid),
        changes=tuple(changed()[at] for at in (1, 2)),
        fail_under=95.0,
        exit_status=1,
        traffic=Traffic(requests=410, received=1_234_567, spared=180_400_000),
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("text", text.render(four_hundred())),
        ("json", sarif.render(account())),
        ("xml", junit.render(account())),
        (
            "markdown",
            markdown.render(account(), base="https://github.example/acme/app/blob/0a1b/"),
        ),
    ],
)
def test_excerpts_are_what_is_written(language: str, said: str) -> None:
    (excerpt,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in excerpt.splitlines():
        assert line.strip().rstrip(",") in said


def test_the_excerpt_of_the_text_is_all_of_it() -> None:
    assert f"```text\n{text.render(four_hundred())}```" in PAGE


@pytest.mark.parametrize("name", [*FORMATS, "attestation"])
def test_every_format_has_a_section(name: str) -> None:
    assert f"\n## `{name}`\n" in PAGE


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_renderer_whose_text_ends_with_a_line(name: str) -> None:
    said = renderer(name).render(account())
    assert said.endswith("\n")
    assert not said.endswith("\n\n")
