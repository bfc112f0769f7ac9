"""Whether a file is called what it is said to be.

A rule is found by name. A file that goes by one name and is taken for another would be held
against the wrong rule, or against none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.distribution import Kind
from pip_intoto.errors import ArtifactNotBound
from pip_intoto.verification.binding import Subject

if TYPE_CHECKING:
    from pip_intoto.distribution import Distribution

#: What pip takes for a source archive.
_SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar")
_RUNS = re.compile(r"[-_.]+")


def normalized(name: str) -> str:
    """Spell a project's name as PEP 503 has it."""
    return _RUNS.sub("-", name).lower()


def kind_of(filename: str) -> Kind | None:
    """Say what a file is, by its name; None when it is neither wheel nor sdist."""
    if filename.endswith(".whl"):
        return Kind.WHEEL
    return Kind.SDIST if filename.endswith(_SDIST_SUFFIXES) else None


def parse_filename(filename: str, kind: Kind, name: str = "") -> tuple[str, str] | None:
    """Take the filename apart into distribution and version, as spelled there; None if it is none.

    An sdist's filename can be cut in several places; a cut that gives ``name`` is preferred.
    """
    if kind is Kind.WHEEL:
        parts = filename.removesuffix(".whl").split("-")
        if not filename.endswith(".whl") or len(parts) not in (5, 6) or not all(parts):
            return None
        return parts[0], parts[1]
    for suffix in _SDIST_SUFFIXES:
        if filename.endswith(suffix):
            return _cut(filename[: -len(suffix)], normalized(name))
    return None


def _cut(stem: str, name: str) -> tuple[str, str] | None:
    for position, character in enumerate(stem):
        if character == "-" and normalized(stem[:position]) == name and stem[position + 1 :]:
            return stem[:position], stem[position + 1 :]
    distribution, _, version = stem.rpartition("-")
    return (distribution, version) if distribution and version else None


def same_version(one: str, other: str) -> bool:
    """Whether two spellings mean one version."""
    if one == other:
        return True
    # Imported here for start-up time: nearly always the spellings are equal.
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


def subject_of(distribution: Distribution) -> Subject:
    """Say what the evidence must be about.

    Raises ArtifactNotBound when the filename belongs to another project or version than the one
    that is to be installed.
    """
    parts = parse_filename(distribution.filename, distribution.kind, distribution.name)
    wanted = f"{distribution.name} {distribution.version}".strip()
    if (
        parts is None
        or normalized(parts[0]) != distribution.name
        or (distribution.version and not same_version(parts[1], distribution.version))
    ):
        raise ArtifactNotBound(
            "the file is not named as a file of this project",
            expected=f"the filename of a {distribution.kind.value} of {wanted}",
            found=distribution.filename,
        )
    if distribution.sha256 is None:
        raise ArtifactNotBound("the digest of the file is not known", expected="a sha256")
    return Subject(
        project=distribution.name,
        distribution=parts[0],
        version=parts[1],
        filename=distribution.filename,
        sha256=distribution.sha256,
    )
