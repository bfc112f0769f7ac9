"""Reading wheels, zips and tars so strictly that no two tools can disagree on their content.

An archive that passes has one reading: each name once, on every file system; each byte of the
file accounted for; each header telling the same story as its twin. Whatever leaves room for a
second reading is :class:`ArchiveAmbiguous`. Members are hashed as bounded streams; nothing is
written to the disk.
"""

from __future__ import annotations

import hashlib
import re
import stat
import struct
import unicodedata
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

from pip_intoto.artifacts.hashing import CHUNK
from pip_intoto.errors import ArchiveAmbiguous, MetadataTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pip_intoto.limits import Limits


def read_zip(stream: BinaryIO, *, limits: Limits) -> dict[str, str]:
    """Return ``{member: sha256}`` for the files in a zip; directories are left out.

    ``stream`` is seekable. Raises :class:`ArchiveAmbiguous` and :class:`MetadataTooLarge`.
    """
    archive = _Zip(stream, limits)
    return {
        entry.name: archive.digests(entry, ("sha256",))["sha256"]
        for entry in archive.entries
        if not entry.directory
    }


def read_wheel(stream: BinaryIO, *, limits: Limits) -> dict[str, str]:
    """Return ``{member: sha256}`` for the files in a wheel, each as its RECORD says.

    Raises as :func:`read_zip` does, also for members that RECORD lacks or contradicts, and for what
    RECORD lists and the wheel lacks.
    """
    archive = _Zip(stream, limits)
    files = {entry.name: entry for entry in archive.entries if not entry.directory}
    records = [
        name for name in files if name.count("/") == 1 and name.endswith(".dist-info/RECORD")
    ]
    if len(records) != 1:
        raise ArchiveAmbiguous(
            "A wheel has exactly one RECORD", found=", ".join(records) or "no RECORD"
        )
    record = records[0]
    if files[record].size > limits.archive_record_bytes:
        raise MetadataTooLarge(
            "The wheel's RECORD is too large",
            expected=f"at most {limits.archive_record_bytes} bytes",
            found=f"{files[record].size} bytes",
        )
    content = b"".join(archive.content(files[record]))
    recorded, listed = _parse_record(content)
    # These cannot list themselves.
    unlisted = {record, f"{record}.jws", f"{record}.p7s"}
    strange = listed - files.keys() - unlisted
    if strange:
        # pip takes its rows over, and removes what they name together with the project: the files
        # of others, and folders as a whole.
        raise ArchiveAmbiguous(
            f"RECORD lists {min(strange)!r}, which the wheel does not hold",
            expected="the wheel's own files",
            place=record,
        )
    digests: dict[str, str] = {}
    for name, entry in files.items():
        if name in unlisted:
            digests[name] = archive.digests(entry, ("sha256",))["sha256"]
            continue
        expected = recorded.get(name)
        if expected is None:
            raise ArchiveAmbiguous(
                f"The wheel holds {name!r}, which its RECORD does not list with a digest",
                place=record,
            )
        algorithm, value = expected
        found = archive.digests(entry, ("sha256", algorithm))
        if found[algorithm] != value:
            raise ArchiveAmbiguous(
                f"The wheel holds {name!r} with other content than its RECORD says",
                expected=f"{algorithm} {value}",
                found=f"{algorithm} {found[algorithm]}",
                place=record,
            )
        digests[name] = found["sha256"]
    return digests


def read_tar(stream: BinaryIO, *, limits: Limits) -> dict[str, str]:
    """Return ``{member: sha256}`` for the files in a tar, plain or gzip, bzip2, xz compressed.

    A leading ``./`` is dropped from names. Raises as :func:`read_zip` does.
    """
    return _Tar(stream, limits).read()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file or folder in an archive, as :func:`walk_zip` and :func:`walk_tar` come to it.

    ``headers`` is all that the archive says of it besides name and content, in words, by aspect
    (``"times"``, ``"modes"`` …). ``content`` can be read until the next member is asked for.
    """

    name: str
    directory: bool
    size: int
    headers: Mapping[str, str]
    content: Iterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive's members in their order, and what it says of itself, by aspect."""

    headers: Mapping[str, str]
    members: Iterator[Member]


def walk_zip(stream: BinaryIO, *, limits: Limits) -> Archive:
    """Read a zip member by member. Raises as :func:`read_zip` does, also on the way."""
    archive = _Zip(stream, limits)

    def members() -> Iterator[Member]:
        for entry in archive.entries:
            content = archive.content(entry)
            yield Member(
                name=entry.name.rstrip("/"),
                directory=entry.directory,
                size=entry.size,
                headers=archive.headers(entry),
                content=content,
            )
            # What was not read is checked all the same.
            for _ in content:
                pass

    return Archive(headers={"comments": _told(archive.comment)}, members=members())


def walk_tar(stream: BinaryIO, *, limits: Limits) -> Archive:
    """Read a tar, plain or compressed, member by member. Raises as :func:`read_tar` does."""
    stream.seek(0)
    headers = _compression(stream.read(_GZIP_SHOWN))
    archive = _Tar(stream, limits)

    def members() -> Iterator[Member]:
        for name, size, directory, block, extensions in archive.walk():
            content = archive.content(size)
            yield Member(
                name=name,
                directory=directory,
                size=size,
                headers=_tar_headers(block, extensions),
                content=content,
            )
            for _ in content:
                pass

    return Archive(headers=headers, members=members())


