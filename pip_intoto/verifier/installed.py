"""What is installed in an environment: from which file, decided how, and what it wrote.

Nothing of the environment runs for this; its interpreter is only asked where it keeps packages.
The folders that installers leave behind (``.dist-info``, ``.egg-info``) are read here, as what they
are: text that anybody who can write there may have written.
"""

from __future__ import annotations

import base64
import csv
import io
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.artifacts.hashing import NotAFile, open_file
from pip_intoto.distribution import SHA256, Distribution, Kind, Place
from pip_intoto.errors import EvidenceError
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import strict_json
from pip_intoto.sources.addresses import is_web, printable, redacted, split
from pip_intoto.verifier.naming import kind_of, normalized, parse_filename, same_version
from pip_intoto_gate.records import FILENAME, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pip_intoto.environments import Environment
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.strict_json import JsonValue

#: The kinds of which there is a file.
_FILES = {Kind.WHEEL, Kind.SDIST}
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.!+_-]*[A-Za-z0-9])?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
#: Digests that say something.
_ALGORITHMS = {"sha256": 32, "sha384": 48, "sha512": 64}
#: Characters of a name or word that an environment has to offer.
_WORD = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the gate noted at an install. ``kind``, ``filename`` and so on are of the file that was
    decided about; ``built_sha256`` is that of the wheel that pip built of it, if it did.

    ``at`` is as in "2026-07-01T12:00:00Z".
    """

    kind: Kind
    filename: str
    sha256: str | None
    url: str | None
    index: str | None
    requested: bool
    built_sha256: str
    status: str
    reason: str
    policy_sha256: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One project as it is installed.

    ``name`` is the PEP 503 name. ``filename`` and ``sha256`` are those of the file that it was
    installed from, empty where that is not known. ``place`` is the list of its files, RECORD of its
    ``.dist-info``, or else that folder. ``root`` is where that folder lies, and where paths in
    RECORD begin. ``distribution`` is what can be judged, and None where no file is known.
    ``problem`` says why its metadata cannot be believed; nearly always it is empty. ``notes`` are
    for people.
    """

    name: str
    version: str
    filename: str
    sha256: str
    place: Place
    root: Path
    folder: Path
    installer: str
    record: Record | None
    distribution: Distribution | None
    problem: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One file that was installed. ``path`` is relative to where the ``.dist-info`` lies.

    ``algorithm`` and ``digest`` (hex) are empty, and ``size`` is None, where nothing is known.
    """

    path: str
    algorithm: str = ""
    digest: str = ""
    size: int | None = None


def installed_in(environment: Environment, *, limits: Limits = DEFAULT) -> Iterator[Installed]:
    """Give every project that is installed in an environment, by place and name."""
    for root in places_of(environment):
        try:
            entries = sorted(path.name for path in root.iterdir())
        except OSError:
            continue
        for entry in entries:
            # What begins with ~ is left of an interrupted uninstall; no installer counts it.
            if entry.endswith((".dist-info", ".egg-info")) and not entry.startswith("~"):
                yield _installed(root, entry, limits)


def places_of(environment: Environment) -> tuple[Path, ...]:
    """Where projects are installed in an environment, each place once."""
    places = environment.places or (environment.site_packages,)
    return tuple({os.path.realpath(place): place for place in reversed(places)}.values())[::-1]


def rows_of(installed: Installed, *, limits: Limits = DEFAULT) -> tuple[list[Row], str]:
    """Give the files that were installed, and who says so.

    That is "record" for what the gate noted, "RECORD" for what the installer left behind, and ""
    where nobody left a list.
    """
    if installed.record is not None:
        value = _json(installed.folder / FILENAME, limits.install_record_bytes, limits)
        files = value.get("files") if isinstance(value, dict) else None
        if isinstance(files, list):
            return [_row(file) for file in files if isinstance(file, list)], "record"
    text = _text(installed.folder / "RECORD", limits.archive_record_bytes)
    if text is not None:
        try:
            rows = list(csv.reader(io.StringIO(text, newline="")))
        except csv.Error:
            return [], ""
        return [_row([*row]) for row in rows if row and row[0]], "RECORD"
    # What pip wrote before wheels; its paths begin at the folder itself.
    text = _text(installed.folder / "installed-files.txt", limits.archive_record_bytes)
    if text is None:
        return [], ""
    within = installed.folder.name
    return [Row(os.path.normpath(f"{within}/{line}")) for line in text.splitlines() if line], ""


# --- one folder -----------------------------------------------------------------------------


def _installed(root: Path, entry: str, limits: Limits) -> Installed:
    folder = root / entry
    listing = folder / "RECORD"
    installer = (_beginning(folder / "INSTALLER", limits) or "").strip()[:_WORD]
    name, version, problem = _name_and_version(folder, limits)
    record, notes = None, list[str]()
    if not problem:
        record, note = _record(folder, name, version, installer, limits)
        notes += [note] if note else []
    distribution = None
    if record is not None:
        distribution = _recorded(name, version, record)
        notes.insert(0, _how(record))
    elif not problem:
        distribution = _direct(folder, name, version, limits)
        notes.append(_by_whom(installer, entry))
    return Installed(
        name=name,
        version=version,
        filename=distribution.filename if distribution else "",
        sha256=(distribution.sha256 if distribution else None) or "",
        place=Place(listing if os.path.lexists(listing) else folder),
        root=root,
        folder=folder,
        installer=printable(installer, _WORD),
        record=record,
        distribution=distribution,
        problem=problem,
        notes=tuple(notes),
    )


def _name_and_version(folder: Path, limits: Limits) -> tuple[str, str, str]:
    """Give name and version, and what is wrong with them."""
    stem = folder.name.rpartition(".")[0]
    said = stem.partition("-")
    guess = (printable(normalized(said[0]), _WORD), printable(said[2].partition("-")[0], _WORD))
    for name in ("METADATA", "PKG-INFO", ""):
        text = _beginning(folder / name if name else folder, limits)
        if text is not None:
            break
    else:
        return (*guess, "it has no METADATA that could be read")
    headers: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        if colon:
            headers.setdefault(key.lower(), []).append(value.strip())
    names, versions = headers.get("name", []), headers.get("version", [])
    if len(names) != 1 or not _NAME.fullmatch(names[0][:_WORD]):
        return (*guess, "its METADATA does not say what it is called")
    if len(versions) != 1 or not _VERSION.fullmatch(versions[0][:_WORD]):
        return (*guess, "its METADATA does not say which version it is")
    return normalized(names[0]), versions[0], ""


# --- the record -----------------------------------------------------------------------------


def _record(
    folder: Path, name: str, version: str, installer: str, limits: Limits
) -> tuple[Record | None, str]:
    """Read a record, and hold it against what is installed; else say why it does not count."""
    path = folder / FILENAME
    if not os.path.lexists(path):
        return None, ""
    value = _json(path, limits.install_record_bytes, limits)
    if not isinstance(value, dict) or not isinstance(value.get("schema"), int):
        return None, "the record of its install cannot be read, and does not count"
    if value["schema"] != SCHEMA:
        return None, "the record of its install is of another version of pip-intoto: not read"
    if installer != "pip":
        # The gate runs in pip only: whoever wrote that, it was not the gate.
        return None, f"a record lies there that {printable(installer, _WORD) or 'nobody'} left"
    said = (_word(value, "name"), _word(value, "version"))
    if said[0] != name or not same_version(said[1], version):
        about = printable(" ".join(said), _WORD)
        return None, f"the record that lies there is about {about}, and does not count"
    return _parsed(value)


def _parsed(value: dict[str, JsonValue]) -> tuple[Record | None, str]:
    verdict, policy, built = (value.get(part) for part in ("verdict", "policy", "built"))
    sha256, built_sha256 = _word(value, "sha256"), _word(built, "sha256")
    try:
        kind = Kind(_word(value, "kind"))
    except ValueError:
        return None, "the record of its install cannot be read, and does not count"
    digests = [found for found in (sha256, built_sha256) if found]
    if not all(map(SHA256.fullmatch, digests)) or (kind in _FILES and not sha256):
        return None, "the record of its install has no digest, and does not count"
    at = _word(value, "time")
    record = Record(
        kind=kind,
        filename=_word(value, "filename"),
        sha256=sha256 or None,
        url=_address(_word(value, "url")),
        index=_address(_word(value, "index")),
        requested=value.get("requested") is True,
        built_sha256=built_sha256,
        status=_word(verdict, "status"),
        reason=_word(verdict, "reason"),
        policy_sha256=_word(policy, "sha256"),
        at=at if _TIME.fullmatch(at) else "",
    )
    return record, ""


def _how(record: Record) -> str:
    """Say how it was decided when it was installed."""
    on = f" on {record.at[:10]}" if record.at else ""
    if record.status == "verified":
        return f"verified when it was installed{on}"
    if record.status == "exempt":
        return f"exempt when it was installed{on}"
    why = printable(record.reason or record.status or "unknown", _WORD)
    return f"installed without verification{on} ({why})"


def _recorded(name: str, version: str, record: Record) -> Distribution:
    return Distribution(
        name=name,
        version=version,
        filename=record.filename,
        kind=record.kind,
        sha256=record.sha256,
        url=record.url,
        index=record.index,
        requested=record.requested,
    )


# --- without one ----------------------------------------------------------------------------


def _direct(folder: Path, name: str, version: str, limits: Limits) -> Distribution | None:
    """What direct_url.json says, where the project was installed from an address."""
    value = _json(folder / "direct_url.json", limits.install_text_bytes, limits)
    if not isinstance(value, dict):
        return None
    url = _word(value, "url")
    requested = os.path.lexists(folder / "REQUESTED")
    kind, filename, sha256 = Kind.DIRECTORY, "", None
    if isinstance(value.get("vcs_info"), dict):
        kind = Kind.VCS
    elif isinstance(archive := value.get("archive_info"), dict):
        # Imported here for start-up time: most projects come from an index.
        from urllib.parse import unquote

        filename = unquote(split(url).path.rpartition("/")[2])
        found = kind_of(filename)
        sha256 = _word(archive.get("hashes"), "sha256")
        sha256 = sha256 or _word(archive, "hash").removeprefix("sha256=")
        if found is None or not SHA256.fullmatch(sha256) or not parse_filename(filename, found):
            return None
        kind = found
    return Distribution(
        name=name,
        version=version,
        filename=filename,
        kind=kind,
        sha256=sha256,
        url=_address(url),
        requested=requested,
    )


def _by_whom(installer: str, entry: str) -> str:
    if entry.endswith(".egg-info"):
        return "installed in the way that was before wheels, which no hook reaches"
    if installer == "pip":
        return "installed by pip where no gate was, and no record was left"
    if installer:
        return f"installed by {printable(installer, _WORD)}, which no hook reaches"
    return "nobody says who installed it"


# --- reading --------------------------------------------------------------------------------


def _row(row: list[JsonValue]) -> Row:
    words = [word if isinstance(word, str) else "" for word in (*row, "", "", "")[:3]]
    algorithm, _, value = words[1].partition("=")
    length = _ALGORITHMS.get(algorithm)
    digest = b""
    if length is not None and len(value) < _WORD:
        try:
            digest = base64.b64decode(value + "=" * (-len(value) % 4), b"-_", validate=True)
        except ValueError:
            digest = b""
    if not digest or len(digest) != length:
        return Row(words[0])
    is_number = words[2].isascii() and words[2].isdigit() and len(words[2]) < len(str(2**63))
    return Row(words[0], algorithm, digest.hex(), int(words[2]) if is_number else None)


def _read(path: Path, at_most: int) -> bytes | None:
    """The first ``at_most`` bytes of a file; None where there is none, or no file."""
    try:
        descriptor, _ = open_file(str(path))
    except (OSError, NotAFile, ValueError):
        return None
    try:
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(at_most)
    except OSError:
        return None


def _beginning(path: Path, limits: Limits) -> str | None:
    data = _read(path, limits.install_text_bytes)
    return None if data is None else data.decode("utf-8", "replace")


def _text(path: Path, at_most: int) -> str | None:
    data = _read(path, at_most + 1)
    if data is None or len(data) > at_most:
        return None
    return data.decode("utf-8", "surrogateescape")


def _json(path: Path, at_most: int, limits: Limits) -> JsonValue:
    data = _read(path, at_most + 1)
    if data is None:
        return None
    try:
        return strict_json.parse(data, limits=limits, max_bytes=at_most)
    except EvidenceError:
        return None


def _word(value: JsonValue, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) and len(found) <= DEFAULT.text else ""


def _address(url: str) -> str | None:
    """An address that may be asked, without what may be secret in it."""
    if not (is_web(url) or split(url).scheme == "file"):
        return None
    return redacted(url.partition("?")[0])
