"""Two archives that should be the same: what differs is found, and what follows is folded."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import sdist, wheel
from pip_intoto.artifacts.comparing import CURES, Comparison, Form, compare
from pip_intoto.errors import ArchiveAmbiguous, MetadataTooLarge
from pip_intoto.limits import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pip_intoto.limits import Limits


def compared(
    one: bytes, other: bytes, form: Form = Form.ZIP, limits: Limits = DEFAULT
) -> Comparison:
    return compare(io.BytesIO(one), io.BytesIO(other), form, limits=limits)


def zipped(
    members: Mapping[str, bytes],
    change: Callable[[zipfile.ZipInfo], None] = lambda _: None,
    *,
    comment: bytes = b"",
    level: int = 9,
) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, (2020, 2, 2, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            change(info)
            archive.writestr(info, content, compresslevel=level)
        archive.comment = comment
    return packed.getvalue()


def tarred(
    members: Mapping[str, bytes],
    change: Callable[[tarfile.TarInfo], None] = lambda _: None,
    *,
    form: int = tarfile.PAX_FORMAT,
    mtime: int = 0,
) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            change(info)
            archive.addfile(info, io.BytesIO(content))
    return gzipped(packed.getvalue(), mtime)


def gzipped(data: bytes, mtime: int = 0, name: str = "") -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(name, "wb", 9, packed, mtime) as stream:
        stream.write(data)
    return packed.getvalue()


def setting(name: str, value: object) -> Callable[[object], None]:
    """Give what sets an attribute of a member."""

    def change(info: object) -> None:
        setattr(info, name, value)

    return change


MEMBERS = {"demo/__init__.py": b"ANSWER = 42\n", "demo/data.bin": bytes(range(256)) * 40}


# --- members --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "pack"), [(Form.ZIP, zipped), (Form.TAR, tarred)], ids=["zip", "tar"]
)
def test_the_members_that_differ_are_named(
    form: Form, pack: Callable[[Mapping[str, bytes]], bytes]
) -> None:
    found = compared(
        pack({**MEMBERS, "left": b"1"}),
        pack({**MEMBERS, "right": b"22", "demo/__init__.py": b"ANSWER = 43\n"}),
        form,
    )
    assert not found.equal
    assert [(name, content.size) for name, content in found.only_in_one.items()] == [("left", 1)]
    assert [(name, content.size) for name, content in found.only_in_other.items()] == [("right", 2)]
    (changed,) = found.changed
    assert changed.name == "demo/__init__.py"
    assert changed.diff == ("--- one", "+++ other", "@@ -1,2 +1,2 @@", "-ANSWER = 42",
                            "+ANSWER = 43", " ")  # fmt: skip
    assert found.aspects == ()


@pytest.mark.parametrize("form", list(Form))
def test_equal_files_are_equal_whatever_is_in_them(form: Form) -> None:
    found = compared(b"no archive at all", b"no archive at all", form)
    assert found == Comparison(one=found.one, other=found.one)
    assert found.equal


def test_binary_content_has_digests_and_no_diff() -> None:
    found = compared(zipped(MEMBERS), zipped({**MEMBERS, "demo/data.bin": b"\0\1"}))
    (changed,) = found.changed
    assert (changed.name, changed.diff) == ("demo/data.bin", ())
    assert (changed.one.size, changed.other.size) == (256 * 40, 2)
    assert changed.one.sha256 != changed.other.sha256


def test_record_that_lists_what_differs_follows_from_it() -> None:
    found = compared(
        wheel("demo", modules={"a.py": b"1\n", "b.py": b"2\n"}).data,
        wheel("demo", modules={"a.py": b"1\n", "b.py": b"3\n", "c.py": b""}).data,
        Form.WHEEL,
    )
    assert [changed.name for changed in found.changed] == ["b.py"]
    assert list(found.only_in_other) == ["c.py"]
    assert found.followers == ("demo-1.0.dist-info/RECORD",)
    assert (found.one.fault, found.other.fault) == ("", "")


def test_record_that_differs_by_itself_is_shown() -> None:
    with zipfile.ZipFile(io.BytesIO(wheel("demo").data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    record = "demo-1.0.dist-info/RECORD"
    other = {**members, record: members[record] + b"ghost.py,sha256=AAAA,1\n"}
    found = compared(zipped(members), zipped(other), Form.WHEEL)
    assert [changed.name for changed in found.changed] == [record]
    assert "+ghost.py,sha256=AAAA,1" in found.changed[0].diff
    # Also beside a member that differs.
    other["demo.py"] = b"EVIL\n"
    found = compared(zipped(members), zipped(other), Form.WHEEL)
    assert {changed.name for changed in found.changed} == {record, "demo.py"}
    assert found.followers == ()


def test_record_that_differs_in_what_it_says_of_itself_follows_from_nothing() -> None:
    with zipfile.ZipFile(io.BytesIO(wheel("demo").data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    record = "demo-1.0.dist-info/RECORD"
    other = {**members, record: members[record].replace(b"RECORD,,", b"RECORD,sha256=AAAA,1")}
    assert other != members
    found = compared(zipped(members), zipped(other), Form.WHEEL)
    assert [changed.name for changed in found.changed] == [record]
    assert found.followers == ()


def test_record_in_the_order_of_the_members_follows_from_that() -> None:
    found = compared(
        wheel("demo", modules={"a.py": b"1\n", "b.py": b"2\n"}).data,
        wheel("demo", modules={"b.py": b"2\n", "a.py": b"1\n"}).data,
        Form.WHEEL,
    )
    assert found.changed == ()
    assert found.followers == ("demo-1.0.dist-info/RECORD",)
    assert [aspect.what for aspect in found.aspects] == ["order"]


def test_a_wheel_altered_by_hand_is_compared_and_its_record_faulted() -> None:
    built = wheel("demo").data
    with zipfile.ZipFile(io.BytesIO(built)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    found = compared(built, zipped({**members, "demo.py": b"EVIL\n"}), Form.WHEEL)
    assert [changed.name for changed in found.changed] == ["demo.py"]
    assert found.one.fault == ""
    assert "'demo.py' with other content than its RECORD says" in found.other.fault


@pytest.mark.parametrize(
    ("name", "before", "after", "cure"),
    [
        ("a.py", b"1\n2\n", b"1\r\n2\r\n", ".gitattributes"),
        ("demo-1.0.dist-info/WHEEL", b"Generator: a 1\n", b"Generator: a 2\n", "pin its version"),
        ("demo-1.0/PKG-INFO", b"1\n", b"2\n", "pin its version"),
        ("demo/_speed.cpython-311.so", b"\x7fELF1", b"\x7fELF2", "compiler"),
        ("demo/__pycache__/a.pyc", b"1", b"2", "leave it out"),
        ("demo/a.py", b"1\n", b"2\n", ""),
    ],
)
def test_advice_fits_the_member(name: str, before: bytes, after: bytes, cure: str) -> None:
    (changed,) = compared(zipped({name: before}), zipped({name: after})).changed
    assert cure in changed.cure
    assert bool(cure) is bool(changed.cure)


# --- bounds ---------------------------------------------------------------------------------


def lines(count: int, first: str = "") -> bytes:
    return (first + "".join(f"{number}\n" for number in range(count))).encode()


def test_hunks_are_counted_from_the_first_line_of_the_file() -> None:
    before, after = lines(500), lines(500).replace(b"\n250\n", b"\nhere\n")
    (changed,) = compared(zipped({"a": before}), zipped({"a": after})).changed
    assert changed.diff[2:4] == ("@@ -248,7 +248,7 @@", " 247")


def test_long_texts_are_compared_only_as_far_as_the_limits_let() -> None:
    small = replace(DEFAULT, compared_lines=20, compared_shown=10)
    # What is equal before and behind does not count.
    one, other = zipped({"a": lines(900, "x\n")}), zipped({"a": lines(900, "y\n")})
    assert compared(one, other, limits=small).changed[0].diff
    other = zipped({"a": lines(900, "y\n") + b"z\n"})
    assert compared(one, other, limits=small).changed[0].diff == ()
    many = zipped({"a": lines(900, "new\n" * 12)})
    (changed,) = compared(zipped({"a": lines(900)}), many, limits=small).changed
    assert len(changed.diff) == 10
    assert changed.left_out > 0


def test_lines_are_counted_over_all_members() -> None:
    small = replace(DEFAULT, compared_lines=10)
    one = zipped(dict.fromkeys("abcdef", b"1\n2\n3\n"))
    other = zipped(dict.fromkeys("abcdef", b"3\n2\n1\n"))
    assert [bool(changed.diff) for changed in compared(one, other, limits=small).changed] == [
        *(True, True),
        *(False, False, False, False),
    ]


@pytest.mark.parametrize(
    "small", [replace(DEFAULT, compared_text=10), replace(DEFAULT, compared_members=0)]
)
def test_large_texts_and_many_are_told_apart_by_digest_only(small: Limits) -> None:
    one, other = zipped({"a": lines(30)}), zipped({"a": lines(31)})
    (changed,) = compared(one, other, limits=small).changed
    assert changed.diff == ()


def test_a_line_is_cut() -> None:
    (changed,) = compared(zipped({"a": b"x" * 5000}), zipped({"a": b"y" * 5000})).changed
    assert max(map(len, changed.diff)) < 400


@pytest.mark.parametrize("number", [0, 1])
def test_an_archive_with_two_readings_is_refused_and_told(number: int) -> None:
    files = [zipped(MEMBERS), zipped(MEMBERS)]
    files[number] = b"before" + files[number]
    with pytest.raises(ArchiveAmbiguous) as raised:
        compared(files[0], files[1])
    assert raised.value.place == ("one", "other")[number]


def test_an_archive_over_the_limits_is_refused_and_told() -> None:
    small = replace(DEFAULT, archive_members=2)
    with pytest.raises(MetadataTooLarge) as raised:
        compared(zipped(MEMBERS), zipped({**MEMBERS, "more": b""}), limits=small)
    assert raised.value.place == "other"


# --- the same content, packed differently ---------------------------------------------------


def aspects(one: bytes, other: bytes, form: Form) -> list[str]:
    found = compared(one, other, form)
    assert not found.equal
    assert (found.changed, found.followers) == ((), ())
    assert not found.only_in_one
    assert not found.only_in_other
    assert all(aspect.cure for aspect in found.aspects)
    assert all(aspect.one != aspect.other for aspect in found.aspects)
    return [aspect.what for aspect in found.aspects]


BACKWARDS = dict(reversed(MEMBERS.items()))
SHORT = {"a": b"1"}


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (zipped(MEMBERS, setting("date_time", (2024, 5, 6, 7, 8, 10))), ["times"]),
        (zipped(MEMBERS, setting("external_attr", 0o100_755 << 16)), ["modes"]),
        (zipped(MEMBERS, setting("create_system", 0)), ["systems"]),
        (zipped(MEMBERS, setting("extra", b"\x99\x99\x02\x00ab")), ["extra fields"]),
        (zipped(MEMBERS, setting("comment", b"hello")), ["comments"]),
        (zipped(MEMBERS, setting("internal_attr", 1)), ["forms of the headers"]),
        (zipped(MEMBERS, setting("compress_type", zipfile.ZIP_STORED)),
         ["compression", "forms of the headers"]),
        (zipped(MEMBERS, level=1), ["compression"]),
        (zipped(MEMBERS, comment=b"hello"), ["comments"]),
        (zipped(BACKWARDS), ["order"]),
        (zipped({**MEMBERS, "demo/": b""}), ["folders"]),
    ],
)  # fmt: skip
def test_what_differs_in_a_zip_apart_from_content_is_told(other: bytes, what: list[str]) -> None:
    found = aspects(zipped(MEMBERS), other, Form.ZIP)
    # Python's own zipfile needs another version for what is stored.
    assert found == what or found == what[:1]


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (tarred(MEMBERS, setting("mtime", 1_580_601_600)), ["times"]),
        (tarred(MEMBERS, setting("mtime", 1_580_601_600.25)), ["times"]),
        (tarred(MEMBERS, mtime=5), ["times"]),
        (tarred(MEMBERS, setting("mode", 0o755)), ["modes"]),
        (tarred(MEMBERS, setting("uname", "runner")), ["owners"]),
        (tarred(MEMBERS, setting("gid", 20)), ["owners"]),
        (tarred(MEMBERS, setting("pax_headers", {"comment": "hello"})), ["extra fields"]),
        (tarred(MEMBERS, form=tarfile.GNU_FORMAT), ["forms of the headers"]),
        (tarred(BACKWARDS), ["order"]),
        (gzip.decompress(tarred(MEMBERS)), ["times", "compression"]),
    ],
)
def test_what_differs_in_a_tar_apart_from_content_is_told(other: bytes, what: list[str]) -> None:
    assert aspects(tarred(MEMBERS), other, Form.TAR) == what


def test_the_name_that_gzip_keeps_is_told() -> None:
    other = gzipped(gzip.decompress(tarred(MEMBERS)), name="dist/demo-1.0.tar")
    found = aspects(tarred(MEMBERS), other, Form.TAR)
    assert found == ["names of what was compressed"]


def test_where_nothing_that_is_told_differs_the_bytes_do() -> None:
    padded = gzipped(gzip.decompress(tarred(SHORT)) + bytes(10240))
    assert aspects(tarred(SHORT), padded, Form.TAR) == ["bytes"]


def test_the_sdists_of_two_days_differ_in_time_only(tmp_path: Path) -> None:
    built = sdist("demo", runs=tmp_path / "ran")
    found = compared(built.data, built.tampered().data, Form.TAR)
    assert [aspect.what for aspect in found.aspects] == ["times"]
    assert "SOURCE_DATE_EPOCH" in found.aspects[0].cure


def test_members_that_differ_are_not_told_of_again_for_their_compressed_size() -> None:
    found = compared(zipped(MEMBERS), zipped({**MEMBERS, "demo/__init__.py": b"1\n" * 99}))
    assert found.aspects == ()
    assert "compression" in CURES


def test_the_names_of_distributions_tell_how_they_are_packed() -> None:
    names = ("a.whl", "a.zip", "A.TAR.GZ", "a.tar.xz", "a.txt", "gz")
    assert [Form.of(name) for name in names] == [
        *(Form.WHEEL, Form.ZIP, Form.TAR, Form.TAR),
        *(None, None),
    ]
