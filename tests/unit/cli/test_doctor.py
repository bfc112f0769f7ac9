"""``pip-intoto doctor``: it proves a gate that works, and finds one that does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.supply_chain import SupplyChain
from pip_intoto.cli import main
from tests.integration.environments import listing
from tests.integration.interpreters import NEWEST_PIP, ROOT
from tests.unit.cli.conftest import packages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.environments import Environment
    from tests.unit.cli.conftest import MakeVenv


@pytest.mark.parametrize(("python", "pip"), [(None, NEWEST_PIP), ("3.8", "22.3.1")])
def test_a_gate_that_works_is_proven_and_nothing_stays(
    python: str | None,
    pip: str,
    make_venv: MakeVenv,
    user_policy: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    venv = make_venv(python, pip=pip)
    main(["enable", "--python", str(venv)])
    before = listing(venv)
    assert main(["doctor", "--python", str(venv)]) == 0
    said = capsys.readouterr().out
    assert said.count("proven") == 4
    assert "failed" not in said
    assert f"({user_policy}) is heeded" in said
    assert listing(venv) == before


def test_it_says_what_it_cannot_prove(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv(pip=NEWEST_PIP)
    assert main(["doctor", "--python", str(venv)]) == 1
    said = capsys.readouterr().out
    for limit in ("installers other than pip", "python -S", "--user"):
        assert limit in said
    assert not user_policy.exists()


def test_without_a_gate_it_fails(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv(pip=NEWEST_PIP)
    assert main(["doctor", "--python", str(venv)]) == 1
    assert "it is not armed" in capsys.readouterr().out
    assert not user_policy.exists()


def test_what_the_policy_needs_and_is_not_installed_is_a_failure(
    make_venv: MakeVenv,
    user_policy: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user_policy.parent.mkdir(parents=True)
    user_policy.write_text(
        'version = 1\n[identities.release]\npublisher = "github:acme/demo:release.yml"\n'
        '[[project]]\nname = "demo"\nrequire = ["publish"]\nidentities = ["release"]\n',
        encoding="utf-8",
    )
    monkeypatch.setattr("pip_intoto.policy.extras._MODULES", {"sigstore": "no_such_module"})
    assert main(["doctor", "--python", str(make_venv(pip=NEWEST_PIP))]) == 1
    said = capsys.readouterr().out
    assert "failed  what the policy in force asks for can be checked\n" in said
    assert "pip-intoto[sigstore] is not installed\n" in said


def test_a_gate_that_lets_everything_through_is_found_out(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv(pip=NEWEST_PIP)
    main(["enable", "--python", str(venv)])
    boot = packages(venv) / "pip_intoto_boot.py"
    boot.write_text("def arm(context=None):\n    pass\n", encoding="utf-8")
    before = listing(venv)
    assert main(["doctor", "--python", str(venv)]) == 1
    said = capsys.readouterr().out
    assert "failed  the same canary, altered, is blocked" in said
    assert "failed  a canary without evidence is blocked" in said
    assert "pip said:" in said
    assert listing(venv) == before
    assert user_policy.exists()


def test_a_gate_without_its_verifier_is_found_out(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv(pip=NEWEST_PIP)
    main(["enable", "--python", str(venv)])
    marker = packages(venv) / "pip_intoto_gate.json"
    marker.write_text(marker.read_text("utf-8").replace('"-I"', '"-c"'), encoding="utf-8")
    assert main(["doctor", "--python", str(venv)]) == 1
    assert "verifier-unavailable" in capsys.readouterr().out
    assert user_policy.exists()


@pytest.mark.parametrize(
    ("head", "proof"),
    [
        ('unlisted = "deny"', "what it does not list is blocked"),
        ('unlisted = "allow"', "what it does not list passes"),
        ('unlisted = "deny"\nmode = "warn"', "what it does not list passes"),
    ],
)
def test_the_policy_in_force_is_shown_to_be_heeded(
    head: str,
    proof: str,
    make_venv: MakeVenv,
    user_policy: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    user_policy.parent.mkdir(parents=True)
    user_policy.write_text(f"version = 1\n{head}\n", encoding="utf-8")
    venv = make_venv(pip=NEWEST_PIP)
    main(["enable", "--python", str(venv)])
    assert main(["doctor", "--python", str(venv)]) == 0
    assert proof in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mode", "proof"),
    [("enforce", "without evidence is blocked"), ("warn", "without evidence passes")],
)
def test_a_policy_that_covers_the_canary_is_heeded_too(
    mode: str,
    proof: str,
    make_venv: MakeVenv,
    user_policy: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    user_policy.parent.mkdir(parents=True)
    SupplyChain(project="pip-intoto-*").policy(user_policy.parent, head=f'mode = "{mode}"')
    venv = make_venv(pip=NEWEST_PIP)
    main(["enable", "--python", str(venv)])
    assert main(["doctor", "--python", str(venv)]) == 0
    assert f"is heeded: a canary {proof}" in capsys.readouterr().out


def test_a_policy_that_cannot_be_read_is_a_failure(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv(pip=NEWEST_PIP)
    main(["enable", "--python", str(venv)])
    user_policy.write_text("version = 2\n", encoding="utf-8")
    assert main(["doctor", "--python", str(venv)]) == 1
    assert "failed  the policy in force can be read" in capsys.readouterr().out


def test_a_gate_that_sleeps_is_a_failure(own: Environment) -> None:
    result = own.run([own.python, "-m", "pip_intoto", "doctor"])
    assert result.status == 1, result.output
    assert "it is dormant" in result.stdout


def test_files_out_of_order_are_a_failure(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv(pip=NEWEST_PIP)
    main(["enable", "--python", str(venv)])
    (packages(venv) / "pip_intoto_gate.start").unlink()
    assert main(["doctor", "--python", str(venv)]) == 1
    assert "failed  the gate's files are in order" in capsys.readouterr().out
    assert user_policy.exists()


def test_other_installers_and_another_pip_on_path_are_named(
    make_venv: MakeVenv,
    user_policy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("uv", "pip"):
        (programs / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    assert main(["doctor", "--python", str(make_venv(pip=NEWEST_PIP))]) == 1
    said = capsys.readouterr().out
    assert "not guarded (here: uv)" in said
    assert f"belongs to another interpreter: {programs}/pip" in said
    assert not user_policy.exists()


def test_an_environment_without_pip_is_an_error(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--python", str(make_venv())]) == 2
    assert "has no pip" in capsys.readouterr().err
    assert not user_policy.exists()


@pytest.mark.parametrize("unlisted", ["warn", "deny"])
def test_under_a_policy_of_the_system_it_proves_what_it_can(
    unlisted: str, make_venv: MakeVenv, user_policy: Path, tmp_path: Path
) -> None:
    venv = make_venv(pip=NEWEST_PIP)
    main(["enable", "--python", str(venv)])
    assert user_policy.exists()
    # A mount namespace of its own: nobody else sees this /etc.
    script = (
        f"mount -t tmpfs none /etc && mkdir -m 755 /etc/pip-intoto &&"
        f" printf 'version = 1\\nunlisted = \"{unlisted}\"\\n' > /etc/pip-intoto/policy.toml &&"
        f" exec {sys.executable} -m pip_intoto doctor --python {venv}"
    )
    unshare = shutil.which("unshare")
    probe = ["sh", "-c", "mount -t tmpfs none /etc"]
    if (
        unshare is None
        or subprocess.run([unshare, "-m", *probe], check=False, capture_output=True).returncode
    ):
        pytest.skip("this machine lets nobody mount a file system of his own")
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'hooks'}", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "open    evidence that verifies lets pass" in done.stdout
    assert "(/etc/pip-intoto/policy.toml) is heeded" in done.stdout
    overwrites = "proven  a canary that would overwrite the gate is blocked"
    assert (overwrites in done.stdout) == (unlisted == "warn")
