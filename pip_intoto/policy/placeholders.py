"""The placeholders of URL templates and parameters: ``{project}``, ``{version}`` and the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.distribution import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pip_intoto.distribution import Distribution

#: ``project`` is the PEP 503 name; ``distribution`` and ``version`` are spelled as in the
#: filename.
NAMES = ("project", "distribution", "version", "filename", "sha256")

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_RUNS = re.compile(r"[-_.]+")
_SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar")


def names_in(text: str) -> tuple[str, ...]:
    """List what stands in braces, known or not, in order."""
    return tuple(_PLACEHOLDER.findall(text))


def has_lone_brace(text: str) -> bool:
    """Whether a brace is left that does not belong to any placeholder."""
    return not {"{", "}"}.isdisjoint(_PLACEHOLDER.sub("", text))


def values_for(distribution: Distribution) -> Mapping[str, str]:
    """Give each placeholder its value, none of them encoded.

    ``sha256`` is missing while the digest is not known.
    """
    name, version = spelled_in_filename(distribution)
    values = {
        "project": distribution.name,
        "distribution": name,
        "version": version,
        "filename": distribution.filename,
    }
    if distribution.sha256 is not None:
        values["sha256"] = distribution.sha256
    return values


def spelled_in_filename(distribution: Distribution) -> tuple[str, str]:
    """Take name and version out of the filename; where it has none, as the index says them."""
    filename = distribution.filename
    if distribution.kind is Kind.WHEEL and filename.endswith(".whl"):
        parts = filename[: -len(".whl")].split("-")
        if len(parts) in (5, 6):
            return parts[0], parts[1]
    if distribution.kind is Kind.SDIST:
        for suffix in _SDIST_SUFFIXES:
            if filename.endswith(suffix):
                return _cut(filename[: -len(suffix)], distribution)
    return distribution.name, distribution.version


def _cut(stem: str, distribution: Distribution) -> tuple[str, str]:
    """Cut ``demo-1.0-1`` where the project's name ends: a version may have a dash of its own."""
    for position, character in enumerate(stem):
        if character == "-" and stem[position + 1 :]:
            name = _RUNS.sub("-", stem[:position]).lower()
            if name == distribution.name:
                return stem[:position], stem[position + 1 :]
    name, _, version = stem.rpartition("-")
    return (name, version) if name else (distribution.name, distribution.version)


def fill(
    text: str, values: Mapping[str, str], encode: Callable[[str], str] = lambda value: value
) -> str:
    """Replace the placeholders, each value encoded by ``encode``.

    Raises KeyError for a placeholder without a value.
    """
    return _PLACEHOLDER.sub(lambda match: encode(values[match.group(1)]), text)
