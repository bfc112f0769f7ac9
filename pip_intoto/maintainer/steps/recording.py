"""Materials and products: the digests of files, as a link lists them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pip_intoto.artifacts.hashing import NotAFile, open_file, sha256_open
from pip_intoto.errors import CommandError
from pip_intoto.maintainer.progress import SILENT
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.maintainer.progress import Advance, Progress


def digests_of(
    files: Mapping[str, str], *, label: str = "recording", progress: Progress = SILENT
) -> dict[str, dict[str, str]]:
    """Hash ``files`` (name → path); ``{name: {"sha256": hex}}``, in the order of names.

    Raises CommandError for a file that cannot be read, or that changes meanwhile.
    """
    with progress.task(label, len(files)) as advance:
        return {name: {"sha256": _sha256(files[name], advance)} for name in sorted(files)}


def _sha256(path: str, advance: Advance) -> str:
    size = read = 0

    def noticed(more: int) -> None:
        nonlocal read
        read += more
        if size:
            advance(more / size)

    try:
        descriptor, before = open_file(path)
        size = before.st_size
        try:
            sha256 = sha256_open(descriptor, size, noticed)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except NotAFile:
        raise CommandError(f"{shown(path)} is no longer a file") from None
    except OSError as error:
        raise CommandError(f"{shown(path)} cannot be recorded: {error.strerror or error}") from None
    # (What has no size, as in /proc, may have content all the same.)
    if (after.st_size, after.st_mtime_ns) != (size, before.st_mtime_ns) or read != size != 0:
        raise CommandError(
            f"{shown(path)} changed while it was recorded",
            expected="files that nobody writes to meanwhile",
            advice="Wait until whatever writes to it is done, and record again.",
        )
    if not size:
        advance(1)
    return sha256