def _told(data: bytes) -> str:
    """Bytes of any kind as words that differ when they do, and never become long."""
    if not data:
        return "none"
    text = data.decode("ascii", "backslashreplace")
    if len(text) <= _TOLD and text.isprintable():
        return text
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}…"


#: Characters of a field that are told as they are.
_TOLD = 80


# --- names ----------------------------------------------------------------------------------


def _check_name(name: str, kind: str) -> None:
    problem = ""
    if not name:
        problem = "an empty name"
    elif "\0" in name:
        problem = "a name with NUL"
    elif name.startswith("/"):
        problem = "an absolute name"
    elif "\\" in name or ":" in name:
        # There, these divide folders, and a file from a stream of it: `a.py::$DATA` is `a.py`.
        problem = "a name that is another one on Windows"
    else:
        segments = name.split("/")
        if ".." in segments:
            problem = "a name with `..`"
        elif "" in segments or "." in segments:
            problem = "a name that is not normal"
    if problem:
        raise ArchiveAmbiguous(f"The {kind} has {problem}", found=repr(name))


def _folded(name: str) -> str:
    """Return what ``name`` becomes on the most forgiving file system."""
    if name.isascii():
        folded = name.lower()
    else:
        folded = unicodedata.normalize("NFC", name).casefold()
        folded = unicodedata.normalize("NFC", folded)
    if "./" in folded or " /" in folded or folded.endswith((".", " ")):
        # Windows drops dots and spaces at the end of a segment.
        folded = "/".join(segment.rstrip(". ") for segment in folded.split("/"))
    return folded


