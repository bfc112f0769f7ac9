"""Programs by their names, and the variables of a shell that finds them."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def program(folder: Path, name: str, line: str) -> Path:
    """Write a program that is one line of a shell."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def programs(folder: Path, python: str | Path = sys.executable) -> Path:
    """Put ``python``, ``pip`` and ``pip-intoto`` of one Python into a folder, and give it."""
    start = f"exec {shlex.quote(str(python))}"
    program(folder, "python", f'{start} "$@"')
    program(folder, "pip", f'{start} -m pip "$@"')
    program(folder, "pip-intoto", f'{start} -m pip_intoto "$@"')
    return folder


def variables(folder: Path) -> dict[str, str]:
    """Give the environment of a shell that finds the programs in *folder*, and this checkout."""
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hooks'}",
    }
