"""Every command that the documentation tells people to type is run, as they would type it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from securesystemslib._gpg.functions import create_signature

from fixtures import gnupg
from fixtures.distributions import wheel
from fixtures.keys import key
from pip_intoto.maintainer import authoring
from pip_intoto.metadata import canonical

if TYPE_CHECKING:
    from fixtures.supply_chain import SupplyChain
    from tests.integration.conftest import MakeEnvironment
    from tests.integration.environments import Completed, Environment
    from tests.integration.loopback import Index

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Give the commands of a page's console blocks; a command may go on over several lines."""
    found: list[str] = []
    for block in _BLOCK.findall((ROOT / page).read_text("utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(line[2:])
            else:
                found[-1] += "\n" + line
    return found


class Shell:
    """A shell in which ``python``, ``pip`` and ``pip-intoto`` are those of one environment."""

    def __init__(self, environment: Environment, index: Index, folder: Path) -> None:
        self._environment = environment
        self.home = environment.home
        self.variables = {"PIP_INDEX_URL": index.simple}
        programs = folder / "bin"
        programs.mkdir()
        for name, words in (
            ("python", ""),
            ("pip", "-m pip"),
            ("pip-intoto", "-m pip_intoto"),
        ):
            path = programs / name
            python = shlex.quote(str(environment.python))
            path.write_text(f'#!/bin/sh\nexec {python} {words} "$@"\n', encoding="utf-8")
            path.chmod(0o755)
        self.variables["PATH"] = f"{programs}:/usr/bin:/bin"
        self.work = folder / "work"
        self.work.mkdir()

    def run(self, command: str) -> Completed:
        """Run one command to its end."""
        return self._environment.run(["sh", "-c", command], variables=self.variables, cwd=self.work)


@pytest.fixture
def shell(make_environment: MakeEnvironment, index: Index, tmp_path: Path) -> Shell:
    """Give a shell in an environment in which our wheel is installed, and never enabled."""
    return Shell(make_environment(), index, tmp_path)


@pytest.fixture
def world(
    shell: Shell, index: Index, chain: SupplyChain, make_environment: MakeEnvironment
) -> Shell:
    """Put everything in place that the pages speak of."""
    built = wheel("demo")
    index.publish(built, chain)
    (shell.work / "alice.pub").write_bytes(key("owner").public_pem())
    (shell.work / "stolen.pub").write_bytes(key("thief").public_pem())
    house = shell.work / "wheelhouse"
    house.mkdir()
    authoring.write_bundle(built.write(house), chain.evidence(built))
    other = make_environment(armed=False)
    (shell.work.parent / "other-environment").symlink_to(other.root)
    (shell.home / "service").mkdir()
    (shell.home / "service" / ".venv").symlink_to(other.root)
    return shell


#: Their commands need a project in git, and are typed in tests/integration/test_pipelines.py.
IN_A_PROJECT = {"github-actions.md", "gitlab-ci.md", "two-builders.md"}


@pytest.mark.parametrize(
    "page", sorted({path.name for path in (ROOT / "docs" / "how-to").glob("*.md")} - IN_A_PROJECT)
)
def test_every_command_of_the_how_to_pages_runs(page: str, world: Shell) -> None:
    assert world.run("pip-intoto enable").status == 0
    typed = commands(f"docs/how-to/{page}")
    assert typed
    if not any(command.startswith("pip-intoto trust add") for command in typed):
        assert world.run("pip-intoto trust add demo --key alice.pub").status == 0
    for command in typed:
        result = world.run(command)
        assert result.status == 0, f"$ {command}\n{result.output}"


_SCRIPT = re.compile(r"^```(sh|python)\n(?:# (\w+\.py)\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)
_BACKEND = """\
import zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as archive:
        archive.writestr("demo.py", "")
        archive.writestr(
            "demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n"
        )
        archive.writestr(
            "demo-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        )
        archive.writestr("demo-1.0.dist-info/RECORD", "")
    return name
"""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the page makes keys with openssl")
def test_evidence_made_as_the_how_to_page_says_verifies(shell: Shell) -> None:
    """in-toto's own commands make it; a user who has the page's two commands verifies it."""
    (shell.work / "src").mkdir()
    (shell.work / "src" / "backend.py").write_text(_BACKEND, encoding="utf-8")
    (shell.work / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["src"]\n',
        encoding="utf-8",
    )
    # Where in-toto is: the environment of these tests, not the user's.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    page = (ROOT / "docs" / "how-to" / "publish-evidence.md").read_text("utf-8")
    for language, name, text in _SCRIPT.findall(page):
        if language == "python":
            (shell.work / name).write_text(text, encoding="utf-8")
            continue
        done = subprocess.run(
            ["sh", "-e", "-c", text],
            check=False,
            capture_output=True,
            text=True,
            cwd=shell.work,
            env={**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    said = [shell.run(command) for command in commands("docs/how-to/publish-evidence.md")]
    assert [result.status for result in said] == [0, 0], said[-1].output
    assert said[-1].output.endswith("1 verified\n")


def test_every_command_of_the_readme_runs(world: Shell) -> None:
    typed = commands("README.md")
    assert len(typed) > 10
    said = {}
    for command in typed:
        if command.startswith("make "):
            continue
        result = world.run(command)
        assert result.status == 0, f"$ {command}\n{result.output}"
        said[command] = result.output
    assert "1 verified" in said["pip install demo"]
    assert "1 listed: demo" in said["pip-intoto status"]
    assert "VERIFIED" in said["pip-intoto explain demo==1.0"]
    assert "failed" not in said["pip-intoto doctor"]
    assert (world.work / "report.json").exists()


@pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
def test_every_command_of_the_page_on_openpgp_runs(shell: Shell, chain: SupplyChain) -> None:
    layout = chain.layout()
    with gnupg.keyring() as owners, gnupg.keyring() as users:
        alice = owners.key("alice", "ed25519")
        (shell.work / "alice.asc").write_bytes(owners.run("--armor", "--export", alice))
        signature = create_signature(  # type: ignore[no-untyped-call]
            canonical.encode(layout), alice, str(owners.home)
        )
        signed = {"signed": layout, "signatures": [signature]}
        (shell.work / "root.layout").write_text(json.dumps(signed), encoding="utf-8")
        (shell.work / "links").mkdir()
        for link in chain.evidence(wheel("demo"))[1:]:
            (shell.work / "links" / link.name).write_text(json.dumps(link.content), "utf-8")
        shell.variables["GNUPGHOME"] = str(users.home)
        typed = commands("docs/explanation/openpgp.md")
        assert len(typed) == 3
        said = [shell.run(re.sub("[0-9A-F]{40}", alice.upper(), command)) for command in typed]
    assert [result.status for result in said] == [0, 0, 0], [result.output for result in said]
    assert said[-1].output.endswith("1 verified\n")


def test_the_two_commands_for_contributors_are_targets_of_make() -> None:
    typed = [command for command in commands("README.md") if command.startswith("make ")]
    assert typed == ["make demo", "make test"]
    for command in typed:
        done = subprocess.run(
            ["make", "-n", command.removeprefix("make "), f"PYTHON={sys.executable}"],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr


def test_the_tutorial_can_be_followed(shell: Shell) -> None:
    said = {}
    for command in commands("docs/tutorial/first-verified-install.md"):
        result = shell.run(command)
        assert result.status == 0, f"$ {command}\n{result.output}"
        said[command.partition("\n")[0]] = result.output
    outputs = list(said.values())
    assert any("1 verified" in output for output in outputs)
    assert "The lighthouse is lit." in said["python -m lighthouse"]
    assert "artifact-digest-mismatch" in outputs[-2]
    assert "pip said no" in outputs[-2]
    assert "so did explain" in outputs[-1]


def test_the_blocked_install_of_the_readme_is_what_a_user_sees(
    shell: Shell, index: Index, chain: SupplyChain
) -> None:
    built = wheel("demo")
    index.add(built.tampered())
    index.put_evidence(built, chain.bundle(built))
    (shell.work / "alice.pub").write_bytes(key("owner").public_pem())
    assert shell.run("pip-intoto enable").status == 0
    assert shell.run("pip-intoto trust add demo --key alice.pub").status == 0
    said = shell.run("pip install demo").output
    readme = (ROOT / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"^```text\n(error: .*?)^```$", readme, re.MULTILINE | re.DOTALL)
    for line in shown.splitlines():
        # Digests, key ids and addresses differ from one chain to the next.
        for part in re.split(r"[0-9a-f]{8}…?|https://…", line):
            assert part.rstrip() in said, part
