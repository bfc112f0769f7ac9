"""Reading archives strictly: what has one reading passes, what has two does not."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import tarfile
import zipfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.artifacts.archives import read_tar, read_wheel, read_zip
from pip_intoto.errors import ArchiveAmbiguous, MetadataTooLarge
from pip_intoto.limits import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.limits import Limits


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def read(data: bytes, limits: Limits = DEFAULT) -> dict[str, str]:
    return read_zip(io.BytesIO(data), limits=limits)


FILES = {"demo/__init__.py": b"print('demo')\n" * 50, "demo/data.bin": bytes(range(256)) * 20}
HASHES = {name: sha256(content) for name, content in FILES.items()}


# --- zips that pass -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_members_are_hashed(method: int) -> None:
    assert read(zipped(FILES, method)) == HASHES


def test_zip_folders_are_left_out() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.mkdir("demo") if hasattr(archive, "mkdir") else archive.writestr("demo/", b"")
        archive.writestr("demo/x", b"x")
    assert read(stream.getvalue()) == {"demo/x": sha256(b"x")}


def test_zip_written_as_a_stream_has_descriptors() -> None:
    class Pipe(io.RawIOBase):
        """A stream that cannot go back, so that sizes follow the data."""

        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(bytes(data))  # type: ignore[call-overload]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    data = bytes(pipe.data)
    assert b"PK\x07\x08" in data
    assert read(data) == HASHES
    # A descriptor that tells another size is no descriptor.
    position = data.index(b"PK\x07\x08") + 4
    with pytest.raises(ArchiveAmbiguous):
        read(data[:position] + b"\0\0\0\0" + data[position + 4 :])


def test_zip_with_64_bit_fields() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    assert read(stream.getvalue()) == HASHES


def test_zip_with_a_comment_and_a_zip_inside() -> None:
    inner = zipped({"x": b"x"})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("inner.zip", inner)
        archive.comment = b"hello"
    assert read(stream.getvalue()) == {"inner.zip": sha256(inner)}


def test_zip_names_in_utf8() -> None:
    assert read(zipped({"caf\u00e9": b"x"})) == {"caf\u00e9": sha256(b"x")}


def test_zip_large_members_are_streamed() -> None:
    content = b"0123456789" * 200_000
    assert read(zipped({"big": content})) == {"big": sha256(content)}


# --- zips that do not -----------------------------------------------------------------------------


def names(*members: str) -> bytes:
    """A zip with these names, written one after the other without a question."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for index, name in enumerate(members):
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.NameToInfo.clear()
            archive.writestr(info, str(index))
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "members",
    [
        ("a", "a"),
        ("a", "A"),
        ("stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("a/b", "a\\b"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("A", "a/b"),
        ("a", "a."),
        ("a ", "a"),
        ("d./x", "d/x"),
    ],
)
def test_zip_two_names_that_are_one(members: tuple[str, ...]) -> None:
    with pytest.raises(ArchiveAmbiguous):
        read(names(*members))


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "\\x", "../x", "a/../b", "a\\..\\b", "C:/x", "c:x", "./a", "a//b", "a/./b",
     "..", "a/.."],
)  # fmt: skip
def test_zip_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(ArchiveAmbiguous):
        read(names(name))


@pytest.mark.parametrize("name", ["demo\\evil.py", "demo/a.py::$DATA", "demo/a.py:hidden"])
def test_names_that_are_another_files_on_windows(name: str) -> None:
    with pytest.raises(ArchiveAmbiguous, match="Windows"):
        read(names(name))
    with pytest.raises(ArchiveAmbiguous, match="Windows"):
        read_as_tar(tarred({name: b"x"}))


def test_zip_a_name_with_nul() -> None:
    with pytest.raises(ArchiveAmbiguous):
        read(zipped({"aXb": b"x"}).replace(b"aXb", b"a\0b"))


def test_zip_a_name_in_an_unknown_encoding() -> None:
    with pytest.raises(ArchiveAmbiguous):
        read(zipped({"aXb": b"x"}).replace(b"aXb", b"a\xe9b"))


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o060644, 0o020644, 0o040755])
def test_zip_links_and_devices(mode: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = mode << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ArchiveAmbiguous):
        read(stream.getvalue())


