"""``pip-intoto layout show`` and ``layout diff``, from the command line."""

from __future__ import annotations

import io
import json
import shutil
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import SupplyChain
from pip_intoto.cli import main
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.authoring import Document

if TYPE_CHECKING:
    from pip_intoto.maintainer.authoring import JsonObject

CHAIN = SupplyChain(project="demo")
WHEEL = wheel("demo")
SOURCE = """
version = 1
project = "demo"
expires = 2099-12-31T00:00:00Z
[owners]
keys = ["anna"]
[keys.anna]
public = "owner.pub"
[keys.ben]
public = "author.pub"
[keys.carol]
public = "builder.pub"
[[step]]
name = "source"
functionaries = ["ben"]
materials = ["DISALLOW *"]
products = ["create src/*", "DISALLOW *"]
[[step]]
name = "build"
functionaries = ["carol"]
materials = ["MATCH src/* WITH products FROM source", "DISALLOW *"]
products = ["CREATE demo-*", "DISALLOW *"]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a source, a layout and a bundle that all mean the same."""
    for name in ("owner", "author", "builder"):
        (tmp_path / f"{name}.pub").write_bytes(key(name).public_pem())
    (tmp_path / "supply-chain.toml").write_text(SOURCE)
    documents.of(dict(CHAIN.root().content)).write(tmp_path / "root.layout")
    (tmp_path / "demo.intoto.jsonl").write_bytes(CHAIN.bundle(WHEEL))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def with_sublayout() -> Path:
    inner = authoring.sign({**CHAIN.layout(), "readme": "inner"}, [CHAIN.builder])
    bundle = Path("sub.intoto.jsonl")
    found = (Document(inner, "build.12345678.link"), *CHAIN.evidence(WHEEL))
    bundle.write_bytes(authoring.bundle(found))
    return bundle


def written(name: str, **changes: object) -> Path:
    payload: JsonObject = CHAIN.layout() | changes  # type: ignore[assignment]
    path = Path(name)
    documents.of(authoring.sign(payload, CHAIN.owners)).write(path)
    return path


# --- show -------------------------------------------------------------------------------------


