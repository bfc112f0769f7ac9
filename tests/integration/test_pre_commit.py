"""The hook for pre-commit: which files it is for, and that pre-commit itself runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from fixtures.distributions import wheel
from pip_intoto.lockfiles.reading import READERS, is_lockfile
from tests.integration.interpreters import ROOT
from tests.integration.lockwriting import pylock
from tests.integration.releases import environment_with, needs_registry

if TYPE_CHECKING:
    from fixtures.supply_chain import SupplyChain
    from tests.integration.loopback import Index

MANIFEST = ROOT / ".pre-commit-hooks.yaml"
(HOOK,) = yaml.safe_load(MANIFEST.read_text("utf-8"))

LOCKS = (
    "pylock.toml",
    "pylock.dev.toml",
    "sub/folder/pylock.toml",
    "requirements.txt",
    "requirements-dev.txt",
    "requirements_dev.txt",
    "dev-requirements.txt",
    "requirements/base.txt",
    "service/requirements/base.txt",
    "uv.lock",
    "tools/report.py.lock",
    "poetry.lock",
    "pdm.lock",
    "pdm.windows.lock",
    "sub/Pipfile.lock",
)
OTHERS = (
    "notes.txt",
    "requirements/notes.md",
    "requirements/deep/notes.txt",
    "myrequirements.txt",
    # What a lock is made from pins nothing.
    "requirements.in",
    "constraints.txt",
    "mylock.toml",
    "pylock.toml.orig",
    "pylock.a.b.toml",
    "pyproject.toml",
    "uv.lock.bak",
    "myuv.lock",
    "Cargo.lock",
    "Pipfile",
    "uv.lock/readme.md",
    # Behind the options these would be options.
    "--policy=x/requirements.txt",
    "-requirements.txt",
)


@pytest.mark.parametrize("name", LOCKS)
def test_the_hook_is_for_lockfiles(name: str) -> None:
    assert re.search(HOOK["files"], name)
    assert is_lockfile(Path(name))


@pytest.mark.parametrize("name", OTHERS)
def test_the_hook_is_for_nothing_else(name: str) -> None:
    assert not re.search(HOOK["files"], name)


def test_the_hook_knows_every_format() -> None:
    known = {
        next(module for names, module in READERS if names.fullmatch(Path(name).name))
        for name in LOCKS
    }
    assert known == {module for _, module in READERS}


# --- with pre-commit itself -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """pre-commit, and a repository at a commit of which the hook is taken."""

    python: Path
    repository: Path
    commit: str
    home: Path

    def run(
        self, folder: Path, *words: str | Path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in *folder*; what pre-commit makes it makes once for all tests."""
        return subprocess.run(
            words,
            check=False,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={
                **{name: value for name, value in os.environ.items() if name[:3] != "GIT"},
                "HOME": str(folder.parent),
                "XDG_CONFIG_HOME": str(folder.parent / "config"),
                "XDG_CACHE_HOME": str(folder.parent / "cache"),
                "PRE_COMMIT_HOME": str(self.home),
                "PYTHONPATH": "",
                "NO_COLOR": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                **variables,
            },
            timeout=300,
        )

    def pre_commit(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(folder, self.python, "-m", "pre_commit", *words)


def committed(tool: Tool, folder: Path) -> str:
    """Commit everything in a new repository; give the commit."""
    for words in (
        "init -q -b main",
        "config user.name Ann",
        "config user.email ann@acme.example",
        "add .",
        "commit -q -m Begun",
    ):
        done = tool.run(folder, "git", *words.split())
        assert done.returncode == 0, done.stdout
    return tool.run(folder, "git", "rev-parse", "HEAD").stdout.strip()


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """Give pre-commit, and this checkout as it is now, at a commit of its own."""
    needs_registry()
    folder = tmp_path_factory.mktemp("tool")
    repository = folder / "pip-intoto"
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("pip_intoto", "hooks"):
        shutil.copytree(ROOT / part, repository / part, ignore=ignored)
    for part in ("pyproject.toml", "README.md", "LICENSE", MANIFEST.name):
        shutil.copy(ROOT / part, repository)
    made = Tool(
        python=environment_with("pre-commit") / "python",
        repository=repository,
        commit="",
        home=folder / "home",
    )
    commit = committed(made, repository)
    return Tool(python=made.python, repository=repository, commit=commit, home=made.home)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A repository in which the hook is installed."""

    tool: Tool
    folder: Path

    def commits(self, message: str) -> subprocess.CompletedProcess[str]:
        """Commit everything, as somebody does who has never heard of the hook."""
        assert self.tool.run(self.folder, "git", "add", ".").returncode == 0
        return self.tool.run(self.folder, "git", "commit", "-m", message)


def project(tool: Tool, folder: Path, *args: str) -> Project:
    work = folder / "work"
    work.mkdir()
    hook = {"id": "pip-intoto", **({"args": list(args)} if args else {})}
    repo = {"repo": tool.repository.as_uri(), "rev": tool.commit, "hooks": [hook]}
    (work / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [repo]}), "utf-8")
    committed(tool, work)
    done = tool.pre_commit(work, "install")
    assert done.returncode == 0, done.stdout
    return Project(tool=tool, folder=work)


ONE = wheel("demo")
TWO = wheel("demo", version="2.0")


@pytest.mark.matrix
@pytest.mark.registry
def test_pre_commit_finds_nothing_wrong_with_the_manifest(tool: Tool) -> None:
    done = tool.pre_commit(tool.repository, "validate-manifest", MANIFEST.name)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.matrix
@pytest.mark.registry
def test_commits_of_locks_are_verified_and_others_are_not(
    tool: Tool, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    here = project(tool, tmp_path, "--policy", "ci/policy.toml")
    index.publish(ONE, chain)
    chain.policy(here.folder / "ci", head='unlisted = "deny"')
    lock = here.folder / "pylock.toml"

    lock.write_text(pylock(index, ONE), "utf-8")
    done = here.commits("A verified lock")
    assert done.returncode == 0, done.stdout
    assert re.search(r"verify what lockfiles pin\.+Passed", done.stdout)

    index.requests.clear()
    (here.folder / "notes.txt").write_text("No lock.\n", "utf-8")
    done = here.commits("Notes")
    assert done.returncode == 0, done.stdout
    assert re.search(r"verify what lockfiles pin\.+\(no files to check\)Skipped", done.stdout)
    assert index.requests == []

    index.add(TWO)
    lock.write_text(pylock(index, TWO), "utf-8")
    done = here.commits("Evidence is missing")
    assert done.returncode == 1, done.stdout
    assert re.search(r"verify what lockfiles pin\.+Failed\n.*\n- exit code: 1", done.stdout)
    assert "demo-2.0-py3-none-any.whl: missing [layout-missing], block" in done.stdout
    assert "at: pylock.toml:8" in done.stdout
    assert "Evidence is missing" not in tool.run(here.folder, "git", "log").stdout

    index.put_evidence(TWO, chain.bundle(TWO.tampered()))
    done = here.commits("Evidence is about another file")
    assert done.returncode == 1, done.stdout
    assert "artifact-digest-mismatch" in done.stdout
    assert TWO.sha256[:8] in done.stdout


@pytest.mark.matrix
@pytest.mark.registry
def test_without_arguments_it_is_the_policy_in_force(
    tool: Tool, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    here = project(tool, tmp_path)
    index.publish(ONE, chain)
    (here.folder / "requirements.txt").write_text(
        f"demo @ {index.url(ONE)} --hash=sha256:{ONE.sha256}\n", "utf-8"
    )
    done = here.commits("Nobody said whom to trust")
    assert done.returncode == 1
    assert "- exit code: 2" in done.stdout
    assert "policy-missing" in done.stdout
    chain.policy(tmp_path / "config" / "pip-intoto")
    done = here.commits("Somebody did")
    assert done.returncode == 0, done.stdout


@pytest.mark.matrix
@pytest.mark.registry
def test_several_locks_are_one_run(
    tool: Tool, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    here = project(tool, tmp_path, "--policy", "ci/policy.toml")
    index.publish(ONE, chain)
    index.add(TWO)
    chain.policy(here.folder / "ci")
    (here.folder / "pylock.toml").write_text(pylock(index, ONE), "utf-8")
    # A name with a blank is one name.
    (here.folder / "a tool").mkdir()
    (here.folder / "a tool" / "pylock.toml").write_text(pylock(index, TWO), "utf-8")
    done = here.commits("Two locks")
    assert done.returncode == 1
    assert "at: a tool/pylock.toml:8" in done.stdout
    assert "2 distributions in" in done.stdout
    assert "1 verified, 1 missing" in done.stdout
