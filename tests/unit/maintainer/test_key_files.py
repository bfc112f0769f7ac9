"""Pairs of key files: both or neither, private, and never over others."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.openpgp import OpenPGPKey
from pip_intoto.errors import CommandError
from pip_intoto.maintainer.keys import key_files, signing
from pip_intoto.metadata.keys import load_pem

ROOT = Path(__file__).parents[3]
KEY = signing.generate()
#: Longer than the public key, shorter than the private one.
BETWEEN = (len(KEY.public_pem()) + len(KEY.private_pem())) // 2


def nobody_asks(what: str) -> str:
    raise AssertionError(f"asked for the {what}")


# --- write --------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_private_part_is_its_owners_alone_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        private, public = key_files.write_pair(tmp_path / "keys" / "owner", KEY)
    finally:
        os.umask(before)
    assert (private.name, public.name) == ("owner.pem", "owner.pub")
    if os.name == "posix":
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
        assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    assert key_files.open_private(private, nobody_asks).public_key == KEY.public_key
    assert key_files.read_public(public) == KEY.public_key
    assert sorted(path.name for path in private.parent.iterdir()) == ["owner.pem", "owner.pub"]


@pytest.mark.parametrize(
    ("named", "private"),
    [("a", "a.pem"), ("a.pem", "a.pem"), ("a.pub", "a.pem"), ("a.v2", "a.v2.pem"), (".", "")],
)
def test_either_file_names_the_pair(named: str, private: str) -> None:
    if not private:
        with pytest.raises(CommandError, match="no name for a key"):
            key_files.paths_of(Path(named))
        return
    assert key_files.paths_of(Path(named))[0] == Path(private)


@pytest.mark.parametrize("present", ["owner.pem", "owner.pub"])
@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_nothing_is_overwritten_and_nothing_is_left_behind(
    tmp_path: Path, present: str, kind: str
) -> None:
    path = tmp_path / present
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(CommandError, match="exists already"):
        key_files.write_pair(tmp_path / "owner", KEY)
    assert [each.name for each in tmp_path.iterdir()] == [present]
    assert kind != "file" or path.read_text() == "precious"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc, where nothing is made")
def test_where_nothing_can_be_written_the_error_says_so() -> None:
    with pytest.raises(CommandError, match=r"/proc/keys-of-mine cannot be made"):
        key_files.write_pair(Path("/proc/keys-of-mine/owner"), KEY)
    with pytest.raises(CommandError, match=r"/proc/owner.pub cannot be written"):
        key_files.write_pair(Path("/proc/owner"), KEY)


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("precious")
    with pytest.raises(CommandError, match="cannot be"):
        key_files.write_pair(tmp_path / "keys" / "owner", KEY)
    assert (tmp_path / "keys").read_text() == "precious"


@pytest.mark.skipif(os.name != "posix", reason="needs limits on the size of files")
def test_when_the_disk_is_full_neither_part_is_left(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY.private_pem())
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from pip_intoto.maintainer.keys import key_files, signing\n"
        "key = signing.load(Path('key').read_bytes())\n"
        "before = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({BETWEEN}, before[1]))\n"
        "try:\n"
        "    key_files.write_pair(Path('owner'), key)\n"
        # What else the process writes at its end is to be whole.
        "finally:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    # The public part was there by then, and is gone again.
    assert "CommandError: owner.pem cannot be written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


# --- read ---------------------------------------------------------------------------------------


def test_a_password_is_asked_for_only_where_one_is_needed(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return "grüße"

    private, _ = key_files.write_pair(tmp_path / "owner", KEY, password="grüße")
    assert key_files.open_private(private, ask).public_key == KEY.public_key
    assert asked == [f"password of {private}"]
    with pytest.raises(CommandError, match=r"owner.pem: this is not the key's password") as caught:
        key_files.open_private(private, lambda _: "grusse")
    assert "grusse" not in str(vars(caught.value))


def test_a_missing_file_and_a_huge_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none.pem cannot be read"):
        key_files.open_private(tmp_path / "none.pem", nobody_asks)
    (tmp_path / "huge").write_bytes(bytes(70_000))
    with pytest.raises(CommandError, match="too large"):
        key_files.open_private(tmp_path / "huge", nobody_asks)


def test_a_private_key_is_no_public_key(tmp_path: Path) -> None:
    private, _ = key_files.write_pair(tmp_path / "owner", KEY)
    with pytest.raises(CommandError, match="cannot be used as a public key") as caught:
        key_files.read_public(private)
    assert caught.value.found == "a private key"
    assert f"--from {private}" in caught.value.advice


def test_garbage_is_no_public_key(tmp_path: Path) -> None:
    path = tmp_path / "owner.pub"
    path.write_bytes(b"\xff garbage")
    with pytest.raises(CommandError, match=r"owner.pub cannot be used as a public key"):
        key_files.read_public(path)


def test_an_openpgp_key_in_json_is_a_public_key(tmp_path: Path) -> None:
    key = OpenPGPKey(name="owner")
    path = tmp_path / "owner.json"
    path.write_text(json.dumps(key.described()))
    assert key_files.read_public(path).is_openpgp


@pytest.mark.parametrize("keytype", list(signing.KeyType))
def test_a_public_key_of_any_kind_has_a_pem_form(keytype: signing.KeyType) -> None:
    key = signing.generate(keytype)
    assert key_files.to_pem(key.public_key) == key.public_pem()
    assert load_pem(key_files.to_pem(key.public_key)) == key.public_key


# --- git ----------------------------------------------------------------------------------------


def test_a_key_outside_of_repositories_is_no_concern_of_gits(tmp_path: Path) -> None:
    assert not key_files.git_would_take(tmp_path / "owner.pem")


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_says_whether_it_would_take_a_key(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "keys").mkdir()
    key = tmp_path / "keys" / "owner.pem"
    assert key_files.git_would_take(key)
    (tmp_path / ".gitignore").write_text("*.pem\n")
    assert not key_files.git_would_take(key)


def test_without_git_a_repository_is_taken_for_one_that_takes_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert key_files.git_would_take(tmp_path / "owner.pem")


@pytest.mark.skipif(os.name == "nt", reason="scripts are no programs there")
def test_a_git_out_of_the_working_directory_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    script = tmp_path / "git"
    script.write_text(f"#!/bin/sh\n: > '{tmp_path}/ran'\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.curdir)
    assert key_files.git_would_take(tmp_path / "owner.pem")
    assert not (tmp_path / "ran").exists()