def test_zip_bytes_before_and_after() -> None:
    data = zipped(FILES)
    for changed in (b"#!/bin/sh\n" + data, data + b"\n", data + data):
        with pytest.raises(ArchiveAmbiguous):
            read(changed)


def test_zip_a_second_end_record_in_the_comment() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", "a")
        archive.comment = zipped({"evil": b"x"})[-22:] + b"tail"
    with pytest.raises(ArchiveAmbiguous):
        read(stream.getvalue())


def test_zip_a_second_end_record_in_a_members_comment() -> None:
    def zip_with(comment: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            info = zipfile.ZipInfo("a")
            info.comment = comment
            archive.writestr(info, b"a")
        return stream.getvalue()

    # Its own comment reaches to the end of the file: whoever looks from the front stops here.
    end = struct.Struct("<4s4H2LH")
    hidden = end.pack(b"PK\5\6", 0, 0, 0, 0, 0, 0, end.size)
    assert read(zip_with(b"harmless")) == {"a": sha256(b"a")}
    with pytest.raises(ArchiveAmbiguous):
        read(zip_with(hidden))


def test_zip_a_local_header_with_another_name() -> None:
    data = zipped({"good.py": b"x"})
    local = data.index(b"good.py")
    with pytest.raises(ArchiveAmbiguous):
        read(data[:local] + b"evil.py" + data[local + 7 :])


@pytest.mark.parametrize("offset", [6, 8, 14, 18, 22])
def test_zip_a_local_header_that_differs(offset: int) -> None:
    data = bytearray(zipped({"good.py": b"x" * 100}))
    data[offset] ^= 0x40
    with pytest.raises(ArchiveAmbiguous):
        read(bytes(data))


def test_zip_members_between_the_lines() -> None:
    """A member that only a reader of local headers finds."""
    data = zipped({"a": b"a"})
    directory = data.index(b"PK\x01\x02")
    hidden = zipped({"evil": b"evil"})
    hidden = hidden[: hidden.index(b"PK\x01\x02")]
    end = bytearray(data[-22:])
    struct.pack_into("<L", end, 16, directory + len(hidden))
    with pytest.raises(ArchiveAmbiguous):
        read(data[:directory] + hidden + data[directory:-22] + bytes(end))


@pytest.mark.parametrize("flag", [0x0001, 0x0020, 0x0040, 0x2000])
def test_zip_encryption_and_other_features(flag: int) -> None:
    data = bytearray(zipped({"a": b"a"}))
    for offset in (6, data.index(b"PK\x01\x02") + 8):
        flags = struct.unpack_from("<H", data, offset)[0] | flag
        struct.pack_into("<H", data, offset, flags)
    with pytest.raises(ArchiveAmbiguous):
        read(bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_compression_that_not_all_tools_know(method: int) -> None:
    with pytest.raises(ArchiveAmbiguous):
        read(zipped({"a": b"a" * 1000}, method))


@pytest.mark.parametrize("kind", [0x7075, 0x6375])
def test_zip_a_second_name_in_an_extra_field(kind: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("good")
        body = b"\x01" + struct.pack("<L", zlib.crc32(b"good")) + b"evil"
        info.extra = struct.pack("<2H", kind, len(body)) + body
        archive.writestr(info, "x")
    with pytest.raises(ArchiveAmbiguous):
        read(stream.getvalue())


def test_zip_that_is_a_tar_as_well() -> None:
    # Unpackers choose by the name, the first bytes, or what a server says of the type.
    # The tar's first header begins with the zip's own, whose extra field holds the rest of it.
    start = len(b"PK\3\4") + 26 + len("good") + 4
    body = bytearray(512 - start) + tarred({"setup.py": b"evil"}, "w", tarfile.USTAR_FORMAT)[:1024]
    body[124 - start : 136 - start] = b"00000000000\0"
    body[156 - start] = ord("0")
    body[148 - start : 156 - start] = b" " * 8
    info = zipfile.ZipInfo("good", date_time=(1980, 1, 1, 0, 0, 0))

    def written() -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            info.extra = struct.pack("<2H", 0x4242, len(body)) + body
            archive.writestr(info, "x")
        return stream.getvalue()

    body[148 - start : 156 - start] = b"%06o\0 " % sum(written()[:512])
    data = written()
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["good"]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames()[1:] == ["setup.py"]
    with pytest.raises(ArchiveAmbiguous, match="tar"):
        read(data)


def test_zip_content_that_is_not_what_the_header_says() -> None:
    data = bytearray(zipped({"a": b"hello"}, zipfile.ZIP_STORED))
    data[data.index(b"hello")] ^= 1
    with pytest.raises(ArchiveAmbiguous):
        read(bytes(data))


def test_zip_a_folder_with_content() -> None:
    with pytest.raises(ArchiveAmbiguous):
        read(zipped({"aX": b"hidden"}, zipfile.ZIP_STORED).replace(b"aX", b"a/"))


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip" * 10, b"PK\x05\x06" + bytes(10)])
def test_zip_that_is_none(data: bytes) -> None:
    with pytest.raises(ArchiveAmbiguous):
        read(data)


def test_zip_cut_anywhere_or_changed_anywhere_never_crashes() -> None:
    data = zipped({"a/b": b"hello" * 20, "c": b""})
    good = read(data)
    for position in range(len(data)):
        with pytest.raises(ArchiveAmbiguous):
            read(data[:position])
        changed = bytearray(data)
        changed[position] ^= 0xFF
        try:
            result = read(bytes(changed))
        except (ArchiveAmbiguous, MetadataTooLarge):
            continue
        # Dates and attributes are not content.
        assert result == good


def test_zip_a_member_that_begins_where_no_file_reaches() -> None:
    def wide(value: int) -> bytes:
        return struct.pack("<2HQ", 1, 8, value)

    size = 2**63
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, 33, 0, 2**32 - 1, 0, 1, 12)
    local += b"a" + wide(size)
    central = b""
    for name, compressed, offset, extra in (
        (b"a", 2**32 - 1, 0, wide(size)),
        (b"b", 0, 2**32 - 1, wide(len(local) + size)),
    ):
        central += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 45, 45, 0, 0, 0, 33, 0, compressed, 0, 1, len(extra), 0, 0, 0,
            0, offset,
        )  # fmt: skip
        central += name + extra
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(central), len(local), 0)
    with pytest.raises(ArchiveAmbiguous, match="ends in the middle"):
        read(local + central + end)


