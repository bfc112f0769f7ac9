"""What starts: an interpreter that runs no pip, and the verifier."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from fixtures.distributions import wheel
from fixtures.shipped import write_bundle
from fixtures.supply_chain import SupplyChain
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import ROOT_LAYOUT
from tests.benchmarks.comparing import Aim, interleaved
from tests.integration.interpreters import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.comparing import Comparison
    from tests.benchmarks.places import Pair
    from tests.integration.environments import Environment

_IDLE = ("-I", "-c", "pass")
#: Says something as soon as it can, and then waits for the end of its input, as the verifier does.
_BARE = ("-I", "-c", "import os; os.write(1, b'{}\\n'); os.read(0, 1)")
#: One verdict by the library. What the extras bring is out of reach where the last word says so.
_VERDICT = """
import sys
sys.path[:0] = sys.argv[1:3]
if sys.argv[5] == "hidden":
    for name in ("celpy", "lark", "re2", "sigstore", "tuf"):
        sys.modules[name] = None
import pip_intoto
assert pip_intoto.verify(sys.argv[3], policy=sys.argv[4]).reason == "verified"
"""
_CONDITION = "predicate.name == 'build' && subject.all(s, s.name.startsWith('demo-'))"


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
    classic = _shipped(folder / "classic", "")
    yield interleaved(
        "one file with a classic layout, verified in a process of its own",
        ("without the extras", lambda: _verdict(classic, "hidden")),
        ("with them installed", lambda: _verdict(classic, "there")),
        turns=4 * turns,
    )
    conditioned = _shipped(folder / "conditioned", _CONDITION)
    yield interleaved(
        "the same, where the layout has a condition in CEL",
        ("a classic layout", lambda: _verdict(classic, "there")),
        ("with a condition", lambda: _verdict(conditioned, "there")),
        turns=4 * turns,
    )


def _shipped(folder: Path, condition: str) -> tuple[Path, Path]:
    """Write a wheel with its evidence, and a policy; give the paths of wheel and policy."""
    chain, built = SupplyChain(project="demo"), wheel("demo")
    layout = chain.layout()
    steps = layout["steps"]
    if condition and isinstance(steps, list) and isinstance(steps[-1], dict):
        steps[-1]["expected_attributes"] = [condition]
    signed = authoring.sign(layout, chain.owners, chain.envelope)
    folder.mkdir()
    file = folder / built.filename
    file.write_bytes(built.data)
    write_bundle(file, (authoring.Document(signed, ROOT_LAYOUT), *chain.evidence(built)[1:]))
    return file, chain.policy(folder / "policy")


def _verdict(shipped: tuple[Path, Path], extras: str) -> float:
    words = [str(ROOT), str(ROOT / "hooks"), *map(str, shipped), extras]
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", _VERDICT, *words], check=True)
    return time.perf_counter() - started


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
