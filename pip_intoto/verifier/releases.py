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
    chosen = (choice or Choice.here()).of(candidates)
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
    )


def of_version(
    listed: Iterable[Listed], project: str, version: str | None, limits: Limits
) -> list[Listed]:
    """Keep the files of one release; of the newest one when ``version`` is None.

    The newest is a prerelease or a yanked one only where nothing else is. Raises CommandError for
    what is no version.
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
            return by_version.get(Version(version), [])
        except InvalidVersion as error:
            raise CommandError(
                f"{printable(version)!r} is not a version", expected="NAME==1.0"
            ) from error
    return by_version[_newest(by_version)] if by_version else []


def _newest(by_version: dict[Version, list[Listed]]) -> Version:
    def rank(version: Version) -> tuple[bool, bool, Version]:
        standing = any(not file.yanked for file in by_version[version])
        return (standing, not version.is_prerelease, version)

    return max(by_version, key=rank)
