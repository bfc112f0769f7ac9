"""What ``verify`` says to those who pointed it at the wrong thing."""

from __future__ import annotations

import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.supply_chain import SupplyChain
from tests.unit.cli import shells

if TYPE_CHECKING:
    from tests.unit.cli.shells import Shell

ELSEWHERE = """\
lock-version = "1.0"
created-by = "test"

[[packages]]
name = "demo"
version = "1.0"
marker = "sys_platform == 'nowhere'"
wheels = [{ url = "https://files.example/demo-1.0-py3-none-any.whl", hashes = { sha256 = "HASH" } }]
""".replace("HASH", "0" * 64)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    return shells.Shell(capsys)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return SupplyChain(project="demo").policy(tmp_path / "policy")


def test_a_folder_with_locks_is_not_taken_for_them(shell: Shell, policy: Path) -> None:
    Path("app").mkdir()
    Path("app/uv.lock").write_text("")
    assert shell.run("verify", "--policy", policy, "app") == 2
    assert "found: uv.lock\n" in shell.err
    assert "hint: Name the lockfile itself." in shell.err


def test_a_file_of_another_name_is_told_what_locks_are_called(shell: Shell, policy: Path) -> None:
    Path("pyproject.toml").write_text("")
    assert shell.run("verify", "--policy", policy, "pyproject.toml") == 2
    assert "hint: A lockfile is known by its name" in shell.err


def test_a_lock_for_other_interpreters_says_so(shell: Shell, policy: Path) -> None:
    Path("pylock.toml").write_text(ELSEWHERE)
    assert shell.run("verify", "--policy", policy, "pylock.toml") == 2
    assert "nothing of the lock is for this interpreter" in shell.err


@pytest.mark.parametrize("option", ["--trust-diff", "--only-changed-since"])
def test_a_variable_that_is_not_set_is_no_revision(shell: Shell, policy: Path, option: str) -> None:
    Path("pylock.toml").write_text(ELSEWHERE)
    assert shell.run("verify", "--policy", policy, "pylock.toml", option, "") == 2
    assert "[usage]" in shell.err


def test_a_trust_diff_against_a_branch_wants_the_file_too(shell: Shell, policy: Path) -> None:
    Path("pylock.toml").write_text(ELSEWHERE)
    words = ("--policy", policy, "pylock.toml", "--trust-diff", "origin/main")
    assert shell.run("verify", *words) == 2
    assert "REVISION:PATH, such as origin/main:pylock.toml" in shell.err


def test_the_gate_of_another_version_is_told_from_a_stranger(
    shell: Shell, policy: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "venv")
    (site,) = (tmp_path / "venv").rglob("site-packages")
    (site / "pip_intoto_gate").mkdir()
    (site / "pip_intoto_gate" / "gate.py").write_text("# of another version\n")
    (site / "evil.pth").write_text("import evil\n")
    words = ("--policy", policy, "--installed", "--python", tmp_path / "venv")
    assert shell.run("verify", *words) == 2
    said = shell.err
    assert (
        "gate.py belongs to no project, and Python can run it; it is not the gate of this" in said
    )
    assert "evil.pth belongs to no project, and Python can run it\n" in said
