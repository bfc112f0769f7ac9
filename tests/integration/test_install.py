"""``pip install`` with a policy in force: what verifies is installed, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures.distributions import wheel

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.supply_chain import SupplyChain
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index


def test_a_wheel_whose_evidence_verifies_is_installed(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    index.publish(wheel("demo"), chain)
    result = environment.pip("install", "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert environment.installed() == {"demo-1.0"}
    assert "1 verified" in result.output


def test_a_tampered_wheel_is_blocked_and_nothing_is_installed(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    built = wheel("demo")
    index.add(built.tampered())
    index.put_evidence(built, chain.bundle(built))
    result = environment.pip("install", "demo", index=index, policy=policy)
    assert result.status == 1, result.output
    assert environment.added() == frozenset()
    assert "artifact-digest-mismatch" in result.output