class _Names:
    """The names seen so far: no two may meet, and no file may be another's folder."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def add(self, name: str, *, directory: bool) -> None:
        _check_name(name, self._kind)
        folded = _folded(name)
        # A folder may be named again; a file may not, and is no folder either.
        taken = self._files.get(folded)
        if taken is None and not directory:
            taken = self._folders.get(folded)
        if taken is not None:
            raise ArchiveAmbiguous(
                f"The {self._kind} has two members that are one on some systems",
                found=f"{taken!r} and {name!r}",
            )
        (self._folders if directory else self._files)[folded] = name
        while "/" in folded:
            folded = folded.rpartition("/")[0]
            if folded in self._files:
                raise ArchiveAmbiguous(
                    f"The {self._kind} has a member that is both a file and a folder",
                    found=f"{self._files[folded]!r} and {name!r}",
                )
            if folded in self._folders:
                break
            self._folders[folded] = name


def _parse_record(content: bytes) -> tuple[dict[str, tuple[str, str]], set[str]]:
    """Return ``{name: (algorithm, hex)}`` for the rows with a digest, and the names in all rows."""
    # Here, because only wheels that are unpacked need them.
    import base64
    import csv

    recorded: dict[str, tuple[str, str]] = {}
    listed: set[str] = set()
    try:
        lines = content.decode("utf-8").splitlines()
        for row in csv.reader(lines, strict=True):
            listed.update(row[:1])
            if not row[1:] or not row[1]:
                continue
            algorithm, _, value = row[1].partition("=")
            if algorithm not in {"sha256", "sha384", "sha512"}:
                raise ArchiveAmbiguous(
                    "RECORD uses a digest that is not good enough",
                    expected="sha256, sha384, sha512",
                    found=algorithm,
                )
            digest = base64.b64decode(value + "=" * (-len(value) % 4), b"-_", validate=True).hex()
            if recorded.setdefault(row[0], (algorithm, digest)) != (algorithm, digest):
                raise ArchiveAmbiguous(f"RECORD lists {row[0]!r} twice, with two digests")
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise ArchiveAmbiguous("RECORD cannot be read", found=str(error)) from error
    return recorded, listed


# --- zip ------------------------------------------------------------------------------------

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<2H")
_SHORT = 0xFFFF
_LONG = 0xFFFFFFFF
_STORED = 0
_DEFLATED = 8
_FLAG_ENCRYPTED = 0x0001
_FLAG_DESCRIPTOR = 0x0008
_FLAG_UTF8 = 0x0800
#: Who wrote a member, which says how its attributes are meant.
_SYSTEMS = {0: "Windows", 3: "Unix", 10: "Windows", 19: "macOS"}
#: What may differ in nothing: all flags but the two that only say how hard deflate tried.
_FLAGS_THAT_COUNT = 0xFFFF & ~0x0006
_FLAGS_KNOWN = 0x0006 | _FLAG_DESCRIPTOR | _FLAG_UTF8
_EXTRA_ZIP64 = 0x0001
#: Info-ZIP's unicode path and comment: a second name for the same member.
_EXTRA_SECOND_NAME = frozenset({0x7075, 0x6375})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    name: str
    raw_name: bytes
    directory: bool
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    #: where its entry in the directory begins
    described: int


class _Zip:
    """A zip whose structure was checked; content is checked as it is read."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._length = stream.seek(0, 2)
        if _begins_as_tar(self._read(0, min(self._length, _BLOCK))):
            # Some unpackers go by what a server says of the type.
            raise ArchiveAmbiguous("The zip is a tar as well")
        self.comment = b""
        start, end, count = self._find_directory()
        self.entries = tuple(self._read_directory(start, end, count))
        self._data_starts: dict[str, int] = {}
        self._check_tiling(start)
        for entry in self.entries:
            if entry.directory:
                # Raises when there is anything in it.
                list(self.content(entry))

    def _read(self, offset: int, size: int) -> bytes:
        # Compared before anything is read: an offset may be greater than any file's can be.
        if not 0 <= size <= self._length - offset:
            raise ArchiveAmbiguous("The zip ends in the middle of a header")
        self._stream.seek(offset)
        data = self._stream.read(size)
        if len(data) != size:
            raise ArchiveAmbiguous("The zip ends in the middle of a header")
        return data

    def _find_directory(self) -> tuple[int, int, int]:
        """Return where the central directory starts and ends, and how many entries it has."""
        tail_size = min(self._length, _END.size + _SHORT)
        tail = self._read(self._length - tail_size, tail_size)
        # Readers look for the last end record, or for one that fits. These must be one.
        position = tail.rfind(b"PK\5\6")
        if position < 0 or len(tail) - position < _END.size:
            raise ArchiveAmbiguous("This is not a zip: it has no end record")
        fields = _END.unpack_from(tail, position)
        _, disk, directory_disk, count_here, count, size, start, comment = fields
        if position + _END.size + comment != len(tail):
            raise ArchiveAmbiguous("The zip has bytes after its end record, or a second one")
        self.comment = tail[position + _END.size :]
        earlier = tail.find(b"PK\5\6")
        while 0 <= earlier < position:
            # Nested zips have end records too; only one that ends where the file does is a rival.
            comment = int.from_bytes(tail[earlier + _END.size - 2 : earlier + _END.size], "little")
            if earlier + _END.size + comment == len(tail):
                raise ArchiveAmbiguous("The zip has a second end record")
            earlier = tail.find(b"PK\5\6", earlier + 1)
        end_record = self._length - tail_size + position
        end = end_record
        if end_record >= _LOCATOR_64.size + _END_64.size:
            locator = self._read(end_record - _LOCATOR_64.size, _LOCATOR_64.size)
            if locator.startswith(b"PK\6\7"):
                _, disk_64, offset_64, disks = _LOCATOR_64.unpack(locator)
                end = end_record - _LOCATOR_64.size - _END_64.size
                if disk_64 != 0 or disks > 1 or offset_64 != end:
                    raise ArchiveAmbiguous("The zip's 64-bit end record is not where it should be")
                fields_64 = _END_64.unpack(self._read(end, _END_64.size))
                short = (disk, directory_disk, count_here, count, size, start)
                signature, rest, long_form = fields_64[0], fields_64[1], fields_64[4:]
                if signature != b"PK\6\6" or rest != _END_64.size - 12:
                    raise ArchiveAmbiguous("The zip's 64-bit end record is malformed")
                for value, value_64, absent in zip(
                    short, long_form, (_SHORT, _SHORT, _SHORT, _SHORT, _LONG, _LONG), strict=True
                ):
                    if value not in (value_64, absent):
                        raise ArchiveAmbiguous("The zip's two end records differ")
                disk, directory_disk, count_here, count, size, start = long_form
        if disk or directory_disk or count != count_here:
            raise ArchiveAmbiguous("The zip is one part of several")
        if start + size != end:
            raise ArchiveAmbiguous(
                "The zip has bytes before it, or between its directory and its end record"
            )
        if count > self._limits.archive_members:
            raise MetadataTooLarge(
                "The archive has too many members",
                expected=f"at most {self._limits.archive_members}",
                found=str(count),
            )
        return start, end, count

    def _read_directory(self, start: int, end: int, count: int) -> Iterator[_Entry]:
        # A header is at most 46 bytes and three fields of 64 KiB; what the members themselves
        # may be is not yet known, so the directory is held to the same cap as RECORD.
        if end - start > self._limits.archive_record_bytes:
            raise MetadataTooLarge("The zip's directory is too large")
        directory = self._read(start, end - start)
        names = _Names("zip")
        total = 0
        position = 0
        for _ in range(count):
            header = position
            if len(directory) - position < _CENTRAL.size:
                raise ArchiveAmbiguous("The zip's directory is shorter than it says")
            fields = _CENTRAL.unpack_from(directory, position)
            if fields[0] != b"PK\1\2":
                raise ArchiveAmbiguous("The zip's directory holds something else than entries")
            position += _CENTRAL.size
            name_size, extra_size, comment_size = fields[10:13]
            raw_name = directory[position : position + name_size]
            extra = directory[position + name_size : position + name_size + extra_size]
            position += name_size + extra_size + comment_size
            if position > len(directory):
                raise ArchiveAmbiguous("The zip's directory is shorter than it says")
            entry = self._entry(fields, raw_name, extra, start + header)
            names.add(entry.name[:-1] if entry.directory else entry.name, directory=entry.directory)
            total += entry.size
            yield entry
        if position != len(directory):
            raise ArchiveAmbiguous("The zip's directory is longer than it says")
        _check_total(total, self._length, self._limits)

    def _entry(
        self, fields: tuple[int, ...], raw_name: bytes, extra: bytes, described: int
    ) -> _Entry:
        flags, method = fields[3], fields[4]
        crc, compressed, size = fields[7:10]
        disk, attributes, offset = fields[13], fields[15], fields[16]
        name = _zip_name(raw_name, flags)
        wide = _zip64_values(extra, name)
        if size == _LONG:
            size = next(wide, size)
        if compressed == _LONG:
            compressed = next(wide, compressed)
        if offset == _LONG:
            offset = next(wide, offset)
        if disk == _SHORT:
            disk = 0
        if disk:
            raise ArchiveAmbiguous("The zip is one part of several", found=repr(name))
        if flags & _FLAG_ENCRYPTED:
            raise ArchiveAmbiguous("The zip has an encrypted member", found=repr(name))
        if flags & ~_FLAGS_KNOWN:
            raise ArchiveAmbiguous(
                "The zip uses a feature that not all tools know",
                found=f"flags {flags:#06x} of {name!r}",
            )
        if method not in (_STORED, _DEFLATED):
            raise ArchiveAmbiguous(
                "The zip uses a compression that not all tools know",
                expected="stored or deflated",
                found=f"method {method} of {name!r}",
            )
        directory = name.endswith("/")
        kind = stat.S_IFMT(attributes >> 16)
        if kind not in (0, stat.S_IFDIR if directory else stat.S_IFREG):
            raise ArchiveAmbiguous(
                "The zip has a member that is neither a file nor a folder", found=repr(name)
            )
        if directory and size:
            raise ArchiveAmbiguous("The zip has a folder with content", found=repr(name))
        return _Entry(
            name=name, raw_name=raw_name, directory=directory, flags=flags, method=method,
            crc=crc, compressed=compressed, size=size, offset=offset, described=described,
        )  # fmt: skip

    def _check_tiling(self, directory_start: int) -> None:
        """Walk the local headers: they repeat the directory, and fill the file up to it."""
        position = 0
        for entry in sorted(self.entries, key=lambda entry: entry.offset):
            if entry.offset != position:
                raise ArchiveAmbiguous(
                    "The zip has bytes that no member accounts for, or members that overlap",
                    found=f"before {entry.name!r}",
                )
            position = self._check_local(entry)
        if position != directory_start:
            raise ArchiveAmbiguous("The zip has bytes between its members and its directory")

    def _check_local(self, entry: _Entry) -> int:
        """Compare a local header with its entry; return where the member ends."""
        fields = _LOCAL.unpack(self._read(entry.offset, _LOCAL.size))
        signature, _, flags, method, _, _, crc, compressed, size, name_size, extra_size = fields
        variable = self._read(entry.offset + _LOCAL.size, name_size + extra_size)
        raw_name, extra = variable[:name_size], variable[name_size:]
        wide = _zip64_values(extra, entry.name)
        if size == _LONG:
            size = next(wide, size)
        if compressed == _LONG:
            compressed = next(wide, compressed)
        same = (
            signature == b"PK\3\4"
            and raw_name == entry.raw_name
            and method == entry.method
            and not (flags ^ entry.flags) & _FLAGS_THAT_COUNT
        )
        values = (crc, compressed, size)
        deferred = bool(flags & _FLAG_DESCRIPTOR) and values == (0, 0, 0)
        if not same or not (deferred or values == (entry.crc, entry.compressed, entry.size)):
            raise ArchiveAmbiguous(
                "The zip has a member whose two headers differ", found=repr(entry.name)
            )
        start = entry.offset + _LOCAL.size + len(variable)
        self._data_starts[entry.name] = start
        end = start + entry.compressed
        if flags & _FLAG_DESCRIPTOR:
            end = self._check_descriptor(entry, end)
        return end

    def _check_descriptor(self, entry: _Entry, position: int) -> int:
        tail = self._read(position, min(24, self._length - position))
        for form in ("<L2L", "<L2Q"):
            body = (
                struct.pack(form, entry.crc, entry.compressed, entry.size)
                if (form == "<L2Q" or max(entry.compressed, entry.size) <= _LONG)
                else b""
            )
            for descriptor in (b"PK\7\x08" + body, body):
                # The next thing must be a header, which tells the forms apart.
                if body and tail.startswith(descriptor):
                    after = self._read(position + len(descriptor), 4)
                    if after in (b"PK\3\4", b"PK\1\2"):
                        return position + len(descriptor)
        raise ArchiveAmbiguous(
            "The zip has a member whose descriptor differs from its entry", found=repr(entry.name)
        )

    def content(self, entry: _Entry) -> Iterator[bytes]:
        """Yield the member's bytes; raises when they are not what the entry says."""
        position = self._data_starts[entry.name]
        left = entry.compressed
        decompressor = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == _DEFLATED else None
        size = 0
        crc = 0
        while left:
            # Others may have read from the stream since the last chunk.
            self._stream.seek(position)
            data = self._stream.read(min(CHUNK, left))
            if not data:
                raise ArchiveAmbiguous("The zip ends in the middle of a member")
            position += len(data)
            left -= len(data)
            for chunk in _inflate(decompressor, data, entry.name):
                size += len(chunk)
                if size > entry.size:
                    raise ArchiveAmbiguous(
                        "The zip has a member that is larger than it says", found=repr(entry.name)
                    )
                crc = zlib.crc32(chunk, crc)
                yield chunk
        finished = decompressor is None or (decompressor.eof and not decompressor.unused_data)
        if not finished or size != entry.size or crc != entry.crc:
            raise ArchiveAmbiguous(
                "The zip has a member that is not what its header says", found=repr(entry.name)
            )

    def headers(self, entry: _Entry) -> dict[str, str]:
        """Tell what both headers of a member say besides its name, size and checksum."""
        central = self._read(entry.described, _CENTRAL.size)
        _, made_by, needed, flags, _, time, date, _, _, _, name_size, extra_size, *rest = (
            _CENTRAL.unpack(central)
        )
        comment_size, _, internal, attributes, _ = rest
        after = self._read(entry.described + _CENTRAL.size + name_size, extra_size + comment_size)
        local = _LOCAL.unpack(self._read(entry.offset, _LOCAL.size))
        local_extra = self._read(entry.offset + _LOCAL.size + local[9], local[10])
        times = _zip_time(date, time)
        if (local[5], local[4]) != (date, time):
            times += f", and {_zip_time(local[5], local[4])} in the second header"
        how = "stored" if entry.method == _STORED else f"deflated to {entry.compressed} bytes"
        return {
            "times": times,
            "modes": f"{attributes >> 16:o}, attributes {attributes & _SHORT:#x}",
            "compression": f"{how}, level bits {flags >> 1 & 3}",
            "systems": f"{_SYSTEMS.get(made_by >> 8, str(made_by >> 8))}, {made_by & 0xFF}",
            "extra fields": f"{_told(after[:extra_size])}; {_told(local_extra)}",
            "comments": _told(after[extra_size:]),
            "forms of the headers": (
                f"version {needed} and {local[1]}, flags {flags & _FLAGS_THAT_COUNT:#06x},"
                f" internal {internal:#x}"
            ),
        }

    def digests(self, entry: _Entry, algorithms: Iterable[str]) -> Mapping[str, str]:
        """Return the member's digests in lower-case hex."""
        states = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}
        for chunk in self.content(entry):
            for state in states.values():
                state.update(chunk)
        return {algorithm: state.hexdigest() for algorithm, state in states.items()}


