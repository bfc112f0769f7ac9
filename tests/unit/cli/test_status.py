"""``pip-intoto status``: what is in force, what is armed, and what is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.supply_chain import SupplyChain
from pip_intoto import __version__
from pip_intoto.cli import main
from pip_intoto_gate import settings
from tests.unit.cli.conftest import packages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.environments import Environment
    from tests.unit.cli.conftest import MakeVenv


def report(venv: Path, capsys: pytest.CaptureFixture[str], *, status: int = 0) -> dict[str, Any]:
    """Give the report as data; *status* is the exit status that goes with it."""
    capsys.readouterr()
    assert main(["status", "--python", str(venv), "--format", "json"]) == status
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert parsed["schema"] == 1
    return parsed


def test_without_a_gate_it_is_off(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(make_venv(), capsys)
    assert found["gate"]["state"] == "off"
    assert found["policy"]["path"] is None
    assert found["environment"]["pip_version"] is None
    assert not user_policy.exists()


def test_enabled_with_a_policy_it_is_armed(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_policy.parent.mkdir(parents=True)
    SupplyChain(project="demo").policy(user_policy.parent, head='mode = "warn"')
    venv = make_venv(pip="23.2.1")
    main(["enable", "--python", str(venv)])
    found = report(venv, capsys)
    assert found["gate"] == {
        "state": "armed",
        "hooked": True,
        "enabled": True,
        "version": __version__,
        "verifier": found["gate"]["verifier"],
        "problems": [],
    }
    assert found["policy"]["path"] == str(user_policy)
    assert found["policy"]["how"] == "user"
    assert found["policy"]["mode"] == "warn"
    assert found["policy"]["listed"] == ["demo"]
    assert found["environment"]["pip_version"] == "23.2.1"
    assert found["environment"]["pip_supported"] is True


def test_installed_but_never_enabled_it_is_dormant(own: Environment) -> None:
    result = own.run([own.python, "-m", "pip_intoto", "status"])
    assert result.status == 0, result.output
    assert "dormant" in result.stdout
    assert "policy       none" in result.stdout


def test_the_text_names_policy_mode_and_listed_projects(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_policy.parent.mkdir(parents=True)
    SupplyChain(project="demo").policy(user_policy.parent)
    venv = make_venv()
    main(["enable", "--python", str(venv)])
    capsys.readouterr()
    assert main(["status", "--python", str(venv)]) == 0
    said = capsys.readouterr().out
    assert "armed: pip asks the policy" in said
    assert f"{user_policy} (this user's own)" in said
    assert "mode enforce, unlisted projects: warn" in said
    assert "1 listed: demo" in said


def test_the_environments_own_policy_is_found_for_another_environment(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    (venv / "pip-intoto.toml").write_text("version = 1\n", encoding="utf-8")
    found = report(venv, capsys)
    assert found["policy"]["how"] == "prefix"
    assert found["policy"]["path"] == str(venv / "pip-intoto.toml")
    assert not user_policy.exists()


def test_enabled_without_a_policy_every_install_is_blocked(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    main(["enable", "--python", str(venv)])
    user_policy.unlink()
    assert main(["status", "--python", str(venv)]) == 2
    assert "none (so every install is blocked)" in capsys.readouterr().out


def test_exceptions_and_revoked_keys_are_counted(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_policy.parent.mkdir(parents=True)
    user_policy.write_text(
        'version = 1\n[[exception]]\nproject = "old"\nreason = "r"\nowner = "o"\n'
        "expires = 2099-01-01\n",
        encoding="utf-8",
    )
    assert main(["status", "--python", str(make_venv())]) == 0
    said = capsys.readouterr().out
    assert "exceptions: 1, revoked keys: 0" in said
    assert "trust add NAME --key owner.pub" in said


def test_a_pip_that_is_too_old_is_a_problem(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    (packages(venv) / "pip").mkdir()
    (packages(venv) / "pip" / "__init__.py").write_text('__version__ = "22.2.2"\n', "utf-8")
    found = report(venv, capsys, status=2)
    assert found["environment"]["pip_supported"] is False
    assert main(["status", "--python", str(venv)]) == 2
    assert "pip 22.2.2 (not supported)" in capsys.readouterr().out
    assert not user_policy.exists()


# --- problems: exit status 2 ----------------------------------------------------------------


def test_a_policy_that_does_not_parse_is_a_problem_with_its_line(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_policy.parent.mkdir(parents=True)
    user_policy.write_text("version = 1\nmoed = 'warn'\n", encoding="utf-8")
    venv = make_venv()
    found = report(venv, capsys, status=2)
    assert f"{user_policy}:2" in found["policy"]["problem"]
    assert main(["status", "--python", str(venv)]) == 2
    said = capsys.readouterr().out
    assert "problem: " in said
    assert "Did you mean `mode`?" in said


def test_a_variable_that_names_nothing_is_a_problem(
    make_venv: MakeVenv,
    user_policy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("INTOTO_POLICY", "/nowhere/policy.toml")
    found = report(make_venv(), capsys, status=2)
    assert found["policy"]["path"] == "/nowhere/policy.toml"
    assert "INTOTO_POLICY" in found["policy"]["problem"]
    assert not user_policy.exists()


BREAKAGES = {
    "no gate": ("pip_intoto_gate/__init__.py", None, "the gate is not"),
    "no boot": ("pip_intoto_boot.py", None, "the hook does nothing"),
    "another version": (
        "pip_intoto_gate/__init__.py",
        'VERSION = "0.0.1"\n',
        "the gate is of version 0.0.1",
    ),
    "no hook": ("pip_intoto_gate.pth", None, "the hook is gone"),
    "changed hook": ("pip_intoto_gate.pth", "import os\n", "was changed"),
    "no start file": ("pip_intoto_gate.start", None, "is missing or was changed"),
    "marker without sense": (settings.MARKER, "[]", "does not say how to run"),
    "marker that is no JSON": (settings.MARKER, "{", "cannot be read"),
    "no verifier": (
        settings.MARKER,
        '{"enabled": true, "verifier": ["/gone/python", "-I", "/gone/main.py"]}',
        "/gone/python is gone",
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_gate_is_a_problem(
    breakage: str, make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    main(["enable", "--python", str(venv)])
    name, content, problem = BREAKAGES[breakage]
    if content is None:
        (packages(venv) / name).unlink()
    else:
        (packages(venv) / name).write_text(content, encoding="utf-8")
    found = report(venv, capsys, status=2)
    assert any(problem in said for said in found["gate"]["problems"]), found
    assert main(["status", "--python", str(venv)]) == 2
    assert problem in capsys.readouterr().out
    assert user_policy.exists()
