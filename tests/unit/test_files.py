"""Reading and writing named files: whole or not at all, and nothing that was there is lost."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto import files
from pip_intoto.errors import CommandError
from tests.unit import disks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and links as POSIX has them")


@pytest.fixture
def usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def without_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave as on FAT: a file has one name."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- read -----------------------------------------------------------------------------------


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert files.read(path, 5) == b"12345"


def test_a_file_over_the_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    with pytest.raises(CommandError, match="too large") as caught:
        files.read(path, 4)
    assert caught.value.expected == "at most 4 bytes"


def test_a_file_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read") as caught:
        files.read(tmp_path / "nothing", 4)
    assert caught.value.found == "No such file or directory"


# --- write_new ------------------------------------------------------------------------------


def test_a_new_file_has_its_content(tmp_path: Path) -> None:
    files.write_new(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"
    assert names_in(tmp_path) == ["new"]


@POSIX
@pytest.mark.usefixtures("usual_mask")
def test_a_new_file_has_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    files.write_new(tmp_path / "open", b"")
    files.write_new(tmp_path / "private", b"", mode=files.PRIVATE)
    assert (mode_of(tmp_path / "open"), mode_of(tmp_path / "private")) == (0o644, 0o600)


@pytest.mark.parametrize("present", ["file", "folder", "link", "broken link"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, present: str) -> None:
    path = tmp_path / "name"
    other = tmp_path / "other"
    other.write_bytes(b"other")
    make: dict[str, Callable[[], object]] = {
        "file": lambda: path.write_bytes(b"mine"),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(other),
        "broken link": lambda: path.symlink_to(tmp_path / "nowhere"),
    }
    make[present]()
    with pytest.raises(CommandError, match="exists already"):
        files.write_new(path, b"new")
    assert names_in(tmp_path) == ["name", "other"]
    assert other.read_bytes() == b"other"
    if present == "file":
        assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_file_that_appears_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, *, links: bool
) -> None:
    if not links:
        request.getfixturevalue("without_hard_links")
    path = tmp_path / "name"

    def look_the_other_way(looked_at: Path) -> None:
        # Somebody else is faster, right after nothing was there.
        assert looked_at == path
        path.write_bytes(b"theirs")

    monkeypatch.setattr(files, "check_free", look_the_other_way)
    with pytest.raises(CommandError, match="exists already"):
        files.write_new(path, b"ours")
    assert path.read_bytes() == b"theirs"
    assert names_in(tmp_path) == ["name"]


@pytest.mark.usefixtures("without_hard_links")
def test_file_systems_without_links_hold_new_files_too(tmp_path: Path) -> None:
    files.write_new(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"
    assert names_in(tmp_path) == ["new"]


@pytest.mark.usefixtures("without_hard_links")
def test_a_name_is_given_back_when_its_file_cannot_be_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_from: Path, _to: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(CommandError, match="Input/output error"):
        files.write_new(tmp_path / "new", b"content")
    assert names_in(tmp_path) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for write in (files.write_new, files.replace):
        with pytest.raises(CommandError, match="No such file or directory"):
            write(tmp_path / "nothing" / "name", b"")
    assert names_in(tmp_path) == []


# --- replace --------------------------------------------------------------------------------


def test_a_file_is_replaced_or_made(tmp_path: Path) -> None:
    path = tmp_path / "name"
    files.replace(path, b"one")
    assert path.read_bytes() == b"one"
    files.replace(path, b"two")
    assert path.read_bytes() == b"two"
    assert names_in(tmp_path) == ["name"]


@POSIX
@pytest.mark.usefixtures("usual_mask")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_of_a_file_outlives_its_content(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "name"
    path.write_bytes(b"one")
    path.chmod(mode)
    files.replace(path, b"two")
    assert (path.read_bytes(), mode_of(path)) == (b"two", mode)


@POSIX
@pytest.mark.usefixtures("usual_mask")
def test_a_mode_may_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "name"
    files.replace(path, b"one")
    assert mode_of(path) == 0o644
    files.replace(path, b"two", mode=files.PRIVATE)
    assert mode_of(path) == 0o600


def test_a_link_stays_one_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    target.write_bytes(b"one")
    link = tmp_path / "link"
    link.symlink_to(Path("folder", "target"))
    files.replace(link, b"two")
    assert link.is_symlink()
    assert target.read_bytes() == b"two"
    assert names_in(tmp_path / "folder") == ["target"]


def test_whoever_has_the_old_file_open_reads_it_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "name"
    path.write_bytes(b"one")
    with path.open("rb") as stream:
        files.replace(path, b"two")
        assert stream.read() == b"one"


@POSIX
@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "日" * 85], ids=["1", "2", "3"])
def test_the_longest_names_of_a_file_system_can_be_written(tmp_path: Path, name: str) -> None:
    files.write_new(tmp_path / name, b"one")
    files.replace(tmp_path / name, b"two")
    assert (tmp_path / name).read_bytes() == b"two"


@POSIX
def test_pipes_and_devices_are_no_files_to_replace(tmp_path: Path) -> None:
    # Whoever writes to /dev/null as root would take it away from everybody.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(CommandError, match="is no file"):
        files.replace(pipe, b"content")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(CommandError, match="is no file"):
        files.replace(tmp_path, b"content")
    assert names_in(tmp_path) == ["pipe"]


# --- folders --------------------------------------------------------------------------------


def held(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_is_made_or_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    files.replace_folder(folder, {"one": b"1", "below/two": b"2"})
    assert held(folder) == {"one": b"1", "below/two": b"2"}
    files.replace_folder(folder, {"three": b"3"})
    assert held(folder) == {"three": b"3"}
    assert names_in(tmp_path) == ["folder"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError(errno.EIO, "Input/output error")])
def test_a_folder_is_back_when_no_other_can_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: BaseException | type[BaseException]
) -> None:
    folder = tmp_path / "folder"
    files.replace_folder(folder, {"one": b"1"})
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if target == folder and not self.name.endswith(".old"):
            raise end
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises((CommandError, KeyboardInterrupt)):
        files.replace_folder(folder, {"two": b"2"})
    assert held(folder) == {"one": b"1"}
    assert names_in(tmp_path) == ["folder"]


def test_a_folder_that_cannot_be_put_back_is_never_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    files.replace_folder(folder, {"one": b"1"})
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if target == folder:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(CommandError) as caught:
        files.replace_folder(folder, {"two": b"2"})
    (kept,) = tmp_path.iterdir()
    assert held(kept) == {"one": b"1"}
    assert str(kept) in caught.value.advice


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CommandError, match=r"file cannot be made: File exists"):
        files.make_folder(tmp_path / "file")


# --- disks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [files.write_new, files.replace])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    with disks.disk(tmp_path / "disk", "64k") as folder:
        disks.fill(folder)
        with pytest.raises(CommandError, match="No space left on device"):
            write(folder / "name", b"content" * 1000)
        assert names_in(folder) == ["filling"]


def test_a_full_disk_keeps_what_stood_there(tmp_path: Path) -> None:
    with disks.disk(tmp_path / "disk", "64k") as folder:
        (folder / "name").write_bytes(b"one")
        disks.fill(folder)
        with pytest.raises(CommandError, match="No space left on device") as caught:
            files.replace(folder / "name", b"content" * 1000)
        assert caught.value.advice == "What stood there before stands there still."
        assert (folder / "name").read_bytes() == b"one"
        assert names_in(folder) == ["filling", "name"]


@pytest.mark.parametrize("write", [files.write_new, files.replace])
def test_a_disk_that_is_read_only_is_an_error(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    with disks.disk(tmp_path / "disk", "64k") as folder:
        disks.make_read_only(folder)
        with pytest.raises(CommandError, match="Read-only file system"):
            write(folder / "name", b"content")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("write", [files.write_new, files.replace])
def test_a_folder_that_is_read_only_is_an_error(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(CommandError, match="Permission denied"):
        write(tmp_path / "name", b"content")
    assert names_in(tmp_path) == []
