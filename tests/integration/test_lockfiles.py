"""Whole lockfiles against an index on the loopback interface: each distribution in its bucket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain, write_policy
from pip_intoto.limits import DEFAULT
from pip_intoto.lockfiles.reading import read_lock
from pip_intoto.lockfiles.trees import Disk
from pip_intoto.maintainer import authoring
from pip_intoto.policy.file import load_policy
from pip_intoto.sources.web import Web
from pip_intoto.verdict import Status
from pip_intoto.verifier.batch import Batch
from pip_intoto.verifier.wanted import InLock
from tests.integration.lockwriting import pylock
from tests.integration.loopback import Reset, Stall
from tests.integration.loopback import Status as Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fixtures.distributions import Built
    from pip_intoto.account import Checked
    from pip_intoto.verifier.wanted import Wanted
    from tests.integration.loopback import Index

_OWN = Path(__file__).parents[2]
#: Nobody waits longer than this for a server of the tests.
QUICK = replace(DEFAULT, fetch_seconds=1, retries=1)
SIZES = [30, pytest.param(500, marks=pytest.mark.matrix)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Wheels with evidence on an index, and a lock and a policy that name them all."""

    folder: Path
    index: Index
    built: tuple[Built, ...]

    @property
    def lock(self) -> Path:
        return self.folder / "pylock.toml"

    @property
    def policy(self) -> Path:
        return self.folder / "policy.toml"

    def evidence_of(self, number: int) -> str:
        return f"/files/{self.built[number].filename}.intoto.jsonl"

    def wanted(self) -> Sequence[Wanted]:
        lock = read_lock(self.lock, Disk(), None)
        return [InLock(entry=entry, lock=lock) for entry in lock.locked]

    def check(self) -> list[Checked]:
        batch = Batch(load_policy(self.policy), web=Web(QUICK), limits=QUICK)
        return list(batch.check(self.wanted()))


def site(folder: Path, index: Index, count: int) -> Site:
    chains = [SupplyChain(project=f"part-{number:03}") for number in range(count)]
    built = tuple(wheel(chain.project) for chain in chains)
    for chain, file in zip(chains, built, strict=True):
        index.publish(file, chain)
    write_policy(folder, chains, head='unlisted = "deny"', rule=f'index = "{index.simple}"')
    (folder / "pylock.toml").write_text(pylock(index, *built), encoding="utf-8")
    return Site(folder=folder, index=index, built=built)


@pytest.mark.parametrize("count", SIZES)
def test_everything_is_verified_and_no_wheel_is_fetched(
    index: Index, tmp_path: Path, count: int
) -> None:
    checked = site(tmp_path, index, count).check()
    assert Counter(each.verdict.status for each in checked) == {Status.VERIFIED: count}
    assert index.asked("*.whl") == []
    assert len(index.requests) == count


@pytest.mark.parametrize("count", SIZES)
def test_each_fault_is_in_its_own_bucket_and_the_rest_is_unaffected(
    index: Index, tmp_path: Path, count: int
) -> None:
    here = site(tmp_path, index, count)
    missing, stripped, tampered, broken, stalling, resetting = range(3, 21, 3)
    index.remove(here.evidence_of(missing))
    chain = SupplyChain(project=here.built[stripped].name)
    without_layout = chain.evidence(here.built[stripped])[1:]
    index.put(here.evidence_of(stripped), authoring.bundle(without_layout))
    other = SupplyChain(project=here.built[tampered].name)
    index.put(here.evidence_of(tampered), other.bundle(here.built[tampered].tampered()))
    index.fault(here.evidence_of(broken), Answer(500))
    index.fault(here.evidence_of(stalling), Stall())
    index.fault(here.evidence_of(resetting), Reset())
    began = time.monotonic()
    checked = here.check()
    assert time.monotonic() - began < 60 + count / 5
    odd = {
        number: (each.verdict.status, each.verdict.reason)
        for number, each in enumerate(checked)
        if each.verdict.status is not Status.VERIFIED
    }
    assert odd == {
        missing: (Status.MISSING, "layout-missing"),
        stripped: (Status.INVALID, "layout-signature-missing"),
        tampered: (Status.INVALID, "artifact-digest-mismatch"),
        broken: (Status.UNREACHABLE, "source-unreachable"),
        stalling: (Status.UNREACHABLE, "source-unreachable"),
        resetting: (Status.UNREACHABLE, "source-unreachable"),
    }
    assert len(checked) == count
    # Each says on which line of the lock it is named.
    lines = here.lock.read_text("utf-8").splitlines()
    for each, file in zip(checked, here.built, strict=True):
        assert each.place is not None
        near = "\n".join(lines[max(0, each.place.line - 6) : each.place.line + 1])
        assert file.name in near or file.filename in near


@pytest.mark.parametrize("count", SIZES)
def test_an_index_that_never_answers_costs_bounded_time(
    index: Index, tmp_path: Path, count: int
) -> None:
    here = site(tmp_path, index, count)
    index.fault("*", Stall())
    began = time.monotonic()
    checked = here.check()
    assert time.monotonic() - began < 100
    assert {each.verdict.status for each in checked} == {Status.UNREACHABLE}
    assert any("not asked" in each.verdict.found for each in checked)


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_an_interrupted_run_tells_what_was_done_so_far(index: Index, tmp_path: Path) -> None:
    here = site(tmp_path, index, 30)
    index.fault(here.evidence_of(20), Stall(), times=1)
    words: list[str | Path] = [sys.executable, "-m", "pip_intoto", "verify", here.lock]
    words += ["--policy", here.policy, "--format", "json", "--cache-dir", tmp_path / "cache"]
    words += ["--export", tmp_path / "evidence"]
    paths = os.pathsep.join([str(_OWN), str(_OWN / "hooks")])
    variables = {**os.environ, "PYTHONPATH": paths}
    process = subprocess.Popen(
        words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 20
    while len(index.requests) < 30 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 30, err
    assert process.returncode == 130, err
    report = json.loads(out)
    # All but the one that nothing came of; on a busy machine, a few more were on their way.
    assert 20 <= report["counts"]["verified"] <= 29
    assert report["counts"]["unreachable"] == 0
    assert "Traceback" not in err
    assert not (tmp_path / "evidence").exists()
    # The caches are sound: the next run finds everything verified.
    again = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["counts"]["verified"] == 30
    assert len(list((tmp_path / "evidence").glob("*.intoto.jsonl"))) == 30
