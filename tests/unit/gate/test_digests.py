"""Digests that the gate takes: when a streamed one counts, and when a file is read again."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pip_intoto_gate.digests import FileDigests, StreamedDigests

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://127.0.0.1/demo-1.0-py3-none-any.whl"
BODY = b"x" * 3_000_000


@dataclass
class Response:
    """What pip's response has, as far as the gate looks at it."""

    status_code: int = 200
    history: list[object] = field(default_factory=list)
    request: SimpleNamespace | None = field(default_factory=lambda: SimpleNamespace(url=URL))


@pytest.fixture
def private(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder / "demo-1.0-py3-none-any.whl"


def download(digests: StreamedDigests, path: Path, response: Response | None = None) -> None:
    chunks = (BODY[start : start + 100_000] for start in range(0, len(BODY), 100_000))
    path.write_bytes(b"".join(digests.watch(response or Response(), chunks)))


def test_what_was_streamed_needs_no_second_look(private: Path) -> None:
    digests = StreamedDigests()
    download(digests, private)
    assert digests.take(URL, str(private)) == hashlib.sha256(BODY).hexdigest()


def test_a_local_file_that_comes_as_a_response_counts_for_nothing(private: Path) -> None:
    digests = StreamedDigests()
    download(digests, private, Response(request=None))
    assert private.read_bytes() == BODY
    assert digests.take(URL, str(private)) is None


def test_a_streamed_digest_counts_once(private: Path) -> None:
    streamed, files = StreamedDigests(), FileDigests()
    download(streamed, private)
    files.remember(str(private), streamed.take(URL, str(private)) or "")
    # Another file of the same length takes its place.
    other = private.with_name("other")
    other.write_bytes(b"y" * len(BODY))
    other.replace(private)
    assert streamed.take(URL, str(private)) is None
    assert files.of(str(private)) == hashlib.sha256(b"y" * len(BODY)).hexdigest()


@pytest.mark.parametrize("status", [206, 404])
def test_a_part_of_a_file_does_not_count(private: Path, status: int) -> None:
    digests = StreamedDigests()
    download(digests, private, Response(status_code=status))
    assert digests.take(URL, str(private)) is None


def test_a_second_response_does_not_count_and_spoils_the_first(private: Path) -> None:
    digests = StreamedDigests()
    download(digests, private)
    download(digests, private)
    assert digests.take(URL, str(private)) is None


def test_a_file_of_another_length_is_read(private: Path) -> None:
    digests = StreamedDigests()
    download(digests, private)
    os.truncate(private, 10)
    assert digests.take(URL, str(private)) is None


def test_a_file_where_others_may_write_is_read(private: Path) -> None:
    digests = StreamedDigests()
    download(digests, private)
    private.parent.chmod(0o755)
    assert digests.take(URL, str(private)) is None
