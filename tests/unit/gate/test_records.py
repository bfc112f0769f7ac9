"""Records of installs: where they are left, what they hold, and what they are not fooled by."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pip_intoto_gate import limits, records
from pip_intoto_gate.cases import Case
from pip_intoto_gate.gate import Gate

if TYPE_CHECKING:
    from pathlib import Path


def installed(root: Path, name: str = "demo-1.0", rows: str = "demo.py,,\n") -> Path:
    """Put a project there as an installer does, and give its .dist-info."""
    folder = root / f"{name}.dist-info"
    folder.mkdir(parents=True)
    (folder / "RECORD").write_text(f"{rows}{folder.name}/RECORD,,\n")
    (root / "demo.py").write_bytes(b"A = 1\n")
    return folder


def leave(root: Path, name: str = "demo", version: str = "1.0") -> None:
    scheme = SimpleNamespace(purelib=str(root), platlib=str(root / "absent"))
    records.leave(name, version, scheme, {"schema": records.SCHEMA})


def files_in(folder: Path) -> list[list[str]]:
    found: list[list[str]] = json.loads((folder / records.FILENAME).read_text())["files"]
    return found


def test_files_without_a_digest_are_hashed_where_the_wheel_has_none(tmp_path: Path) -> None:
    folder = installed(tmp_path)
    leave(tmp_path)
    ((path, digest, size),) = files_in(folder)
    assert (path, size) == ("demo.py", "")
    assert digest == f"sha256={records._encoded(hashlib.sha256(b'A = 1' + bytes([10])).digest())}"


def test_rows_that_lead_elsewhere_or_to_no_file_are_not_read(tmp_path: Path) -> None:
    root = tmp_path / "site"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "secret").write_text("secret")
    rows = f"../pipe,,\n../secret,,\n{tmp_path / 'secret'},,\n/dev/zero,,\nx.pyc,,\nlink.py,,\n"
    folder = installed(root, rows=rows)
    (root / "link.py").symlink_to("/dev/zero")
    leave(root)
    assert files_in(folder) == []


def test_the_record_is_the_last_row_once_however_often_it_is_left(tmp_path: Path) -> None:
    folder = installed(tmp_path, rows='"demo, odd.py",sha256=x,1\n')
    for _ in range(2):
        leave(tmp_path)
    with (folder / "RECORD").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == [
        "demo, odd.py",
        "demo-1.0.dist-info/RECORD",
        "demo-1.0.dist-info/pip_intoto.json",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["RECORD", records.FILENAME]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_record_can_be_read_by_whoever_reads_the_list(tmp_path: Path) -> None:
    folder = installed(tmp_path)
    (folder / "RECORD").chmod(0o640)
    leave(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {"RECORD": 0o640, records.FILENAME: 0o640}


def test_of_two_versions_it_is_the_one_that_was_installed(tmp_path: Path) -> None:
    old, new = installed(tmp_path), installed(tmp_path, "demo-2.0")
    leave(tmp_path, version="2.0")
    assert not (old / records.FILENAME).exists()
    assert json.loads((new / records.FILENAME).read_text())["version"] == "2.0"


def test_of_two_folders_of_one_version_nobody_knows_which_it_is(tmp_path: Path) -> None:
    pure, plat = tmp_path / "pure", tmp_path / "plat"
    folders = [installed(pure), installed(plat)]
    scheme = SimpleNamespace(purelib=str(pure), platlib=str(plat))
    with pytest.raises(records.Unrecordable, match=r"^2 \.dist-info folders"):
        records.leave("demo", "1.0", scheme, {})
    assert not any((folder / records.FILENAME).exists() for folder in folders)


def test_a_list_that_is_too_long_or_no_text_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installed(tmp_path)
    (folder / "RECORD").write_bytes(b"\xff\n")
    with pytest.raises(ValueError, match="utf-8"):
        leave(tmp_path)
    monkeypatch.setattr(limits, "METADATA_BYTES", 1)
    with pytest.raises(records.Unrecordable, match="longer than 1 bytes"):
        leave(tmp_path)
    assert (folder / "RECORD").read_bytes() == b"\xff\n"


@pytest.mark.parametrize("name", ["other", "../demo", ""])
def test_nothing_is_written_for_what_is_not_there(tmp_path: Path, name: str) -> None:
    folder = installed(tmp_path / "site")
    with pytest.raises(records.Unrecordable):
        leave(tmp_path / "site", name=name)
    assert [path.name for path in folder.iterdir()] == ["RECORD"]


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = installed(tmp_path / "elsewhere")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / folder.name).symlink_to(folder)
    with pytest.raises(records.Unrecordable):
        leave(tmp_path / "site")


def test_what_cannot_be_put_in_place_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installed(tmp_path)
    before = (folder / "RECORD").read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        leave(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["RECORD"]
    assert (folder / "RECORD").read_bytes() == before


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (
            "https://me:secret@host.example/a%20b.whl?token=1#sha256=2",
            "https://host.example/a%20b.whl",
        ),
        ("file:///srv/demo.whl", "file:///srv/demo.whl"),
        ("https://[broken", None),
        (None, None),
    ],
)
def test_addresses_are_kept_without_secrets(url: str | None, kept: str | None) -> None:
    announced: dict[str, Any] = dict.fromkeys(("name", "filename", "index", "requested"))
    case = Case(1, {**announced, "kind": "wheel", "url": url}, "")
    assert records.content(case, "demo.whl", "0" * 64, {})["url"] == kept


@pytest.mark.parametrize(("context", "builds"), [({"silent": True}, []), ({}, ["demo 1.0"])])
def test_build_environments_get_no_record(
    tmp_path: Path, context: dict[str, Any], builds: list[str]
) -> None:
    folder = installed(tmp_path)
    settings = SimpleNamespace(verifier=["python", "/nowhere/pip_intoto/verifier/__main__.py"])
    gate = Gate(str(tmp_path), SimpleNamespace(settings=settings), context)  # type: ignore[arg-type]
    gate._building_for += builds
    scheme = SimpleNamespace(purelib=str(tmp_path), platlib=str(tmp_path))
    gate.after_installing("demo", "/x/demo-1.0-py3-none-any.whl", scheme)
    assert [path.name for path in folder.iterdir()] == ["RECORD"]
