"""Which files a step uses or makes, and what they are called in its link.

Names are made as `in-toto-run` makes them. Of a directory in which git tracks something, those
files are listed that git tracks: what lies around besides says something about one machine, and
nothing about the source.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer.git import is_in_repository
from pip_intoto.maintainer.steps.exclusion import Exclusion
from pip_intoto.maintainer.steps.tracked import tracked
from pip_intoto.metadata.names import abnormal_artifact_name
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pip_intoto.limits import Limits

#: ITE-4: what stands before the colon says how the rest is to be found; this is the usual way.
_FILE = "file:"
_OTHER_SCHEMES = ("dir:", "ostree:")
_ELSEWHERE = "What in-toto calls dir: and ostree: is not recorded here, only files are."
#: What stands for a byte that is no UTF-8.
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How files are found and named.

    ``base`` is where relative paths begin, and no part of names. Of ``strip`` at most one is cut
    off the front of each name. With ``all_files`` nobody asks git; ``regardless`` are names that
    are found whether git tracks them or not.
    """

    base: str = ""
    strip: tuple[str, ...] = ()
    exclusion: Exclusion = field(default_factory=Exclusion)
    all_files: bool = False
    regardless: Collection[str] = ()
    limits: Limits = LOCAL

    def __post_init__(self) -> None:
        for index, one in enumerate(self.strip):
            for other in self.strip[index + 1 :]:
                if one.startswith(other) or other.startswith(one):
                    raise CommandError(
                        "of two prefixes to strip, one begins with the other",
                        expected="at most one that fits a name",
                        found=f"{shown(one)} and {shown(other)}",
                    )

    def find(self, paths: Iterable[str]) -> Listing:
        """Find the files ``paths``, and those below the directories ``paths``.

        Raises CommandError for what is not there or cannot be read, and for names that no link
        may hold.
        """
        listing = Listing(self)
        for path in paths:
            listing.add(path)
        listing.check()
        return listing


