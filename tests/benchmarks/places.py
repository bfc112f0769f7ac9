"""Environments to measure in: the same twice, but for the file that arms the gate."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.integration import environments, interpreters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.integration.environments import Environment

_ARMING = ("pip_intoto_gate.pth", "pip_intoto_gate.start")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two environments that differ in whether the gate is armed."""

    plain: Environment
    gated: Environment


def pair(folder: Path) -> Pair:
    """Make both below *folder*. What pip-intoto depends on is in both of them."""
    made = [
        environments.create(folder / name, interpreters.own(), interpreters.NEWEST_PIP, armed=True)
        for name in ("plain", "gated")
    ]
    for name in _ARMING:
        (made[0].site_packages / name).unlink()
    for environment in made:
        _compile(environment)
    return Pair(plain=made[0], gated=made[1])


def install(environment: Environment, variables: Mapping[str, str], *words: str) -> float:
    """Install, make sure that it worked, take it away again; give the seconds of the first."""
    wanted = {"PIP_NO_CACHE_DIR": "1", "PIP_NO_INPUT": "1", **variables}
    command = environment.command("install", "--quiet", *words)
    started = time.perf_counter()
    result = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment.variables(wanted),
        cwd=environment.home / "work",
    )
    seconds = time.perf_counter() - started
    if result.returncode != 0 or not environment.installed():
        raise RuntimeError(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
    _restore(environment)
    return seconds


def _restore(environment: Environment) -> None:
    """Remove what was installed, so that the next turn finds what this one found."""
    for name in sorted(environment.added(), key=len, reverse=True):
        path = environment.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _compile(environment: Environment) -> None:
    """Have byte code for everything, as pip leaves it behind."""
    subprocess.run(
        [environment.python, "-I", "-m", "compileall", "-q", environment.site_packages],
        check=False,
        capture_output=True,
        env={"PATH": os.defpath},
    )
