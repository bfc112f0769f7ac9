"""Releases as an index offers them: choosing a file as pip would."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pip_intoto.distribution import Distribution
from pip_intoto.errors import CommandError
from pip_intoto.sources.addresses import printable, redacted
from pip_intoto.sources.fetching import drive
from pip_intoto.sources.index import files_of
from pip_intoto.verifier.choosing import Choice
from pip_intoto.verifier.naming import kind_of, normalized, parse_filename

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version

    from pip_intoto.limits import Limits
    from pip_intoto.sources.fetching import FetchMany
    from pip_intoto.sources.index import Listed

#: Asked when neither the command line, nor the policy, nor pip's own variable names another.
DEFAULT_INDEX = "https://pypi.org/simple/"


def index_for(given: str | None, bound: str = "") -> str:
    """Choose the index: the one given, the one that the rule binds the project to, pip's own."""
    return given or bound or os.environ.get("PIP_INDEX_URL") or DEFAULT_INDEX


def find(
    name: str,
    version: str | None,
    index_url: str,
    fetch_many: FetchMany,
    limits: Limits,
    choice: Choice | None = None,
) -> Listed:
    """Find the file that pip would choose; of the newest release when ``version`` is None.

    Raises CommandError when there is none, and SourceUnreachable.
    """
    project = normalized(name)
    listed = drive(files_of(project, index_url, limits), fetch_many)
    candidates = of_version(listed, project, version, limits)
    preferred = best_of(candidates, project, choice or Choice.here())
    chosen = next(iter(preferred), None)
    if chosen is None:
        wanted = project if version is None else f"{project} {version}"
        raise CommandError(
            f"the index has no file of {wanted} that fits this interpreter",
            expected="a wheel that fits, or an sdist",
            found=f"{len(candidates)} files of that release, at {redacted(index_url)}",
        )
    return chosen


def described(listed: Listed) -> Distribution:
    """Describe a file that an index lists, without its digest: the file itself will tell that.

    Raises CommandError when it is neither wheel nor sdist.
    """
    kind = kind_of(listed.filename)
    parts = None if kind is None else parse_filename(listed.filename, kind)
    if kind is None or parts is None:
        raise CommandError(f"{printable(listed.filename)} is neither wheel nor sdist")
    return Distribution(
        name=normalized(parts[0]),
        version=parts[1],
        filename=listed.filename,
        kind=kind,
        url=listed.url,
        index=listed.page,
        requested=True,
        provenance=listed.provenance,
    )


def of_version(
    listed: Iterable[Listed], project: str, version: str | None, limits: Limits
) -> list[Listed]:
    """Keep the files of one release; of the newest one when ``version`` is None.

    As in a requirement, ``1.0`` is ``1.0+local`` too. The newest is a prerelease or a yanked one
    only where nothing else is. Raises CommandError for what is no version.
    """
    # Imported here for start-up time, as all of packaging below.
    from packaging.version import InvalidVersion, Version

    by_version: dict[Version, list[Listed]] = {}
    for file in listed:
        # Nobody could have a file with a longer name, and there is much that one could stand for.
        kind = kind_of(file.filename) if len(file.filename) <= limits.filename else None
        parts = None if kind is None else parse_filename(file.filename, kind, project)
        if parts is None or normalized(parts[0]) != project:
            continue
        try:
            by_version.setdefault(Version(parts[1]), []).append(file)
        except InvalidVersion:
            continue
    if version is not None:
        try:
            wanted = Version(version)
        except InvalidVersion as error:
            raise CommandError(
                f"{printable(version)!r} is not a version", expected="NAME==1.0"
            ) from error
        # "If the specified version identifier is a public version identifier (no local version
        # label), then the local version label of any candidate versions MUST be ignored".
        return [
            file
            for number, files in by_version.items()
            if number == wanted or (wanted.local is None and number.public == wanted.public)
            for file in files
        ]
    return by_version[_newest(by_version)] if by_version else []


def best_of(files: Iterable[Listed], project: str, choice: Choice) -> list[Listed]:
    """Choose as pip does: what fits, is not yanked, has the highest version, and the best tags."""
    fitting = [file for file in files if choice.fits(file.filename, file.requires_python)]
    standing = [file for file in fitting if not file.yanked] or fitting
    highest = max((_version(file, project) for file in standing), default=None)
    return choice.all_of(file for file in standing if _version(file, project) == highest)


def _version(file: Listed, project: str) -> Version:
    from packaging.version import InvalidVersion, Version

    kind = kind_of(file.filename)
    parts = None if kind is None else parse_filename(file.filename, kind, project)
    try:
        return Version(parts[1] if parts else "0")
    except InvalidVersion:
        return Version("0")


def _newest(by_version: dict[Version, list[Listed]]) -> Version:
    def rank(version: Version) -> tuple[bool, bool, Version]:
        standing = any(not file.yanked for file in by_version[version])
        return (standing, not version.is_prerelease, version)

    return max(by_version, key=rank)