def test_zip_limits() -> None:
    with pytest.raises(MetadataTooLarge):
        read(zipped(FILES), replace(DEFAULT, archive_members=1))
    with pytest.raises(MetadataTooLarge):
        read(zipped(FILES), replace(DEFAULT, archive_bytes=1000))
    bomb = zipped({f"zeros-{index}": bytes(10_000_000) for index in range(2)})
    assert len(read(bomb, replace(DEFAULT, archive_ratio=1100))) == 2
    with pytest.raises(MetadataTooLarge):
        read(bomb, replace(DEFAULT, archive_ratio=500))


def test_zip_that_lies_about_its_size_is_stopped() -> None:
    data = bytearray(zipped({"a": bytes(5_000_000)}))
    size = struct.pack("<L", 5_000_000)
    while size in data:
        position = data.index(size)
        data[position : position + 4] = struct.pack("<L", 100)
    with pytest.raises(ArchiveAmbiguous):
        read(bytes(data))


# --- wheels ---------------------------------------------------------------------------------------


def record_line(name: str, content: bytes, algorithm: str = "sha256") -> str:
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=")
    return f"{name},{algorithm}={digest.decode()},{len(content)}\n"


def wheel(members: Mapping[str, bytes], record: str | None = None) -> bytes:
    if record is None:
        record = "".join(record_line(name, content) for name, content in members.items())
        record += f"{RECORD},,\n"
    return zipped({**members, RECORD: record.encode()})


RECORD = "demo-1.0.dist-info/RECORD"
WHEEL = {"demo/__init__.py": b"x = 1\n", "demo-1.0.dist-info/METADATA": b"Name: demo\n"}


