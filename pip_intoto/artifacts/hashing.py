"""Hashing bounded streams."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Bytes a read; larger chunks gain nothing, smaller ones cost calls.
CHUNK = 256 * 1024
#: A pipe must not be waited for, whatever it was when its folder was listed.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class NotAFile(Exception):
    """There is something, which is neither a file nor a link to one: a folder, pipe or device."""


def open_file(path: str) -> tuple[int, os.stat_result]:
    """Open a file for reading; the descriptor, and what it is now.

    Raises :class:`NotAFile`, having waited for nothing and nobody, and :class:`OSError`.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotAFile
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


def sha256_open(descriptor: int, size: int, noticed: Callable[[int], object]) -> str:
    """Return the lower-case hex sha256 of an open file, which has about ``size`` bytes.

    ``noticed`` is called with the length of each block, and what it raises ends the work. Raises
    :class:`OSError`.
    """
    # Most files are small, and read at once.
    block = os.read(descriptor, min(size + 1, CHUNK))
    noticed(len(block))
    digest = hashlib.sha256(block)
    if len(block) != size:
        while block := os.read(descriptor, CHUNK):
            noticed(len(block))
            digest.update(block)
    return digest.hexdigest()


def sha256_stream(stream: BinaryIO) -> str:
    """Return the lower-case hex sha256 of what is left in ``stream``."""
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Return the lower-case hex sha256 of the file's bytes. Raises :class:`OSError`."""
    with path.open("rb") as stream:
        return sha256_stream(stream)
