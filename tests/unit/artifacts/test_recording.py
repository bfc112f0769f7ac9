"""What lies in a directory is recorded, all of it, or nothing is (I6)."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.artifacts.hashing import CHUNK
from pip_intoto.artifacts.recording import record_directory
from pip_intoto.errors import InspectionFailed, MetadataTooLarge
from pip_intoto.limits import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.limits import Limits


def record(directory: Path, limits: Limits = DEFAULT) -> dict[str, dict[str, str]]:
    return record_directory(directory, limits=limits)


def refusal(directory: Path) -> InspectionFailed:
    with pytest.raises(InspectionFailed) as caught:
        record(directory)
    return caught.value


def digest(content: bytes) -> dict[str, str]:
    return {"sha256": hashlib.sha256(content).hexdigest()}


@pytest.mark.accepts("I6")
@pytest.mark.parametrize(
    "name",
    ["evil.pyc", ".git/hooks/pre-commit", "x.link", "x.link.py", "build.776a00e2.link", "x~",
     ".hidden", "..data", "...", "__pycache__/evil.cpython-311.pyc", "new\nline", " ", "café", "*",
     "a/b/c/d/e"],
)  # fmt: skip
def test_I6_nothing_is_left_out_for_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content")
    assert record(tmp_path) == {name: digest(b"content")}


@pytest.mark.accepts("I6")
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_I6_files_of_every_size(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    assert record(tmp_path) == {"file": digest(b"x" * size)}


@pytest.mark.accepts("I6")
def test_I6_a_file_that_says_it_is_empty_is_read_all_the_same() -> None:
    directory = Path("/proc/sys/kernel/random")
    if not directory.is_dir():
        pytest.skip("this system has no files of that kind")
    assert (directory / "boot_id").stat().st_size == 0
    assert record(directory)["boot_id"] == digest((directory / "boot_id").read_bytes())


@pytest.mark.accepts("I6")
def test_I6_links_within_the_directory_are_followed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "file").write_bytes(b"x")
    (tmp_path / "to-file").symlink_to("d/file")
    (tmp_path / "to-folder").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "up").symlink_to("../to-file")
    assert record(tmp_path).keys() == {
        "d/file", "d/up", "to-file", "to-folder/file", "to-folder/up"
    }  # fmt: skip


@pytest.mark.accepts("I6")
def test_I6_loops_of_links_end(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "a" / "to-b").symlink_to("../b")
    (tmp_path / "b" / "to-a").symlink_to("../a")
    (tmp_path / "b" / "self").symlink_to(".")
    (tmp_path / "b" / "top").symlink_to("..")
    found = record(tmp_path)
    assert {"a/file", "b/file", "a/to-b/file", "b/to-a/file"} <= found.keys()


@pytest.mark.rejects("I6")
def test_I6_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert refusal(tmp_path).message == "The directory cannot be recorded"


@pytest.mark.rejects("I6")
@pytest.mark.parametrize("target", ["../outside", "..", "/", "/etc/hostname", "d/../../outside/f"])
def test_I6_links_that_lead_out_of_the_directory_are_refused(tmp_path: Path, target: str) -> None:
    inside = tmp_path / "inside"
    (inside / "d").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").write_text("f")
    (inside / "link").symlink_to(target)
    error = refusal(inside)
    assert error.message == "A symbolic link leads out of the directory"
    assert error.found == "'link'"


@pytest.mark.rejects("I6")
def test_I6_a_name_that_begins_like_the_directory_is_outside_of_it(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work-of-others").write_text("f")
    (tmp_path / "work" / "link").symlink_to("../work-of-others")
    assert "leads out" in refusal(tmp_path / "work").message


@pytest.mark.accepts("I6")
def test_I6_the_directory_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"x")
    (tmp_path / "real" / "again").symlink_to("file")
    (tmp_path / "link").symlink_to("real")
    assert record(tmp_path / "link").keys() == {"file", "again"}


@pytest.mark.rejects("I6")
@pytest.mark.parametrize("linked", [False, True])
def test_I6_pipes_and_sockets_are_refused_and_not_waited_for(tmp_path: Path, linked: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    if linked:
        (tmp_path / "a-link").symlink_to("pipe")
    assert "neither a file nor a folder" in refusal(tmp_path).message
    (tmp_path / "pipe").unlink()
    if linked:
        (tmp_path / "a-link").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        # The address is short, and a path may be long.
        with _within(tmp_path):
            server.bind("socket")
        assert refusal(tmp_path).found == "'socket'"


@pytest.mark.rejects("I6", "P9")
@pytest.mark.parametrize("name", ["c:file", "a\\..\\b", "\\x", "x\\"])
def test_I6_names_that_no_metadata_may_hold_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    assert "no metadata may hold" in refusal(tmp_path).message


@pytest.mark.rejects("I6", "J5")
def test_I6_names_that_are_not_UTF8_are_refused(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    error = refusal(tmp_path)
    assert "not UTF-8" in error.message
    assert error.found.encode() == b"'caf\\udce9'"


@pytest.mark.rejects("I6")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_I6_what_cannot_be_read_is_an_error(what: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        directory.chmod(0o755)
        if what == "file":
            (directory / "secret").write_text("x")
        else:
            (directory / "secret").mkdir()
        (directory / "secret").chmod(0)
        with _unprivileged():
            error = refusal(directory)
        assert "Permission denied" in error.found
        (directory / "secret").chmod(0o700)


@pytest.mark.rejects("I6")
def test_I6_folders_in_folders_without_end_are_an_error(tmp_path: Path) -> None:
    depth = 0
    with _within(tmp_path):
        while depth < 30:
            os.mkdir("d" * 200)  # noqa: PTH102 - a path to it would be too long
            os.chdir("d" * 200)
            depth += 1
        Path("file").write_text("x")
    assert "too long" in refusal(tmp_path).found


def test_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / str(index)).mkdir()
    assert record(tmp_path, replace(DEFAULT, artifacts=5)) == {}
    with pytest.raises(MetadataTooLarge):
        record(tmp_path, replace(DEFAULT, artifacts=4))


def test_links_that_multiply_are_bounded(tmp_path: Path) -> None:
    for level in range(20):
        folder = tmp_path / f"level-{level}"
        folder.mkdir()
        for name in ("a", "b"):
            (folder / name).symlink_to(f"../level-{level + 1}")
    (tmp_path / "level-20").mkdir()
    with pytest.raises(MetadataTooLarge):
        record(tmp_path, replace(DEFAULT, artifacts=1_000))


def test_what_is_hashed_is_bounded(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(MetadataTooLarge):
        record(tmp_path, replace(DEFAULT, recorded_bytes=10_000_000))
    (tmp_path / "sparse").unlink()
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x" * 100)
    assert record(tmp_path, replace(DEFAULT, recorded_bytes=200)).keys() == {"a", "b"}
    with pytest.raises(MetadataTooLarge):
        record(tmp_path, replace(DEFAULT, recorded_bytes=199))


@contextmanager
def _within(directory: Path) -> Iterator[None]:
    before = os.open(".", os.O_RDONLY)
    os.chdir(directory)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


@contextmanager
def _unprivileged() -> Iterator[None]:
    """Give up the rights of root for a while: it may read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
