"""From entries of a document to what is locked: what uv.lock and its like have in common.

What an address or a filename says by itself stands in :mod:`pip_intoto.lockfiles.parts`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.account import LeftOut
from pip_intoto.distribution import Place
from pip_intoto.limits import LOCAL
from pip_intoto.lockfiles.locked import Lock, LockedFile
from pip_intoto.lockfiles.parts import (
    absolute,
    as_sha256,
    filename_of,
    is_filename,
    path_of,
)
from pip_intoto.sources import addresses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.distribution import Kind
    from pip_intoto.lockfiles.documents import Document, Entry
    from pip_intoto.lockfiles.locked import Locked

_DIGEST = re.compile(r"([a-z0-9_]+)[:=]([0-9a-fA-F]+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
#: Why the project is left out whose lock it is.
ITSELF = "the project itself"
#: The note on a release of an index of which a lock has no file.
NO_FILES = "the lock names no files of it"


def project_name(entry: Entry, text: str = "") -> str:
    """The PEP 503 name that an entry (or *text*, its key) gives. Raises LockfileInvalid."""
    # Takes a while to import, and only locks need it.
    from packaging.utils import InvalidName, canonicalize_name

    written = text or entry.text()
    try:
        return canonicalize_name(written, validate=True)
    except InvalidName:
        raise entry.error("this is not a project's name", found=repr(written[:100])) from None


@dataclass(frozen=True, slots=True)
class Digest:
    """One digest of a lock. ``sha256`` is empty when it is of another kind, as ``note`` says."""

    sha256: str = ""
    note: str = ""


def digest(entry: Entry | None) -> Digest:
    """Read ``sha256:…``. Raises LockfileInvalid."""
    if entry is None:
        return Digest(note="the lock has no digest")
    written = _DIGEST.fullmatch(entry.text())
    if written is None:
        raise entry.error("this is not a digest", expected="sha256:…", found=entry.text()[:100])
    if written[1] != "sha256":
        return Digest(note=f"the lock has no sha256, only {written[1]},")
    if not (sha256 := as_sha256(written[2])):
        raise entry.error(
            "this is not a sha256 digest", expected="64 hexadecimal digits", found=written[2][:100]
        )
    return Digest(sha256=sha256)


def filename(entry: Entry, text: str = "") -> str:
    """A file's name, in which no folder hides. Raises LockfileInvalid."""
    name = text or entry.text()
    if not is_filename(name) or name in {".", ".."} or len(name) > LOCAL.filename:
        shown = addresses.printable(name, LOCAL.filename)
        raise entry.error("this is not a file's name", found=repr(shown))
    return name


def is_url(text: str) -> bool:
    """Tell a URL from a path; the letter of a drive is no scheme."""
    return _SCHEME.match(text) is not None


def below(document: Document, *parts: str) -> Path:
    """An absolute path, for one that is relative to the folder of the lock."""
    return absolute(document.path.parent, str(Path(*parts)))


@dataclass(slots=True)
class Files:
    """The files of one release, as they are read, and what the lock does not say of them."""

    files: list[LockedFile] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)

    def copy(self) -> Files:
        """The same, to be changed by itself."""
        return Files(list(self.files), dict(self.notes))

    def add(
        self,
        named: Entry,
        line: int,
        pinned: Digest,
        *,
        name: str = "",
        url: str = "",
        path: Path | None = None,
        size: int | None = None,
    ) -> None:
        """Add one; its filename is *name*, or else the last part of address or path."""
        if url:
            url = url.partition("#")[0]
            name = name or filename_of(url)
        elif path is not None:
            name = name or path.name
        if not name:
            raise named.error("this address names no file", found=addresses.redacted(url))
        filename(named, name)
        if len(self.files) == LOCAL.lock_files:
            raise named.error(
                "this project has too many files", expected=f"at most {LOCAL.lock_files}"
            )
        self.files.append(
            LockedFile(
                filename=name,
                place=Place(named.document.path, line),
                url=url,
                path=path,
                sha256=pinned.sha256,
                size=size,
            )
        )
        if pinned.note:
            self.notes[f"{pinned.note} of {name}"] = None

    def located(
        self,
        named: Entry,
        line: int,
        pinned: Digest,
        at: str,
        *,
        folder: str = "",
        size: int | None = None,
    ) -> None:
        """Add a file at a URL, ``file:`` among them, or at a path below the lock's or *folder*."""
        path = path_of(at)
        if path is not None:
            self.add(named, line, pinned, path=path, size=size)
        elif is_url(at):
            self.add(named, line, pinned, url=at, size=size)
        else:
            self.add(named, line, pinned, path=below(named.document, folder, at), size=size)


@dataclass(slots=True)
class _Release:
    """One release, of which a lock may have several entries: for sets of extras, for groups."""

    first: Locked
    why: str
    files: dict[tuple[str, str, str], LockedFile] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)


class Reading:
    """What a reader has found so far."""

    def __init__(self, document: Document, format_: str, indexes: Sequence[str] = ()) -> None:
        self._path = document.path
        self._format = format_
        self._indexes = tuple(indexes)
        self._releases: dict[tuple[str, str, Kind | None, str, str], _Release] = {}
        self._left_out: list[LeftOut] = []
        self._seen: set[tuple[str, ...]] = set()

    def once(self, entry: Entry, *key: str) -> None:
        """Refuse an entry that there was before. Raises LockfileInvalid."""
        if key in self._seen:
            raise entry.error(f"{' '.join(filter(None, key))} is locked twice")
        self._seen.add(key)

    def add(self, locked: Locked, why: str = "") -> None:
        """Add a release; *why* says that, and for which reason, it is not installed.

        It is, when any of its entries is.
        """
        key = (locked.name, locked.version, locked.kind, locked.url, locked.index)
        release = self._releases.setdefault(key, _Release(locked, why))
        if why and not release.why:
            return
        if release.why and not why:
            release = self._releases[key] = _Release(locked, "")
        for file in locked.files:
            release.files.setdefault((file.filename, file.url, file.sha256), file)
        release.notes.update(dict.fromkeys(locked.notes))

    def leave_out(self, name: str, version: str, place: Place, why: str) -> None:
        """Add what is never installed."""
        self._left_out.append(LeftOut(name=name, version=version, place=place, why=why))

    def lock(self) -> Lock:
        """The whole lock."""
        locked = []
        for release in self._releases.values():
            first = release.first
            if release.why:
                self.leave_out(first.name, first.version, first.place, release.why)
            else:
                files, notes = tuple(release.files.values()), tuple(release.notes)
                locked.append(replace(first, files=files, notes=notes))
        return Lock(
            path=self._path,
            format=self._format,
            locked=tuple(locked),
            left_out=tuple(self._left_out),
            indexes=self._indexes,
            files=(self._path,),
        )


def bounded(packages: Sequence[Entry]) -> Sequence[Entry]:
    """The projects of a lock, when there are not too many. Raises LockfileInvalid."""
    if len(packages) > LOCAL.lock_entries:
        raise packages[0].error(
            "this lock has too many projects",
            expected=f"at most {LOCAL.lock_entries}",
            found=str(len(packages)),
        )
    return packages
