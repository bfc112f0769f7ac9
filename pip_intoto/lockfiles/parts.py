"""What an entry is made of in several formats: addresses, filenames, digests, names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.distribution import SHA256
from pip_intoto.sources.addresses import split
from pip_intoto.sources.beside import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What pip takes for an archive of sources.
_SDIST = re.compile(
    r"(?P<stem>.+)\.(?:tar\.gz|tgz|tar|zip|tar\.bz2|tbz|tar\.xz|txz|tlz|tar\.lz|tar\.lzma)",
    # pip does not look at the case either.
    re.IGNORECASE,
)
#: What evaluating a marker raises that has no meaning where it stands: a comparison that is none, a
#: variable that is not there, more brackets than anybody needs.
MEANINGLESS = (ValueError, KeyError, RecursionError)


def filename_of(url: str) -> str:
    """The last segment of a URL's path, decoded; empty where it has none."""
    # Imported here for start-up time, like the other parsers of this package.
    from urllib.parse import unquote

    return unquote(split(url).path.rpartition("/")[2])


def is_filename(text: str) -> bool:
    """Whether a file can have this name, and no path hides in it."""
    return bool(text) and text.isprintable() and not {"/", "\\"} & set(text)


def path_of(url: str) -> Path | None:
    """The file on this machine that a ``file:`` URL names; None for any other URL."""
    return local_path(url.partition("#")[0])


def absolute(folder: Path, path: str) -> Path:
    """A path that a file in ``folder`` names, without ``..`` in it; nothing is looked at."""
    return Path(os.path.abspath(folder / path))  # noqa: PTH100 - resolve() would follow links


def named_in(filename: str) -> tuple[str, str] | None:
    """Name (as PEP 503 has it) and version in a filename; None when it is no distribution's.

    The version is normalized where it is one.
    """
    # Imported here for start-up time: installations do not come this way.
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    if filename.endswith(".whl"):
        try:
            name, version, _, _ = parse_wheel_filename(filename)
            return name, str(version)
        except (InvalidWheelFilename, ValueError):
            return None
    archive = _SDIST.fullmatch(filename)
    if archive is None:
        return None
    stem, _, number = archive["stem"].rpartition("-")
    try:
        return (canonicalize_name(stem, validate=True), str(Version(number))) if stem else None
    except (InvalidVersion, ValueError):
        return None


def is_archive(filename: str) -> bool:
    """Whether a filename is one of a wheel or an archive of sources."""
    return filename.lower().endswith(".whl") or _SDIST.fullmatch(filename) is not None


def as_sha256(text: str) -> str:
    """A sha256 in lower-case hex; empty when it is none."""
    lower = text.lower()
    return lower if SHA256.fullmatch(lower) else ""


def without_sha256(what: str, algorithms: Iterable[str]) -> str:
    """The note on a file of which a lock has other digests only."""
    named = ", ".join(sorted(algorithms))
    return f"the lock has no sha256 of {what}, only {named}"
