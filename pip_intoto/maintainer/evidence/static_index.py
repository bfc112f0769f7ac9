"""A package index of plain files (PEP 503, 691, 700, 714): its entries, its pages, and their order.

Every page depends on nothing but the entries: the same files give the same bytes.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from packaging.metadata import parse_email
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from pip_intoto import files
from pip_intoto.artifacts.archives import walk_tar, walk_zip
from pip_intoto.errors import CommandError, EvidenceError
from pip_intoto.limits import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pip_intoto.artifacts.archives import Archive
    from pip_intoto.limits import Limits

#: Where pages and files are, below the index's own directory.
PAGES = "simple"
FILES = "files"
#: The metadata of a wheel: the wheel's name with this at its end (PEP 658).
METADATA_SUFFIX = ".metadata"

_API = "1.1"
_IN_WHEEL = re.compile(r"[^/]+\.dist-info/METADATA")
_IN_SDIST = re.compile(r"[^/]+/PKG-INFO")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file as the index lists it. ``project`` is its PEP 503 name, ``sha256`` lower-case hex.

    ``metadata_sha256`` is empty for sdists, whose metadata the index does not serve.
    """

    project: str
    version: str
    filename: str
    sha256: str
    size: int
    requires_python: str = ""
    metadata_sha256: str = ""

    @property
    def url(self) -> str:
        """Where the file is, seen from the project's page."""
        return f"../../{FILES}/{quote(self.filename)}"


def identify(filename: str) -> tuple[str, str] | None:
    """Give project and version of a wheel or sdist by its name; None when it has no such name."""
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidSdistFilename, InvalidWheelFilename):
        return None
    return canonicalize_name(name), str(version)


def core_metadata(path: Path, *, limits: Limits = LOCAL) -> bytes:
    """Give the METADATA of a wheel, or the PKG-INFO of an sdist, empty when it has none.

    Raises CommandError for a wheel that cannot be read, or has no METADATA.
    """
    is_wheel = path.name.endswith(".whl")
    wanted = _IN_WHEEL if is_wheel else _IN_SDIST
    try:
        with files.reading(path), path.open("rb") as stream:
            walk = walk_tar if path.name.endswith(".tar.gz") else walk_zip
            found = _member(walk(stream, limits=limits), wanted, limits)
    except EvidenceError as error:
        if not is_wheel:
            return b""
        raise CommandError(
            f"{path} cannot be listed: {error}", expected="a wheel that pip can install"
        ) from None
    if is_wheel and not found:
        raise CommandError(
            f"{path} cannot be listed: it has no METADATA",
            expected=f"METADATA of at most {limits.archive_record_bytes} bytes",
        )
    return found


def _member(archive: Archive, wanted: re.Pattern[str], limits: Limits) -> bytes:
    for member in archive.members:
        if wanted.fullmatch(member.name) and not member.directory:
            if member.size > limits.archive_record_bytes:
                break
            return b"".join(member.content)
    return b""


def requires_python(metadata: bytes) -> str:
    """Give what the metadata says of Python's version; empty when it says nothing."""
    raw, _ = parse_email(metadata)
    return raw.get("requires_python", "")


# --- pages ----------------------------------------------------------------------------------


def pages(entries: Iterable[Entry]) -> dict[str, bytes]:
    """Write every page of the index, by its path below the index's directory.

    The list of all projects comes last: whatever it names is there when they are written in order.
    """
    projects: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=_order):
        projects.setdefault(entry.project, []).append(entry)
    found: dict[str, bytes] = {}
    for project, listed in projects.items():
        found[f"{PAGES}/{project}/index.json"] = _json(_project(project, listed))
        found[f"{PAGES}/{project}/index.html"] = _html(
            f"Links for {project}", (_anchor(entry) for entry in listed)
        )
    names = [{"name": project} for project in projects]
    found[f"{PAGES}/index.json"] = _json({"meta": {"api-version": _API}, "projects": names})
    links = (f'<a href="{project}/">{html.escape(project)}</a>' for project in projects)
    found[f"{PAGES}/index.html"] = _html("Simple index", links)
    return found


def _order(entry: Entry) -> tuple[str, Version, str]:
    return entry.project, Version(entry.version), entry.filename


def _project(project: str, entries: list[Entry]) -> dict[str, object]:
    return {
        "meta": {"api-version": _API},
        "name": project,
        "versions": list(dict.fromkeys(entry.version for entry in entries)),
        "files": [_file(entry) for entry in entries],
    }


def _file(entry: Entry) -> dict[str, object]:
    described: dict[str, object] = {
        "filename": entry.filename,
        "url": entry.url,
        "hashes": {"sha256": entry.sha256},
        "size": entry.size,
    }
    if entry.requires_python:
        described["requires-python"] = entry.requires_python
    if entry.metadata_sha256:
        # PEP 714: under this name only, since older pips stumble over the first one.
        described["core-metadata"] = {"sha256": entry.metadata_sha256}
    return {**described, "yanked": False}


def _anchor(entry: Entry) -> str:
    attributes = {"href": f"{entry.url}#sha256={entry.sha256}"}
    if entry.requires_python:
        attributes["data-requires-python"] = entry.requires_python
    if entry.metadata_sha256:
        attributes["data-core-metadata"] = f"sha256={entry.metadata_sha256}"
    written = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{html.escape(entry.filename)}</a>"


def _html(title: str, links: Iterator[str]) -> bytes:
    body = "".join(f"    {link}<br>\n" for link in links)
    return f"""\
<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="pypi:repository-version" content="{_API}">
    <title>{html.escape(title)}</title>
  </head>
  <body>
{body}  </body>
</html>
""".encode()


def _json(content: dict[str, object]) -> bytes:
    return json.dumps(content, indent=1).encode("ascii") + b"\n"