def _zip_time(date: int, time: int) -> str:
    """Tell a time of MS-DOS, in steps of two seconds since 1980, valid or not."""
    return (
        f"{1980 + (date >> 9)}-{date >> 5 & 15:02}-{date & 31:02}"
        f" {time >> 11:02}:{time >> 5 & 63:02}:{(time & 31) * 2:02}"
    )


def _zip_name(raw_name: bytes, flags: int) -> str:
    if flags & _FLAG_UTF8:
        try:
            return raw_name.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ArchiveAmbiguous(
                "The zip has a name that is not UTF-8", found=repr(raw_name)
            ) from error
    if not raw_name.isascii():
        raise ArchiveAmbiguous(
            "The zip has a name in an encoding that it does not tell", found=repr(raw_name)
        )
    return raw_name.decode("ascii")


def _zip64_values(extra: bytes, name: str) -> Iterator[int]:
    """Return the 64-bit values of an extra field, in order; check the field on the way."""
    position = 0
    values: list[int] = []
    seen = False
    while position < len(extra):
        if len(extra) - position < _EXTRA.size:
            raise ArchiveAmbiguous("The zip has a malformed extra field", found=repr(name))
        kind, size = _EXTRA.unpack_from(extra, position)
        position += _EXTRA.size
        body = extra[position : position + size]
        position += size
        if len(body) != size or kind in _EXTRA_SECOND_NAME or (kind == _EXTRA_ZIP64 and seen):
            raise ArchiveAmbiguous(
                "The zip has an extra field that tools read differently", found=repr(name)
            )
        if kind == _EXTRA_ZIP64:
            seen = True
            values = [value for (value,) in struct.iter_unpack("<Q", body[: size // 8 * 8])]
    return iter(values)


def _ends_as_zip(stream: BinaryIO, length: int) -> bool:
    """Tell whether some tool may find an end record, even one with bytes before or after it."""
    stream.seek(max(0, length - _END.size - _SHORT))
    position = (tail := stream.read()).find(b"PK\5\6")
    return 0 <= position <= len(tail) - _END.size


def _inflate(decompressor: _Decompressor | None, data: bytes, name: str) -> Iterator[bytes]:
    if decompressor is None:
        yield data
        return
    try:
        # What was read may be used up while output still waits: go on until there is none.
        while chunk := decompressor.decompress(data, CHUNK):
            yield chunk
            data = decompressor.unconsumed_tail
            if decompressor.eof:
                break
    except zlib.error as error:
        raise ArchiveAmbiguous(
            "The archive holds data that cannot be unpacked", found=f"{name!r}: {error}"
        ) from error


class _Decompressor(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _check_total(total: int, length: int, limits: Limits) -> None:
    if total > limits.archive_bytes:
        raise MetadataTooLarge(
            "The archive unpacks to too much",
            expected=f"at most {limits.archive_bytes} bytes",
            found=f"{total} bytes",
        )
    if total > limits.archive_ratio * length:
        raise MetadataTooLarge(
            "The archive unpacks to suspiciously more than it is",
            expected=f"at most {limits.archive_ratio} times its size",
            found=f"{total} bytes from {length}",
        )


# --- tar ------------------------------------------------------------------------------------

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
#: Where mode, owner, group, time and the numbers of devices stand in a header.
_TAR_OTHER_NUMBERS = ((100, 108), (108, 116), (116, 124), (136, 148), (329, 337), (337, 345))
#: What GNU's form of a negative number begins with; there are times before 1970.
_NEGATIVE = 0xFF
#: pax keywords that change nothing about names and content.
_PAX_HARMLESS = frozenset(
    {"atime", "mtime", "ctime", "gid", "uid", "gname", "uname", "comment", "charset"}
    | {"LIBARCHIVE.creationtime", "SCHILY.dev", "SCHILY.ino", "SCHILY.nlink", "SCHILY.fflags"}
)
#: Extended attributes and access rights; `SCHILY.realsize` and the like are another matter.
_PAX_ATTRIBUTES = ("LIBARCHIVE.xattr.", "SCHILY.xattr.", "SCHILY.acl.")
#: How many of them, and how many bytes of each, are kept for those who compare archives.
_PAX_TOLD = 64
_PAX_VALUE = 256


#: Name, size, whether it is a folder, its header, and what pax says of it.
_TarMember: TypeAlias = "tuple[str, int, bool, bytes, list[tuple[str, bytes]]]"


class _Tar:
    """Reads a tar from its first block to its last byte."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._limits = limits
        self._length = stream.seek(0, 2)
        if _ends_as_zip(stream, self._length):
            # Earlier pips unpack the zip in such a file, whatever it is called.
            raise ArchiveAmbiguous("The tar is a zip as well")
        stream.seek(0)
        self._source = _Uncompressed(stream)
        self._total = 0

    def read(self) -> dict[str, str]:
        return {
            name: self._digest(size) for name, size, directory, _, _ in self.walk() if not directory
        }

    def walk(self) -> Iterator[_TarMember]:
        """Yield the members; whoever asks for the next one has read this one's content."""
        names = _Names("tar")
        members = 0
        long_name: str | None = None
        extensions: list[tuple[str, bytes]] = []
        while (block := self._take(_BLOCK)) != _ZEROS:
            members += 1
            if members > self._limits.archive_members:
                raise MetadataTooLarge(
                    "The archive has too many members",
                    expected=f"at most {self._limits.archive_members}",
                )
            name, size, kind = _tar_header(block)
            header_name = name
            if kind in (b"x", b"g", b"L"):
                found = self._extension(kind, size, extensions)
                if found is not None and long_name is not None:
                    raise ArchiveAmbiguous("The tar has a member with two long names")
                long_name = found if found is not None else long_name
                continue
            name = name if long_name is None else long_name
            long_name = None
            directory = kind == b"5"
            if kind not in (b"0", b"\0", b"5"):
                raise ArchiveAmbiguous(
                    "The tar has a member that is neither a file nor a folder",
                    found=f"type {kind!r} of {name!r}",
                )
            # In the oldest form the slash makes the folder, and some tools look for it in the
            # header, even when a long name replaces that one.
            is_named_directory = name.endswith("/") or (kind == b"\0" and header_name.endswith("/"))
            if (directory and size) or (is_named_directory and not directory):
                raise ArchiveAmbiguous(
                    "The tar has a member that is both a file and a folder", found=repr(name)
                )
            name = _tar_name(name)
            if name or not directory:
                names.add(name, directory=directory)
                yield name, size, directory, block, extensions
            extensions = []
        if long_name is not None:
            raise ArchiveAmbiguous("The tar has a long name without a member")
        self._check_end()

    def _take(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) != size:
            raise ArchiveAmbiguous("The tar ends without its end mark")
        return data

    def _account(self, size: int) -> None:
        self._total += size
        _check_total(self._total, self._length, self._limits)

    def content(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the member that :meth:`walk` has just come to."""
        self._account(size)
        left = size
        while left:
            chunk = self._take(min(CHUNK, left))
            left -= len(chunk)
            yield chunk
        self._take(-size % _BLOCK)

    def _digest(self, size: int) -> str:
        state = hashlib.sha256()
        for chunk in self.content(size):
            state.update(chunk)
        return state.hexdigest()

    def _extension(self, kind: bytes, size: int, extensions: list[tuple[str, bytes]]) -> str | None:
        """Read a pax or GNU extension; return the name that it gives to the next member.

        What else it says of the member is added to ``extensions``.
        """
        self._account(size)
        if size > self._limits.document_bytes:
            raise MetadataTooLarge("The tar has an extension header that is too large")
        body = self._take(size)
        if self._take(-size % _BLOCK).strip(b"\0"):
            # Python's tarfile reads on there, up to the end of the block.
            raise ArchiveAmbiguous("The tar has an extension header that goes on behind its end")
        if kind == b"L":
            return _tar_text(body.rstrip(b"\0"))
        name: str | None = None
        for keyword, value in _pax(body):
            if keyword == "path" and kind == b"x" and name is None:
                name = _tar_text(value)
            elif keyword in _PAX_HARMLESS or keyword.startswith(_PAX_ATTRIBUTES):
                if len(extensions) < _PAX_TOLD:
                    extensions.append((keyword, value[:_PAX_VALUE]))
            else:
                # `size`, `linkpath`, `GNU.sparse.*`, a global `path`: not all tools heed them.
                raise ArchiveAmbiguous(
                    "The tar uses a pax keyword that tools read differently", found=repr(keyword)
                )
        return name

    def _check_end(self) -> None:
        if self._take(_BLOCK) != _ZEROS:
            raise ArchiveAmbiguous("The tar has only half an end mark")
        while chunk := self._source.read(CHUNK):
            self._account(len(chunk))
            if chunk.count(0) != len(chunk):
                raise ArchiveAmbiguous("The tar has bytes after its end mark")


def _tar_header(block: bytes) -> tuple[str, int, bytes]:
    """Return name, size and type. Raises when the checksum or a number is wrong."""
    checksum = _tar_number(block[148:156])
    if checksum != sum(block[:148]) + sum(block[156:]) + 8 * 0x20:
        raise ArchiveAmbiguous("The tar has a header with a wrong checksum")
    for start, end in _TAR_OTHER_NUMBERS:
        # Python's tarfile stops at a malformed one, as if the tar ended there; others go on.
        number = block[start:end].partition(b"\0")[0].strip(b" ")
        if number and number[0] != _NEGATIVE:
            _tar_number(number)
    name = _tar_text(block[:100].partition(b"\0")[0])
    if block[345] != 0:
        if block[257:263] != b"ustar\0":
            # Older formats keep something else here; many tools take it for a prefix all the same.
            raise ArchiveAmbiguous("The tar has a name that tools read differently", found=name)
        name = _tar_text(block[345:500].partition(b"\0")[0]) + "/" + name
    return name, _tar_number(block[124:136]), block[156:157]


def _tar_headers(block: bytes, extensions: list[tuple[str, bytes]]) -> dict[str, str]:
    """Tell what a header says besides name, size and checksum; numbers as they are spelled."""
    said = {
        name: _told(block[start:end].rstrip(b" \0"))
        for name, start, end in (
            ("mode", 100, 108), ("uid", 108, 116), ("gid", 116, 124), ("time", 136, 148),
            ("user", 265, 297), ("group", 297, 329), ("devices", 329, 345), ("rest", 500, 512),
        )
    }  # fmt: skip
    more = {word: _told(value) for word, value in extensions}
    times = [f"{word} {more.pop(word)}" for word in ("mtime", "atime", "ctime") if word in more]
    owners = [
        f"{word} {more.pop(word)}" for word in ("uid", "gid", "uname", "gname") if word in more
    ]
    return {
        "times": ", ".join([_tar_time(block[136:148]), *times]),
        "modes": said["mode"].lstrip("0") or "0",
        "owners": ", ".join(
            [f"{said['uid']}:{said['gid']} {said['user']}:{said['group']}", *owners]
        ),
        "extra fields": ", ".join(f"{word} {value}" for word, value in more.items()) or "none",
        "forms of the headers": (
            f"{_told(block[257:265])}, type {_told(block[156:157])},"
            f" devices {said['devices']}, rest {said['rest']}"
        ),
    }


def _tar_time(field: bytes) -> str:
    """Tell a time as seconds since 1970 if it is one, else as it is spelled."""
    digits = field.strip(b" \0")
    return str(int(digits, 8)) if re.fullmatch(rb"[0-7]+", digits) else _told(field)


def _begins_as_tar(block: bytes) -> bool:
    """Tell whether some tool may take ``block`` for a header, even one refused here."""
    if len(block) < _BLOCK:
        return False
    field = block[148:156]
    rest = block[:148] + b" " * len(field) + block[156:]
    try:
        if field[:1] == b"\x80":
            checksum = int.from_bytes(field[1:], "big")
        else:
            checksum = int(field.partition(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        return False
    # Old tars took bytes for signed.
    return checksum in (sum(rest), sum(rest) - 256 * sum(byte >> 7 for byte in rest))


def _tar_number(field: bytes) -> int:
    if field[:1] == b"\x80":
        # GNU's form for what octal digits cannot hold.
        return int.from_bytes(field[1:], "big")
    # NUL ends a number: before the first digit, it would end it for some tools only.
    text = field.lstrip(b" ").rstrip(b" \0")
    if not text or re.fullmatch(rb"[0-7]+", text) is None:
        raise ArchiveAmbiguous("The tar has a malformed number", found=repr(field))
    return int(text, 8)


def _tar_text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArchiveAmbiguous("The tar has a name that is not UTF-8", found=repr(raw)) from error


def _tar_name(name: str) -> str:
    name = name.rstrip("/")
    if name == ".":
        return ""
    return name.removeprefix("./")


def _pax(body: bytes) -> Iterator[tuple[str, bytes]]:
    position = 0
    while position < len(body):
        space = body.find(b" ", position, position + 20)
        digits = body[position:space]
        if space < 0 or not digits.isdigit():
            raise ArchiveAmbiguous("The tar has a malformed pax header")
        end = position + int(digits)
        record = body[space + 1 : end]
        if end <= space or end > len(body) or not record.endswith(b"\n"):
            raise ArchiveAmbiguous("The tar has a malformed pax header")
        keyword, equals, value = record[:-1].partition(b"=")
        if not equals:
            raise ArchiveAmbiguous("The tar has a malformed pax header")
        # Values of vendors may be binary.
        yield keyword.decode("ascii", "backslashreplace"), value
        position = end


_GZIP = struct.Struct("<2sBBLBB")
_GZIP_EXTRA = 0x04
_GZIP_NAMED = 0x08
#: What is looked at of a compressed file's beginning: gzip's header, and a name after it.
_GZIP_SHOWN = _GZIP.size + 256


def _compression(begin: bytes) -> dict[str, str]:
    """Tell how a file is compressed, and what gzip's header says of that, by aspect."""
    if begin.startswith(b"\x1f\x8b") and len(begin) >= _GZIP.size:
        _, _, flags, time, level, system = _GZIP.unpack_from(begin)
        named = flags & (_GZIP_EXTRA | _GZIP_NAMED) == _GZIP_NAMED
        return {
            "times": f"{time}, of gzip",
            "compression": f"gzip, level {level}, system {system}, flags {flags & ~_GZIP_NAMED:#x}",
            "names of what was compressed": (
                _told(begin[_GZIP.size :].partition(b"\0")[0]) if named else "none"
            ),
        }
    for magic, name in ((b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz")):
        if begin.startswith(magic):
            return {"compression": f"{name}, {_told(begin[:12])}"}
    return {"compression": "none"}


class _Uncompressed:
    """A file's bytes, uncompressed when its first bytes say that they are compressed.

    Exactly one compressed stream, and nothing after it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decompress = self._open(stream.read(6))
        stream.seek(0)
        self._buffer = bytearray()
        self._done = False

    @staticmethod
    def _open(magic: bytes) -> _Decompress | None:
        if magic.startswith(b"\x1f\x8b"):
            return _Gzip()
        # Here, because few sdists are compressed so, and these modules may be absent.
        if magic.startswith(b"BZh"):
            import bz2

            return _Other(bz2.BZ2Decompressor())
        if magic.startswith(b"\xfd7zXZ\0"):
            import lzma

            return _Other(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=128 * 1024 * 1024))
        return None

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size and not self._done:
            if self._decompress is None:
                data = self._stream.read(max(CHUNK, size))
                self._done = not data
                self._buffer += data
                continue
            try:
                data = self._decompress.step(self._stream)
            except (OSError, ValueError, EOFError, zlib.error, MemoryError) as error:
                raise ArchiveAmbiguous(
                    "The archive cannot be decompressed", found=str(error)
                ) from error
            except Exception as error:
                # lzma.LZMAError, a direct child of Exception, without importing lzma for it.
                if type(error).__name__ != "LZMAError":
                    raise
                raise ArchiveAmbiguous(
                    "The archive cannot be decompressed", found=str(error)
                ) from error
            self._done = self._decompress.finished
            self._buffer += data
            if self._done and (self._decompress.unused or self._stream.read(1)):
                raise ArchiveAmbiguous("The archive has bytes after its compressed stream")
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


class _Decompress(Protocol):
    @property
    def finished(self) -> bool: ...

    @property
    def unused(self) -> bytes: ...

    def step(self, stream: BinaryIO) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def finished(self) -> bool:
        return self._decompressor.eof

    @property
    def unused(self) -> bytes:
        return self._decompressor.unused_data

    def step(self, stream: BinaryIO) -> bytes:
        data = self._decompressor.unconsumed_tail or stream.read(CHUNK)
        if not data:
            raise EOFError("the compressed stream ends too early")
        return self._decompressor.decompress(data, CHUNK)


class _IncrementalDecompressor(Protocol):
    """What bz2 and lzma share."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Other:
    def __init__(self, decompressor: _IncrementalDecompressor) -> None:
        self._decompressor = decompressor

    @property
    def finished(self) -> bool:
        return self._decompressor.eof

    @property
    def unused(self) -> bytes:
        return self._decompressor.unused_data

    def step(self, stream: BinaryIO) -> bytes:
        data = stream.read(CHUNK) if self._decompressor.needs_input else b""
        if not data and self._decompressor.needs_input:
            raise EOFError("the compressed stream ends too early")
        return self._decompressor.decompress(data, CHUNK)
