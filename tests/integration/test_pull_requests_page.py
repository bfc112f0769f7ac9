"""The page on pull requests: its commands, its jobs, and what it says of exit statuses."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import SupplyChain, write_policy
from tests.integration.lockwriting import pylock
from tests.integration.loopback import Status
from tests.integration.pages import sections
from tests.integration.pipelines import Machine, Runner, job, listing, mapping, script, shown_on
from tests.integration.test_pre_commit import HOOK

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.distributions import Built
    from tests.integration.loopback import Index

PAGE = "how-to/verify-pull-requests.md"
STEPS = sections(f"docs/{PAGE}")
(WHOLE, LOOK), (CHANGED, DIFF) = STEPS["1"], STEPS["2"]
DEMO = SupplyChain(project="demo")
OTHER = SupplyChain(project="other")
ONE, TWO, BESIDE = wheel("demo"), wheel("demo", version="2.0"), wheel("other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A repository with a lock and a policy on the main branch, and a pull request."""

    machine: Machine
    index: Index

    def types(self, command: str, status: int = 0) -> str:
        done = self.machine.run(command)
        assert done.returncode == status, f"$ {command}\n{done.stdout}"
        return done.stdout

    def commit(self, *locked: Built) -> None:
        """Commit a lock of these."""
        (self.machine.folder / "pylock.toml").write_text(pylock(self.index, *locked), "utf-8")
        self.types("git add . && git commit -q --allow-empty -m 'Another lock'")

    def runner(self) -> Runner:
        """Run jobs for the pull request as it is now."""
        folder = self.machine.folder.with_name("runner")
        shutil.rmtree(folder, ignore_errors=True)
        return Runner(origin=self.machine.folder, folder=folder, secrets={})


@pytest.fixture
def team(index: Index, tmp_path: Path) -> Team:
    """Give a repository, at a pull request that changes nothing yet."""
    if shutil.which("git") is None or shutil.which("bash") is None:
        pytest.skip("needs git and bash")
    made = Team(machine=Machine.at(tmp_path / "work"), index=index)
    for built, chain in ((ONE, DEMO), (TWO, DEMO), (BESIDE, OTHER)):
        index.publish(built, chain)
    write_policy(made.machine.folder / "ci", (DEMO, OTHER), head='unlisted = "deny"')
    made.types(
        "git init -q -b main . && git config user.name Ann"
        " && git config user.email ann@acme.example"
        " && git init -q --bare -b main ../origin.git && git remote add origin ../origin.git"
    )
    made.commit(ONE, BESIDE)
    made.types("git push -q origin main && git checkout -qb upgrade")
    return made


def test_every_command_of_the_page_runs(team: Team) -> None:
    assert {number: len(typed) for number, typed in STEPS.items()} == {
        "1": 2, "2": 2, "3": 0, "4": 0, "5": 0,
    }  # fmt: skip
    said = team.types(WHOLE)
    assert "\n2 distributions in" in said
    assert "2 verified" in said
    assert "at: pylock.toml:8" in said
    team.types(LOOK)
    assert "<!DOCTYPE html>" in (team.machine.folder / "report.html").read_text("utf-8")[:100]

    # Nothing changed; that is no success unless somebody says so.
    for status, command in ((0, CHANGED), (2, CHANGED.replace(" --allow-unchanged", ""))):
        said = team.types(command, status)
        assert "nothing changed since origin/main: nothing is verified" in said
        assert "2 projects passed over, unchanged" in said

    team.commit(TWO, BESIDE)
    said = team.types(CHANGED)
    assert "demo-2.0" in said
    assert "1 project passed over, unchanged" in said
    said = team.types(DIFF)
    assert said.partition("What changed in trust\n")[2].startswith("  nothing\n")
    assert team.index.asked("*.whl") == []


def test_the_trust_diff_says_what_the_page_says(team: Team) -> None:
    stranger = SupplyChain(project="demo", builder=key("second"))
    team.index.put_evidence(TWO, stranger.bundle(TWO))
    team.index.add(new := wheel("new"))
    team.commit(TWO, new)
    said = team.types(DIFF, 1).partition("What changed in trust\n")[2]
    kinds = re.findall(r"^  ([a-z-]+) +(\w+)", said, re.MULTILINE)
    assert kinds == [
        ("newly-unverified", "new"),
        ("signer-changed", "demo"),
        ("removed", "other"),
    ]


