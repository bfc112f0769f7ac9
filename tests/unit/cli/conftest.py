"""Real environments for the commands that arm, disarm and report; homes for `trust`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pip_intoto.cli import main
from tests.integration import environments, interpreters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.environments import Environment

    Trust = Callable[..., int]


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


# --- trust ----------------------------------------------------------------------------------


def public(name: str, encoding: Encoding = Encoding.PEM) -> bytes:
    """Give the public key of somebody, the same each time."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    return private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(name: str) -> str:
    """Give the fingerprint of that key, as ``trust`` shows it."""
    return "sha256:" + hashlib.sha256(public(name, Encoding.DER)).hexdigest()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, in which nothing is; the working directory holds keys."""
    home = tmp_path / "home"
    keys = tmp_path / "keys"
    for directory in (home, keys):
        directory.mkdir()
    for name in ("alice", "bob", "carol"):
        (keys / f"{name}.pub").write_bytes(public(name))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("INTOTO_POLICY", raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.chdir(keys)
    return home


@pytest.fixture
def policy(home: Path) -> Path:
    """Give the place of the policy in that home."""
    return home / ".config/pip-intoto/policy.toml"


@pytest.fixture
def trust(home: Path) -> Trust:
    """Run ``pip-intoto trust`` in that home."""
    assert home.is_dir()
    return lambda *words: main(["trust", *words])
