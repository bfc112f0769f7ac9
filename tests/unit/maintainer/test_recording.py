"""Digests of files, and of nothing that is not quite a file any more."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.artifacts.hashing import CHUNK, sha256_file
from pip_intoto.errors import CommandError
from pip_intoto.maintainer.steps.recording import digests_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.maintainer.progress import Advance

POSIX = pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")


class Watched:
    """Takes down how far the work says it is."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, float | None]] = []
        self.steps: list[float] = []

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Advance]:
        self.tasks.append((label, total))
        yield self.steps.append


@given(content=st.binary(max_size=64), times=st.sampled_from([0, 1, CHUNK // 32, CHUNK // 16]))
def test_digests_are_those_of_the_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, times: int
) -> None:
    path = tmp_path_factory.mktemp("files") / "file"
    path.write_bytes(content * times)
    expected = hashlib.sha256(content * times).hexdigest()
    assert digests_of({"name": str(path)}) == {"name": {"sha256": expected}}


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_sizes_around_that_of_a_chunk_make_no_difference(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    assert digests_of({"name": str(path)}) == {"name": {"sha256": sha256_file(path)}}


def test_names_are_in_order(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert list(digests_of(dict.fromkeys("cab", str(tmp_path / "file")))) == ["a", "b", "c"]


def test_progress_counts_files_and_parts_of_large_ones(tmp_path: Path) -> None:
    for name, size in (("a", 1), ("b", 4 * CHUNK)):
        (tmp_path / name).write_bytes(bytes(size))
    watched = Watched()
    digests_of({name: str(tmp_path / name) for name in "ab"}, label="work", progress=watched)
    assert watched.tasks == [("work", 2)]
    assert len(watched.steps) > 2
    assert sum(watched.steps) == pytest.approx(2)


def test_a_file_that_vanished_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be recorded: No such file"):
        digests_of({"name": str(tmp_path / "file")})


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0)
    with pytest.raises(CommandError, match="cannot be recorded: Permission denied"):
        digests_of({"name": str(path)})


@POSIX
def test_a_file_that_became_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "file")
    with pytest.raises(CommandError, match="no longer a file"):
        digests_of({"name": str(tmp_path / "file")})


@pytest.mark.parametrize("change", ["longer", "shorter", "other"])
def test_a_file_that_changes_meanwhile_is_an_error(tmp_path: Path, change: str) -> None:
    path = tmp_path / "file"
    size = 4 * CHUNK
    path.write_bytes(bytes(size))
    os.utime(path, (0, 0))

    class Meddling(Watched):
        @contextmanager
        def task(self, label: str, total: float | None = None) -> Iterator[Advance]:  # noqa: ARG002
            def meddle(_more: float) -> None:
                with path.open("r+b") as stream:
                    stream.truncate(size + {"longer": 1, "shorter": -1, "other": 0}[change])
                    stream.write(b"x")

            yield meddle

    with pytest.raises(CommandError, match="changed while it was recorded"):
        digests_of({"name": str(path)}, progress=Meddling())


def failure(path: Path) -> CommandError | None:
    try:
        digests_of({"name": str(path)})
    except CommandError as error:
        return error
    return None


def test_a_file_that_somebody_keeps_writing_to_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(16 * CHUNK))
    done = threading.Event()

    def keep_writing() -> None:
        while not done.wait(0.001):
            with path.open("ab") as stream:
                stream.write(b"more")

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        # Nearly always the first time.
        failed = next((error for error in map(failure, [path] * 1000) if error), None)
    finally:
        done.set()
        writer.join()
    assert failed is not None
    assert "changed while it was recorded" in failed.message


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="files as Linux makes them up")
def test_what_has_no_size_may_have_content() -> None:
    digests = digests_of({"name": "/proc/sys/kernel/ostype"})
    assert digests["name"]["sha256"] == hashlib.sha256(b"Linux\n").hexdigest()


def test_a_large_file_takes_no_memory_to_speak_of(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "file"
    with path.open("wb") as stream:
        stream.truncate(64 * 1024 * 1024)
    tracemalloc.start()
    try:
        begin = time.monotonic()
        digests_of({"name": str(path)})
        assert time.monotonic() - begin < 60
        assert tracemalloc.get_traced_memory()[1] < 4 * CHUNK
    finally:
        tracemalloc.stop()
