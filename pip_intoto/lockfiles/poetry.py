"""``poetry.lock``: packages with files and digests.

From lock-version 2.1 on, each package says on which platforms it is installed, and for which
groups. Before, Poetry finds that out at installation, out of what pyproject.toml wants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.distribution import Kind
from pip_intoto.lockfiles.conditions import Conditions
from pip_intoto.lockfiles.documents import read_toml
from pip_intoto.lockfiles.locked import Locked
from pip_intoto.lockfiles.parts import named_in
from pip_intoto.lockfiles.pins import (
    NO_FILES,
    Digest,
    Files,
    Reading,
    below,
    bounded,
    digest,
    filename,
    project_name,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.lockfiles.documents import Document, Entry, Search
    from pip_intoto.lockfiles.locked import Interpreter, Lock, LockedFile, Tree

FORMAT = "poetry.lock"
#: Those whose packages have no markers; and those that have.
_BARE = ("1.0", "1.1", "2.0")
_VERSIONS = (*_BARE, "2.1")
_VCS = ("git", "hg", "svn")


def read(path: Path, tree: Tree, interpreter: Interpreter | None) -> Lock:
    """Read a lock; for every interpreter when ``interpreter`` is None.

    Raises LockfileInvalid, and CommandError for a file that cannot be read.
    """
    return _Reader(read_toml(path, tree), Conditions(interpreter)).lock()


class _Reader:
    def __init__(self, document: Document, conditions: Conditions) -> None:
        self._document = document
        self._conditions = conditions
        metadata = document.root.need("metadata")
        self._version = _lock_version(metadata)
        #: Until lock-version 1.1, all files stand together, by the project's name.
        self._files = metadata.get("files")
        self._search = None if self._files is None else document.search(self._files.at)
        self._shared: dict[str, Files] = {}
        self._by_version: dict[str, dict[str, list[LockedFile]]] = {}
        self._python = metadata.get("python-versions")

    def lock(self) -> Lock:
        reading = Reading(self._document, FORMAT)
        packages = bounded(self._document.root.list("package"))
        counts: dict[str, int] = {}
        for package in packages:
            name = project_name(package.need("name"))
            counts[name] = counts.get(name, 0) + 1
        for package in packages:
            locked = self._locked(package, counts)
            reading.once(package, locked.name, locked.version, locked.url, locked.index)
            reading.add(locked, self._why_not(package))
        return reading.lock()

    def _why_not(self, package: Entry) -> str:
        """Why a package is not installed; empty when it is."""
        python = self._python
        if python is not None and not self._conditions.allow_python(python):
            return f"the lock is for Python {python.text()}"
        if self._version not in _BARE:
            return "" if self._markers_hold(package) else "its markers do not hold"
        if not self._conditions.hold(package.get("marker")):
            return "its marker does not hold"
        python = package.get("python-versions")
        if python is not None and not self._conditions.allow_python(python):
            return f"it is for Python {python.text()}"
        return ""

    def _markers_hold(self, package: Entry) -> bool:
        """Whether a package is installed for any of its groups."""
        groups = [group.text() for group in package.need("groups").elements()]
        markers = package.get("markers")
        if markers is None or isinstance(markers.value, str):
            return self._conditions.hold(markers)
        # All of them are read, so that none is left with a fault in it.
        held = {group: self._conditions.hold(marker) for group, marker in markers.members()}
        return any(held.get(group, True) for group in groups or held)

    def _locked(self, package: Entry, counts: dict[str, int]) -> Locked:
        name, version = project_name(package.need("name")), package.need("version").text()
        place = package.section
        source = package.get("source")
        kind = url = index = ""
        if source is not None:
            kind, url = source.need("type").text(), source.need("url").text()
        if kind == "directory":
            return Locked(
                name=name,
                version=version,
                place=place,
                kind=Kind.DIRECTORY,
                url=str(below(self._document, url)),
            )
        if kind in _VCS and source is not None:
            revision = source.text_of("resolved_reference") or source.text_of("reference")
            return Locked(
                name=name, version=version, place=place, kind=Kind.VCS, url=f"{url}@{revision}"
            )
        several = counts[name] > 1
        files = self._release(package, version if several else "")
        if kind in {"url", "file"}:
            files = _from(package, url, files)
        elif kind in {"", "legacy", "pypi"}:
            index = url
        elif source is not None:
            raise source.need("type").error(
                "this source is not known",
                expected=", ".join(("legacy", "url", "file", "directory", *_VCS)),
                found=kind,
            )
        if not files.files:
            files.notes[NO_FILES] = None
        if several and self._version in _BARE and self._conditions.python:
            files.notes[
                f"of several versions, lock-version {self._version} does not say which is for"
                " this interpreter"
            ] = None
        return Locked(
            name=name,
            version=version,
            place=place,
            files=tuple(files.files),
            url=url if kind == "url" else "",
            index=index,
            notes=tuple(files.notes),
        )

    def _release(self, package: Entry, version: str) -> Files:
        """The files of a release; *version* is given where the lock has several of a project."""
        listed = package.get("files")
        if listed is not None:
            return _read_files(listed, self._document.search(package.at))
        if self._files is None or self._search is None:
            return Files()
        name = package.need("name").text()  # spelled as the key is
        if name not in self._shared:
            shared = self._files.get(name)
            self._shared[name] = Files() if shared is None else _read_files(shared, self._search)
        files = self._shared[name]
        if not version:
            return files.copy()
        if name not in self._by_version:
            self._by_version[name] = _by_version(files)
        known = self._by_version[name]
        # What has a name that says no version may be of any.
        of_version = [*known.get(_normalized(version), ()), *known.get("", ())]
        return Files(of_version, dict(files.notes))


def _lock_version(metadata: Entry) -> str:
    version = metadata.get("lock-version")
    if version is None and metadata.get("files") is not None:
        return "1.0"  # which did not write it everywhere
    if version is None:
        raise metadata.error("`lock-version` is missing", expected="`lock-version`")
    if version.text() not in _VERSIONS:
        raise version.error(
            f"poetry.lock of lock-version {version.text()} is not known here",
            expected=", ".join(_VERSIONS),
            found=version.text(),
            advice="Upgrade pip-intoto, or write the lock with another Poetry.",
        )
    return version.text()


def _read_files(listed: Entry, search: Search) -> Files:
    files = Files()
    for file in listed.elements():
        name = file.need("file")
        line = search.line_of(name.text())
        url = file.text_of("url")
        files.add(file, line, digest(file.get("hash")), name=filename(name), url=url)
    return files


def _from(package: Entry, url: str, known: Files) -> Files:
    """The one file that an address or a path is, with the digest that the lock has of it."""
    files = Files()
    line, pinned = package.section.line, digest(None)
    for file in known.files:
        if len(known.files) == 1 or url.endswith("/" + file.filename):
            line, pinned = file.place.line, Digest(file.sha256, "".join(known.notes))
    files.located(package, line, pinned, url)
    return files


def _by_version(files: Files) -> dict[str, list[LockedFile]]:
    """Files by the version that their names say; empty where they say none."""
    found: dict[str, list[LockedFile]] = {}
    for file in files.files:
        named = named_in(file.filename)
        found.setdefault(named[1] if named else "", []).append(file)
    return found


def _normalized(version: str) -> str:
    # Takes a while to import, and only locks of the first kinds need it.
    from packaging.version import Version

    try:
        return str(Version(version))
    except ValueError:  # InvalidVersion is one, and so is a number of 5,000 digits
        return version
