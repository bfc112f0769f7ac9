"""Schemas that others publish, out of packages that have them: in the cache, never in the tree."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.interpreters import CACHE
from tests.integration.locking import made_once

_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A file of an archive that a command puts into a folder; only this very content counts."""

    command: tuple[str, ...]
    member: str
    sha256: str


#: As Microsoft's validator of such reports has it.
SARIF = Published(
    command=("npm", "pack", "--silent", "@microsoft/sarif-multitool-linux@5.7.0"),
    member="sarif-2.1.0.json",
    sha256="1c49a0f2b60444c71bb14878e21e0d882198eff4c539861b133093ad89ed798c",
)
#: What Jenkins holds reports against; pytest tests its own with it.
JUNIT = Published(
    command=(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--no-binary", "pytest", "pytest==8.4.2"),
    ),
    member="junit-10.xsd",
    sha256="a1a816f58d1bf95ebabf371994df0b9246dee66ea9572fbec4f9296f1b2c0ff6",
)


def text_of(published: Published) -> str:
    """Give a schema, downloaded once; skip the test when that cannot be done."""

    def download(target: Path) -> None:
        if shutil.which(published.command[0]) is None:
            pytest.skip(f"there is no {published.command[0]} here to fetch {published.member} with")
        with tempfile.TemporaryDirectory() as name:
            done = subprocess.run(
                published.command,
                cwd=name,
                check=False,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
            )
            archives = [*Path(name).iterdir()]
            if done.returncode or not archives:
                pytest.skip(f"{published.member} cannot be fetched: {done.stderr.strip()[-200:]}")
            target.write_bytes(_member(archives[0], published.member))

    content = made_once(CACHE / "schemas" / published.member, download).read_bytes()
    assert hashlib.sha256(content).hexdigest() == published.sha256
    return content.decode("utf-8")


def _member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as members:
        for member in members:
            if member.name.rpartition("/")[2] == name:
                stream = members.extractfile(member)
                assert stream is not None
                return stream.read()
    raise AssertionError(f"{archive.name} has no {name}")
