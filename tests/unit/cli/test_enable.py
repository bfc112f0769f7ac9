"""``pip-intoto enable``: the gate in an environment of its own, and in others."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.supply_chain import SupplyChain
from pip_intoto import __version__, arming
from pip_intoto.cli import main
from pip_intoto.policy.file import load_policy
from pip_intoto_gate import settings
from tests.integration import environments
from tests.unit.cli.conftest import packages

if TYPE_CHECKING:
    from tests.integration.environments import Environment
    from tests.unit.cli.conftest import MakeVenv

HOOKS = Path(__file__).parents[3] / "hooks"


def gate_files(folder: Path) -> dict[str, bytes]:
    """Give the gate below *folder*: path to content, without byte code."""
    paths = [folder / name for name in (*settings.ARMING_FILES, "pip_intoto_boot.py")]
    paths += sorted((folder / "pip_intoto_gate").glob("*.py"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.exists()}


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


# --- another environment --------------------------------------------------------------------


def test_another_environment_gets_the_gate_byte_for_byte(
    make_venv: MakeVenv, user_policy: Path
) -> None:
    venv = make_venv()
    assert main(["enable", "--python", str(venv)]) == 0
    assert gate_files(packages(venv)) == gate_files(HOOKS)
    assert user_policy.exists()


def test_the_marker_names_this_very_verifier(make_venv: MakeVenv, user_policy: Path) -> None:
    venv = make_venv()
    assert main(["enable", "--python", str(venv)]) == 0
    marker = json.loads((packages(venv) / settings.MARKER).read_text("utf-8"))
    assert marker["enabled"] is True
    assert marker["seconds"] == 120
    interpreter, isolated, entry = marker["verifier"]
    assert (interpreter, isolated) == (sys.executable, "-I")
    assert Path(entry).is_absolute()
    assert Path(entry).is_file()
    assert user_policy.exists()


@pytest.mark.parametrize("python", ["3.8", "3.9", None])
def test_the_gate_is_compiled_by_the_interpreter_that_will_run_it(
    python: str | None, make_venv: MakeVenv, user_policy: Path
) -> None:
    venv = make_venv(python)
    assert main(["enable", "--python", str(venv)]) == 0
    compiled = {
        path.name.split(".")[0]
        for path in (packages(venv) / "pip_intoto_gate" / "__pycache__").iterdir()
    }
    assert {path.stem for path in (HOOKS / "pip_intoto_gate").glob("*.py")} <= compiled
    loaded = subprocess.run(
        [venv / "bin" / "python", "-c", "import sys; print('pip_intoto_boot' in sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert loaded.stdout == "True\n"
    assert user_policy.exists()


def test_an_interpreter_may_be_named_instead_of_its_environment(
    make_venv: MakeVenv, user_policy: Path
) -> None:
    venv = make_venv()
    assert main(["enable", "--python", str(venv / "bin" / "python")]) == 0
    assert (packages(venv) / settings.MARKER).exists()
    assert user_policy.exists()


def test_enabling_twice_changes_nothing(make_venv: MakeVenv, user_policy: Path) -> None:
    venv = make_venv()
    assert main(["enable", "--python", str(venv)]) == 0
    before = snapshot(venv), user_policy.read_bytes()
    assert main(["enable", "--python", str(venv)]) == 0
    assert (snapshot(venv), user_policy.read_bytes()) == before


def test_an_older_gate_is_replaced_as_a_whole(make_venv: MakeVenv, user_policy: Path) -> None:
    venv = make_venv()
    main(["enable", "--python", str(venv)])
    gate = packages(venv) / "pip_intoto_gate"
    (gate / "__init__.py").write_text('VERSION = "0.0.1"\n', encoding="utf-8")
    (gate / "forgotten.py").write_text("", encoding="utf-8")
    assert main(["enable", "--python", str(venv)]) == 0
    assert gate_files(packages(venv)) == gate_files(HOOKS)
    assert sorted(path.name for path in packages(venv).glob(".*")) == []
    assert user_policy.exists()


# --- its own environment --------------------------------------------------------------------


def test_in_its_own_environment_only_the_marker_is_new(own: Environment) -> None:
    before = gate_files(own.site_packages)
    result = own.run([own.python, "-m", "pip_intoto", "enable"])
    assert result.status == 0, result.output
    assert own.added() == {str((own.site_packages / settings.MARKER).relative_to(own.root))}
    assert gate_files(own.site_packages) == before == gate_files(HOOKS)


def test_what_disable_removed_comes_back(own: Environment) -> None:
    own.run([own.python, "-m", "pip_intoto", "disable"])
    assert not (own.site_packages / "pip_intoto_gate.pth").exists()
    result = own.run([own.python, "-m", "pip_intoto", "enable"])
    assert result.status == 0, result.output
    assert gate_files(own.site_packages) == gate_files(HOOKS)


def test_a_gate_that_lacks_a_part_is_not_called_armed(own: Environment) -> None:
    (own.site_packages / "pip_intoto_boot.py").unlink()
    result = own.run([own.python, "-m", "pip_intoto", "enable"])
    assert result.status == 2, result.output
    assert "is not in order" in result.stderr
    assert "--force-reinstall" in result.stderr
    assert "armed in" not in result.stderr


def test_the_hooks_that_enable_writes_are_the_wheels_own() -> None:
    assert {
        name: (HOOKS / name).read_text("utf-8") for name in settings.ARMING_FILES
    } == arming.HOOKS


# --- the policy -----------------------------------------------------------------------------


def test_a_starting_policy_is_written_for_the_user_alone(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enable", "--python", str(make_venv())]) == 0
    policy = load_policy(user_policy)
    assert (policy.mode, policy.unlisted, policy.projects) == ("enforce", "warn", ())
    assert "#" in user_policy.read_text("utf-8")
    assert stat.S_IMODE(user_policy.stat().st_mode) == 0o600
    assert stat.S_IMODE(user_policy.parent.stat().st_mode) == 0o700
    said = capsys.readouterr().err
    assert "lists no projects yet" in said
    assert "pip-intoto trust add NAME --key owner.pub" in said


def test_a_policy_that_is_there_is_left_alone(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_policy.parent.mkdir(parents=True)
    user_policy.write_text(
        'version = 1\nunlisted = "deny"\n[[exception]]\nproject = "old"\nreason = "r"\n'
        'owner = "o"\nexpires = 2099-01-01\n',
        encoding="utf-8",
    )
    before = user_policy.read_bytes()
    assert main(["enable", "--python", str(make_venv())]) == 0
    assert user_policy.read_bytes() == before
    assert "every install is blocked" in capsys.readouterr().err


def test_the_listed_projects_are_counted(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_policy.parent.mkdir(parents=True)
    SupplyChain(project="demo").policy(user_policy.parent)
    assert user_policy.exists()
    assert main(["enable", "--python", str(make_venv())]) == 0
    assert "lists 1 project; its mode is enforce." in capsys.readouterr().err


def test_a_policy_that_cannot_be_used_is_said_and_nothing_is_written(
    make_venv: MakeVenv,
    user_policy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("INTOTO_POLICY", "/nowhere/policy.toml")
    assert main(["enable", "--python", str(make_venv())]) == 0
    assert "every install is blocked" in capsys.readouterr().err
    assert not user_policy.exists()


# --- what is refused ------------------------------------------------------------------------


def test_a_pip_that_is_too_old_is_refused_and_nothing_is_written(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    (packages(venv) / "pip").mkdir()
    (packages(venv) / "pip" / "__init__.py").write_text('__version__ = "22.2.2"\n', "utf-8")
    assert main(["enable", "--python", str(venv)]) == 2
    said = capsys.readouterr().err
    assert "pip 22.2.2" in said
    assert "22.3 or later" in said
    assert "Upgrade it: " in said
    assert gate_files(packages(venv)) == {}
    assert not user_policy.exists()


def test_a_pip_that_the_gate_stops_is_not_told_to_upgrade_itself_before_the_gate_is_gone(
    make_venv: MakeVenv, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    assert main(["enable", "--python", str(venv)]) == 0
    (packages(venv) / "pip").mkdir()
    (packages(venv) / "pip" / "__init__.py").write_text('__version__ = "22.2.2"\n', "utf-8")
    assert main(["enable", "--python", str(venv)]) == 2
    assert "hint: Run `pip-intoto disable` for it, then upgrade it: " in capsys.readouterr().err


def test_a_pip_newer_than_all_known_ones_is_armed_with_a_warning(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    (packages(venv) / "pip").mkdir()
    (packages(venv) / "pip" / "__init__.py").write_text('__version__ = "99.0"\n', "utf-8")
    assert main(["enable", "--python", str(venv)]) == 0
    assert "warning: pip 99.0 is newer" in capsys.readouterr().err
    assert user_policy.exists()


def test_a_python_that_is_too_old_is_refused(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv("3.7")
    assert main(["enable", "--python", str(venv)]) == 2
    assert "Python 3.8 or later" in capsys.readouterr().err
    assert not user_policy.exists()


def test_an_environment_with_a_pip_intoto_of_its_own_is_left_to_that_one(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    (packages(venv) / "pip_intoto-9.9.dist-info").mkdir()
    assert main(["enable", "--python", str(venv)]) == 2
    assert f"{venv}/bin/python -m pip_intoto enable" in capsys.readouterr().err
    assert gate_files(packages(venv)) == {}
    assert not user_policy.exists()


@pytest.mark.parametrize("target", ["missing", "empty", "text", "no-such-python-3.99"])
def test_what_is_no_environment_is_refused(
    target: str, tmp_path: Path, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("#!/bin/sh\necho hello\n", encoding="utf-8")
    (tmp_path / "text").chmod(0o755)
    named = target if "python" in target else str(tmp_path / target)
    assert main(["enable", "--python", named]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not user_policy.exists()


def test_a_site_packages_that_cannot_be_written_is_an_error_with_advice(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    # Root may write anywhere, so the marker's place is taken by what no file can replace.
    (packages(venv) / settings.MARKER / "in the way").mkdir(parents=True)
    assert main(["enable", "--python", str(venv)]) == 2
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert "hint: " in said
    assert not user_policy.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_site_packages_is_an_error_with_advice(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    packages(venv).chmod(0o555)
    try:
        assert main(["enable", "--python", str(venv)]) == 2
    finally:
        packages(venv).chmod(0o755)
    assert "cannot be written" in capsys.readouterr().err
    assert not user_policy.exists()


def test_an_installation_with_target_is_refused_because_its_gate_would_sleep(
    make_venv: MakeVenv, tmp_path: Path
) -> None:
    venv, target = make_venv(), tmp_path / "target"
    with zipfile.ZipFile(environments.built_wheel()) as archive:
        archive.extractall(target)
    environments.transplant(target)
    done = subprocess.run(
        [venv / "bin" / "python", "-m", "pip_intoto", "enable"],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(target), "HOME": str(tmp_path), "PATH": os.defpath},
    )
    assert done.returncode == 2, done.stderr
    assert "--target" in done.stderr
    assert gate_files(packages(venv)) == {}


def test_the_gates_version_is_the_packages() -> None:
    assert f'VERSION = "{__version__}"' in (HOOKS / "pip_intoto_gate" / "__init__.py").read_text(
        "utf-8"
    )
