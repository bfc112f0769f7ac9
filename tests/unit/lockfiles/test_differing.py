"""What a newer state of a lock has that the older one does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pip_intoto.distribution import Kind, Place
from pip_intoto.lockfiles import requirements
from pip_intoto.lockfiles.differing import difference
from pip_intoto.lockfiles.locked import Lock, Locked, LockedFile
from tests.unit.lockfiles.trees import FOLDER, Memory

LOCK = Path("pylock.toml")


def entry(name: str, line: int, sha256: str = "a" * 64) -> Locked:
    filename = f"{name}-1.0-py3-none-any.whl"
    file = LockedFile(
        filename=filename,
        place=Place(LOCK, line + 1),
        url=f"https://files.example/{filename}",
        sha256=sha256,
        size=1_000,
    )
    return Locked(name=name, version="1.0", place=Place(LOCK, line), files=(file,))


def lock(*entries: Locked) -> Lock:
    return Lock(path=LOCK, format="pylock", locked=entries)


def test_an_entry_that_only_moved_is_the_same() -> None:
    newer = lock(entry("first", 3), entry("second", 90))
    found = difference(lock(entry("second", 10)), newer)
    assert found.changed == (newer.locked[0],)
    assert found.unchanged == 1


def test_everything_is_new_where_there_was_no_lock() -> None:
    newer = lock(entry("first", 3), entry("second", 90))
    assert difference(None, newer).changed == newer.locked
    assert difference(None, newer).unchanged == 0


@pytest.mark.parametrize(
    "changed",
    [
        entry("demo", 3, sha256="b" * 64),
        replace(entry("demo", 3), version="1.1"),
        replace(entry("demo", 3), index="https://other.example/simple/"),
        replace(entry("demo", 3), kind=Kind.VCS, url="https://git.example/demo"),
        replace(entry("demo", 3), files=()),
        replace(entry("demo", 3), form=Kind.SDIST),
    ],
    ids=["digest", "version", "index", "checkout", "files", "form"],
)
def test_whatever_is_installed_by_an_entry_makes_it_another(changed: Locked) -> None:
    assert difference(lock(entry("demo", 3)), lock(changed)).changed == (changed,)


def test_another_path_to_a_file_makes_an_entry_another() -> None:
    before = entry("demo", 3)
    here, there = (
        replace(before, files=(replace(before.files[0], url="", path=Path(folder, "demo.whl")),))
        for folder in ("here", "there")
    )
    assert difference(lock(here), lock(there)).changed == (there,)


def test_an_address_of_the_same_file_makes_an_entry_another() -> None:
    before = entry("demo", 3)
    moved = replace(before, files=(replace(before.files[0], url="https://evil.example/demo.whl"),))
    assert difference(lock(before), lock(moved)).changed == (moved,)


def test_with_other_indexes_no_entry_is_the_same() -> None:
    before = lock(entry("demo", 3))
    after = replace(before, indexes=("https://other.example/simple/",))
    assert difference(before, after).changed == after.locked


@pytest.mark.parametrize("places", [{"find_links": ("wheels",)}, {"no_index": True}])
def test_with_other_folders_no_entry_is_the_same(places: dict[str, Any]) -> None:
    before = lock(entry("demo", 3))
    after = replace(before, **places)
    assert difference(before, after).changed == after.locked


def test_a_file_here_that_no_digest_pins_may_have_changed_by_itself() -> None:
    file = LockedFile(
        filename="demo-1.0.tar.gz", place=Place(LOCK, 1), path=Path("/demo-1.0.tar.gz")
    )
    loose = replace(entry("demo", 3), files=(file,))
    assert difference(lock(loose), lock(loose)).changed == (loose,)
    pinned = replace(loose, files=(replace(file, sha256="a" * 64),))
    assert difference(lock(pinned), lock(pinned)).changed == ()


def test_other_digests_than_sha256_do_not_make_an_entry_the_same() -> None:
    texts = [f"demo==1.0 --hash=sha512:{digit * 128}\n" for digit in "ab"]
    older, newer = (
        requirements.read(FOLDER / "requirements.txt", Memory(requirements__txt=text), None)
        for text in texts
    )
    assert difference(older, newer).changed == newer.locked


def test_what_no_digest_pins_may_come_from_a_folder_that_changed() -> None:
    loose = replace(entry("demo", 3), files=())
    before = replace(lock(loose), find_links=("wheels",))
    assert difference(before, before).changed == (loose,)
    assert difference(lock(loose), lock(loose)).changed == ()
