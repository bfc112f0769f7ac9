"""The page on pins: its commands, on a lock of two projects, and what it shows of their output."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.sigstore import Sigstore, provenance, statement
from fixtures.supply_chain import SupplyChain
from pip_intoto.policy.file import load_policy
from tests.integration.lockwriting import pylock
from tests.integration.pages import sections
from tests.integration.programs import ROOT
from tests.unit.cli.shells import Shell

if TYPE_CHECKING:
    from fixtures.distributions import Built
    from tests.integration.loopback import Index

PAGE = "docs/how-to/pin-publishers.md"
STEPS = sections(PAGE)
SIGSTORE = Sigstore()
DEMO, OTHER, NEWER = wheel("demo"), wheel("other"), wheel("other", "1.1")
LOCK = Path("pylock.toml")


class Reader:
    """Types what the page says, in a repository with a policy and a lock."""

    def __init__(self, shell: Shell, index: Index) -> None:
        self._shell = shell
        self._index = index

    def types(self, command: str, status: int = 0) -> str:
        program, *words = shlex.split(command)
        assert program == "pip-intoto"
        assert self._shell.run(*words, "--index-url", self._index.simple) == status, self._shell.err
        return self._shell.out + self._shell.err

    def locks(self, *wheels: Built) -> None:
        LOCK.write_text(pylock(self._index, *wheels), "utf-8")

    def attests(self, built: Built, repository: str = "acme/other") -> None:
        self._index.add(built)
        attestation = SIGSTORE.attestation(
            statement((built.filename, built.data)),
            repository=repository,
            workflow="release.yml",
            ref=f"refs/tags/v{built.version}",
        )
        self._index.attest(built, json.dumps(provenance([attestation])).encode())


@pytest.fixture
def reader(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    index: Index,
) -> Reader:
    pytest.importorskip("sigstore")
    monkeypatch.chdir(tmp_path)
    policy = SupplyChain(project="demo").policy(tmp_path / "policy")
    (policy.parent / "trusted_root.json").write_bytes(SIGSTORE.trusted_root())
    policy.write_text(f'{policy.read_text()}\n[sigstore]\ntrust-root = "trusted_root.json"\n')
    monkeypatch.setenv("INTOTO_POLICY", str(policy))
    index.publish(DEMO, SupplyChain(project="demo"))
    made = Reader(Shell(capsys), index)
    made.attests(OTHER)
    made.locks(DEMO, OTHER)
    return made


def test_every_command_of_the_page_runs(reader: Reader) -> None:
    assert {number: len(typed) for number, typed in STEPS.items()} == {
        "1": 1, "2": 1, "3": 1, "4": 2, "5": 1,
    }  # fmt: skip
    page = (ROOT / PAGE).read_text("utf-8")
    said = reader.types(STEPS["1"][0])
    for line in said.splitlines():
        assert re.sub("key [0-9a-f]{8}", "key 3f2a91c0", line) in page
    assert len(said.splitlines()) == 3

    reader.types(STEPS["2"][0])
    (written,) = re.findall(r"```toml\n(\[\[packages.*?)```", page, re.DOTALL)
    assert written in LOCK.read_text("utf-8")

    assert "1 verified" in reader.types(STEPS["3"][0])

    git = ["git", "-c", "user.name=a", "-c", "user.email=a@acme.example"]
    for words in (["init", "-q"], ["add", "pylock.toml"], ["commit", "-qm", "A lock"]):
        subprocess.run([*git, *words], check=True)
    taken_over, check = STEPS["4"]
    reader.attests(NEWER)
    reader.locks(DEMO, NEWER)
    reader.types(taken_over)
    assert 'repository = "acme/other"' in LOCK.read_text("utf-8")
    reader.types(check)

    reader.attests(NEWER, "elsewhere/other")
    said = reader.types(f"{STEPS['3'][0]} --no-cache", status=1)
    assert "signer-changed" in said
    assert "acme/other" in said
    assert "elsewhere/other" in said
    said = reader.types(STEPS["5"][0])
    assert "before: published by github:acme/other:release.yml" in said


def test_the_exception_of_the_page_is_one(tmp_path: Path) -> None:
    (exception,) = re.findall(
        r"```toml\n(\[\[exception.*?)```", (ROOT / PAGE).read_text("utf-8"), re.DOTALL
    )
    policy = SupplyChain(project="demo").policy(tmp_path)
    policy.write_text(f"{policy.read_text()}\n{exception}")
    (read,) = load_policy(policy).exceptions
    assert read.waives == ("evidence-downgrade",)
