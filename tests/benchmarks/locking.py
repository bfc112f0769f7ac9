"""Whole lockfiles: `pip-intoto verify pylock.toml`, with nothing remembered and with verdicts."""

from __future__ import annotations

import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain, write_policy
from tests.benchmarks.serving import serving
from tests.integration.interpreters import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.loopback import Index

_COUNTS = (50, 500, 5_000)
#: The length that the aims are for, and longer ones.
_AIMED = 500
#: How many distributions a second, cold; how many times faster a warm run is; megabytes.
_RATE, _FASTER, _MEMORY = 200, 5, 200
_MB = 1_000_000
#: Runs a command from a small process. On Linux the most memory that a process ever had begins
#: with what the one had that started it, and benchmarks grow.
_MEASURED = """\
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(process.pid, 0)
print(json.dumps([time.perf_counter() - began, used.ru_maxrss]))
sys.exit(os.waitstatus_to_exitcode(status))
"""
#: Bytes of the module in each wheel, which deflate cannot make smaller.
_MODULE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What each turn took over one lock: seconds, and the most memory in bytes.

    ``received`` is what was fetched, ``wheels`` what the wheels of the lock weigh, in bytes.
    """

    count: int
    cold: tuple[float, ...]
    warm: tuple[float, ...]
    memory: int
    received: int
    wheels: int

    def cells(self) -> tuple[str, ...]:
        """Give what a row of the table says."""
        cold, warm = statistics.median(self.cold), statistics.median(self.warm)
        faster = statistics.median(c / w for c, w in zip(self.cold, self.warm, strict=True))
        rate, memory = self.count / cold, self.memory / _MB
        return (
            f"{self.count:,}",
            f"{cold:.2f} s",
            self._held(f"{rate:,.0f} a second", rate >= _RATE),
            f"{warm:.2f} s",
            self._held(f"{faster:.1f} times", faster >= _FASTER),
            self._held(f"{memory:.0f} MB", memory <= _MEMORY),
            f"{self.received / _MB:.1f} MB",
            f"{self.wheels / _MB:,.1f} MB",
            str(len(self.cold)),
        )

    def _held(self, figure: str, met: bool) -> str:
        """Say where an aim is missed; a short lock, which is mostly starting up, has none."""
        return figure if met or self.count < _AIMED else f"{figure} (**missed**)"


def compare(folder: Path, turns: int) -> Iterator[Audit]:
    """Verify locks of growing length, cold and warm in turns."""
    for count in _COUNTS:
        work = folder / f"locking-{count}"
        lines = _prepare(work, count)
        with serving(functools.partial(_fill, work / "bundles")) as url:
            lock = work / "pylock.toml"
            head = 'lock-version = "1.0"\ncreated-by = "benchmark"\n'
            origin = url.removesuffix("/simple/")
            lock.write_text(head + "".join(lines).replace("{origin}", origin), encoding="utf-8")
            yield _audit(work, lock, count, 3 if count == max(_COUNTS) else max(3, turns // 2))
        shutil.rmtree(work)


def _prepare(work: Path, count: int) -> list[str]:
    """Make the policy and the bundles; give the packages of a lock. Wheels are not kept."""
    bundles = work / "bundles"
    bundles.mkdir(parents=True)
    chains = [SupplyChain(project=f"part-{number:04}") for number in range(count)]
    write_policy(work, chains, head='unlisted = "deny"')
    lines = []
    for number, chain in enumerate(chains):
        module = number.to_bytes(4, "big") + os.urandom(_MODULE)
        built = wheel(chain.project, modules={"part.py": module})
        (bundles / built.filename).write_bytes(chain.bundle(built))
        lines.append(
            f'[[packages]]\nname = "{built.name}"\nversion = "{built.version}"\n'
            f'wheels = [{{ url = "{{origin}}/files/{built.filename}", size = {len(built.data)},'
            f' hashes = {{ sha256 = "{built.sha256}" }} }}]\n\n'
        )
    return lines


def _fill(bundles: Path, index: Index) -> None:
    """Serve what lies in *bundles* beside wheels that are not there."""
    for path in bundles.iterdir():
        index.put(f"/files/{path.name}.intoto.jsonl", path.read_bytes())


def _audit(work: Path, lock: Path, count: int, turns: int) -> Audit:
    cache = work / "cache"
    cold, warm, memory = [], [], 0
    report: dict[str, dict[str, int]] = {}
    for turn in range(turns + 1):
        shutil.rmtree(cache, ignore_errors=True)
        first, most, report = _verify(work, lock, cache)
        second, _, _ = _verify(work, lock, cache)
        # The first pair does not count.
        if turn:
            cold.append(first)
            warm.append(second)
            memory = max(memory, most)
    if report["counts"]["verified"] != count:
        raise RuntimeError(f"{report['counts']} of {count}")
    return Audit(
        count=count,
        cold=tuple(cold),
        warm=tuple(warm),
        memory=memory,
        received=report["traffic"]["received"],
        wheels=report["traffic"]["spared"],
    )


def _verify(work: Path, lock: Path, cache: Path) -> tuple[float, int, dict[str, dict[str, int]]]:
    """Run the command: seconds, the most memory that it had, and its report."""
    output = work / "report.json"
    words = [sys.executable, "-m", "pip_intoto", "verify", "-q", str(lock)]
    words += ["--policy", str(work / "policy.toml"), "--cache-dir", str(cache)]
    words += ["--format", "json", "-o", str(output)]
    measured = [sys.executable, "-I", "-c", _MEASURED, *words]
    # Byte code is there, as where the package is installed: the first pair writes it.
    variables = {**os.environ, "PYTHONPYCACHEPREFIX": str(work / "bytecode")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(measured, cwd=ROOT, env=variables, check=True, stdout=subprocess.PIPE)
    taken, memory = json.loads(done.stdout)
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return taken, memory * unit, json.loads(output.read_text("utf-8"))
