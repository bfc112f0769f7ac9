"""``pip-intoto compare``: exit statuses, the two reports, and names that would drive a terminal."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import Built, sdist, wheel
from pip_intoto.cli import compare, main
from pip_intoto.limits import LOCAL

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    return tmp_path / "one", tmp_path / "other"


def written(folders: tuple[Path, Path], one: Built, other: Built) -> list[str]:
    return [str(built.write(folder)) for folder, built in zip(folders, (one, other), strict=True)]


def raw(data: bytes, filename: str = WHEEL) -> Built:
    return Built(name="demo", version="1.0", filename=filename, data=data)


def test_equal_files_end_with_0(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = written(folders, wheel("demo"), wheel("demo"))
    assert main(["compare", *paths]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"equal: {WHEEL}\n")
    assert wheel("demo").sha256 in said
    assert main(["compare", *paths, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["equal"] is True


def test_the_diff_of_a_member_is_shown_and_record_folded(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = written(folders, wheel("demo"), wheel("demo").tampered())
    assert main(["compare", *paths]) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"different: {WHEEL}\n")
    assert "\nOther content: 1 file\n  demo.py\n" in said
    assert "\n    -VERSION = 1\n    +EVIL = True\n" in said
    assert "  demo-1.0.dist-info/RECORD: follows from these\n" in said


def test_files_that_are_packed_differently_come_with_advice(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = sdist("demo", runs=tmp_path / "ran")
    assert main(["compare", *written(folders, built, built.tampered())]) == 1
    said = capsys.readouterr().out
    assert "The same files with the same content, packed differently\n  times\n" in said
    assert "hint: Set SOURCE_DATE_EPOCH" in said


def test_programs_get_the_same(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    left = wheel("demo", modules={"a.py": b"1\n", "left.py": b""})
    right = wheel("demo", modules={"a.py": b"2\n" * 9_000})
    paths = written(folders, left, right)
    assert main(["compare", *paths, "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["exit-status"], said["equal"]) == (1, 1, False)
    assert [said["one"]["path"], said["other"]["path"]] == paths
    assert said["one"]["sha256"] == left.sha256
    assert list(said["one"]["only"]) == ["left.py"]
    assert said["other"]["only"] == {}
    (changed,) = said["changed"]
    assert (changed["name"], changed["one"]["size"]) == ("a.py", 2)
    assert (changed["diff"], changed["lines-left-out"]) == ([], 0)
    assert said["followers"] == ["demo-1.0.dist-info/RECORD"]
    assert said["packed-differently"] == []


def test_a_wheel_that_no_installer_takes_is_told(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(wheel("demo").data)) as archive,
        zipfile.ZipFile(packed, "w") as altered,
    ):
        for info in archive.infolist():
            altered.writestr(info, b"" if info.filename == "demo.py" else archive.read(info))
    assert main(["compare", *written(folders, wheel("demo"), raw(packed.getvalue()))]) == 1
    said = capsys.readouterr().out
    assert "The wheel holds 'demo.py' with other content than its RECORD says" in said


def test_what_cannot_be_read_ends_with_2(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = written(folders, wheel("demo"), raw(b"not a zip"))
    assert main(["compare", *paths]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert f"error: {paths[1]}: This is not a zip" in streams.err
    assert main(["compare", paths[0], str(folders[1] / "gone.whl")]) == 2
    assert "gone.whl: No such file" in capsys.readouterr().err


def test_files_of_two_kinds_and_of_no_kind_end_with_2(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = written(folders, wheel("demo"), sdist("demo", runs=tmp_path / "ran"))
    assert main(["compare", *paths]) == 2
    assert "two wheels, or two sdists" in capsys.readouterr().err
    assert main(["compare", paths[0], str(tmp_path / "readme.txt")]) == 2
    assert "readme.txt is not called like an archive" in capsys.readouterr().err


def test_names_cannot_drive_the_terminal_or_add_lines(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def packed(content: bytes) -> Built:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("a\nequal, all is well\x1b[2J", content)
        return raw(stream.getvalue(), "demo-1.0.zip")

    paths = written(folders, packed(b"1\x1b[2J"), packed(b"2\x1b[2J"))
    assert main(["compare", *paths]) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert r"  a\nequal, all is well\x1b[2J" in said.splitlines()
    assert main(["compare", *paths, "--format", "json"]) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_a_flood_of_members_is_counted(
    folders: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compare, "LOCAL", replace(LOCAL, compared_members=3, compared_shown=5))
    many = {f"m{number}.py": b"1\n" for number in range(9)}
    other = dict.fromkeys(list(many)[:8], b"2\n") | {"long.py": b"\n".join([b"x"] * 20)}
    one = wheel("demo", modules={**many, "long.py": b""})
    paths = written(folders, one, wheel("demo", modules=other))
    assert main(["compare", *paths]) == 1
    said = capsys.readouterr().out
    assert "Other content: 9 files" in said
    assert "  … and 6 more\n" in said
    assert said.count("@@ ") == 3
