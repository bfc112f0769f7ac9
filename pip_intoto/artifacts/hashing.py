"""Hashing bounded streams."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes a read; larger chunks gain nothing, smaller ones cost calls.
CHUNK = 256 * 1024


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
