"""Real environments for the commands that arm, disarm and report."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.integration import environments, interpreters

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.environments import Environment


class MakeVenv(Protocol):
    """Makes environments that have nothing of ours; each call makes another one."""

    def __call__(self, python: str | None = None, *, pip: str = "") -> Path:
        """Give the environment's directory. *pip* is a version; "" for an environment without."""


@pytest.fixture
def user_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the place of the user's own policy, in a home without one."""
    home = tmp_path / "home"
    home.mkdir()
    if sys.platform == "darwin":
        monkeypatch.setenv("HOME", str(home))
        below = home / "Library" / "Application Support"
    else:
        below = home / "config"
        monkeypatch.setenv("XDG_CONFIG_HOME", str(below))
    monkeypatch.delenv("INTOTO_POLICY", raising=False)
    if os.path.lexists("/etc/pip-intoto/policy.toml"):
        pytest.skip("this machine has a policy for everybody, which stands above the test's own")
    return below / "pip-intoto" / "policy.toml"


@pytest.fixture
def make_venv(tmp_path: Path, user_policy: Path) -> MakeVenv:
    """Make environments; skips when the machine lacks the Python or the pip.

    Arming one may write the user's policy, so that is always one of the test's own.
    """
    assert not user_policy.exists()
    count = 0

    def make(python: str | None = None, *, pip: str = "") -> Path:
        nonlocal count
        count += 1
        folder = tmp_path / f"other-{count}"
        try:
            found = interpreters.own() if python is None else interpreters.find(python)
            if pip:
                return environments.create(folder, found, pip, armed=False).root
        except interpreters.Unavailable as reason:
            pytest.skip(str(reason))
        subprocess.run([found.path, "-I", "-m", "venv", "--without-pip", folder], check=True)
        return folder

    return make


@pytest.fixture
def own(tmp_path: Path) -> Environment:
    """Give an environment in which our wheel, built from this checkout, is installed."""
    try:
        return environments.create(
            tmp_path / "own", interpreters.own(), interpreters.NEWEST_PIP, armed=True
        )
    except interpreters.Unavailable as reason:
        pytest.skip(str(reason))


def packages(venv: Path) -> Path:
    """Give the site-packages of an environment."""
    (found,) = venv.glob("lib/python*/site-packages")
    return found
