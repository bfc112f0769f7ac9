"""Folders of small files that may vanish: nothing that happens to one fails the work."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from pip_intoto.shelf import Shelf
from tests.unit import disks

if TYPE_CHECKING:
    from pathlib import Path

POSIX = pytest.mark.skipif(os.name != "posix", reason="owners and modes as POSIX has them")


def shelf(folder: Path, *, most_bytes: int = 10_000, most_entries: int = 100) -> Shelf:
    return Shelf(folder, most_bytes=most_bytes, most_entries=most_entries)


def name(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def held(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_put_can_be_got_and_replaced_and_dropped(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "a" / "b")
    assert kept.get(name(1), 100) is None
    assert kept.put(name(1), b"one")
    assert kept.get(name(1), 100) == b"one"
    assert kept.put(name(1), b"two")
    assert shelf(tmp_path / "a" / "b").get(name(1), 100) == b"two"
    kept.drop(name(1))
    kept.drop(name(1))
    assert kept.get(name(1), 100) is None
    assert kept.trouble == ""


def test_more_than_is_asked_for_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "kept")
    kept.put(name(1), b"12345")
    assert kept.get(name(1), 4) is None
    assert kept.get(name(1), 5) == b"12345"


@POSIX
def test_only_their_owner_reads_files_and_folders(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "cache" / "kept")
    kept.put(name(1), b"one")
    made = [tmp_path / "cache", *(tmp_path / "cache").rglob("*")]
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in made] == [0] * 4


@POSIX
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    shelf(tmp_path / "kept").put(name(1), b"planted")
    (tmp_path / "kept").chmod(0o777)
    kept = shelf(tmp_path / "kept")
    assert kept.get(name(1), 100) is None
    assert not kept.put(name(2), b"two")
    assert "others may write" in kept.trouble
    assert str(tmp_path / "kept") in kept.trouble


@POSIX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir(mode=0o700)
    os.chown(tmp_path / "kept", 65_534, 65_534)
    kept = shelf(tmp_path / "kept")
    assert not kept.put(name(1), b"one")
    assert kept.trouble


@POSIX
def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "kept")
    kept.put(name(1), b"one")
    (path,) = held(tmp_path / "kept")
    path.unlink()
    (tmp_path / "secret").write_bytes(b"another's")
    path.symlink_to(tmp_path / "secret")
    assert kept.get(name(1), 100) is None
    path.unlink()
    os.mkfifo(path)
    assert kept.get(name(1), 100) is None


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"")
    kept = shelf(tmp_path / "kept")
    assert not kept.put(name(1), b"one")
    assert kept.get(name(1), 100) is None
    assert kept.trouble
    kept.close()


def test_a_folder_that_is_deleted_in_the_meantime_is_made_anew(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "cache" / "kept")
    kept.put(name(1), b"one")
    shutil.rmtree(tmp_path / "cache")
    assert kept.get(name(1), 100) is None
    assert kept.put(name(2), b"two")
    assert kept.get(name(2), 100) == b"two"
    assert kept.trouble == ""


def test_a_full_disk_ends_the_writing_and_not_the_work(tmp_path: Path) -> None:
    with disks.disk(tmp_path / "disk", "256k") as disk:
        kept = shelf(disk / "kept")
        assert kept.put(name(1), b"one")
        disks.fill(disk)
        assert not kept.put(name(2), b"x" * 8192)
        assert "No space left" in kept.trouble
        assert not kept.put(name(3), b"")
        assert kept.get(name(1), 100) == b"one"


def test_a_disk_that_nobody_may_write_to(tmp_path: Path) -> None:
    with disks.disk(tmp_path / "disk", "256k") as disk:
        shelf(disk / "kept").put(name(1), b"one")
        disks.make_read_only(disk)
        kept = shelf(disk / "kept")
        assert kept.get(name(1), 100) == b"one"
        assert not kept.put(name(2), b"two")
        assert "Read-only" in kept.trouble


def test_the_oldest_go_first_when_there_are_too_many(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "kept", most_entries=8)
    for number in range(9):
        kept.put(name(number), b"x")
        (path,) = (path for path in held(tmp_path / "kept") if path.name == name(number)[1:])
        os.utime(path, (1_000 + number, 1_000 + number))
    kept.close()
    left = [number for number in range(9) if kept.get(name(number), 10)]
    assert left == [3, 4, 5, 6, 7, 8]


def test_the_oldest_go_first_when_they_are_too_large(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "kept", most_bytes=1_000)
    for number in range(11):
        kept.put(name(number), bytes(100))
    kept.close()
    assert sum(path.stat().st_size for path in held(tmp_path / "kept")) == 700


def test_one_long_run_does_not_outgrow_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pip_intoto.shelf._TIDIED_AFTER", 20)
    kept = shelf(tmp_path / "kept", most_entries=10)
    for number in range(45):
        kept.put(name(number), b"x")
    assert len(held(tmp_path / "kept")) <= 30


def test_what_interrupted_writing_left_goes_after_a_while(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "kept")
    kept.put(name(1), b"one")
    (path,) = held(tmp_path / "kept")
    new, old = path.with_name(".half.1"), path.with_name(".half.2")
    new.write_bytes(b"")
    old.write_bytes(b"")
    os.utime(old, (1_000, 1_000))
    kept.close()
    assert new.exists()
    assert not old.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be replaced there")
def test_two_that_write_at_once_leave_what_one_of_them_wrote(tmp_path: Path) -> None:
    contents = [bytes([number]) * 5_000 for number in (1, 2)]
    seen: set[bytes | None] = set()

    def work(content: bytes) -> None:
        mine = shelf(tmp_path / "kept")
        for _ in range(100):
            mine.put(name(1), content)
            seen.add(mine.get(name(1), 10_000))

    threads = [threading.Thread(target=work, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen <= set(contents)
    assert len(held(tmp_path / "kept")) == 1


def test_many_threads_share_a_shelf(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "kept", most_entries=1_000)

    def work(first: int) -> None:
        for number in range(first, first + 50):
            assert kept.put(name(number % 60), b"%d" % (number % 60))

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, range(0, 200, 25)))
    assert {kept.get(name(number), 10) for number in range(60)} == {b"%d" % n for n in range(60)}
    assert not [path for path in held(tmp_path / "kept") if path.name.startswith(".")]


@POSIX
def test_a_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "kept")
    kept.put(name(1), b"one")
    (path,) = held(tmp_path / "kept")
    path.unlink()
    (tmp_path / "another's").write_bytes(b"another's")
    path.symlink_to(tmp_path / "another's")
    assert kept.put(name(1), b"two")
    assert kept.get(name(1), 10) == b"two"
    assert (tmp_path / "another's").read_bytes() == b"another's"


def test_what_cannot_take_its_name_leaves_nothing(tmp_path: Path) -> None:
    kept = shelf(tmp_path / "kept")
    kept.put(name(1), b"one")
    (path,) = held(tmp_path / "kept")
    path.unlink()
    path.mkdir()
    assert not kept.put(name(1), b"two")
    assert str(path) in kept.trouble
    assert held(tmp_path / "kept") == []