class Listing:
    """Files that were found, and what was passed over on the way.

    ``files`` is name in the link → path. ``untracked`` counts files that git does not track, in
    directories where it tracks others; ``without_git`` says that there was a repository, and no
    git to ask. ``empty`` are the paths that were named for nothing; ``strange`` is what is neither
    file nor folder: pipes, devices, links that lead nowhere or to a folder that they lie in.
    ``excluded`` are files that git tracks, and that the patterns leave out.
    """

    def __init__(self, selection: Selection) -> None:
        self.files: dict[str, str] = {}
        self.untracked = 0
        self.without_git = False
        self.empty: list[str] = []
        self.strange: list[str] = []
        self.excluded: list[str] = []
        self._base = selection.base
        self._strip = selection.strip
        self._excludes = selection.exclusion
        self._all_files = selection.all_files
        self._regardless = selection.regardless
        self._limits = selection.limits
        self._entries = 0

    def add(self, named: str) -> None:
        """Find what one path stands for. Raises as :meth:`Selection.find` does."""
        scheme = _FILE if named.startswith(_FILE) else ""
        path = os.path.normpath(named[len(scheme) :])
        found = False
        if not self._excludes(_slashed(path)):
            try:
                mode = os.stat(self._where(path)).st_mode
                if stat.S_ISDIR(mode):
                    for below in self._directory(path, ()):
                        self._take(scheme, below)
                        found = True
                elif stat.S_ISREG(mode):
                    self._take(scheme, path)
                    found = True
                else:
                    raise CommandError(f"{shown(named)} is neither a file nor a directory")
            except OSError as error:
                raise CommandError(
                    f"{shown(error.filename or named)} cannot be recorded:"
                    f" {error.strerror or error}",
                    advice=_ELSEWHERE
                    if named.startswith(_OTHER_SCHEMES)
                    else "Name what is there, and can be read: nothing is left out in silence.",
                ) from None
        if not found:
            self.empty.append(named)

    def check(self) -> None:
        """Raises CommandError for more than a link may hold, and for names that none may."""
        if len(self.files) > self._limits.artifacts:
            raise CommandError(
                "there are too many files",
                expected=f"at most {self._limits.artifacts}",
                found=f"{len(self.files)}",
                advice="Name the directories that the step uses or makes.",
            )
        bad = _unfit(self.files, self._limits)
        if bad is None:
            return
        path = self.files[bad]
        raise CommandError(
            "there is a file whose name no link may hold",
            expected="a relative path in UTF-8, without backslashes and `..`",
            found=shown(bad) if bad == path else f"{shown(bad)}, of {shown(path)}",
            advice="--base-path and --lstrip-paths make paths relative; --exclude leaves out.",
        )

    # --- directories ------------------------------------------------------------------------

    def _directory(self, path: str, departed: tuple[str, ...]) -> Iterator[str]:
        """Yield the paths of the files below a directory that are to be recorded.

        ``departed`` are the real paths of the folders with the links that led here.
        """
        names = None if self._all_files else self._tracked(path)
        if names:
            yield from self._only(path, set(names), departed)
        else:
            yield from self._everything(path, departed)

    def _tracked(self, path: str) -> list[str] | None:
        directory = os.path.realpath(self._where(path))
        if not is_in_repository(directory):
            return None
        names = tracked(directory, limits=self._limits)
        self.without_git |= names is None
        return names

    def _everything(self, path: str, departed: tuple[str, ...]) -> Iterator[str]:
        """Yield all files below ``path``."""
        pending = [path]
        while pending:
            folder = pending.pop()
            for below, entry in self._entries_of(folder):
                if entry.is_dir(follow_symlinks=False):
                    pending.append(below)
                else:
                    yield from self._file(below, entry, folder, departed)
            if self._entries > self._limits.entries:
                raise CommandError(
                    "there are too many files",
                    expected=f"at most {self._limits.entries} files and folders to look at",
                    advice="Name the directories that the step uses or makes.",
                )

    def _only(self, path: str, wanted: set[str], departed: tuple[str, ...]) -> Iterator[str]:
        """Yield the files below ``path`` that git tracks, and count the others.

        ``wanted`` are their names relative to ``path``, with ``/``.
        """
        begin = len(_below(path, ""))
        pending = [path]
        while pending and self._entries <= self._limits.entries:
            folder = pending.pop()
            try:
                entries = list(self._entries_of(folder))
            except OSError:
                # Nothing may be tracked in it. If something is, it is looked for once more below.
                continue
            for below, entry in entries:
                name = _slashed(below[begin:])
                is_folder = entry.is_dir(follow_symlinks=False)
                if name in wanted:
                    wanted.discard(name)
                    if is_folder:
                        # A submodule that is not checked out, or a repository that is none.
                        yield from self._directory(below, departed)
                    else:
                        yield from self._file(below, entry, folder, departed)
                elif is_folder:
                    pending.append(below)
                elif self._regardless and self._named(below) in self._regardless:
                    yield from self._file(below, entry, folder, departed)
                else:
                    self.untracked += 1
        # Nearly always these were deleted, or not checked out. Else the file system spells their
        # names otherwise than git does, or they cannot be reached, which is an error.
        for name in sorted(wanted):
            if self._is_there(path, name):
                yield _below(path, name)

    def _entries_of(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yield what lies in a folder and is not left out, with its path."""
        prefix = _below(folder, "")
        with os.scandir(self._where(folder)) as entries:
            for entry in entries:
                below = prefix + entry.name
                if not self._excludes(_slashed(below)):
                    self._entries += 1
                    yield below, entry

    def _file(
        self, path: str, entry: os.DirEntry[str], folder: str, departed: tuple[str, ...]
    ) -> Iterator[str]:
        if entry.is_symlink():
            yield from self._link(path, folder, departed)
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            self.strange.append(path)

    def _link(self, link: str, folder: str, departed: tuple[str, ...]) -> Iterator[str]:
        where = self._where(link)
        if os.path.isfile(where):
            yield link
            return
        target = os.path.realpath(where)
        departed = (*departed, os.path.realpath(self._where(folder)))
        inside = os.path.join(target, "")
        if os.path.isdir(target) and not any(
            each == target or each.startswith(inside) for each in departed
        ):
            yield from self._directory(link, departed)
        else:
            self.strange.append(link)

    def _is_there(self, path: str, name: str) -> bool:
        where = self._where(path)
        below = path
        for segment in name.split("/"):
            if below != path and os.path.islink(where):
                # What is behind a link in the place of a folder is not what git tracks.
                return False
            below = _below(below, segment)
            where = os.path.join(where, segment)
            if self._excludes(_slashed(below)):
                self.excluded.append(_below(path, name))
                return False
        try:
            return stat.S_ISREG(os.stat(where).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    # --- names ------------------------------------------------------------------------------

    def _where(self, path: str) -> str:
        return os.path.join(self._base, path) if self._base else path

    def _named(self, path: str) -> str:
        name = _slashed(path)
        for prefix in self._strip:
            if name.startswith(prefix):
                return name[len(prefix) :]
        return name

    def _take(self, scheme: str, path: str) -> None:
        name = scheme + self._named(path)
        where = self._where(path)
        other = self.files.setdefault(name, where)
        if other != where and os.path.realpath(other) != os.path.realpath(where):
            raise CommandError(
                f"two files would have the name {shown(name)} in the link",
                expected="prefixes to strip that keep names apart",
                found=f"{shown(other)} and {shown(where)}",
            )


def _below(path: str, name: str) -> str:
    return name if path == os.curdir else os.path.join(path, name)


def _slashed(path: str) -> str:
    return path if os.sep == "/" else path.replace(os.sep, "/")


def _unfit(names: Collection[str], limits: Limits) -> str | None:
    """One of ``names`` that no link may hold, or no rule can speak of."""
    abnormal = abnormal_artifact_name(names, longest=limits.text)
    if abnormal is not None:
        return abnormal
    text = "".join(names)
    if text.isascii() and "\\" not in text:
        return None
    return next((name for name in names if "\\" in name or _SURROGATE.search(name)), None)
