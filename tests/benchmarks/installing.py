"""``pip install`` with and without the gate."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from fixtures.distributions import large_wheel, wheel
from fixtures.supply_chain import SupplyChain, write_policy
from tests.benchmarks.comparing import NONE, Aim, interleaved
from tests.benchmarks.places import install
from tests.benchmarks.serving import serving
from tests.integration.loopback import Delay, Paced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.distributions import Built
    from tests.benchmarks.comparing import Comparison
    from tests.benchmarks.places import Pair
    from tests.benchmarks.serving import Fill
    from tests.integration.loopback import Index

_COUNT = 30
_MEGABYTES = 200
_LATENCY = 0.030
_BYTES_PER_SECOND = 100e6
#: No pace that anything here could hold.
_FLAT_OUT = 1e15

_PROJECTS = ("app", *(f"part-{number:02}" for number in range(1, _COUNT)))


def _wheels() -> Iterator[Built]:
    """One application, and everything else that it needs."""
    yield wheel("app", requires=_PROJECTS[1:])
    for name in _PROJECTS[1:]:
        yield wheel(name)


def many(index: Index, *, metadata: bool, latency: float) -> None:
    """Publish thirty wheels."""
    for built in _wheels():
        index.publish(built, SupplyChain(project=built.name), metadata=metadata)
    if latency:
        index.fault("*.intoto*", Delay(latency))


def large(index: Index, *, bytes_per_second: float) -> None:
    """Publish one big wheel, sent no faster than this."""
    built = large_wheel("app", "1.0", megabytes=_MEGABYTES)
    index.publish(built, SupplyChain(project="app"))
    index.fault("*.whl", Paced(bytes_per_second))


def single(index: Index) -> None:
    """Publish one small wheel."""
    index.publish(wheel("app"), SupplyChain(project="app"))


def compare(pair: Pair, folder: Path, turns: int) -> Iterator[Comparison]:
    """Compare every kind of install."""
    policy = write_policy(
        folder / "policy",
        [SupplyChain(project=name) for name in _PROJECTS],
        head='unlisted = "deny"',
    )

    def measure(what: str, fill: Fill, aim: Aim, turns: int) -> Comparison:
        with serving(fill) as url:
            index = {"PIP_INDEX_URL": url}
            policed = {**index, "INTOTO_POLICY": str(policy)}
            return interleaved(
                what,
                ("pip", lambda: install(pair.plain, index, "app")),
                ("with the gate", lambda: install(pair.gated, policed, "app")),
                turns=turns,
                aim=aim,
            )

    yield measure("one small wheel", single, Aim(added=0.060), 3 * turns)
    yield measure(
        f"{_COUNT} small wheels",
        functools.partial(many, metadata=True, latency=0),
        Aim(ratio=1.10),
        turns,
    )
    yield measure(
        f"{_COUNT} small wheels, no PEP 658, evidence {_LATENCY * 1000:.0f} ms away",
        functools.partial(many, metadata=False, latency=_LATENCY),
        Aim(ratio=1.20),
        turns,
    )
    yield measure(
        f"one wheel of {_MEGABYTES} MB at 100 MB/s",
        functools.partial(large, bytes_per_second=_BYTES_PER_SECOND),
        Aim(ratio=1.05),
        max(3, turns // 2),
    )
    yield measure(
        f"one wheel of {_MEGABYTES} MB as fast as loopback goes",
        functools.partial(large, bytes_per_second=_FLAT_OUT),
        NONE,
        max(3, turns // 2),
    )
