"""``pdm.lock``: packages with files and digests, one entry for each set of extras.

With the strategy ``inherit_metadata`` each package says on which platforms it is installed;
without, PDM finds that out at installation, out of what pyproject.toml wants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.distribution import Kind
from pip_intoto.lockfiles.conditions import Conditions
from pip_intoto.lockfiles.documents import read_toml
from pip_intoto.lockfiles.locked import Locked
from pip_intoto.lockfiles.parts import is_archive
from pip_intoto.lockfiles.pins import (
    ITSELF,
    NO_FILES,
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
    from pip_intoto.lockfiles.locked import Interpreter, Lock, Tree

FORMAT = "pdm.lock"
_VERSIONS = (
    *("4.0", "4.1", "4.2", "4.3", "4.4", "4.5"),
    *("4.4.1", "4.4.2", "4.5.0", "4.5.1"),
)
_VCS = ("git", "hg", "svn", "bzr")
_WHERE = ("path", "url", *_VCS)
_INHERIT = "inherit_metadata"


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
        version = metadata.need("lock_version")
        if version.text() not in _VERSIONS:
            raise version.error(
                f"pdm.lock of lock_version {version.text()} is not known here",
                expected="4.0 to 4.5.1",
                found=version.text(),
                advice="Upgrade pip-intoto, or write the lock with another PDM.",
            )
        strategy = [each.text() for each in metadata.list("strategy")]
        self._inherits = _INHERIT in strategy
        #: Until lock_version 4.2, all files stand together, by "name version".
        self._files = metadata.get("files")
        self._search = None if self._files is None else document.search(self._files.at)
        self._shared: dict[str, Files] = {}
        self._targets = [
            target.need("requires_python").text() for target in metadata.list("targets")
        ]

    def lock(self) -> Lock:
        reading = Reading(self._document, FORMAT)
        packages = bounded(self._document.root.list("package"))
        versions: dict[str, set[str]] = {}
        for package in packages:
            versions.setdefault(project_name(package.need("name")), set()).add(
                package.text_of("version")
            )
        for package in packages:
            name = project_name(package.need("name"))
            version = package.text_of("version")
            extras = ",".join(sorted(extra.text() for extra in package.list("extras")))
            where = next((text for key in _WHERE if (text := package.text_of(key))), "")
            editable = "editable" if package.flag("editable") else ""
            reading.once(package, name, version, extras, where, editable)
            if package.text_of("path").rstrip("/") == ".":
                reading.leave_out(name, version, package.section, ITSELF)
            else:
                locked = self._locked(package, name, version, len(versions[name]) > 1)
                reading.add(locked, self._why_not(package))
        return reading.lock()

    def _why_not(self, package: Entry) -> str:
        """Why a package is not installed; empty when it is."""
        allows = self._conditions.allows_python
        if self._targets and not any(map(allows, self._targets)):
            return f"the lock is for Python {' || '.join(self._targets)}"
        if not self._conditions.hold(package.get("marker")):
            return "its marker does not hold"
        python = package.get("requires_python")
        if not self._inherits and python is not None and not allows(python.text()):
            return f"it is for Python {python.text()}"
        return ""

    def _locked(self, package: Entry, name: str, version: str, is_one_of_many: bool) -> Locked:  # noqa: FBT001
        place = package.section
        vcs = next((key for key in _VCS if package.get(key) is not None), "")
        if vcs:
            revision = package.text_of("revision") or package.text_of("ref")
            url = f"{package.text_of(vcs)}@{revision}"
            return Locked(name=name, version=version, place=place, kind=Kind.VCS, url=url)
        path, url = package.text_of("path"), package.text_of("url")
        if path and not is_archive(path):
            folder = str(below(self._document, path))
            return Locked(name=name, version=version, place=place, kind=Kind.DIRECTORY, url=folder)
        if not version and not url and not path:
            raise package.error(f"{name} lacks a version", expected="`version`")
        files = self._release(package, name, version, url or path)
        if is_one_of_many and not self._inherits and self._conditions.python:
            files.notes[
                "of several versions, a lock without inherit_metadata does not say which is for"
                " this interpreter"
            ] = None
        return Locked(
            name=name,
            version=version,
            place=place,
            files=tuple(files.files),
            url=url,
            notes=tuple(files.notes),
        )

    def _release(self, package: Entry, name: str, version: str, direct: str) -> Files:
        listed, key = package.get("files"), f"{name} {version}"
        if listed is not None:
            files = _read_files(listed, self._document.search(package.at), direct)
        elif self._files is None or self._search is None:
            files = Files()
        else:
            if key not in self._shared:
                shared = self._files.get(key)
                self._shared[key] = (
                    Files() if shared is None else _read_files(shared, self._search, direct)
                )
            files = self._shared[key].copy()
        if direct and not files.files:
            files.located(package, package.section.line, digest(None), direct)
        elif not files.files:
            files.notes[NO_FILES] = None
        return files


def _read_files(listed: Entry, search: Search, direct: str) -> Files:
    files = Files()
    for file in listed.elements():
        _read_file(file, files, search, direct)
    return files


def _read_file(file: Entry, files: Files, search: Search, direct: str) -> None:
    url, named, hash_ = file.text_of("url"), file.get("file"), file.get("hash")
    line = search.line_of(url or file.text_of("file"))
    if direct:
        files.located(file, line, digest(hash_), direct)
    elif url:
        files.located(file, line, digest(hash_), url)
    elif named is not None:
        files.add(file, line, digest(hash_), name=filename(named))
    else:
        raise file.error("this file has neither `file` nor `url`", expected="`file` or `url`")
