"""Recording files: many small ones with whole commands, and a large one against hashlib."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pip_intoto.maintainer.keys import signing
from pip_intoto.maintainer.steps.recording import digests_of
from tests.benchmarks.comparing import Aim, interleaved, timed
from tests.integration.interpreters import ROOT
from tests.unit.maintainer.repositories import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.comparing import Comparison, Timed

_FOLDERS, _FILES, _SIZE = 100, 100, 4096
_LARGE = 1024 * 1024 * 1024
_MIB = 1024 * 1024
_MAIN = "import sys; from {} import main; sys.exit(main())"
_KEY = "key.pem"


def compare(folder: Path, turns: int) -> Iterator[Comparison]:
    """Compare both commands, and what is under one of them with the standard library."""
    work = folder / "recording"
    work.mkdir()
    (work / _KEY).write_bytes(signing.generate().private_pem())
    repository = Repository(work / "tracked")
    for place in (work / "small", repository.folder):
        _plant(place)
    repository.track()
    for name, what in (
        ("small", "10,000 files of 4 KiB, as materials and products"),
        ("tracked", "the same, all of them tracked by git"),
    ):
        theirs, ours = _commands(work, "-m", name, "-p", name)
        yield interleaved(
            what,
            ("`in-toto-run`", theirs),
            ("`pip-intoto run`", ours),
            turns=2 * turns,
            aim=Aim(ratio=0.5),
        )
    large = work / "large"
    with large.open("wb") as stream:
        for _ in range(_LARGE // _MIB):
            stream.write(os.urandom(_MIB))
    yield interleaved(
        "one file of 1 GiB: the hashing alone",
        ("`hashlib`", timed(functools.partial(_digest, large))),
        ("pip-intoto", timed(functools.partial(digests_of, {"large": str(large)}))),
        turns=turns,
        # At least 0.95 times the speed.
        aim=Aim(ratio=1 / 0.95),
    )
    theirs, ours = _commands(work, "-p", "large")
    yield interleaved(
        "one file of 1 GiB, as product: whole commands",
        ("`in-toto-run`", theirs),
        ("`pip-intoto run`", ours),
        turns=turns,
    )
    large.unlink()


def _plant(folder: Path) -> None:
    for number in range(_FOLDERS):
        below = folder / f"folder{number}"
        below.mkdir(parents=True)
        for each in range(_FILES):
            (below / f"file{each}.txt").write_bytes(os.urandom(_SIZE))


def _commands(folder: Path, *arguments: str) -> tuple[Timed, Timed]:
    return (
        functools.partial(_run, folder, "in_toto.in_toto_run", *arguments),
        functools.partial(_run, folder, "pip_intoto.cli", *arguments),
    )


def _run(folder: Path, module: str, *arguments: str) -> float:
    """Record without a command, as the script of either tool does it."""
    words = ["run"] if module.startswith("pip_intoto") else []
    options = ["-n", "step", "--signing-key", _KEY, "-x", "-q"]
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", _MAIN.format(module), *words, *options, *arguments],
        check=True,
        capture_output=True,
        cwd=folder,
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "hooks")])},
    )
    return time.perf_counter() - started


def _digest(path: Path) -> str:
    """What the standard library does on Python 3.11 and later with one call."""
    digest = hashlib.sha256()
    buffer = bytearray(256 * 1024)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as stream:
        while size := stream.readinto(buffer):
            digest.update(view[:size])
    return digest.hexdigest()
