"""``uv.lock``: a graph of packages, whose edges have markers.

A lock is for all interpreters at once. What one of them installs is found as uv finds it: from the
members of the workspace, with all their extras and groups, over every edge whose marker holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.distribution import Kind
from pip_intoto.lockfiles.conditions import Conditions
from pip_intoto.lockfiles.documents import read_toml
from pip_intoto.lockfiles.locked import Locked
from pip_intoto.lockfiles.pins import (
    ITSELF,
    NO_FILES,
    Files,
    Reading,
    below,
    bounded,
    digest,
    filename,
    is_url,
    project_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pip_intoto.distribution import Place
    from pip_intoto.lockfiles.documents import Document, Entry, Search
    from pip_intoto.lockfiles.locked import Interpreter, Lock, Tree

FORMAT = "uv.lock"
#: Revisions of a version can be read by whoever reads the version.
_VERSION = 1
_SOURCES = ("registry", "git", "url", "path", "directory", "editable", "virtual")
_TREES = ("directory", "editable", "virtual")

_Source: TypeAlias = "tuple[tuple[str, str], ...]"
#: A package by its place in the lock; and one of its extras, or empty for itself.
_Wanted: TypeAlias = "tuple[int, str]"


def read(path: Path, tree: Tree, interpreter: Interpreter | None) -> Lock:
    """Read a lock; for every interpreter when ``interpreter`` is None.

    Raises LockfileInvalid, and CommandError for a file that cannot be read.
    """
    document = read_toml(path, tree)
    version = document.root.need("version")
    if version.count() != _VERSION:
        raise version.error(
            f"uv.lock of version {version.count()} is not known here",
            expected=f"version = {_VERSION}",
            found=f"version = {version.count()}",
            advice="Upgrade pip-intoto, or write the lock with an older uv.",
        )
    document.root.count_of("revision")
    return _Graph(document, Conditions(interpreter)).lock(interpreter is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    entry: Entry
    name: str
    version: str
    kind: str
    where: str
    source: _Source

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}".rstrip()


class _Graph:
    """The packages of a lock, and what leads to them."""

    def __init__(self, document: Document, conditions: Conditions) -> None:
        self._root = document.root
        self._conditions = conditions
        self._packages: list[_Package] = []
        self._named: dict[str, list[int]] = {}
        self._exact: dict[tuple[str, str, _Source], int] = {}
        # "distribution" is what the first releases of uv wrote.
        entries = [*self._root.list("package"), *self._root.list("distribution")]
        for entry in bounded(entries):
            self._add(_package(entry))

    def _add(self, package: _Package) -> None:
        number = len(self._packages)
        key = (package.name, package.version, package.source)
        if key in self._exact:
            raise package.entry.error(f"{package.title} is locked twice")
        self._exact[key] = number
        self._named.setdefault(package.name, []).append(number)
        self._packages.append(package)

    def lock(self, is_for_one: bool) -> Lock:  # noqa: FBT001 - the only argument
        reading = Reading(self._root.document, FORMAT)
        members = self._members()
        reached = self._reached(members)
        python = self._root.get("requires-python")
        too_old = python is not None and not self._conditions.allow_python(python)
        for number, package in enumerate(self._packages):
            place = package.entry.section
            if number in members:
                why = ITSELF if package.where == "." else "a member of the workspace itself"
                reading.leave_out(package.name, package.version, place, why)
            elif package.kind == "virtual":
                why = "a virtual project, which is never installed"
                reading.leave_out(package.name, package.version, place, why)
            else:
                why = ""
                if too_old and python is not None:
                    why = f"the lock is for Python {python.text()}"
                elif is_for_one and number not in reached:
                    why = "nothing that is installed for this interpreter requires it"
                reading.add(self._locked(package, place), why)
        return reading.lock()

    # --- what is installed

    def _members(self) -> set[int]:
        """The projects whose lock it is."""
        manifest = self._root.get("manifest")
        names = manifest.list("members") if manifest is not None else []
        if not names:
            return {
                number
                for number, package in enumerate(self._packages)
                if package.kind in _TREES and package.where == "."
            }
        return {
            number
            for name in names
            for number in self._named.get(project_name(name), ())
            if self._packages[number].kind in _TREES
        }

    def _reached(self, members: set[int]) -> set[int]:
        """Every package that some choice of extras and groups installs."""
        pending: list[_Wanted] = [(number, "") for number in members]
        seen = set(pending)
        for number in members:
            entry = self._packages[number].entry
            for edges in (*_groups(entry, "optional-dependencies"), *_development(entry)):
                self._follow(edges, pending, seen)
        self._follow_requirements(pending, seen)
        if not pending:
            # Nothing says where to begin, so that nothing is left out.
            pending = [(number, "") for number in range(len(self._packages))]
            seen = set(pending)
        while pending:
            number, extra = pending.pop()
            entry = self._packages[number].entry
            if extra:
                optional = entry.get("optional-dependencies")
                required = None if optional is None else optional.get(extra)
                self._follow([] if required is None else required.elements(), pending, seen)
            else:
                self._follow(entry.list("dependencies"), pending, seen)
        return {number for number, _ in seen}

    def _follow(self, edges: Sequence[Entry], pending: list[_Wanted], seen: set[_Wanted]) -> None:
        for edge in edges:
            target = self._target(edge)
            if not self._conditions.hold(edge.get("marker")):
                continue
            for wanted in ((target, ""), *((target, each.text()) for each in edge.list("extra"))):
                if wanted not in seen:
                    seen.add(wanted)
                    pending.append(wanted)

    def _follow_requirements(self, pending: list[_Wanted], seen: set[_Wanted]) -> None:
        """What a script requires, or a group of a project that has no [project] table."""
        manifest = self._root.get("manifest")
        if manifest is None:
            return
        wanted: dict[str, set[str]] = {}
        for requirements in (
            manifest.list("requirements"),
            *_groups(manifest, "dependency-groups"),
        ):
            for requirement in requirements:
                name = project_name(requirement.need("name"))
                extras = {extra.text() for extra in requirement.list("extras")}
                if self._conditions.hold(requirement.get("marker")):
                    wanted.setdefault(name, {""}).update(extras)
        for name, extras in wanted.items():
            for number in self._named.get(name, ()):
                markers = self._packages[number].entry.list("resolution-markers")
                if not markers or any(map(self._conditions.hold, markers)):
                    new = {(number, extra) for extra in extras} - seen
                    seen |= new
                    pending += new

    def _target(self, edge: Entry) -> int:
        """The package that an edge leads to; version and source stand there when they must."""
        name = project_name(edge.need("name"))
        numbers = self._named.get(name, ())
        version, source = edge.text_of("version"), edge.get("source")
        if source is None:
            if len(numbers) == 1 and version in {"", self._packages[numbers[0]].version}:
                return numbers[0]
        else:
            found = self._exact.get((name, version, _source(source)))
            if found is not None:
                return found
        title = f"{name} {version}".rstrip()
        if not numbers:
            raise edge.error(f"{title} is required here, and is not locked")
        raise edge.error(f"which of the locked packages {title} is, cannot be told")

    # --- what a package is

    def _locked(self, package: _Package, place: Place) -> Locked:
        entry = package.entry
        if package.kind == "git":
            kind, url = Kind.VCS, package.where
        elif package.kind in _TREES:
            kind, url = Kind.DIRECTORY, str(below(entry.document, package.where))
        else:
            return _release(package, place)
        return Locked(name=package.name, version=package.version, place=place, kind=kind, url=url)


def _package(entry: Entry) -> _Package:
    source = _source(entry.need("source"))
    kind, where = next((pair for pair in source if pair[0] in _SOURCES), ("", ""))
    if not kind:
        raise entry.need("source").error(
            "this source is not known", expected=", ".join(_SOURCES), found=", ".join(dict(source))
        )
    name, version = project_name(entry.need("name")), entry.text_of("version")
    if not version and kind == "registry":
        raise entry.error(f"{name} lacks a version", expected="`version`")
    return _Package(entry=entry, name=name, version=version, kind=kind, where=where, source=source)


def _source(entry: Entry) -> _Source:
    return tuple(sorted((key, value.text()) for key, value in entry.members()))


def _groups(entry: Entry, key: str) -> Iterator[Sequence[Entry]]:
    groups = entry.get(key)
    if groups is not None:
        for _, group in groups.members():
            yield group.elements()


def _development(entry: Entry) -> Iterator[Sequence[Entry]]:
    yield from _groups(entry, "dev-dependencies")
    yield from _groups(entry, "dependency-groups")


def _release(package: _Package, place: Place) -> Locked:
    entry, files = package.entry, Files()
    search = entry.document.search(entry.at)
    sdist = entry.get("sdist")
    for file in [*([] if sdist is None else [sdist]), *entry.list("wheels")]:
        _read_file(file, package, files, search)
    if not files.files and package.kind == "registry":
        files.notes[NO_FILES] = None
    elif not files.files:
        files.located(entry, place.line, digest(None), package.where)
    return Locked(
        name=package.name,
        version=package.version,
        place=place,
        files=tuple(files.files),
        url=package.where if package.kind == "url" else "",
        index=package.where if package.kind == "registry" and is_url(package.where) else "",
        notes=tuple(files.notes),
    )


def _read_file(file: Entry, package: _Package, files: Files, search: Search) -> None:
    url, path, hash_ = file.text_of("url"), file.text_of("path"), file.get("hash")
    line = search.line_of(url or path or file.text_of("filename") or file.text_of("hash"))
    pinned, size = digest(hash_), file.count_of("size")
    if package.kind != "registry":
        # The file is the source itself.
        named = file.get("filename")
        if named is not None:
            filename(named)
        files.located(file, line, pinned, url or package.where, size=size)
    elif url:
        files.located(file, line, pinned, url, size=size)
    elif path:
        # Relative to the folder that is the index.
        folder = "" if is_url(package.where) else package.where
        files.located(file, line, pinned, path, folder=folder, size=size)
    else:
        raise file.error("this file has neither `url` nor `path`", expected="`url` or `path`")
