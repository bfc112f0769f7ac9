"""Inspections of the working directory, and parameters, with ``pip-intoto verify --layout``.

This is the form that in-toto-verify has: no file is named, and the product is what lies there.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from pip_intoto.maintainer import authoring
from tests.conformance.releases import Release, layout
from tests.unit.verification.supply import (
    BUILDER,
    FROM_TAG,
    WHEEL,
    WHEEL_CONTENT,
    build_link,
    build_step,
    tag_step,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject

#: The directory holds the wheel, and nothing else.
ONLY_THE_WHEEL = [
    ["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "build"],
    ["DISALLOW", "*"],
]


def look(*run: str, **sides: object) -> JsonObject:
    """Describe an inspection of the directory, by default with a command that does nothing."""
    rules = sides or {"expected_materials": ONLY_THE_WHEEL, "expected_products": ONLY_THE_WHEEL}
    return authoring.inspection("look", run=run or ["true"], **rules)  # type: ignore[arg-type]


@pytest.fixture
def release(tmp_path: Path) -> Release:
    made = Release(tmp_path)
    made.write(f"product/{WHEEL}", WHEEL_CONTENT)
    made.put_chain(root=layout(inspections=[look()]))
    return made


# --- I5, I6: what is recorded ---------------------------------------------------------------------


@pytest.mark.accepts("I5", "I6")
def test_I5_I6_the_working_directory_is_recorded_and_no_other(release: Release) -> None:
    # Neither what lies beside the links nor what is elsewhere has a part in it.
    release.write("links/evil.py", "evil")
    release.write("home/evil.py", "evil")
    assert release.reason() == "verified"
    assert [path.name for path in release.product.iterdir()] == [WHEEL], "nothing was written"


@pytest.mark.rejects("I5", "I6")
@pytest.mark.parametrize(
    "name",
    [
        "evil.py",
        "evil.pyc",
        "__pycache__/demo.cpython-312.pyc",
        "look.link",
        "x.link.py",
        "build.12345678.link",
        "root.layout",
        ".git/hooks/pre-commit",
        ".git",
        ".gitignore",
        "old~",
        ".hidden/.deep/file",
        "with space",
        "new\nline",
        f"{WHEEL}.intoto.jsonl",
    ],
)
def test_I6_nothing_is_invisible(release: Release, name: str) -> None:
    release.write(f"product/{name}", "evil")
    verdict = release.verify("--format", "json").verdict
    assert verdict["reason"] == "rule-violated"
    assert f"found {name!r}" in verdict["summary"]


@pytest.mark.accepts("I6")
def test_I6_links_that_go_in_circles_end(release: Release) -> None:
    for name in ("one", "two", "three"):
        (release.product / name).symlink_to(".")
    (release.product / "four").symlink_to(release.product)
    assert release.reason() == "verified"


@pytest.mark.rejects("I6")
def test_I6_links_in_circles_hide_nothing(release: Release) -> None:
    release.write("product/d/evil.py", "evil")
    for name in ("one", "d/two", "d/three"):
        (release.product / name).symlink_to(release.product / "d")
    assert release.reason() == "rule-violated"


@pytest.mark.rejects("I6")
@pytest.mark.parametrize("target", ["nowhere", "itself", "../elsewhere", "../elsewhere/evil.py"])
def test_I6_a_link_that_leads_nowhere_or_away_is_no_absence(release: Release, target: str) -> None:
    release.write("elsewhere/evil.py", "evil")
    (release.product / "itself").symlink_to(target)
    assert release.reason() == "inspection-failed"


@pytest.mark.accepts("I5")
def test_I5_materials_are_from_before_and_products_from_after(release: Release) -> None:
    write = (sys.executable, "-c", "open('report', 'w').write('fine')")
    allow = [["CREATE", "report"], *ONLY_THE_WHEEL]
    inspection = look(*write, expected_materials=ONLY_THE_WHEEL, expected_products=allow)
    release.put_layout(layout(inspections=[inspection]))
    assert release.reason("--run-inspections") == "verified"


@pytest.mark.rejects("I5")
def test_I5_what_was_there_before_was_not_created(release: Release) -> None:
    write = (sys.executable, "-c", "open('report', 'w').write('fine')")
    inspection = look(*write, expected_products=[["CREATE", "report"], *ONLY_THE_WHEEL])
    release.put_layout(layout(inspections=[inspection]))
    release.write("product/report", "from before")
    assert release.reason("--run-inspections") == "rule-violated"


# --- I4, I7: whether commands run, and how they end -----------------------------------------------


@pytest.mark.accepts("I4")
def test_I4_zero_is_success(release: Release) -> None:
    release.put_layout(layout(inspections=[look(sys.executable, "-c", "raise SystemExit(0)")]))
    assert release.reason("--run-inspections") == "verified"


@pytest.mark.rejects("I4")
@pytest.mark.parametrize(
    "code",
    ["raise SystemExit(1)", "raise SystemExit(126)", "raise SystemExit(255)", "1/0",
     "import os; os.kill(os.getpid(), 9)"],
)  # fmt: skip
def test_I4_anything_else_is_not(release: Release, code: str) -> None:
    release.put_layout(layout(inspections=[look(sys.executable, "-c", code)]))
    assert release.reason("--run-inspections") == "inspection-failed"


@pytest.mark.rejects("I7")
def test_I7_a_command_does_not_run_for_a_chain_that_fails(release: Release) -> None:
    mark = release.folder / "ran"
    inspection = look(sys.executable, "-c", f"open({str(mark)!r}, 'w')")
    release.put_layout(layout(inspections=[inspection]))
    # Nor for a layout that an owner did not sign, nor without leave.
    good = build_link()
    for words, link in ((("--run-inspections",), build_link({"x": {}})), ((), good)):
        release.put(link, BUILDER)
        assert release.verify(*words).status == 1
        assert not mark.exists()
    release.put_layout(layout(inspections=[inspection]), BUILDER)
    assert release.reason("--run-inspections") == "layout-signature-missing"
    assert not mark.exists()


@pytest.mark.accepts("I7")
def test_I7_it_runs_for_a_chain_that_holds(release: Release) -> None:
    mark = release.folder / "ran"
    inspection = look(sys.executable, "-c", f"open({str(mark)!r}, 'w')")
    release.put_layout(layout(inspections=[inspection]))
    assert release.reason("--run-inspections") == "verified"
    assert mark.exists()


# --- Q: parameters --------------------------------------------------------------------------------


def parametrised(release: Release, *inspections: JsonObject) -> None:
    rules = [FROM_TAG[0], ["CREATE", "dist/demo-{VERSION}-*"], ["DISALLOW", "*"]]
    step = build_step(expected_products=rules)
    release.put_layout(layout(tag_step(), step, inspections=inspections))


def with_parameters(release: Release, content: object, *words: object) -> tuple[int, str]:
    text = content if isinstance(content, str) else json.dumps(content)
    path = release.write("parameters.json", text)
    answer = release.verify("--parameters", path, *words)
    return answer.status, answer.text


@pytest.mark.accepts("Q1", "Q2", "V3")
def test_Q1_Q2_parameters_come_from_the_command_line(release: Release) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit(sys.argv[1] != '1.0')", "{VERSION}"]
    parametrised(release, look(*command))
    assert with_parameters(release, {"VERSION": "1.0"}, "--run-inspections")[0] == 0


@pytest.mark.rejects("Q2", "V3")
@pytest.mark.parametrize(
    "content",
    [{"VERSION": 1}, {"VERSION": None}, {"VERSION": ["1.0"]}, {"VERSION": {}}, ["1.0"], "no JSON"],
)
def test_Q2_values_are_text(release: Release, content: object) -> None:
    parametrised(release)
    status, text = with_parameters(release, content)
    assert status == 2
    assert "parameters.json" in text


@pytest.mark.rejects("Q2", "Q3", "V3")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "layout-feature-unsupported"),
        ({"VERSIO": "1.0"}, "layout-feature-unsupported"),
        ({"VERSION": "2.0"}, "rule-violated"),
        ({"VERSION": "*"}, "rule-violated"),
        ({"VERSION": "1.?"}, "rule-violated"),
        ({"VERSION": "[0-9].0"}, "rule-violated"),
    ],
)
def test_Q2_Q3_other_values_do_not_fit(release: Release, content: object, reason: str) -> None:
    parametrised(release)
    status, text = with_parameters(release, content)
    assert status == 1
    assert f"[{reason}]" in text


@pytest.mark.rejects("Q4")
def test_Q4_no_attribute_of_anything_is_reached(release: Release) -> None:
    braces = "{VERSION.__class__}{VERSION[0]}{VERSION!r}{VERSION:>9}{0.__globals__}"
    command = [sys.executable, "-c", f"import sys; sys.exit(sys.argv[1] != {braces!r})", braces]
    release.put_layout(layout(inspections=[look(*command)]))
    assert with_parameters(release, {"VERSION": "1.0"}, "--run-inspections")[0] == 0
