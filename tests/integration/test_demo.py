"""``pip-intoto demo``: the story ends as told, and the demo notices when it does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pip_intoto import arming
from pip_intoto.cli import demo, main
from tests.integration.interpreters import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import MakeEnvironment

CODES = (
    "artifact-digest-mismatch",
    "layout-missing",
    "link-missing",
    "layout-expired",
    "artifact-not-bound",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One run of the demo: what it said, the home it had, and the files that it kept."""

    status: int
    stdout: str
    stderr: str
    home: Path
    kept: Path


def run(folder: Path, **variables: str) -> Story:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pip_intoto", "demo", "--keep", folder / "story"],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hooks'}",
            "PATH": os.defpath,
            "HOME": str(home),
            "TMPDIR": str(home),
            **variables,
        },
    )
    return Story(
        status=done.returncode,
        stdout=done.stdout,
        stderr=done.stderr,
        home=home,
        kept=folder / "story",
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Run the demo once, under a user whose pip is told what would break it."""
    folder = tmp_path_factory.mktemp("demo")
    variables = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_SUCH": "1"}
    return run(folder, INTOTO_POLICY="x", **variables)


def test_the_story_ends_as_told_and_leaves_nothing(story: Story) -> None:
    assert story.status == 0, story.stdout + story.stderr
    assert story.stderr == ""
    assert story.stdout.count("pip-intoto: 1 verified") == 1
    assert story.stdout.count("blocked, and nothing was installed") == len(CODES)
    assert list(story.home.iterdir()) == []


def test_each_attack_is_told_with_the_message_that_a_user_sees(story: Story) -> None:
    attacks = story.stdout.split("\n7. ")[1].split("$ pip install")[1:]
    assert len(attacks) == len(CODES)
    for code, told in zip(CODES, attacks, strict=True):
        for part in (f"error: {code}", "×", "expected: ", "found: ", "hint: "):
            assert part in told


def test_the_files_can_be_kept(story: Story) -> None:
    for path in ("ada/root.layout", "ada/ada.pub", "dan/policy.toml", "ben/lighthouse"):
        assert (story.kept / path).exists()
    again = run(story.kept.parent)
    assert again.status == 2
    assert "exists already" in again.stderr


def test_an_act_that_ends_otherwise_fails_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # An environment in which nobody arms the gate.
    monkeypatch.setattr(arming, "arm", lambda _environment: [])
    assert main(["demo"]) == 1
    assert "This did not end as told: it was not installed" in capsys.readouterr().out


def test_without_a_build_backend_the_project_brings_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "_BACKENDS", {})
    assert main(["demo"]) == 0
    assert "the project's own backend.py" in capsys.readouterr().out


def test_a_policy_of_the_system_stands_above_the_demos(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    probe = "mount -t tmpfs none /etc && mkdir -m 755 /etc/pip-intoto"
    if (
        unshare is None
        or subprocess.run(
            [unshare, "-m", "sh", "-c", probe], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("this machine lets nobody mount a file system of his own")
    write = "printf 'version = 1\\n' > /etc/pip-intoto/policy.toml"
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", f"{probe} && {write} && {sys.executable} -m pip_intoto demo"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hooks'}",
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        },
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "/etc/pip-intoto/policy.toml" in done.stderr


def test_it_runs_where_our_wheel_is_installed(make_environment: MakeEnvironment) -> None:
    environment = make_environment()
    result = environment.run([environment.python, "-m", "pip_intoto", "demo"])
    assert result.status == 0, result.output
    assert environment.added() == frozenset()
