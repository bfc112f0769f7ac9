"""What starts: an interpreter that runs no pip, and the verifier."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, NoReturn

from fixtures.supply_chain import SupplyChain
from tests.benchmarks.comparing import Aim, interleaved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.comparing import Comparison
    from tests.benchmarks.places import Pair
    from tests.integration.environments import Environment

_IDLE = ("-I", "-c", "pass")
#: Says something as soon as it can, and then waits for the end of its input, as the verifier does.
_BARE = ("-I", "-c", "import os; os.write(1, b'{}\\n'); os.read(0, 1)")


def compare(pair: Pair, folder: Path, turns: int) -> Iterator[Comparison]:
    """Compare every kind of start."""
    policy = SupplyChain(project="app").policy(folder / "small-policy")
    verifier = str(pair.gated.site_packages / "pip_intoto" / "verifier" / "__main__.py")
    yield interleaved(
        "an interpreter that runs no pip",
        ("without the .pth", lambda: _idle(pair.plain)),
        ("with it", lambda: _idle(pair.gated)),
        turns=40 * turns,
        aim=Aim(added=0.001),
    )
    yield interleaved(
        "the verifier, until its first message",
        ("a bare interpreter", lambda: _until(pair.gated, _BARE, None)),
        ("the verifier", lambda: _until(pair.gated, ("-I", verifier), None)),
        turns=6 * turns,
        aim=Aim(within=0.120),
    )
    yield interleaved(
        "the verifier, until it has read a small policy",
        ("a bare interpreter", lambda: _until(pair.gated, _BARE, None)),
        ("the verifier", lambda: _until(pair.gated, ("-I", verifier), policy)),
        turns=6 * turns,
    )


def _idle(environment: Environment) -> float:
    started = time.perf_counter()
    subprocess.run([environment.python, *_IDLE], check=True, env={})
    return time.perf_counter() - started


def _until(environment: Environment, words: tuple[str, ...], policy: Path | None) -> float:
    """Give the seconds to the first line; with a policy, to the line after that."""
    started = time.perf_counter()
    with subprocess.Popen(
        [environment.python, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=os.sep,
        env={},
    ) as process:
        if process.stdin is None or process.stdout is None:
            _broken("pipes")
        line = process.stdout.readline()
        if policy is not None:
            message = {"type": "open", "policy": str(policy), "sha256": None}
            process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if json.loads(line)["type"] != "ready":
                _broken(line.decode("utf-8", "replace"))
        seconds = time.perf_counter() - started
        if not line:
            _broken("nothing")
    return seconds


def _broken(what: str) -> NoReturn:
    raise RuntimeError(f"the process gave {what}")
