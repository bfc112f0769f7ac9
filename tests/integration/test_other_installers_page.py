"""The page on uv, Poetry and others: its commands, and that these tools heed their locks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from tests.integration.interpreters import ROOT
from tests.integration.pages import Shell, sections
from tests.integration.pipelines import Machine
from tests.integration.releases import environment_with, needs_registry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fixtures.supply_chain import SupplyChain
    from tests.integration.conftest import MakeEnvironment
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

PAGE = "docs/how-to/uv-and-poetry.md"
DEMO = wheel("demo")
#: As uv 0.13 writes it.
UV_LOCK = """\
version = 1
revision = 5
requires-python = ">=3.10"

[[package]]
name = "app"
version = "0.1"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "demo" }},
]

[package.metadata]
requires-dist = [{{ name = "demo" }}]

[[package]]
name = "demo"
version = "1.0"
source = {{ registry = "{index}" }}
wheels = [
    {{ url = "{url}", hash = "sha256:{sha256}" }},
]
"""


def test_every_command_of_the_page_runs(
    environment: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    parts = sections(PAGE)
    assert {number: len(typed) for number, typed in parts.items()} == {"1": 1, "2": 2, "3": 2}
    index.publish(DEMO, chain)
    shell = Shell(environment, tmp_path, index)
    policy = chain.policy(shell.work / "ci")
    (shell.work / ".venv").symlink_to(environment.root)
    lock = UV_LOCK.format(index=index.simple, url=index.url(DEMO), sha256=DEMO.sha256)
    (shell.work / "uv.lock").write_text(lock, "utf-8")
    for command in (*parts["1"], *parts["2"]):
        done = shell.run(command)
        assert done.status == 0, done.output
        assert "at: uv.lock:21" in done.output
        assert "1 verified" in done.output
    assert index.asked("*.whl") == []

    (shell.work / "requirements.txt").write_text(
        f"demo==1.0 --hash=sha256:{DEMO.sha256}\n", "utf-8"
    )
    shell.variables["INTOTO_POLICY"] = str(policy)
    install, installed = (shell.run(command) for command in parts["3"])
    assert install.status == 0, install.output
    assert "1 verified" in install.output
    assert installed.status == 0, installed.output
    assert "verified when it was installed on 20" in installed.output


def test_what_another_tool_installed_is_unverifiable(
    environment: Environment,
    make_environment: MakeEnvironment,
    index: Index,
    chain: SupplyChain,
    tmp_path: Path,
) -> None:
    index.publish(DEMO, chain)
    shell = Shell(environment, tmp_path, index)
    chain.policy(shell.work / "ci")
    other = make_environment(armed=False)
    assert other.pip("install", "demo", index=index).status == 0
    (shell.work / ".venv").symlink_to(other.root)
    _, installed = sections(PAGE)["3"]
    done = shell.run(installed)
    assert done.status == 1
    assert "demo: unverifiable, block" in done.output
    other.rewrite(other.site_packages / "demo.py", "VERSION = 2\n")
    assert "changed: demo.py" in shell.run(installed).output


def test_the_page_has_the_commands_that_are_tried() -> None:
    page = (ROOT / PAGE).read_text("utf-8")
    rows = dict(re.findall(r"^\| `([\w.]+)`.* \| (.+) \|$", page, re.MULTILINE))
    shown = {
        (lock, command) for lock, cell in rows.items() for command in re.findall("`(.+?)`", cell)
    }
    tried = {
        (name.partition(" ")[0], re.sub(r" (--python \S+|--no-interaction)", "", installer.install))
        for name, installer in INSTALLERS.items()
    }
    assert shown == tried


# --- the tools themselves -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """What a project of its kind consists of, and what locks and installs it.

    ``{index}`` in a file or a command is the index, ``{python}`` the interpreter of these tests.
    """

    tool: tuple[str, ...]
    files: Mapping[str, str]
    lock: str
    install: str
    variables: Mapping[str, str] = field(default_factory=dict)


PROJECT = """\
[project]
name = "app"
version = "0.1"
requires-python = ">=3.10"
dependencies = ["demo"]
"""
REQUIRES = {"requirements.in": "demo\n"}

INSTALLERS = {
    "uv.lock": Installer(
        tool=("uv",),
        files={
            "pyproject.toml": f"{PROJECT}[tool.uv]\npackage = false\n"
            '[[tool.uv.index]]\nurl = "{index}"\ndefault = true\n'
        },
        lock="uv lock --python {python}",
        install="uv sync --locked --python {python}",
    ),
    "poetry.lock": Installer(
        tool=("poetry",),
        files={
            "pyproject.toml": f"{PROJECT}[tool.poetry]\npackage-mode = false\n"
            '[[tool.poetry.source]]\nname = "ours"\nurl = "{index}"\n'
        },
        lock="poetry lock --no-interaction",
        install="poetry sync --no-interaction",
        variables={"POETRY_VIRTUALENVS_IN_PROJECT": "1"},
    ),
    "pdm.lock": Installer(
        tool=("pdm[locked]",),
        files={
            "pyproject.toml": f"{PROJECT}[tool.pdm]\ndistribution = false\n"
            '[[tool.pdm.source]]\nname = "pypi"\nurl = "{index}"\n'
        },
        lock="pdm lock",
        install="pdm sync",
    ),
    "Pipfile.lock": Installer(
        tool=("pipenv",),
        files={
            "Pipfile": '[[source]]\nname = "ours"\nurl = "{index}"\nverify_ssl = false\n'
            '[packages]\ndemo = "*"\n'
        },
        lock="pipenv --python {python} lock",
        install="pipenv sync",
        variables={"PIPENV_VENV_IN_PROJECT": "1", "PIPENV_IGNORE_VIRTUALENVS": "1"},
    ),
    "requirements.txt with pip": Installer(
        tool=("pip-tools",),
        files=REQUIRES,
        lock="piptools compile --index-url={index} --generate-hashes --output-file=requirements.txt"
        " requirements.in",
        install="pip --python .venv install --require-hashes -r requirements.txt",
    ),
    "requirements.txt with uv": Installer(
        tool=("uv",),
        files=REQUIRES,
        lock="uv pip compile --index-url={index} --emit-index-url --generate-hashes"
        " -o requirements.txt requirements.in",
        install="uv pip sync --python .venv --require-hashes requirements.txt",
    ),
    "pylock.toml with pip": Installer(
        tool=("pip>=26.1",),
        files=REQUIRES,
        lock="pip lock --index-url={index} -r requirements.in",
        install="pip --python .venv install -r pylock.toml",
    ),
    "pylock.toml with uv": Installer(
        tool=("uv",),
        files=REQUIRES,
        lock="uv pip compile --index-url={index} --format pylock.toml -o pylock.toml"
        " requirements.in",
        install="uv pip sync --python .venv pylock.toml",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A project of one tool's, and the tool, without any cache of what it has downloaded."""

    installer: Installer
    folder: Path
    index: Index

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        programs = environment_with(*self.installer.tool)
        words = command.format(index=self.index.simple, python=sys.executable).split()
        home = self.folder.parent
        shutil.rmtree(home / "cache", ignore_errors=True)
        return subprocess.run(
            [str(programs / "python"), "-m", *words],
            check=False,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=300,
            env={
                "PATH": f"{programs}{os.pathsep}{os.defpath}",
                "HOME": str(home),
                "XDG_CACHE_HOME": str(home / "cache"),
                "TMPDIR": str(home),
                "LC_ALL": "C.UTF-8",
                "PIP_INDEX_URL": self.index.simple,
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "UV_PYTHON_DOWNLOADS": "never",
                "POETRY_KEYRING_ENABLED": "false",
                "PDM_CHECK_UPDATE": "0",
                "NO_COLOR": "1",
                **self.installer.variables,
            },
        )

    def has_demo(self) -> bool:
        return bool(list(self.folder.glob(".venv/lib/python*/site-packages/demo*")))

    def without_environment(self) -> None:
        """Have the tools begin anew; those that make no environment get an empty one."""
        shutil.rmtree(self.folder / ".venv", ignore_errors=True)
        if "requirements.in" in self.installer.files:
            words = (sys.executable, "-m", "venv", "--without-pip", self.folder / ".venv")
            subprocess.run(words, check=True)


