"""Inspections carried out on real files, natively and as the policy allows."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.artifacts.inspector import DirectoryInspector, FileInspector
from pip_intoto.artifacts.recording import record_directory
from pip_intoto.errors import (
    ArchiveAmbiguous,
    InspectionFailed,
    InspectionNotAllowed,
    MetadataTooLarge,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.layout import Inspection
from tests.unit.artifacts.test_archives import RECORD, WHEEL, tarred, wheel, zipped

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.verification.record import Record

NAME = "demo-1.0-py3-none-any.whl"


def inspection(*run: str) -> Inspection:
    return Inspection(name="look", expected_materials=(), expected_products=(), run=run)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "private-copy"
    path.write_bytes(wheel(WHEEL))
    return path


@pytest.mark.accepts("I5")
def test_I5_the_file_is_the_only_material(file: Path) -> None:
    record = FileInspector(file, NAME).inspect(inspection("true"))
    assert record.materials == record.products == {NAME: {"sha256": sha256_file(file)}}


@pytest.mark.accepts("I5")
@pytest.mark.parametrize(
    ("run", "folder"),
    [
        (("unzip", NAME), ""),
        (("python", "-m", "zipfile", "-e", NAME, "out"), "out/"),
        (("python", "-m", "wheel", "unpack", NAME), "demo-1.0/"),
    ],
)
def test_I5_unpacking_adds_the_members(file: Path, run: tuple[str, ...], folder: str) -> None:
    record = FileInspector(file, NAME).inspect(inspection(*run))
    assert record.materials.keys() == {NAME}
    assert record.products.keys() == {NAME} | {folder + name for name in (*WHEEL, RECORD)}
    content = hashlib.sha256(WHEEL["demo/__init__.py"]).hexdigest()
    assert record.products[f"{folder}demo/__init__.py"] == {"sha256": content}


def test_unpacking_an_sdist(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(tarred({"demo-1.0/PKG-INFO": b"Name: demo"}, "w:gz"))
    inspector = FileInspector(path, "demo-1.0.tar.gz")
    record = inspector.inspect(inspection("tar", "xzf", "demo-1.0.tar.gz"))
    assert record.products.keys() == {"demo-1.0.tar.gz", "demo-1.0/PKG-INFO"}


def test_unpacking_a_wheel_checks_its_record_however_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(zipped({**WHEEL, RECORD: b""}))
    for run in (("unzip", NAME), ("python", "-m", "wheel", "unpack", NAME)):
        with pytest.raises(ArchiveAmbiguous):
            FileInspector(path, NAME).inspect(inspection(*run))
    assert FileInspector(path, "demo.zip").inspect(inspection("unzip", "demo.zip")).products


def test_unpacking_another_file_fails(file: Path) -> None:
    with pytest.raises(InspectionFailed):
        FileInspector(file, NAME).inspect(inspection("unzip", "other.whl"))


def test_unpacking_over_the_file_itself_is_ambiguous(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(zipped({"demo.zip": b"x"}))
    with pytest.raises(ArchiveAmbiguous):
        FileInspector(path, "demo.zip").inspect(inspection("unzip", "demo.zip"))


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InspectionFailed):
        FileInspector(tmp_path / "gone", NAME).inspect(inspection("true"))


# --- commands -----------------------------------------------------------------------------------


def run(file: Path, *command: str, seconds: int = 60) -> Record:
    limits = replace(DEFAULT, inspection_seconds=seconds)
    return FileInspector(file, NAME, allowed_commands=[command], limits=limits).inspect(
        inspection(*command)
    )


def test_a_command_that_nobody_allowed_does_not_run(file: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(InspectionNotAllowed):
        FileInspector(file, NAME, allowed_commands=[command[:2]]).inspect(inspection(*command))
    assert not (tmp_path / "ran").exists()


@pytest.mark.accepts("I4", "I5")
def test_I4_I5_a_command_that_succeeds_is_recorded_before_and_after(file: Path) -> None:
    record = run(file, sys.executable, "-c", "open('report', 'w').write('fine')")
    assert record.materials == {NAME: {"sha256": sha256_file(file)}}
    assert record.products.keys() == {NAME, "report"}


@pytest.mark.rejects("I4")
def test_I4_a_command_that_fails_stops_verification(file: Path) -> None:
    with pytest.raises(InspectionFailed) as caught:
        run(file, sys.executable, "-c", "print('broken'); raise SystemExit(3)")
    assert "exit status 3" in caught.value.found
    assert "broken" in caught.value.found


def test_a_command_that_is_not_there(file: Path) -> None:
    with pytest.raises(InspectionFailed):
        run(file, "no-such-command-anywhere")


@pytest.mark.rejects("I4")
def test_a_command_that_does_not_end_is_ended_with_its_children(file: Path) -> None:
    started = time.monotonic()
    sleep = "import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleep!r}])"
    with pytest.raises(InspectionFailed) as caught:
        run(file, sys.executable, "-c", code, seconds=1)
    assert "did not end" in caught.value.message
    assert time.monotonic() - started < 20


def test_a_command_knows_little_of_its_surroundings(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    code = (
        "import os, sys; assert 'SECRET_TOKEN' not in os.environ; assert 'PYTHONPATH' not in"
        f" os.environ; assert os.listdir('.') == [{NAME!r}]; assert not sys.stdin.read()"
    )
    assert run(file, sys.executable, "-c", code).products.keys() == {NAME}


def test_a_command_cannot_change_the_file_in_hand(file: Path) -> None:
    before = file.read_bytes()
    record = run(file, sys.executable, "-c", f"open({NAME!r}, 'w').write('evil')")
    assert record.materials != record.products
    assert file.read_bytes() == before


def test_output_is_bounded(file: Path) -> None:
    code = "import sys; sys.stdout.write('x' * 3_000_000); sys.exit(1)"
    with pytest.raises(InspectionFailed) as caught:
        run(file, sys.executable, "-c", code)
    assert len(caught.value.found) < 300


def test_I3_run_all_is_for_those_who_ask_for_it(file: Path) -> None:
    inspector = FileInspector(file, NAME, run_all=True)
    assert inspector.inspect(inspection(sys.executable, "-c", "pass")).products.keys() == {NAME}


# --- directories --------------------------------------------------------------------------------


@pytest.mark.accepts("I6")
def test_I6_everything_in_a_directory_is_recorded(tmp_path: Path) -> None:
    names = ["a.py", "evil.pyc", "x.link", "x.link.py", ".git/hooks/pre-commit", "old~", "d/e/f"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    recorded = record_directory(tmp_path, limits=DEFAULT)
    assert recorded.keys() == set(names)
    assert recorded["d/e/f"] == {"sha256": hashlib.sha256(b"d/e/f").hexdigest()}


@pytest.mark.accepts("I6")
def test_I6_links_that_go_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("f")
    (tmp_path / "one").symlink_to(".")
    (tmp_path / "two").symlink_to(".")
    (tmp_path / "again").symlink_to("d")
    assert record_directory(tmp_path, limits=DEFAULT).keys() == {"d/f", "again/f"}


@pytest.mark.rejects("I6")
def test_I6_what_cannot_be_recorded_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InspectionFailed):
        record_directory(tmp_path, limits=DEFAULT)
    (tmp_path / "pipe").unlink()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(InspectionFailed):
        record_directory(tmp_path, limits=DEFAULT)
    with pytest.raises(InspectionFailed):
        record_directory(tmp_path / "nowhere", limits=DEFAULT)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / str(index)).write_text("x")
    with pytest.raises(MetadataTooLarge):
        record_directory(tmp_path, limits=replace(DEFAULT, artifacts=4))


@pytest.mark.accepts("I5")
def test_I5_a_directory_is_material_and_product(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(wheel(WHEEL))
    (tmp_path / "other").write_text("x")
    inspector = DirectoryInspector(tmp_path)
    nothing = inspector.inspect(inspection("true"))
    assert nothing.materials.keys() == nothing.products.keys() == {NAME, "other"}
    unpacked = inspector.inspect(inspection("unzip", NAME))
    assert unpacked.products.keys() == {NAME, "other", *WHEEL, RECORD}
    with pytest.raises(InspectionFailed):
        inspector.inspect(inspection("unzip", "absent.zip"))


@pytest.mark.accepts("I5")
def test_I5_a_command_in_a_directory(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "open('report', 'w')")
    with pytest.raises(InspectionNotAllowed):
        DirectoryInspector(tmp_path).inspect(inspection(*command))
    record = DirectoryInspector(tmp_path, run_all=True).inspect(inspection(*command))
    assert not record.materials
    assert record.products.keys() == {"report"}


# --- what the tools do --------------------------------------------------------------------------

SDIST = "demo-1.0.tar.gz"


@pytest.mark.accepts("I5")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        (NAME, f"unzip {NAME}"),
        (NAME, f"unzip -q -o {NAME} -d out"),
        (NAME, "unzip -qq *.whl -d a/b/"),
        (NAME, f"python -m zipfile -e {NAME} ."),
        (NAME, f"python -m zipfile --extract {NAME} out"),
        (SDIST, f"python -m tarfile -e {SDIST}"),
        (SDIST, f"python -m tarfile --extract {SDIST} out"),
        (SDIST, f"tar xf {SDIST}"),
        (SDIST, f"tar xzf {SDIST}"),
        (SDIST, f"tar xfz {SDIST}"),
        (SDIST, f"tar fvxz {SDIST} -C out"),
        (SDIST, f"tar -xvzf ./{SDIST}"),
        (SDIST, f"tar -x -z -f {SDIST} -C out"),
        (SDIST, f"tar --extract --gzip --file={SDIST} --directory=out"),
        (SDIST, f"tar --get --verbose --file {SDIST} --directory out --no-same-owner"),
        ("demo.tar.xz", "tar -xJf demo.tar.xz"),
        ("demo.tar.bz2", "tar -xjf demo.tar.bz2"),
        ("demo.tar", "tar -xpf demo.tar"),
    ],
)
def test_I5_a_native_inspection_finds_what_the_tool_would_leave(
    tmp_path: Path, name: str, words: str
) -> None:
    run = words.split()
    if shutil.which(run[0]) is None:
        pytest.skip(f"there is no {run[0]} here")
    kind = name.rpartition(".")[2]
    content = {
        "whl": lambda: wheel(WHEEL),
        "gz": lambda: tarred({"demo-1.0/PKG-INFO": b"x", "demo-1.0/a/b": b"y"}, "w:gz"),
        "xz": lambda: tarred({"f": b"x", "d/e/f": b"y"}, "w:xz"),
        "bz2": lambda: tarred({"f": b"x"}, "w:bz2"),
        "tar": lambda: tarred({"f": b"x"}, "w"),
    }[kind]()
    work = tmp_path / "work"
    for folder in ("out", "a/b"):
        (work / folder).mkdir(parents=True)
    (work / name).write_bytes(content)
    found = FileInspector(work / name, name).inspect(inspection(*run))
    done = subprocess.run(run, cwd=work, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert record_directory(work, limits=DEFAULT) == found.products


@pytest.mark.rejects("I5")
@pytest.mark.parametrize(
    "words",
    [
        f"tar -xf {SDIST} --strip-components=1",
        f"tar -xf {SDIST} --exclude=a",
        f"tar -xf {SDIST} --transform=s/a/b/",
        f"unzip -j {NAME}",
        f"unzip {NAME} demo/__init__.py",
    ],
)
def test_I5_what_would_leave_something_else_is_not_native(file: Path, words: str) -> None:
    with pytest.raises(InspectionNotAllowed):
        FileInspector(file, NAME).inspect(inspection(*words.split()))


@pytest.mark.rejects("I5")
def test_I5_a_file_is_read_in_the_format_that_the_command_reads(file: Path) -> None:
    """What was found of it as a zip is not what tar would find."""
    inspector = FileInspector(file, NAME)
    assert inspector.inspect(inspection("unzip", NAME)).products
    with pytest.raises(ArchiveAmbiguous):
        inspector.inspect(inspection("tar", "xf", NAME))


@pytest.mark.accepts("U5")
@pytest.mark.parametrize(
    ("words", "concerns"),
    [
        (f"unzip {NAME}", True),
        ("unzip *.whl", True),
        (f"tar xf ./{NAME}", True),
        ("unzip other.whl", False),
        (f"unzip dist/{NAME}", False),
        ("true", True),
        ("./look", True),
    ],
)
def test_U5_what_an_inspection_is_about(file: Path, words: str, concerns: bool) -> None:
    asked = inspection(*words.split())
    assert FileInspector(file, NAME).concerns(asked) is concerns
    # The same file by its name, beside another one.
    (file.parent / NAME).write_bytes(file.read_bytes())
    assert DirectoryInspector(file.parent).concerns(asked) is concerns


@pytest.mark.rejects("U5")
def test_U5_a_pattern_that_fits_two_files_is_about_neither(tmp_path: Path) -> None:
    for name in ("a.whl", "b.whl"):
        (tmp_path / name).write_bytes(b"x")
    assert not DirectoryInspector(tmp_path).concerns(inspection("unzip", "*.whl"))
    with pytest.raises(InspectionFailed):
        DirectoryInspector(tmp_path / "gone").concerns(inspection("true"))
