"""What a wheel would do once installed: where its members land, and which metadata it has."""

from __future__ import annotations

import codecs
import email
import os
import unicodedata
import zipfile
from typing import TYPE_CHECKING, Any

from pip_intoto_gate import limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

# pip 26.3 blocks imports once it installs; what the standard library loads late is loaded now.
codecs.lookup("cp437")
email.message_from_bytes(b"Name: x\n\n").get_all("Name")

#: The directories that pip's schemes have.
SCHEME_KEYS = ("purelib", "platlib", "headers", "scripts", "data")

#: The fields that a resolver decides by (PEP 658 wants all of METADATA to be identical).
_RESOLVER_FIELDS = ("Name", "Version", "Requires-Dist", "Requires-Python", "Provides-Extra")


class Unreadable(Exception):
    """The wheel is no zip file, or lacks what every wheel has."""


def destinations(path: str, scheme: Any) -> Iterator[tuple[str, str]]:
    """Yield (member, absolute destination) for each file that installing ``path`` writes.

    ``scheme`` is pip's: an object with the directories ``purelib``, ``platlib``, ``scripts``,
    ``headers`` and ``data``.
    """
    with _open(path) as archive:
        names = archive.namelist()
        entry_points = [
            _text(archive, name)
            for name in names
            if name.lower().endswith(".dist-info/entry_points.txt")
        ]
    for name in names:
        # As pip does it: which scheme is told by the name as it stands, where it lands by the
        # name without its detours.
        rest = os.path.normpath(name)
        if name.partition("/")[0].endswith(".data"):
            _, key, rest = (*rest.split(os.sep, 2), "", "")[:3]
            roots = [getattr(scheme, key)] if key in SCHEME_KEYS else []
        else:
            # Mostly one directory under two names.
            roots = list(dict.fromkeys((scheme.purelib, scheme.platlib)))
        for root in roots:
            yield name, os.path.join(root, rest)
    for text in entry_points:
        for script in _script_names(text):
            yield f"the script {script}", os.path.join(scheme.scripts, script)


def metadata_differences(path: str, resolved: Message) -> list[tuple[str, str, str]]:
    """What METADATA in the wheel at ``path`` and the metadata pip resolved with do not share.

    Returns a list of (field, in the wheel, resolved with), empty when they agree.
    """
    with _open(path) as archive:
        names = [
            name
            for name in archive.namelist()
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
        ]
        if len(names) != 1:
            raise Unreadable(f"{len(names)} METADATA files")
        wheel = email.message_from_string(_text(archive, names[0]))
    differences = []
    for field in _RESOLVER_FIELDS:
        ours, theirs = (sorted(_values(message, field)) for message in (wheel, resolved))
        if ours != theirs:
            differences.append((field, "; ".join(ours), "; ".join(theirs)))
    return differences


def comparable(path: str) -> str:
    """``path`` in a form in which two spellings of one place are equal on any file system."""
    return _folded(os.path.realpath(path))


class Landings:
    """:func:`comparable` for many paths at once: each directory is resolved only once."""

    def __init__(self) -> None:
        self._directories: dict[str, str] = {}

    def comparable(self, path: str) -> str:
        """What the function of that name gives."""
        directory, name = os.path.split(path)
        if name in ("", os.curdir, os.pardir) or os.path.islink(path):
            return comparable(path)
        real = self._directories.get(directory)
        if real is None:
            real = self._directories[directory] = os.path.realpath(directory)
        return _folded(os.path.join(real, name))


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", os.path.normcase(path)).casefold()


def _values(message: Message, field: str) -> list[str]:
    return [" ".join(str(value).split()) for value in message.get_all(field) or ()]


def _script_names(text: str) -> Iterator[str]:
    section = ""
    for line in text.splitlines():
        stripped = line.strip()
        # As importlib.metadata has it: a line without the closing bracket is an entry.
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped.strip("[] ")
        elif section in ("console_scripts", "gui_scripts") and "=" in stripped:
            yield stripped.partition("=")[0].strip()


def _open(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise Unreadable(str(error)) from error


def _text(archive: zipfile.ZipFile, name: str) -> str:
    try:
        if archive.getinfo(name).file_size > limits.METADATA_BYTES:
            raise Unreadable(f"{name} is longer than {limits.METADATA_BYTES} bytes")
        return archive.read(name).decode("utf-8", "surrogateescape")
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise Unreadable(f"{name}: {error}") from error
