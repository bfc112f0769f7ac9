"""Releases as an index offers them: choosing a file as pip would, and fetching it.

The file is fetched and hashed here: a verdict is about bytes, never about what an index says of
them. Nothing of it is unpacked or run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import ArtifactDigestMismatch, CommandError, SourceUnreachable
from pip_intoto.sources.addresses import printable, redacted
from pip_intoto.sources.fetching import Fetch, drive
from pip_intoto.sources.index import files_of
from pip_intoto.verifier.naming import kind_of, normalized, parse_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from packaging.version import Version

    from pip_intoto.limits import Limits
    from pip_intoto.sources.index import Listed
    from pip_intoto.sources.web import Web

#: Asked when neither the command line, nor the policy, nor pip's own variable names another.
DEFAULT_INDEX = "https://pypi.org/simple/"
_OK = 200


def index_for(given: str | None, bound: str = "") -> str:
    """Choose the index: the one given, the one that the rule binds the project to, pip's own."""
    return given or bound or os.environ.get("PIP_INDEX_URL") or DEFAULT_INDEX


def find(name: str, version: str | None, index_url: str, web: Web, limits: Limits) -> Listed:
    """Find the file that pip would choose here; of the newest release when ``version`` is None.

    Raises CommandError when there is none, and SourceUnreachable.
    """
    project = normalized(name)
    listed = drive(files_of(project, index_url, limits), web.fetch_many)
    # Nobody could have a file with a longer name, and there is much that one could stand for.
    possible = [file for file in listed if len(file.filename) <= limits.filename]
    candidates = _of_version(possible, project, version)
    chosen = _best(candidates)
    if chosen is None:
        wanted = project if version is None else f"{project} {version}"
        raise CommandError(
            f"the index has no file of {wanted} that fits this interpreter",
            expected="a wheel that fits, or an sdist",
            found=f"{len(candidates)} files of that release, at {redacted(index_url)}",
        )
    return chosen


def download(listed: Listed, folder: Path, web: Web, limits: Limits) -> Distribution:
    """Fetch ``listed`` into ``folder``, and describe it.

    Raises SourceUnreachable, and ArtifactDigestMismatch when the index lists another digest.
    """
    kind = kind_of(listed.filename)
    parts = None if kind is None else parse_filename(listed.filename, kind)
    if kind is None or parts is None:
        raise CommandError(f"{printable(listed.filename)} is neither wheel nor sdist")
    # The name comes from the index and is nothing to make a path of.
    path = folder / ("file.whl" if kind is Kind.WHEEL else "file.sdist")
    with path.open("wb") as target:
        response = web.download(
            Fetch(listed.url, limits.download_bytes, limits.download_seconds), target
        )
    if response.status != _OK:
        why = response.error or f"the server answered {response.status}"
        raise SourceUnreachable(
            f"{printable(listed.filename)} could not be fetched",
            found=f"{redacted(listed.url)}: {why}",
        )
    sha256 = sha256_file(path)
    if listed.sha256 not in {"", sha256}:
        raise ArtifactDigestMismatch(
            f"{printable(listed.filename)} is not the file that the index lists",
            expected=f"sha256 {listed.sha256}",
            found=f"sha256 {sha256}",
        )
    return Distribution(
        name=normalized(parts[0]),
        version=parts[1],
        filename=listed.filename,
        kind=kind,
        sha256=sha256,
        url=listed.url,
        index=listed.page,
        path=path,
        requested=True,
    )


def _of_version(
    listed: Iterable[Listed], project: str, version: str | None
) -> list[tuple[Listed, Kind]]:
    """Keep the files of one release; prereleases and yanked ones only where nothing else is."""
    # Imported here for start-up time, as all of packaging below.
    from packaging.version import InvalidVersion, Version

    by_version: dict[Version, list[tuple[Listed, Kind]]] = {}
    for file in listed:
        kind = kind_of(file.filename)
        parts = None if kind is None else parse_filename(file.filename, kind, project)
        if kind is None or parts is None or normalized(parts[0]) != project:
            continue
        try:
            by_version.setdefault(Version(parts[1]), []).append((file, kind))
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


def _newest(by_version: dict[Version, list[tuple[Listed, Kind]]]) -> Version:
    def rank(version: Version) -> tuple[bool, bool, Version]:
        standing = any(not file.yanked for file, _ in by_version[version])
        return (standing, not version.is_prerelease, version)

    return max(by_version, key=rank)


def _best(candidates: Sequence[tuple[Listed, Kind]]) -> Listed | None:
    """Choose as pip does: the wheel whose tags come first here, else the sdist."""
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    order = {tag: position for position, tag in enumerate(sys_tags())}
    ranked: list[tuple[int, tuple[int, str], int, Listed]] = []
    for number, (file, kind) in enumerate(candidates):
        if kind is not Kind.WHEEL:
            ranked.append((len(order), (0, ""), number, file))
            continue
        try:
            _, _, build, tags = parse_wheel_filename(file.filename)
        except InvalidWheelFilename:
            continue
        fitting = [order[tag] for tag in tags if tag in order]
        if fitting:
            number_of_build = (-build[0], build[1]) if build else (0, "")
            ranked.append((min(fitting), number_of_build, number, file))
    return min(ranked, key=lambda entry: entry[:3])[3] if ranked else None
