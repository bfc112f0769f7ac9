"""What the reference implementation's own classes and commands make of the usual chain."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from in_toto.models.layout import Layout, Step

if TYPE_CHECKING:
    from pathlib import Path


def in_toto_run(folder: Path, *arguments: str | Path) -> None:
    """Record a step with ``in-toto-run``."""
    script = "import sys; from in_toto.in_toto_run import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def layout(author: str, builder: str) -> Layout:
    """Describe the chain, from a source file to a wheel; its keys are not in it yet."""
    described = Layout()
    described.expires = (datetime.now(timezone.utc) + timedelta(days=7)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    source, build = Step(name="source"), Step(name="build")
    source.pubkeys, build.pubkeys = [author], [builder]
    source.expected_products = [["CREATE", "demo.py"], ["DISALLOW", "*"]]
    build.expected_materials = [
        ["MATCH", "demo.py", "WITH", "PRODUCTS", "FROM", "source"],
        ["DISALLOW", "*"],
    ]
    build.expected_products = [["CREATE", "demo-*.whl"], ["ALLOW", "demo.py"], ["DISALLOW", "*"]]
    described.steps = [source, build]
    return described
