"""The gate alone, in environments that have none of our dependencies."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import sdist, wheel
from tests.integration.interpreters import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.supply_chain import SupplyChain
    from tests.integration.conftest import MakeEnvironment
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

PAIRS = [("3.8", "22.3.1"), ("3.8", "24.3.1"), ("3.9", "25.3"), ("3.13", "26.3")]


@pytest.fixture(params=PAIRS, ids=lambda pair: "python{}-pip{}".format(*pair))
def elsewhere(request: pytest.FixtureRequest, make_environment: MakeEnvironment) -> Environment:
    """Give an environment with nothing but pip, armed from here."""
    environment = make_environment(*request.param, armed=False)
    result = environment.run(
        [sys.executable, "-m", "pip_intoto", "enable", "--python", environment.root],
        variables={"PYTHONPATH": f"{ROOT}:{ROOT / 'hooks'}"},
    )
    assert result.status == 0, result.output
    return environment


def test_a_wheel_whose_evidence_verifies_is_installed(
    elsewhere: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    index.publish(wheel("demo"), chain)
    result = elsewhere.pip("install", "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert elsewhere.installed() == {"demo-1.0"}
    assert "1 verified" in result.output


def test_a_tampered_wheel_is_blocked(
    elsewhere: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    built = wheel("demo")
    index.add(built.tampered())
    index.put_evidence(built, chain.bundle(built))
    result = elsewhere.pip("install", "demo", index=index, policy=policy)
    assert result.status == 1, result.output
    assert elsewhere.installed() == frozenset()
    assert "artifact-digest-mismatch" in result.output


def test_an_sdist_without_evidence_is_blocked_before_its_backend_runs(
    elsewhere: Environment, index: Index, policy: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    index.add(sdist("demo", runs=mark))
    result = elsewhere.pip("install", "demo", index=index, policy=policy)
    assert result.status == 1, result.output
    assert "layout-missing" in result.output
    assert not mark.exists()
