"""Evidence on disk: what becomes a path, what is read, and where it is looked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.keys import key
from pip_intoto.errors import CommandError
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.evidence import evidence_files

LINK = json.dumps(authoring.sign(authoring.link("build"), [key("builder")])).encode()


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "name", ["../evil.link", "/evil.link", "a//b.link", "a/../../b.link", "a\\b.link", "a\n.link"]
)
@pytest.mark.rejects("N3")
def test_N3_no_name_out_of_metadata_leaves_the_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match="no file name"):
        evidence_files.replace_directory(tmp_path / "in" / "demo.intoto", {name: LINK})
    assert below(tmp_path) == []


def test_no_document_has_the_name_of_a_directory(tmp_path: Path) -> None:
    contents = {"build.12345678": LINK, "build.12345678/look.12345678.link": LINK}
    with pytest.raises(CommandError, match="the name of a directory"):
        evidence_files.replace_directory(tmp_path / "demo.intoto", contents)
    assert below(tmp_path) == []


def test_hidden_folders_are_not_searched_for_links(tmp_path: Path) -> None:
    for folder in ("links", ".cache"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "build.link").write_bytes(LINK)
    papers, notes = evidence_files.read_folder(tmp_path)
    assert [paper.document.hint for paper in papers] == ["links/build.link"]
    assert notes == []


def test_a_file_at_the_top_of_a_file_system_has_nothing_beside_it() -> None:
    with pytest.raises(CommandError, match="nothing beside"):
        evidence_files.folder_for(Path("/demo.whl"))
