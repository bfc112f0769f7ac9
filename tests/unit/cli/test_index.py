"""``index``: a package index of plain files, with the evidence beside the files."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from fixtures.distributions import sdist, wheel
from pip_intoto import files
from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer.evidence.static_index import Entry, core_metadata, pages, requires_python
from tests.unit.cli.test_bundle import BUNDLE, WHEEL, leftovers, shell

if TYPE_CHECKING:
    from tests.unit.cli.shells import Shell

__all__ = ["shell"]

OUT = Path("public")
FILES = OUT / "files"
ALL = [
    "files/demo-1.0-py3-none-any.whl",
    "files/demo-1.0-py3-none-any.whl.intoto.jsonl",
    "files/demo-1.0-py3-none-any.whl.metadata",
    "simple/demo/index.html",
    "simple/demo/index.json",
    "simple/index.html",
    "simple/index.json",
]


def tree(folder: Path = OUT) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def listed(project: str = "demo") -> dict[str, str]:
    page = (OUT / "simple" / project / "index.html").read_text()
    return {
        html.unescape(text): html.unescape(link)
        for link, text in re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', page)
    }


def test_files_evidence_and_pages_are_where_pip_looks(shell: Shell) -> None:
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    assert shell.run("index", "dist", "-o", OUT) == 0
    assert shell.out == "public/simple: 1 project, 1 file\n"
    written = tree()
    assert list(written) == ALL
    assert written[f"files/{WHEEL.filename}"] == WHEEL.data
    assert written[f"files/{WHEEL.filename}.metadata"] == WHEEL.metadata
    assert written[f"files/{WHEEL.filename}.intoto.jsonl"] == BUNDLE.read_bytes()
    assert listed() == {WHEEL.filename: f"../../files/{WHEEL.filename}#sha256={WHEEL.sha256}"}
    (described,) = json.loads(written["simple/demo/index.json"])["files"]
    assert described["hashes"] == {"sha256": WHEEL.sha256}
    assert described["size"] == len(WHEEL.data)
    assert described["yanked"] is False
    assert set(described["core-metadata"]) == {"sha256"}
    assert leftovers() == ["public/.pip-intoto-index.json".rpartition("/")[2]]


def test_the_directory_form_is_published_as_well(shell: Shell) -> None:
    assert shell.run("bundle", f"dist/{WHEEL.filename}", "--directory") == 0
    assert shell.run("index", "dist", "-o", OUT) == 0
    assert f"files/{WHEEL.filename}.intoto/root.layout" in tree()


def test_the_same_files_give_the_same_bytes(shell: Shell) -> None:
    assert shell.run("index", "dist", "-o", OUT) == 0
    before = tree()
    assert shell.run("index", "dist", "-o", OUT) == 0
    assert shell.run("index", "dist", "-o", "other") == 0
    assert tree() == tree(Path("other")) == before


def test_files_without_evidence_are_listed_and_said(shell: Shell) -> None:
    assert shell.run("index", "dist", "-o", OUT) == 0
    assert "has no evidence" in shell.err


def test_files_of_earlier_runs_stay_until_they_are_cleaned(shell: Shell) -> None:
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    assert shell.run("index", "dist", "-o", OUT) == 0
    (Path("dist") / WHEEL.filename).unlink()
    newer = wheel("demo", "1.1")
    newer.write(Path("dist"))
    assert shell.run("index", "dist", "-o", OUT) == 0
    assert list(listed()) == [WHEEL.filename, newer.filename]
    (OUT / "CNAME").write_text("mine")
    (FILES / "mine.txt").write_text("mine")
    assert shell.run("index", "dist", "-o", OUT, "--clean") == 0
    assert list(listed()) == [newer.filename]
    assert not list(FILES.glob(f"{WHEEL.filename}*"))
    assert (OUT / "CNAME").read_text() == (FILES / "mine.txt").read_text() == "mine"


def test_what_somebody_changed_is_not_deleted(shell: Shell) -> None:
    assert shell.run("index", "dist", "-o", OUT) == 0
    changed = FILES / f"{WHEEL.filename}.metadata"
    changed.write_text("mine")
    (Path("dist") / WHEEL.filename).unlink()
    wheel("demo", "1.1").write(Path("dist"))
    assert shell.run("index", "dist", "-o", OUT, "--clean") == 0
    assert changed.read_text() == "mine"


def test_what_was_not_written_here_is_not_replaced(shell: Shell) -> None:
    page = OUT / "simple" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("mine")
    assert shell.run("index", "dist", "-o", OUT) == 2
    assert "did not write it" in shell.err
    assert tree() == {"simple/index.html": b"mine"}


def test_a_published_file_is_never_another_one(shell: Shell) -> None:
    assert shell.run("index", "dist", "-o", OUT) == 0
    before = tree()
    WHEEL.tampered().write(Path("dist"))
    assert shell.run("index", "dist", "-o", OUT) == 2
    assert "with other content" in shell.err
    assert tree() == before
    assert shell.run("index", "dist", "-o", OUT, "--clean") == 0
    assert tree()[f"files/{WHEEL.filename}"] == WHEEL.tampered().data


def test_a_file_that_changes_while_it_is_copied_is_not_listed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = files.copy

    def meddle(source: Path, path: Path) -> str:
        if source.name == WHEEL.filename:
            source.write_bytes(source.read_bytes() + b"more")
        return copy(source, path)

    monkeypatch.setattr(files, "copy", meddle)
    assert shell.run("index", "dist", "-o", OUT) == 2
    assert "changed while it was read" in shell.err
    assert not (OUT / "simple").exists()


def test_pages_come_last_so_that_they_never_list_what_is_not_there(shell: Shell) -> None:
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    assert shell.run("index", "dist", "-o", OUT) == 0
    page = (OUT / "simple/demo/index.html").read_bytes()
    # What follows cannot be written: the page of another project comes before that of demo.
    wheel("demo", "1.1").write(Path("dist"))
    wheel("a").write(Path("dist"))
    (OUT / "simple/a").write_text("in the way")
    assert shell.run("index", "dist", "-o", OUT) == 2
    assert (OUT / "simple/demo/index.html").read_bytes() == page
    # Files came first, and the next run goes on.
    assert (FILES / "demo-1.1-py3-none-any.whl").exists()
    (OUT / "simple/a").unlink()
    assert shell.run("index", "dist", "-o", OUT) == 0
    assert len(listed()) == 2


def test_sdists_are_listed_too(shell: Shell, tmp_path: Path) -> None:
    built = sdist("demo", runs=tmp_path / "ran")
    built.write(Path("dist"))
    assert shell.run("index", "dist", "-o", OUT) == 0
    assert set(listed()) == {WHEEL.filename, built.filename}
    assert not (FILES / f"{built.filename}.metadata").exists()
    assert core_metadata(Path("dist") / built.filename).startswith(b"Metadata-Version")


@pytest.mark.parametrize("name", ["demo-1.0.whl", "demo-x-py3-none-any.whl", "notes.zip"])
def test_files_that_are_no_distributions_are_left_out(name: str, shell: Shell) -> None:
    (Path("dist") / name).write_bytes(WHEEL.data)
    assert shell.run("index", "dist", "-o", OUT) == 0
    assert f"dist/{name} is left out" in shell.err
    assert list(listed()) == [WHEEL.filename]


@pytest.mark.parametrize("content", [b"", b"no zip", WHEEL.data[:-10]])
def test_a_wheel_that_cannot_be_read_is_an_error(content: bytes, shell: Shell) -> None:
    (Path("dist") / "demo-2.0-py3-none-any.whl").write_bytes(content)
    assert shell.run("index", "dist", "-o", OUT) == 2
    assert "demo-2.0-py3-none-any.whl cannot be listed" in shell.err
    assert not OUT.exists()


@pytest.mark.parametrize("dist", ["nothing", "links", "root.layout"])
def test_nothing_to_list_is_never_success(dist: str, shell: Shell) -> None:
    assert shell.run("index", dist, "-o", OUT) == 2
    assert not OUT.exists()


@pytest.mark.parametrize("ledger", ["no JSON", '{"files": {"../../etc/passwd": ""}}', "[]"])
def test_a_list_of_earlier_files_that_is_none_ends_the_run(ledger: str, shell: Shell) -> None:
    OUT.mkdir()
    (OUT / ".pip-intoto-index.json").write_text(ledger)
    assert shell.run("index", "dist", "-o", OUT, "--clean") == 2
    assert tree() == {}


def test_a_file_where_the_index_should_be_is_an_error(shell: Shell) -> None:
    OUT.write_text("mine")
    assert shell.run("index", "dist", "-o", OUT) == 2
    assert OUT.read_text() == "mine"


def entry(filename: str, **changes: str) -> Entry:
    given = {"project": "demo", "version": "1.0", "sha256": "0" * 64, "requires_python": ""}
    return Entry(filename=filename, size=1, **{**given, **changes})


def test_pages_are_escaped() -> None:
    evil = entry('a"><script>.whl', requires_python='>=3.8,"<4&')
    page = pages([evil])["simple/demo/index.html"].decode()
    assert "<script>" not in page
    (link,) = re.findall(r'<a href="([^"]*)" data-requires-python="([^"]*)">', page)
    assert unquote(html.unescape(link[0])).startswith('../../files/a"><script>.whl#sha256=')
    assert html.unescape(link[1]) == evil.requires_python


def test_pages_are_in_the_order_of_versions() -> None:
    entries = [entry(f"demo-{version}.tar.gz", version=version) for version in ("1.10", "1.9")]
    page = json.loads(pages(entries)["simple/demo/index.json"])
    assert page["versions"] == ["1.9", "1.10"]
    assert pages(entries) == pages(reversed(entries))


def test_what_the_metadata_says_of_python_is_served() -> None:
    assert requires_python(b"Metadata-Version: 2.1\nName: x\nRequires-Python: >=3.8\n") == ">=3.8"
    assert requires_python(b"nothing") == ""


def test_large_metadata_is_not_taken(tmp_path: Path) -> None:
    path = wheel("demo", requires=["x"] * 1000).write(tmp_path)
    with pytest.raises(CommandError, match="METADATA"):
        core_metadata(path, limits=replace(LOCAL, archive_record_bytes=2000))
