"""A cache folder that somebody else packed: links in it lead nowhere, and nothing is lost."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from pip_intoto.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links are a privilege there")

NAME = "ab" + "0" * 62


def shelf(folder: Path) -> Shelf:
    return Shelf(folder, most_bytes=1, most_entries=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with old files, hidden and not, that are somebody's."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in (".bashrc", "letter", NAME[1:]):
        (folder / name).write_text("precious")
        os.utime(folder / name, (1_000, 1_000))
    return folder


def is_untouched(folder: Path) -> bool:
    return {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(
        (".bashrc", "letter", NAME[1:]), "precious"
    )


def test_a_link_for_an_entry_is_replaced_and_not_followed(tmp_path: Path, home: Path) -> None:
    kept = shelf(tmp_path / "kept")
    assert kept.put(NAME, b"none")
    (path,) = (path for path in (tmp_path / "kept").rglob("*") if path.is_file())
    path.unlink()
    path.symlink_to(home / "letter")
    assert kept.put(NAME, b"one")
    assert kept.get(NAME, 10) == b"one"
    assert is_untouched(home)


def test_a_link_for_a_folder_is_not_followed(tmp_path: Path, home: Path) -> None:
    kept = shelf(tmp_path / "kept")
    kept.put(NAME, b"one")
    (folder,) = (tmp_path / "kept").iterdir()
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(home)
    kept.close()
    assert is_untouched(home)
    again = shelf(tmp_path / "kept")
    assert "symbolic link" in again.trouble
    assert not again.put(NAME, b"one")
    again.drop(NAME)
    again.close()
    assert is_untouched(home)


def test_a_link_in_the_place_of_all_of_it_is_not_used(tmp_path: Path, home: Path) -> None:
    (home.parent / "kept").symlink_to(tmp_path)
    kept = shelf(tmp_path / "kept")
    assert not kept.put(NAME, b"one")
    kept.close()
    assert "symbolic link" in kept.trouble
    assert is_untouched(home)
