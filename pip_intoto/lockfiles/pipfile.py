"""``Pipfile.lock``: JSON, with digests that name no files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.distribution import Kind, Place
from pip_intoto.lockfiles.conditions import Conditions
from pip_intoto.lockfiles.documents import read_json
from pip_intoto.lockfiles.locked import Locked, LockedFile
from pip_intoto.lockfiles.parts import is_archive
from pip_intoto.lockfiles.pins import (
    ITSELF,
    Digest,
    Files,
    Reading,
    below,
    bounded,
    digest,
    is_url,
    project_name,
)
from pip_intoto.sources import addresses

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.lockfiles.documents import Document, Entry
    from pip_intoto.lockfiles.locked import Interpreter, Lock, Tree

FORMAT = "Pipfile.lock"
_SPEC = 6
_VCS = ("git", "hg", "svn", "bzr")


def read(path: Path, tree: Tree, interpreter: Interpreter | None) -> Lock:
    """Read a lock; for every interpreter when ``interpreter`` is None.

    Raises LockfileInvalid, and CommandError for a file that cannot be read.
    """
    return _Reader(read_json(path, tree), Conditions(interpreter)).lock()


class _Reader:
    def __init__(self, document: Document, conditions: Conditions) -> None:
        self._document = document
        self._conditions = conditions
        meta = document.root.need("_meta")
        spec = meta.need("pipfile-spec")
        if spec.count() != _SPEC:
            raise spec.error(
                f"Pipfile.lock of pipfile-spec {spec.count()} is not known here",
                expected=f"{_SPEC}",
                found=f"{spec.count()}",
                advice="Upgrade pip-intoto, or write the lock with another pipenv.",
            )
        self._sources: dict[str, str] = {}
        for source in meta.list("sources"):
            url = source.need("url").text()
            self._sources[source.text_of("name") or url] = url

    def lock(self) -> Lock:
        """Every category is a group: ``default``, ``develop``, and those of other names."""
        reading = Reading(self._document, FORMAT, tuple(self._sources.values()))
        categories = [entry for name, entry in self._document.root.members() if name != "_meta"]
        packages = [package for category in categories for _, package in category.members()]
        for package in bounded(packages):
            name = project_name(package, package.key)
            if package.text_of("path").rstrip("/") == ".":
                reading.leave_out(name, "", package.section, ITSELF)
            else:
                holds = self._conditions.hold(package.get("markers"))
                reading.add(
                    self._locked(package, name), "" if holds else "its marker does not hold"
                )
        return reading.lock()

    def _locked(self, package: Entry, name: str) -> Locked:
        place = package.section
        version = self._version(package)
        vcs = next((key for key in _VCS if package.get(key) is not None), "")
        if vcs:
            url = f"{package.text_of(vcs)}@{package.text_of('ref')}"
            return Locked(name=name, version=version, place=place, kind=Kind.VCS, url=url)
        direct = package.text_of("file") or package.text_of("path")
        if direct and not is_archive(direct.partition("#")[0].partition("?")[0]):
            url = direct if is_url(direct) else str(below(self._document, direct))
            return Locked(name=name, version=version, place=place, kind=Kind.DIRECTORY, url=url)
        if direct:
            return self._direct(package, name, version, direct)
        if not version:
            raise package.error(f"{name} lacks a version", expected='"version": "==…"')
        search = self._document.search(package.at)
        files, notes = [], dict[str, None]()
        for hash_ in package.list("hashes"):
            pinned = digest(hash_)
            if pinned.note:
                notes[pinned.note + " of a file"] = None
            else:
                at = Place(self._document.path, search.line_of(hash_.text()))
                files.append(LockedFile(filename="", place=at, sha256=pinned.sha256))
        if files and notes:
            # pip takes any file that has one of them: what the sha256 say would be verified.
            raise package.error(
                f"{name} has digests of several kinds, and only sha256 can be verified",
                expected="sha256 alone",
                advice="Leave the other digests out, or have the lock written again.",
            )
        if not files:
            notes["the lock has no sha256 of it"] = None
        return Locked(
            name=name,
            version=version,
            place=place,
            files=tuple(files),
            index=self._index(package),
            notes=tuple(notes),
        )

    def _direct(self, package: Entry, name: str, version: str, direct: str) -> Locked:
        """A file at an address or a path, which one digest alone can be of."""
        files = Files()
        hashes = [digest(each) for each in package.list("hashes")]
        sha256 = [each for each in hashes if each.sha256]
        alone = len(hashes) == len(sha256) == 1
        pinned = sha256[0] if alone else Digest(note="the lock has no single sha256")
        files.located(package, package.section.line, pinned, direct)
        return Locked(
            name=name,
            version=version,
            place=package.section,
            files=tuple(files.files),
            url=direct if is_url(direct) else "",
            notes=tuple(files.notes),
        )

    def _version(self, package: Entry) -> str:
        version = package.get("version")
        if version is None:
            return ""
        if not version.text().startswith("=="):
            raise version.error(
                "this is not one version", expected="==…", found=version.text()[:100]
            )
        return version.text().lstrip("=").strip()

    def _index(self, package: Entry) -> str:
        name = package.get("index")
        if name is None:
            return ""
        if name.text() not in self._sources:
            raise name.error(
                "this index is not among the sources",
                expected=", ".join(map(addresses.redacted, self._sources)) or "none",
                found=name.text()[:100],
            )
        return self._sources[name.text()]
