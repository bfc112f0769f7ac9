"""A folder of small files that may vanish at any time: what caches are kept in.

There are no locks. A file is put in the place of an older one in one step, whoever reads checks
what was read, and nothing that goes wrong here ever fails the work: it is as if the folder were
empty. So it can be deleted while it is in use, and any number of processes can share it.
"""

from __future__ import annotations

import itertools
import os
import secrets
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Folders that only their owner may look into.
_PRIVATE_FOLDER = 0o700
#: Neither a link nor a pipe is what was put here.
_READ = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
#: A file that nobody else has; of what is in it nobody but its owner reads.
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
#: After so many new files the folder is tidied, so that one long run cannot outgrow it by much.
_TIDIED_AFTER = 2_048
#: Seconds after which half a file is nobody's any more.
_ABANDONED = 3_600
#: What is left when there was too much: room for what comes next, or each run would tidy.
_LEFT = 0.75


class Shelf:
    """Files by names of at least two harmless characters, bounded in number and size.

    ``trouble`` is a sentence about why nothing is read or written here (any more); empty while
    all is well. On POSIX a folder that somebody else owns, or may write to, is not used; nor, on
    any system, is one that is a symbolic link, or has one in it: the folder may have been packed
    and unpacked by others, and what is written and deleted here must be nobody else's.
    """

    def __init__(self, folder: Path, *, most_bytes: int, most_entries: int) -> None:
        self._folder = str(folder)
        self._most_bytes = most_bytes
        self._most_entries = most_entries
        #: What files are called until they are whole: a name of this shelf's, and a number.
        self._draft = f".{secrets.token_hex(8)}."
        self._numbers = itertools.count(1)
        self._added = False
        self.trouble = _trouble_with(folder)
        self._readable = self._writable = not self.trouble

    def get(self, name: str, at_most: int) -> bytes | None:
        """Return what was put under ``name``; None without it, or when it is larger than that."""
        if not self._readable:
            return None
        try:
            descriptor = os.open(self.path(name), _READ)
        except OSError:
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > at_most:
                return None
            # Should it come in pieces, the first is not what was put here, and is found out.
            return os.read(descriptor, status.st_size)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def put(self, name: str, content: bytes) -> bool:
        """Keep ``content`` under ``name``, in the place of what is there; False where it cannot."""
        if not self._writable:
            return False
        path, number = self.path(name), next(self._numbers)
        draft = f"{os.path.dirname(path)}/{self._draft}{number}"  # noqa: PTH120 - text, for speed
        try:
            try:
                _write(path, draft, content)
            except FileNotFoundError:
                # The folder is new, or somebody has just deleted it.
                self._make_folder(path)
                _write(path, draft, content)
        except OSError as error:
            # A full disk stays full: each further attempt would cost time for nothing.
            self._writable = False
            self.trouble = f"{path} cannot be written: {error.strerror or error}"
            return False
        self._added = True
        if number % _TIDIED_AFTER == 0:
            self.tidy()
        return True

    def path(self, name: str) -> str:
        """Where the file of this name lies, or would."""
        # Text throughout: paths as objects would take longer than the file system does.
        return f"{self._folder}/{name[:1]}/{name[1:]}"

    def drop(self, name: str) -> None:
        """Keep nothing under ``name``."""
        if self._readable:
            _unlink(self.path(name))

    def close(self) -> None:
        """Bring the folder back to its size, if anything was added to it."""
        if self._added:
            self._added = False
            self.tidy()

    def tidy(self) -> None:
        """Delete the oldest files when there are too many, and what interrupted runs left."""
        entries: list[tuple[float, int, str]] = []
        now = time.time()
        for entry in self._entries():
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if not entry.name.startswith("."):
                entries.append((status.st_mtime, status.st_size, entry.path))
            elif status.st_mtime < now - _ABANDONED:
                _unlink(entry.path)
        size = sum(size for _, size, _ in entries)
        count = len(entries)
        if size <= self._most_bytes and count <= self._most_entries:
            return
        for _, bytes_of_it, path in sorted(entries):
            if size <= self._most_bytes * _LEFT and count <= self._most_entries * _LEFT:
                return
            _unlink(path)
            size -= bytes_of_it
            count -= 1

    def _make_folder(self, path: str) -> None:
        os.makedirs(self._folder, mode=_PRIVATE_FOLDER, exist_ok=True)  # noqa: PTH103
        with suppress(FileExistsError):
            os.mkdir(os.path.dirname(path), mode=_PRIVATE_FOLDER)  # noqa: PTH102, PTH120

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        with suppress(OSError), os.scandir(self._folder) as folders:
            for folder in folders:
                if folder.is_dir(follow_symlinks=False):
                    with suppress(OSError), os.scandir(folder.path) as found:
                        yield from found


def _trouble_with(folder: Path) -> str:
    """Make the folder where it is missing; say why it cannot be used, or nothing."""
    # The gate's own code, as for the policy. Imported here for start-up time.
    from pip_intoto_gate.location import others_may_write

    try:
        for each in (folder.parent, folder):
            files.make_folder(each, mode=_PRIVATE_FOLDER)
    except CommandError as error:
        return str(error)
    reason = others_may_write(folder)
    if reason is not None:
        return f"others may write to {folder}: {reason}"
    link = _link_in(folder)
    return f"{link} is a symbolic link: delete it" if link else ""


def _link_in(folder: Path) -> str:
    if folder.is_symlink():
        return str(folder)
    try:
        with os.scandir(folder) as entries:
            return next((entry.path for entry in entries if entry.is_symlink()), "")
    except OSError:
        # What cannot be listed cannot be tidied either.
        return ""


def _write(path: str, draft: str, content: bytes) -> None:
    """Write all of it, then give it its name. Raises OSError, and leaves nothing behind."""
    descriptor = os.open(draft, _CREATE, files.PRIVATE)
    try:
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
        os.replace(draft, path)  # noqa: PTH105
    except BaseException:
        _unlink(draft)
        raise


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - text, for speed
