"""Folders on this machine that may have the files which a lock pins: ``--find-links``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.errors import CommandError
from pip_intoto.metadata.names import BUNDLE_SUFFIX, DIRECTORY_SUFFIX
from pip_intoto.verifier.naming import kind_of, normalized, parse_filename, same_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pip_intoto.lockfiles.locked import Locked
    from pip_intoto.verifier.selecting import Selected


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file with the digest that a lock pins."""

    filename: str
    path: Path
    sha256: str


class FoundFiles:
    """The wheels and sdists in some folders.

    Nothing is read before a lock pins a file of that name. Raises CommandError for a folder that
    cannot be listed.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._by_name: dict[str, list[Path]] = {}
        self._by_project: dict[str, list[Path]] = {}
        self._digests: dict[Path, str] = {}
        for folder in folders:
            try:
                entries = sorted(folder.absolute().iterdir())
            except OSError as error:
                raise CommandError(
                    f"{folder} cannot be listed", found=str(error.strerror or error)
                ) from error
            for path in entries:
                kind = kind_of(path.name)
                parts = None if kind is None else parse_filename(path.name, kind)
                if parts is not None:
                    self._by_name.setdefault(path.name, []).append(path)
                    self._by_project.setdefault(normalized(parts[0]), []).append(path)

    def serve(self, selected: Selected) -> Selected:
        """Give the file to what was selected, where a folder has it; by digest."""
        distribution = selected.distribution
        if distribution.path is not None or distribution.sha256 is None:
            return selected
        for path in self._by_name.get(distribution.filename, ()):
            if self._digest(path) == distribution.sha256:
                url = None if _has_evidence(path) else distribution.url
                found = replace(distribution, path=path, url=url)
                return replace(selected, distribution=found, at_hand=True)
        if distribution.filename in self._by_name:
            other = self._by_name[distribution.filename][0]
            note = f"{other} is another file than the lock pins; it was not used"
            return replace(selected, notes=(*selected.notes, note))
        return selected

    def of(self, entry: Locked, digests: frozenset[str]) -> tuple[FoundFile, ...]:
        """Give the files of a release whose digests are among ``digests``."""
        found = []
        for path in self._by_project.get(entry.name, ()) if digests else ():
            kind = kind_of(path.name)
            parts = None if kind is None else parse_filename(path.name, kind, entry.name)
            if parts is None or not (entry.version == "" or same_version(parts[1], entry.version)):
                continue
            sha256 = self._digest(path)
            if sha256 in digests:
                found.append(FoundFile(filename=path.name, path=path, sha256=sha256))
        return tuple(found)

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            try:
                # A pipe of that name is not waited for.
                self._digests[path] = sha256_file(path) if path.is_file() else ""
            except OSError:
                # What cannot be read is not the file that is looked for.
                self._digests[path] = ""
        return self._digests[path]


def _has_evidence(path: Path) -> bool:
    return any(
        path.with_name(path.name + suffix).exists() for suffix in (BUNDLE_SUFFIX, DIRECTORY_SUFFIX)
    )