def read_as_wheel(data: bytes, limits: Limits = DEFAULT) -> dict[str, str]:
    return read_wheel(io.BytesIO(data), limits=limits)


def test_wheel_whose_record_is_right() -> None:
    found = read_as_wheel(wheel(WHEEL))
    assert found.keys() == {*WHEEL, RECORD}
    assert found["demo/__init__.py"] == sha256(b"x = 1\n")


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_wheel_with_a_stronger_record(algorithm: str) -> None:
    record = "".join(record_line(name, content, algorithm) for name, content in WHEEL.items())
    assert read_as_wheel(wheel(WHEEL, record))["demo/__init__.py"] == sha256(b"x = 1\n")


GOOD_LINES = "".join(record_line(name, content) for name, content in WHEEL.items())


@pytest.mark.parametrize(
    "record",
    [
        "",
        record_line("demo/__init__.py", b"x = 1\n"),
        GOOD_LINES.replace("demo/__init__.py", "demo/other.py"),
        record_line("demo/__init__.py", b"evil") + GOOD_LINES.splitlines()[1],
        GOOD_LINES + record_line("demo/__init__.py", b"evil"),
        "demo/__init__.py,,\n" + GOOD_LINES.splitlines()[1],
        "".join(record_line(name, content, "md5") for name, content in WHEEL.items()),
        GOOD_LINES.replace("sha256=", "sha256=!!"),
        '"unclosed',
        "\udcff",
    ],
)
def test_wheel_whose_record_lacks_or_contradicts_a_member(record: str) -> None:
    data = record.encode("utf-8", "surrogateescape")
    archive = zipped({**WHEEL, RECORD: data})
    with pytest.raises(ArchiveAmbiguous):
        read_as_wheel(archive)


@pytest.mark.parametrize(
    "row",
    [
        record_line("pip_intoto_gate.pth", b"import pip_intoto_gate"),
        "pip_intoto_gate.pth,,\n",
        "../../../bin/python,,\n",
        "demo/other.py,,\n",
        # To pip, this is the folder into which it installs.
        ",,\n",
        "demo,,\n",
        "demo/,,\n",
        "Demo/__init__.py,,\n",
    ],
)
def test_wheel_whose_record_lists_what_is_not_in_it(row: str) -> None:
    # pip takes the rows over, and deletes what they name when the project is removed or upgraded.
    with pytest.raises(ArchiveAmbiguous, match="lists"):
        read_as_wheel(wheel(WHEEL, GOOD_LINES + row))


def test_wheel_whose_record_lists_itself_and_its_signatures() -> None:
    rows = f"{RECORD},,\n{RECORD}.jws,,\n{RECORD}.p7s,,\n\n"
    assert read_as_wheel(wheel(WHEEL, GOOD_LINES + rows)).keys() == {*WHEEL, RECORD}


def test_wheel_without_a_record_or_with_two() -> None:
    with pytest.raises(ArchiveAmbiguous):
        read_as_wheel(zipped(WHEEL))
    with pytest.raises(ArchiveAmbiguous):
        read_as_wheel(wheel({**WHEEL, "other-2.0.dist-info/RECORD": b""}))


def test_wheel_with_a_record_that_is_too_large() -> None:
    record = GOOD_LINES + "#" * 2000
    with pytest.raises(MetadataTooLarge):
        read_as_wheel(wheel(WHEEL, record), replace(DEFAULT, archive_record_bytes=1000))


# --- tars -----------------------------------------------------------------------------------------


def tarred(
    members: Mapping[str, bytes],
    mode: str = "w",
    tar_format: int = tarfile.PAX_FORMAT,
) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, format=tar_format) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