def begun(name: str, index: Index, folder: Path) -> Desk:
    """Begin a project that requires demo."""
    desk = Desk(installer=INSTALLERS[name], folder=folder / "work", index=index)
    desk.folder.mkdir()
    for path, text in desk.installer.files.items():
        (desk.folder / path).write_text(text.replace("{index}", index.simple), "utf-8")
    return desk


@pytest.mark.matrix
@pytest.mark.registry
@pytest.mark.parametrize("name", INSTALLERS)
def test_the_tool_refuses_files_that_are_not_those_of_its_lock(
    name: str, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    needs_registry()
    desk = begun(name, index, tmp_path)
    installer = desk.installer
    index.publish(DEMO, chain)
    done = desk.run(installer.lock)
    assert done.returncode == 0, done.stdout
    lock = name.partition(" ")[0]
    assert DEMO.sha256 in (desk.folder / lock).read_text("utf-8")

    # What is verified ...
    index.requests.clear()
    policy = chain.policy(tmp_path / "policy", head='unlisted = "deny"')
    verifier = Machine.at(tmp_path / "verifier")
    # Not every lock says which index it is of.
    verified = verifier.run(
        f"pip-intoto verify {desk.folder / lock} --policy {policy}", {"PIP_INDEX_URL": index.simple}
    )
    assert verified.returncode == 0, verified.stdout
    assert "1 verified" in verified.stdout
    assert index.asked("*.whl") == []

    # ... is what is installed.
    desk.without_environment()
    done = desk.run(installer.install)
    assert done.returncode == 0, done.stdout
    assert desk.has_demo()

    # And nothing else is, whatever the index says its digest is.
    evil = DEMO.tampered()
    index.put(f"/files/{evil.filename}", evil.data)
    for admits in (False, True):
        if admits:
            index.add(evil)
        desk.without_environment()
        done = desk.run(installer.install)
        assert done.returncode != 0, done.stdout
        assert not desk.has_demo()
        assert re.search("hash|checksum", done.stdout, re.IGNORECASE), done.stdout


@pytest.mark.matrix
@pytest.mark.registry
def test_what_uv_exports_is_verified_by_the_gate(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path, tmp_path: Path
) -> None:
    needs_registry()
    desk = begun("uv.lock", index, tmp_path)
    index.publish(DEMO, chain)
    assert desk.run(desk.installer.lock).returncode == 0
    (command,) = re.findall(r"`(uv export .+?)`", (ROOT / PAGE).read_text("utf-8"))
    done = desk.run(command)
    assert done.returncode == 0, done.stdout
    install = sections(PAGE)["3"][0].split()[1:]
    said = environment.pip(*install, index=index, policy=policy, cwd=desk.folder)
    assert said.status == 0, said.output
    assert "1 verified" in said.output
