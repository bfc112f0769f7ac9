"""From an entry of a lock to the files that would be installed, without fetching any of them.

A lock that names a file, its digest and its address says all. Where it leaves something out, the
index is asked for it, and what came of that is noted: the digests that count are those of the
lock wherever it has any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import (
    CommandError,
    EvidenceError,
    NoSuchProject,
    PipIntotoError,
    ReleaseMissing,
    SourceUnreachable,
    Unpinned,
)
from pip_intoto.lockfiles.parts import path_of
from pip_intoto.sources.addresses import redacted, within
from pip_intoto.sources.index import files_of
from pip_intoto.sources.pep740 import PYPI_FILES, PYPI_PAGES
from pip_intoto.verifier.finding_links import FoundFile, FoundFiles
from pip_intoto.verifier.naming import kind_of, parse_filename, same_version
from pip_intoto.verifier.pins import pin_of
from pip_intoto.verifier.releases import best_of, index_for, of_version

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from pip_intoto.distribution import Place
    from pip_intoto.limits import Limits
    from pip_intoto.lockfiles.locked import Lock, Locked, LockedFile
    from pip_intoto.policy.model import Policy
    from pip_intoto.sources.index import Listed
    from pip_intoto.verifier.choosing import Choice
    from pip_intoto.verifier.pins import Pin
    from pip_intoto.verifier.wanted import InLock

_INDEX_DIGEST = "the lock has no digest for it; the one that the index lists was used"
_NO_DIGEST = "neither the lock nor the index has a digest for it; the file was fetched to know it"
_NO_LOCK_DIGEST = "the lock has no digest for it; the file was fetched to know it"
_UNLISTED = "the index no longer lists this file; it is judged by the lock's digest"
_OTHER_DIGEST = "the index lists a file of this name with another digest than the lock's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """One file that would be installed, or why there is none.

    ``distribution.sha256`` is None where only the file itself can tell; then ``digests`` are those
    that the lock allows, any where it is empty. ``at_hand`` says that the file on this machine was
    chosen by its digest. ``problem`` says why there is nothing to judge. ``pin`` is what the lock
    says of who vouches for it.
    """

    distribution: Distribution
    place: Place | None = None
    notes: tuple[str, ...] = ()
    size: int | None = None
    digests: frozenset[str] = frozenset()
    at_hand: bool = False
    problem: EvidenceError | None = None
    pin: Pin | None = None


class Selector:
    """Selects for one run.

    ``choice`` chooses one file of each release; None selects all that the lock allows.
    ``index_url`` is asked where the lock names no index; of PyPI's files, PyPI is without it.
    ``first_uses`` are projects of which whoever vouches for them is to be found, although nobody
    is pinned.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        choice: Choice | None,
        index_url: str | None,
        found: FoundFiles | None,
        limits: Limits,
        first_uses: Container[str] = (),
    ) -> None:
        self._policy = policy
        self._first_uses = first_uses
        self._choice = choice
        self._index_url = index_url
        self._found = found
        self._limits = limits
        #: Files in the folders that locks name.
        self._folders: dict[tuple[str, ...], FoundFiles] = {}
        #: What indexes list of a release: (index, project, version) -> files.
        self._listings: dict[tuple[str, str, str], tuple[Listed, ...]] = {}

    async def select(self, wanted: InLock) -> tuple[Selected, ...]:
        """Select the files of one entry: at least one, be it one with a problem."""
        entry = wanted.entry
        if entry.kind in {Kind.DIRECTORY, Kind.VCS}:
            return (self._problem(entry, None),)
        if not (entry.version or entry.files or entry.url):
            missing = Unpinned("the lock pins no version of it")
            return (self._problem(entry, missing),)
        try:
            selected = await self._files(entry, wanted.lock)
        except PipIntotoError as error:
            problem = error if isinstance(error, EvidenceError) else _as_missing(entry, error)
            return (self._problem(entry, problem),)
        pin = self._pin(entry)
        return tuple(replace(each, notes=(*entry.notes, *each.notes), pin=pin) for each in selected)

    # --- which files ------------------------------------------------------------------------

    async def _files(self, entry: Locked, lock: Lock) -> tuple[Selected, ...]:
        named = [file for file in entry.files if file.filename]
        if named:
            known = [file for file in named if _is_taken(file.filename, entry)]
            wanted = self._chosen(known)
            _check_digests(wanted)
            # Without a choice all are judged, and one of which nobody knows what it is cannot be.
            if not wanted or (self._choice is None and len(known) < len(named)):
                raise ReleaseMissing(
                    "the lock has no file of it that fits this interpreter",
                    expected="a wheel that fits, or an sdist",
                    found=", ".join(file.filename for file in named[:5]),
                    advice="Name the interpreter that it is for with --python, or verify all of"
                    " them with --all-files.",
                )
            return tuple([await self._named(file, entry, lock) for file in wanted])
        if not self.needs_file(entry.name, self._pin(entry)):
            # Whatever the file is: nobody has to be asked for it.
            digests = [file.sha256 for file in entry.files]
            sha256 = digests[0] if len(digests) == 1 and digests[0] else None
            return (
                Selected(
                    distribution=_distribution(entry, "", sha256=sha256),
                    place=entry.place,
                    # There is nothing that a file could still say.
                    problem=ReleaseMissing("nobody asked which file it is"),
                ),
            )
        return await self._unnamed(entry, lock)

    def _chosen(self, files: Sequence[LockedFile]) -> Sequence[LockedFile]:
        if self._choice is None:
            return files
        return self._choice.all_of(files)

    def needs_file(self, project: str, pin: Pin | None = None) -> bool:
        """Tell whether the verdict on a project depends on which file it is."""
        return (
            self._policy.rule_for(project) is not None
            or pin is not None
            or any(
                exception.project == project and exception.sha256
                for exception in self._policy.exceptions
            )
        )

    def _pin(self, entry: Locked) -> Pin | None:
        return pin_of(entry, first_use=entry.name in self._first_uses)

    # --- a file that the lock names ---------------------------------------------------------

    async def _named(self, file: LockedFile, entry: Locked, lock: Lock) -> Selected:
        index = _index_of(entry, lock)
        distribution = _distribution(
            entry,
            file.filename,
            sha256=file.sha256 or None,
            url=file.url or None,
            index=_page(index, entry.name) if index else file.url or None,
            path=file.path,
        )
        known_to = self._index_url or (PYPI_PAGES if within(file.url, PYPI_FILES) else "")
        if not index and known_to:
            # It is no word on where the file is from: only on who may know of its provenance.
            distribution = replace(distribution, page=_page(known_to, entry.name))
        selected = Selected(distribution=distribution, place=file.place, size=file.size)
        pinned = self._pin(entry) is not None
        if file.path is None and (pinned or self._policy.rule_for(entry.name) is not None):
            if not file.url:
                selected = await self._listed(selected, file, entry, lock)
            elif not file.sha256 and index:
                selected = await self._with_digest_of_index(selected, file, entry, lock)
            elif not file.sha256:
                selected = replace(selected, notes=(_NO_LOCK_DIGEST,))
        return self._at_hand(selected)

    async def _listed(
        self, selected: Selected, file: LockedFile, entry: Locked, lock: Lock
    ) -> Selected:
        """Find the address of a file in the index; and its digest where the lock has none."""
        if file.sha256 and self._found is not None:
            found = self._at_hand(selected)
            if found.distribution.path is not None:
                return found
        listed = await self._ask(entry, lock)
        named = [each for each in listed if each.filename == file.filename]
        same = [each for each in named if each.sha256 == file.sha256]
        undigested = [each for each in named if not each.sha256]
        chosen = next(iter(same or undigested or named), None)
        if chosen is None:
            if not file.sha256:
                raise ReleaseMissing(
                    "the index has no such file, and the lock has no digest for it",
                    expected=file.filename,
                    found=_what_is_listed(listed),
                )
            return replace(selected, notes=(_UNLISTED,))
        selected = _at(selected, chosen)
        if not file.sha256:
            return _with_digest(selected, chosen)
        return selected if chosen in same or not chosen.sha256 else _noted(selected, _OTHER_DIGEST)

    async def _with_digest_of_index(
        self, selected: Selected, file: LockedFile, entry: Locked, lock: Lock
    ) -> Selected:
        try:
            listed = await self._ask(entry, lock)
        except (CommandError, EvidenceError):
            listed = ()
        same = [each for each in listed if each.filename == file.filename and each.sha256]
        return _with_digest(selected, same[0] if same else None)

    # --- files that the lock knows by their digests, or not at all --------------------------

    async def _unnamed(self, entry: Locked, lock: Lock) -> tuple[Selected, ...]:
        digests = frozenset(file.sha256 for file in entry.files if file.sha256)
        found = self._found.of(entry, digests) if self._found is not None else ()
        at_hand = [each for each in found if _is_taken(each.filename, entry)]
        listed: tuple[Listed, ...] = ()
        beside: list[FoundFile] = []
        if not at_hand:
            beside = self._beside(entry, lock, digests)
            listed = () if lock.no_index else await self._ask_or(entry, lock, beside)
        allowed = [each for each in listed if not digests or each.sha256 in digests]
        # An index that lists no digests leaves it to the files to tell.
        possible = allowed or [each for each in listed if not each.sha256]
        if at_hand:
            chosen_here = at_hand if self._choice is None else self._choice.all_of(at_hand)
            if chosen_here:
                return tuple(self._on_disk(entry, lock, each) for each in chosen_here)
        chosen: list[Listed | FoundFile] = [*_taken(possible, entry), *beside]
        if self._choice is not None:
            best = best_of(_taken(possible, entry), entry.name, self._choice)
            chosen = self._choice.all_of([*best, *beside])
        if not chosen and lock.no_index:
            raise ReleaseMissing(
                "no folder that the lock names has a file of it that the lock allows",
                expected="a file with a digest of the lock, in a folder of --find-links",
                found="--no-index, so that no index is asked",
                advice="Name the folder that has it with --find-links.",
            )
        if not chosen:
            raise ReleaseMissing(
                "no index has a file of it that the lock allows"
                if digests and not possible
                else "no index has a file of it that fits this interpreter",
                expected="a file with a digest of the lock" if digests else "a wheel, or an sdist",
                found=_what_is_listed(listed),
            )
        return tuple(
            self._on_disk(entry, lock, each)
            if isinstance(each, FoundFile)
            else self._from_index(entry, each, digests)
            for each in _once(chosen)
        )

    def _on_disk(self, entry: Locked, lock: Lock, found: FoundFile) -> Selected:
        index = _index_of(entry, lock)
        distribution = _distribution(
            entry,
            found.filename,
            sha256=found.sha256,
            index=_page(index, entry.name) if index else None,
            path=found.path,
        )
        place = _place(entry, found.sha256)
        return Selected(distribution=distribution, place=place, at_hand=True)

    def _beside(self, entry: Locked, lock: Lock, digests: frozenset[str]) -> list[FoundFile]:
        """Find the files in folders that the lock itself names.

        Raises ReleaseMissing where only a digest could tell which file is taken.
        """
        if not lock.find_links:
            return []
        if not digests:
            raise ReleaseMissing(
                "the lock has no digest for it, and says --find-links: nobody can say which file"
                " is taken",
                expected="a digest for it in the lock",
                advice="Write digests into the lock (`--hash`), or do without --find-links.",
            )
        if lock.find_links not in self._folders:
            folders = (path_of(place) or Path(place) for place in lock.find_links)
            self._folders[lock.find_links] = FoundFiles(each for each in folders if each.is_dir())
        found = self._folders[lock.find_links].of(entry, digests)
        return [each for each in found if _is_taken(each.filename, entry)]

    def _from_index(self, entry: Locked, listed: Listed, digests: frozenset[str]) -> Selected:
        distribution = _distribution(entry, listed.filename)
        named = _distribution(replace(entry, version=""), listed.filename)
        if not same_version(named.version, entry.version):
            # The index was asked for 1.0, and has 1.0+local.
            distribution = named
        selected = _at(
            Selected(
                distribution=distribution,
                place=_place(entry, listed.sha256),
                digests=digests,
            ),
            listed,
        )
        if listed.sha256 in digests:
            distribution = replace(selected.distribution, sha256=listed.sha256)
            return self._at_hand(replace(selected, distribution=distribution))
        if not digests:
            return _with_digest(selected, listed)
        return _noted(selected, "the index has no digest for it; the file was fetched to know it")

    # --- indexes ----------------------------------------------------------------------------

    async def _ask_or(
        self, entry: Locked, lock: Lock, beside: list[FoundFile]
    ) -> tuple[Listed, ...]:
        """List what the indexes have; nothing where they lack what lies in a folder."""
        try:
            return await self._ask(entry, lock)
        except ReleaseMissing:
            if beside:
                return ()
            raise

    async def _ask(self, entry: Locked, lock: Lock) -> tuple[Listed, ...]:
        """List the files of a release, of every index that may have it.

        Raises SourceUnreachable when one could not be asked and no other has it, and
        ReleaseMissing when none has the project.
        """
        rule = self._policy.rule_for(entry.name)
        bound = "" if rule is None else rule.index
        named = (entry.index,) if entry.index else lock.indexes
        found: list[Listed] = []
        unreachable: SourceUnreachable | None = None
        absent: NoSuchProject | None = None
        for index in named or (index_for(self._index_url, bound),):
            try:
                found += await self._listing(index, entry)
            except NoSuchProject as error:
                absent = error
            except SourceUnreachable as error:
                unreachable = error
        if unreachable is not None and not found:
            raise unreachable
        if absent is not None and not found:
            raise ReleaseMissing("no index has this project", found=absent.found)
        return tuple(found)

    async def _listing(self, index: str, entry: Locked) -> tuple[Listed, ...]:
        key = (index, entry.name, entry.version)
        if key not in self._listings:
            listed = await files_of(entry.name, index, self._limits)
            self._listings[key] = tuple(
                of_version(listed, entry.name, entry.version, self._limits)
                if entry.version
                else listed
            )
        return self._listings[key]

    # --- parts ------------------------------------------------------------------------------

    def _at_hand(self, selected: Selected) -> Selected:
        """Take the file from the folders that the user named, where one has it."""
        return selected if self._found is None else self._found.serve(selected)

    def _problem(self, entry: Locked, problem: EvidenceError | None) -> Selected:
        filename, sha256 = "", None
        if len(entry.files) == 1:
            filename, sha256 = entry.files[0].filename, entry.files[0].sha256 or None
        return Selected(
            distribution=_distribution(entry, filename, sha256=sha256, url=entry.url or None),
            place=entry.place,
            notes=entry.notes,
            problem=problem,
            pin=self._pin(entry),
        )