def test_both_options_together_leave_out_what_did_not_change(team: Team) -> None:
    team.index.add(new := wheel("new"))
    team.commit(ONE, BESIDE, new)
    said = team.types(f"{CHANGED} --trust-diff origin/main:pylock.toml", 1)
    assert "1 distribution in" in said
    changed = said.partition("What changed in trust\n")[2]
    assert re.findall(r"^  ([a-z-]+) +(\w+)", changed, re.MULTILINE) == [
        ("newly-unverified", "new")
    ]


def test_the_first_lock_is_all_new(team: Team) -> None:
    team.types("git checkout -q --orphan first && git commit -qm Begun && git rm -q pylock.toml")
    team.types("git commit -qm 'No lock' && git push -qf origin first:main")
    team.commit(ONE, BESIDE)
    assert "2 verified" in team.types(CHANGED)
    said = team.types(DIFF)
    assert "everything is new" in said
    assert said.count("newly-verified") == 2


def test_the_workflow_does_what_the_page_says(team: Team) -> None:
    (workflow, *_) = shown_on(PAGE)
    # Nothing changed.
    runner = team.runner()
    _, log = runner.workflow(workflow)
    assert "failed" not in log
    assert "2 projects passed over, unchanged" in log
    # What is brought in is not verified.
    team.index.add(new := wheel("new"))
    team.commit(ONE, BESIDE, new)
    runner = team.runner()
    _, log = runner.workflow(workflow)
    assert log.endswith("verify failed")
    summary = runner.summary("verify")
    assert "0 of 1 distribution" in summary
    assert "new-1.0-py3-none-any.whl" in summary
    assert "| <code>new</code> | newly unverified |" in summary
    assert "other" not in summary
    (result,) = json.loads((runner.folder / "shown.sarif").read_text("utf-8"))["runs"][0]["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "pylock.toml"
    assert location["physicalLocation"]["region"]["startLine"] == 20


def test_the_pipeline_does_what_the_page_says(team: Team) -> None:
    pipeline = shown_on(PAGE)[1]
    described = mapping(pipeline["dependencies"])
    hidden = str(described["extends"])
    known = mapping(job(hidden)["variables"])
    given = {key: str(value) for key, value in mapping(described["variables"]).items()}
    assert given.keys() - known.keys() == {"GIT_DEPTH"}
    report = str(mapping(mapping(described["artifacts"])["reports"])["junit"])
    assert f"junit={report}" in given["INTOTO_OPTIONS"].split()
    variables = {**{name: str(value) for name, value in known.items()}, **given}
    team.index.add(new := wheel("new"))
    team.commit(TWO, new)
    done = team.machine.run(script(hidden), variables)
    assert done.returncode == 1, done.stdout
    suite = (team.machine.folder / report).read_text("utf-8")
    assert '<testcase name="demo-2.0-py3-none-any.whl" classname="demo" />' in suite
    assert '<failure type="unlisted" message="new-1.0-py3-none-any.whl: ' in suite


def test_the_hook_of_the_page_is_the_one_there_is() -> None:
    (repository,) = listing(shown_on(PAGE)[2]["repos"])
    (hook,) = map(mapping, listing(mapping(repository)["hooks"]))
    assert hook["id"] == HOOK["id"]
    assert hook["args"] == WHOLE.split()[3:]


def test_exit_statuses_are_those_of_the_page(team: Team) -> None:
    # Without those of coverage, for which see below, and of a lock that did not change.
    team.types(f"{WHOLE} --fail-under 100", 0)
    team.types(f"{WHOLE} --policy nowhere.toml", 2)
    team.types(CHANGED.replace("origin/main", "nowhere"), 2)
    team.index.fault("/files/demo-2.0*", Status(500))
    team.commit(TWO, BESIDE)
    team.types(WHOLE, 2)
    team.commit(TWO, wheel("new"))
    team.types(WHOLE, 1)


def test_too_little_coverage_is_1_as_the_page_says(team: Team) -> None:
    policy = team.machine.folder / "ci" / "policy.toml"
    policy.write_text(policy.read_text("utf-8").replace('"deny"', '"allow"'), "utf-8")
    team.commit(ONE, wheel("new"))
    assert "below the 51 %" in team.types(f"{WHOLE} --fail-under 51", 1)
    team.types(f"{WHOLE} --fail-under 50")