TAR_FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def read_as_tar(data: bytes, limits: Limits = DEFAULT) -> dict[str, str]:
    return read_tar(io.BytesIO(data), limits=limits)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize(
    "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_tar_members_are_hashed(mode: str, tar_format: int) -> None:
    assert read_as_tar(tarred(FILES, mode, tar_format)) == HASHES


@pytest.mark.parametrize(
    "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_tar_long_names(tar_format: int) -> None:
    name = "demo-1.0/" + "d" * 90 + "/" + "n" * 60
    assert read_as_tar(tarred({name: b"x"}, "w", tar_format)) == {name: sha256(b"x")}


def test_tar_names_in_utf8_and_below_a_dot() -> None:
    assert read_as_tar(tarred({"caf\u00e9": b"x"})) == {"caf\u00e9": sha256(b"x")}
    assert read_as_tar(tarred({"./a/b": b"x"})) == {"a/b": sha256(b"x")}


def test_tar_folders_are_left_out() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in (".", "demo", "demo"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
    assert read_as_tar(stream.getvalue()) == {}


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE,
     tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"V"],
)  # fmt: skip
def test_tar_links_and_devices(kind: bytes) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("x")
        info.type = kind
        info.linkname = "y"
        archive.addfile(info)
    with pytest.raises(ArchiveAmbiguous):
        read_as_tar(stream.getvalue())


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../b", "a//b", "C:/x", "././a"])
def test_tar_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(ArchiveAmbiguous):
        read_as_tar(tarred({name: b"x"}))


@pytest.mark.parametrize("members", [("a", "A"), ("a", "./a"), ("a", "a/b"), ("a/b", "a\\b")])
def test_tar_two_names_that_are_one(members: tuple[str, str]) -> None:
    with pytest.raises(ArchiveAmbiguous):
        read_as_tar(tarred(dict.fromkeys(members, b"x")))


@pytest.mark.parametrize(
    "headers",
    [
        {"size": "1"},
        {"GNU.sparse.major": "1"},
        {"hdrcharset": "BINARY"},
        {"linkpath": "y"},
        {"SCHILY.realsize": "0"},
        {"SCHILY.filetype": "sparse"},
        {"LIBARCHIVE.symlinktype": "dir"},
    ],
)
def test_tar_pax_keywords_that_tools_read_differently(headers: dict[str, str]) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("x")
        info.pax_headers = headers
        archive.addfile(info)
    with pytest.raises(ArchiveAmbiguous):
        read_as_tar(stream.getvalue())


def tar_header(
    name: bytes,
    size: bytes,
    *,
    kind: bytes = b"0",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
) -> bytes:
    """One block, with a right checksum; *size* is the field as it stands there."""
    block = bytearray(512)
    for offset, field in (
        (0, name), (100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"), (124, size),
        (136, b"00000000000\0"), (148, b" " * 8), (156, kind), (257, magic), (345, prefix),
    ):  # fmt: skip
        block[offset : offset + len(field)] = field
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


#: A whole member, to be hidden in the content of another.
HIDDEN = tar_header(b"setup.py", b"00000000004\0") + b"evil" + bytes(508)
DIFFERENTIALS = {
    "a size that begins with NUL is 0 for some": (
        tar_header(b"README", b"\x000000002000 ") + HIDDEN
    ),
    "a prefix without the magic that goes with it": (
        tar_header(b"setup.py", b"00000000000\0", magic=b"ustar  \0", prefix=b"demo-1.0")
    ),
    "a name that is a folder until it is replaced": (
        tar_header(b"pax", b"00000000015\0", kind=b"x")
        + b"13 path=READ\n".ljust(512, b"\0")
        + tar_header(b"READ/", b"00000002000\0", kind=b"\0")
        + HIDDEN
    ),
}


@pytest.mark.parametrize("members", DIFFERENTIALS.values(), ids=DIFFERENTIALS)
def test_tar_headers_that_tools_read_differently(members: bytes) -> None:
    with pytest.raises(ArchiveAmbiguous):
        read_as_tar(members + bytes(1024))


def test_tar_global_headers_may_comment_and_not_name() -> None:
    for headers, fine in (({"comment": "git"}, True), ({"path": "evil"}, False)):
        stream = io.BytesIO()
        with tarfile.open(
            fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers
        ) as archive:
            archive.addfile(tarfile.TarInfo("x"))
        if fine:
            assert read_as_tar(stream.getvalue()) == {"x": sha256(b"")}
        else:
            with pytest.raises(ArchiveAmbiguous):
                read_as_tar(stream.getvalue())


def test_tar_bytes_after_its_end() -> None:
    data = tarred({"a": b"a"})
    assert read_as_tar(data + bytes(512)) == {"a": sha256(b"a")}
    for changed in (data + b"x", data + data, data[:1024], data[:1536], data[:700]):
        with pytest.raises(ArchiveAmbiguous):
            read_as_tar(changed)


def test_tar_a_broken_header_in_the_middle_is_no_end() -> None:
    data = bytearray(tarred({"a": b"a", "evil": b"b"}))
    data[1024 + 148] ^= 1
    with pytest.raises(ArchiveAmbiguous):
        read_as_tar(bytes(data))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_tar_a_compressed_stream_is_one_and_whole(mode: str) -> None:
    data = tarred(FILES, mode)
    for changed in (data + b"x", data + data, data[:-1], data[: len(data) // 2]):
        with pytest.raises(ArchiveAmbiguous):
            read_as_tar(changed)


@pytest.mark.parametrize("start", [100, 108, 116, 136, 329, 337])
def test_tar_a_number_that_ends_the_tar_for_some(start: int) -> None:
    """A malformed number, even of an owner, is the end of everything for Python's tarfile."""
    data = bytearray(tarred({"a": b"", "b": b""}, "w", tarfile.USTAR_FORMAT))
    second = data[512:1024]
    second[start : start + 7] = b"0000x00"
    second[148:156] = b" " * 8
    second[148:156] = b"%06o\0 " % sum(second)
    data[512:1024] = second
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["a"]
    with pytest.raises(ArchiveAmbiguous, match="malformed number"):
        read_as_tar(bytes(data))


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_a_long_name_that_goes_on_behind_its_end(tar_format: int) -> None:
    """Python's tarfile reads whole blocks of it, others as many bytes as it says."""
    data = bytearray(tarred({"d/" * 60 + "x": b"x"}, "w", tar_format))
    body = b"20 path=good/name.p\n" if tar_format == tarfile.PAX_FORMAT else b"good/name.p"
    data[124:136] = b"%011o\0" % len(body)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    data[512:1024] = bytes(512)
    data[512 : 512 + len(body)] = body
    assert read_as_tar(bytes(data)) == {"good/name.p": sha256(b"x")}
    behind = b"17 path=evil.pyy\n" if tar_format == tarfile.PAX_FORMAT else b"y"
    data[512 + len(body) : 512 + len(body) + len(behind)] = behind
    with pytest.raises(ArchiveAmbiguous, match="behind its end"):
        read_as_tar(bytes(data))


def test_tar_that_is_a_zip_as_well() -> None:
    # Unpackers choose by the name, the last bytes, or what a server says of the type.
    good = tarred({"setup.py": b"good"})
    evil = zipped({"setup.py": b"evil"})
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    compressed = squeezed.compress(good) + squeezed.flush()
    # A field of the header that every reader of gzip passes over.
    header = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", len(evil)) + evil
    data = header + compressed + struct.pack("<2L", zlib.crc32(good), len(good))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["setup.py"]
    assert zipfile.ZipFile(io.BytesIO(data)).read("setup.py") == b"evil"
    with pytest.raises(ArchiveAmbiguous, match="zip"):
        read_as_tar(data)
    # Far from the end nobody looks for it.
    assert read_as_tar(tarred({"a.zip": evil, "b": bytes(70_000)})).keys() == {"a.zip", "b"}


def test_tar_changed_anywhere_never_crashes() -> None:
    data = tarred({"a/b": b"hello" * 20}, "w", tarfile.USTAR_FORMAT)[:2048]
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0xFF
        try:
            assert read_as_tar(bytes(changed))
        except (ArchiveAmbiguous, MetadataTooLarge):
            continue


def test_tar_limits() -> None:
    with pytest.raises(MetadataTooLarge):
        read_as_tar(tarred(FILES), replace(DEFAULT, archive_members=1))
    with pytest.raises(MetadataTooLarge):
        read_as_tar(tarred(FILES), replace(DEFAULT, archive_bytes=1000))
    bomb = tarred({"zeros": bytes(20_000_000)}, "w:gz")
    with pytest.raises(MetadataTooLarge):
        read_as_tar(bomb, replace(DEFAULT, archive_ratio=100))