def _distribution(
    entry: Locked,
    filename: str,
    *,
    sha256: str | None = None,
    url: str | None = None,
    index: str | None = None,
    path: Path | None = None,
) -> Distribution:
    kind = entry.kind or kind_of(filename) or Kind.SDIST
    version = entry.version
    if not version and filename:
        parts = parse_filename(filename, kind, entry.name)
        version = parts[1] if parts else ""
    return Distribution(
        name=entry.name,
        version=version,
        filename=filename,
        kind=kind,
        sha256=sha256,
        url=url,
        index=index,
        path=path,
        requested=True,
    )


def _is_taken(filename: str, entry: Locked) -> bool:
    """Whether a file is a wheel or sdist, and of the form that the lock says is taken."""
    kind = kind_of(filename)
    return kind is not None and entry.form in {None, kind}


def _check_digests(files: Iterable[LockedFile]) -> None:
    """Refuse a name of which only one file has a digest that binds: the other may be taken."""
    pinned: dict[str, bool] = {}
    for file in files:
        if pinned.setdefault(file.filename, bool(file.sha256)) != bool(file.sha256):
            raise ReleaseMissing(
                "the lock allows two files of one name, and has a sha256 of one only",
                expected="a sha256 of each",
                found=file.filename,
            )


def _taken(listed: Iterable[Listed], entry: Locked) -> list[Listed]:
    return [each for each in listed if _is_taken(each.filename, entry)]


