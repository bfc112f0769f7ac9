"""Recording what lies in a directory, as materials or products of an inspection.

Everything is recorded (I6): no pattern leaves anything out. What cannot be recorded is an error,
because a rule like ``DISALLOW *`` could not see it: what is neither file nor folder, what cannot
be read, names that no metadata can hold. Symbolic links are followed within the directory, except
to a folder that they lie in; those that lead out of it are refused.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.artifacts.hashing import NotAFile, open_file, sha256_open
from pip_intoto.errors import InspectionFailed, MetadataTooLarge
from pip_intoto.metadata.names import is_normal_artifact_name
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from pip_intoto.limits import Limits

_NEITHER = "There is something that is neither a file nor a folder"


def record_directory(directory: Path, *, limits: Limits) -> dict[str, dict[str, str]]:
    """Return ``{name: {"sha256": hex}}`` for every file below ``directory``, with ``/`` in names.

    Raises :class:`InspectionFailed` for what cannot be recorded, and :class:`MetadataTooLarge`
    for more than ``limits.artifacts`` entries or ``limits.recorded_bytes``.
    """
    try:
        return _Recording(directory, limits).everything()
    except OSError as error:
        found = shown(os.path.relpath(error.filename, directory)) if error.filename else "something"
        raise InspectionFailed(
            "The directory cannot be recorded",
            found=f"{error.strerror or error}: {found}",
            place=str(directory),
        ) from error


class _Recording:
    def __init__(self, directory: Path, limits: Limits) -> None:
        self._directory = str(directory)
        self._root = os.path.realpath(directory)
        self._below = self._root.rstrip(os.sep) + os.sep
        self._limits = limits
        self._entries = 0
        self._bytes = 0

    def everything(self) -> dict[str, dict[str, str]]:
        recorded: dict[str, dict[str, str]] = {}
        # Folders still to visit: path, prefix of the names in it, and the folders it lies in.
        pending: list[tuple[str, str, frozenset[tuple[int, int]]]] = [
            (self._directory, "", frozenset())
        ]
        while pending:
            folder, prefix, above = pending.pop()
            status = Path(folder).stat()
            here = (status.st_dev, status.st_ino)
            # A link to a folder that it lies in: what is there is recorded already.
            if here in above:
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    self._check(entry, name)
                    if entry.is_dir():
                        pending.append((entry.path, f"{name}/", above | {here}))
                    else:
                        recorded[name] = {"sha256": self._sha256(entry, name)}
        return recorded

    def _check(self, entry: os.DirEntry[str], name: str) -> None:
        self._entries += 1
        if self._entries > self._limits.artifacts:
            raise self._too_large("files", self._limits.artifacts)
        # P9, J5: what a link may not call an artifact, nobody can have written a rule about.
        if ("\\" in name or ":" in name) and not is_normal_artifact_name(name):
            raise self._refused("The directory has a name in it that no metadata may hold", name)
        if not name.isascii() and any("\ud800" <= character <= "\udfff" for character in name):
            raise self._refused("The directory has a name in it that is not UTF-8", name)
        if entry.is_symlink():
            target = os.path.realpath(entry.path, strict=True)
            if target != self._root and not target.startswith(self._below):
                raise self._refused("A symbolic link leads out of the directory", name)

    def _sha256(self, entry: os.DirEntry[str], name: str) -> str:
        if not entry.is_file():
            # A link that leads nowhere is neither, and says so here.
            entry.stat()
            raise self._refused(_NEITHER, name)
        try:
            descriptor, status = open_file(entry.path)
        except NotAFile:
            raise self._refused(_NEITHER, name) from None
        try:
            return sha256_open(descriptor, status.st_size, self._count)
        finally:
            os.close(descriptor)

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._limits.recorded_bytes:
            raise self._too_large("bytes", self._limits.recorded_bytes)

    def _refused(self, what: str, name: str) -> InspectionFailed:
        return InspectionFailed(what, found=shown(name), place=self._directory)

    def _too_large(self, what: str, at_most: int) -> MetadataTooLarge:
        return MetadataTooLarge(
            f"The directory has too many {what}",
            expected=f"at most {at_most}",
            place=self._directory,
        )