def test_the_source_in_the_working_directory_is_shown_with_the_names_of_its_keys(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (place / "supply-chain.toml").is_file()
    assert main(["layout", "show"]) == 0
    shown = capsys.readouterr().out
    assert "┤ by carol" in shown
    assert "takes src/* from source" in shown


@pytest.mark.parametrize("name", ["root.layout", "demo.intoto.jsonl", "."])
def test_layouts_bundles_and_directories_are_shown(
    place: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["layout", "show", str(place / name)]) == 0
    assert f"by key {CHAIN.builder.keyid[:8]}" in capsys.readouterr().out


def test_U1_sublayouts_are_shown_behind_the_root(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.is_dir()
    assert main(["layout", "show", str(with_sublayout())]) == 0
    shown = capsys.readouterr().out
    assert shown.index("sub.intoto.jsonl#line 2") < shown.index("sub.intoto.jsonl#line 1")
    assert "stands in for build" in shown
    assert main(["layout", "show", "--format", "svg", "sub.intoto.jsonl"]) == 0
    assert ET.fromstring(capsys.readouterr().out).tag.endswith("svg")  # noqa: S314 - ours


def test_a_terminal_without_lines_gets_ascii(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.is_dir()
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["layout", "show"]) == 0
    sys.stdout.flush()
    assert b"+- step source -" in raw.getvalue()
    assert b"\\u" not in raw.getvalue()


def test_colours_only_where_they_are_wanted(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.is_dir()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["layout", "show"]) == 0
    assert "\x1b[1m" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["text", "mermaid", "svg"])
def test_drawings_are_written_to_files(place: Path, form: str) -> None:
    output = place / "chain"
    assert main(["layout", "show", "--format", form, "-o", str(output)]) == 0
    assert "source" in output.read_text("utf-8")
    assert main(["layout", "show", "--format", form, "-o", str(output)]) == 0


def test_hostile_names_move_no_cursor(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.is_dir()
    evil = authoring.step(
        "build",
        functionaries=[CHAIN.builder],
        expected_products=[["CREATE", "\x1b[2Jevil\u202e"]],
    )
    written("evil.layout", steps=[evil])
    for form in ("text", "mermaid", "svg"):
        assert main(["layout", "show", "--format", form, "evil.layout"]) == 0
        shown = capsys.readouterr().out
        assert "evil" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("name", "message"),
    [("gone.layout", "cannot be read"), ("link", "is a link"), ("empty.intoto.jsonl", "no layout")],
)
def test_what_is_no_layout_is_said(
    place: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "empty.intoto.jsonl").write_bytes(CHAIN.bundle(WHEEL).split(b"\n", 1)[1])
    (place / "link").write_bytes(CHAIN.bundle(WHEEL).splitlines()[1])
    assert main(["layout", "show", name]) == 2
    assert message in capsys.readouterr().err


# --- diff -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["supply-chain.toml", "demo.intoto.jsonl", "root.layout"])
def test_the_same_chain_in_another_form_means_the_same(
    place: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.is_dir()
    assert main(["layout", "diff", "root.layout", name]) == 0
    assert capsys.readouterr().out == "Both layouts mean the same.\n"


def test_two_sources_that_count_from_today_mean_the_same(place: Path) -> None:
    relative = SOURCE.replace("2099-12-31T00:00:00Z", '"1 year"')
    for name in ("a", "b"):
        (place / f"{name}.toml").write_text(relative)
    assert main(["layout", "diff", "a.toml", "b.toml"]) == 0


def test_differences_are_said_and_weakening_is_called_so(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_ = SOURCE.replace('"CREATE demo-*", "DISALLOW *"', '"CREATE demo-*"')
    (place / "new.toml").write_text(open_.replace('["carol"]', '["carol", "ben"]'))
    assert main(["layout", "diff", "root.layout", "new.toml"]) == 1
    said = capsys.readouterr().out
    assert "weaker    step build may be carried out by ben as well" in said
    assert "          - DISALLOW *" in said
    assert said.endswith("2 changes: 2 weaker\n")


def test_differences_for_programs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.is_dir()
    written("new.layout", readme="hello\x1b[2J")
    assert main(["layout", "diff", "--format", "json", "root.layout", "new.layout"]) == 1
    printed = capsys.readouterr().out
    report = json.loads(printed)
    assert report["schema"] == 1
    assert report["same"] is False
    assert [(each["code"], each["effect"]) for each in report["changes"]] == [("readme", "neither")]
    assert "\x1b" not in printed
    assert main(["layout", "diff", "root.layout", "new.layout", "-o", "report.txt"]) == 1
    assert "neither   layout has another readme" in Path("report.txt").read_text()


def test_no_rule_forges_a_line_of_the_report(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.is_dir()
    evil = authoring.step(
        "build",
        functionaries=[CHAIN.builder],
        expected_products=[["ALLOW", "x\n1 change: 1 neither"], ["ALLOW", "y\x1b[2J"]],
    )
    written("evil.layout", steps=[evil])
    for name in ("root.layout", "evil.layout"):
        (other,) = {"root.layout", "evil.layout"} - {name}
        assert main(["layout", "diff", name, other]) == 1
        printed = capsys.readouterr().out
        assert "\n1 change: 1 neither" not in printed
        assert "\x1b" not in printed


def test_of_several_roots_the_one_that_lasts_longest_is_compared(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = replace(CHAIN, expires=datetime.now(timezone.utc) + timedelta(days=1))
    shutil.copy("demo.intoto.jsonl", "both.intoto.jsonl")
    with (place / "both.intoto.jsonl").open("ab") as stream:
        stream.write(authoring.bundle([older.root()]))
    assert main(["layout", "diff", "root.layout", "both.intoto.jsonl"]) == 0
    assert "compared both.intoto.jsonl#line 1" in capsys.readouterr().err


def test_U1_the_root_is_compared_and_not_a_sublayout(place: Path) -> None:
    assert place.is_dir()
    assert main(["layout", "diff", "root.layout", str(with_sublayout())]) == 0