def _once(files: Iterable[Listed | FoundFile]) -> list[Listed | FoundFile]:
    """Leave out what another index, or a folder, has as well; by name and digest."""
    found: dict[tuple[str, str], Listed | FoundFile] = {}
    for each in files:
        address = "" if each.sha256 or isinstance(each, FoundFile) else each.url
        found.setdefault((each.filename, each.sha256 or address), each)
    return list(found.values())


def _as_missing(entry: Locked, error: PipIntotoError) -> EvidenceError:
    """Say of what a command would be told that the release cannot be had so."""
    return ReleaseMissing(
        f"{entry.name} cannot be looked up: {error.message}",
        expected=error.expected,
        found=error.found,
        advice=error.advice,
    )


def _index_of(entry: Locked, lock: Lock) -> str:
    """Give the index that an entry comes from; empty where the lock leaves it open."""
    if entry.index or entry.url:
        return entry.index
    return lock.indexes[0] if len(lock.indexes) == 1 else ""


def _page(index: str, project: str) -> str:
    return f"{index.rstrip('/')}/{project}/"


def _place(entry: Locked, sha256: str) -> Place:
    return next(
        (file.place for file in entry.files if sha256 and file.sha256 == sha256), entry.place
    )


def _at(selected: Selected, listed: Listed) -> Selected:
    distribution = replace(
        selected.distribution, url=listed.url, index=listed.page, provenance=listed.provenance
    )
    return replace(selected, distribution=distribution, size=selected.size or listed.size)


def _with_digest(selected: Selected, listed: Listed | None) -> Selected:
    if listed is None or not listed.sha256:
        return _noted(selected, _NO_DIGEST)
    distribution = replace(selected.distribution, sha256=listed.sha256)
    return _noted(replace(selected, distribution=distribution), _INDEX_DIGEST)


def _noted(selected: Selected, note: str) -> Selected:
    return replace(selected, notes=(*selected.notes, note))


def _what_is_listed(listed: Iterable[Listed]) -> str:
    files = list(listed)
    if not files:
        return "the index lists no file of that release"
    return f"{len(files)} other files of that release, at {redacted(files[0].page)}"
