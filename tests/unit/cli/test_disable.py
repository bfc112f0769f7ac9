"""``pip-intoto disable``: hook and marker go, policies stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pip_intoto.cli import main
from pip_intoto_gate import settings
from tests.integration.environments import listing
from tests.unit.cli.conftest import packages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.environments import Environment
    from tests.unit.cli.conftest import MakeVenv


def test_another_environment_is_left_as_it_was_found(
    make_venv: MakeVenv, user_policy: Path
) -> None:
    venv = make_venv()
    before = listing(venv)
    assert main(["enable", "--python", str(venv)]) == 0
    assert listing(venv) > before
    assert main(["disable", "--python", str(venv)]) == 0
    assert listing(venv) == before
    assert user_policy.exists()


def test_disabling_twice_is_no_error(
    make_venv: MakeVenv, user_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = make_venv()
    assert main(["disable", "--python", str(venv)]) == 0
    assert main(["disable", "--python", str(venv)]) == 0
    assert "There was no gate" in capsys.readouterr().err
    assert not user_policy.exists()


def test_in_its_own_environment_the_gates_package_stays(own: Environment) -> None:
    assert own.run([own.python, "-m", "pip_intoto", "enable"]).status == 0
    result = own.run([own.python, "-m", "pip_intoto", "disable"])
    assert result.status == 0, result.output
    for name in (*settings.ARMING_FILES, settings.MARKER):
        assert not (own.site_packages / name).exists()
    assert (own.site_packages / "pip_intoto_gate" / "gate.py").exists()
    assert (own.site_packages / "pip_intoto_boot.py").exists()


@pytest.mark.usefixtures("user_policy")
def test_what_another_pip_intoto_installed_there_is_its_own(make_venv: MakeVenv) -> None:
    venv = make_venv()
    main(["enable", "--python", str(venv)])
    (packages(venv) / "pip_intoto-9.9.dist-info").mkdir()
    assert main(["disable", "--python", str(venv)]) == 0
    assert not (packages(venv) / "pip_intoto_gate.pth").exists()
    assert (packages(venv) / "pip_intoto_gate" / "gate.py").exists()


def test_pip_works_without_verification_afterwards(own: Environment) -> None:
    own.run([own.python, "-m", "pip_intoto", "disable"])
    result = own.pip("--version")
    assert result.status == 0, result.output
    loaded = own.run([own.python, "-c", "import sys; print('pip_intoto_boot' in sys.modules)"])
    assert loaded.stdout == "False\n"
