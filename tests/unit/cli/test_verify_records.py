"""``verify`` and the local record: an older layout that comes back with a newer release."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.shipped import write_bundle
from fixtures.supply_chain import FAR_FUTURE, SupplyChain
from pip_intoto.maintainer import authoring
from tests.unit.cli import shells

if TYPE_CHECKING:
    from fixtures.distributions import Built

OLDER, DEMO, NEWER = (wheel("demo", version) for version in ("0.9", "1.0", "1.1"))
NEW = SupplyChain(project="demo", expires=FAR_FUTURE)
OLD = SupplyChain(project="demo", expires=FAR_FUTURE - timedelta(days=30))


class Shell(shells.Shell):
    def verdict(self, built: Built, chain: SupplyChain, *words: object) -> str:
        """Give the reason, for a file with evidence of this chain beside it."""
        path = Path("dist") / built.filename
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(built.data)
        write_bundle(path, chain.evidence(built))
        self.run("verify", "--policy", "policy/policy.toml", "--format", "json", path, *words)
        (verdict,) = json.loads(self.out)["verdicts"]
        return str(verdict["reason"])


@pytest.fixture
def shell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Shell:
    monkeypatch.chdir(tmp_path)
    NEW.policy(tmp_path / "policy")
    return Shell(capsys)


def test_an_older_layout_does_not_come_back_with_a_newer_release(shell: Shell) -> None:
    assert shell.verdict(DEMO, NEW) == "verified"
    assert shell.verdict(NEWER, OLD) == "layout-rollback"
    assert shell.verdict(DEMO, OLD) == "layout-rollback"
    assert shell.verdict(OLDER, OLD) == "verified"
    assert shell.verdict(NEWER, NEW) == "verified"


def test_what_was_refused_is_no_measure(shell: Shell) -> None:
    assert shell.verdict(DEMO, OLD) == "verified"
    theirs = SupplyChain(project="demo", owners=(key("stranger"),), expires=FAR_FUTURE)
    assert shell.verdict(NEWER, theirs) == "layout-signature-missing"
    assert shell.verdict(NEWER, OLD) == "verified"


def test_another_policys_owners_have_a_record_of_their_own(shell: Shell, tmp_path: Path) -> None:
    # Another project that is called the same, or whoever makes somebody try out a policy.
    theirs = SupplyChain(project="demo", owners=(key("stranger"),), expires=FAR_FUTURE)
    theirs.policy(tmp_path / "theirs")
    OLD.policy(tmp_path / "policy")
    assert shell.verdict(DEMO, theirs, "--policy", "theirs/policy.toml") == "verified"
    assert shell.verdict(DEMO, OLD) == "verified"
    assert shell.verdict(DEMO, NEW) == "verified"
    assert shell.verdict(DEMO, OLD) == "layout-rollback"
    # And back again: neither has taken anything from the other.
    assert shell.verdict(NEWER, theirs, "--policy", "theirs/policy.toml") == "verified"


def test_a_layout_that_the_policy_pins_is_not_judged(shell: Shell, tmp_path: Path) -> None:
    assert shell.verdict(DEMO, NEW) == "verified"
    assert shell.verdict(NEWER, OLD) == "layout-rollback"
    (verdict,) = json.loads(shell.out)["verdicts"]
    sha256 = verdict["found"].rpartition(" ")[2]
    OLD.policy(tmp_path / "policy", rule=f'layout-sha256 = ["{sha256}"]\n')
    assert shell.verdict(NEWER, OLD) == "verified"


def test_a_layout_that_the_policy_holds_is_not_judged(shell: Shell, tmp_path: Path) -> None:
    assert shell.verdict(DEMO, NEW) == "verified"
    (layout,) = (each for each in OLD.evidence(NEWER) if each.name.endswith(".layout"))
    OLD.policy(tmp_path / "policy", rule='layout = "root.layout"\n')
    (tmp_path / "policy" / "root.layout").write_bytes(authoring.written(layout.content))
    assert shell.verdict(NEWER, OLD) == "verified"


def test_without_a_state_directory_nothing_fails(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "user-state").write_text("no folder")
    assert shell.verdict(DEMO, NEW) == "verified"
    assert shell.verdict(NEWER, OLD, "-v") == "verified"
    assert "layouts are not remembered" in shell.err
