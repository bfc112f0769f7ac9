"""Long work shows a bar on a real terminal: commands as they are typed, and nothing made faster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pip_intoto.maintainer.keys import key_files, signing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals as POSIX has them")

_ROOT = Path(__file__).parents[2]
#: Hashed in more than the second after which a bar appears.
LARGE = 3 << 30
SLOW = """\
import time

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    time.sleep(3)
    raise SystemExit("no more than this is looked at")
"""


def on_a_terminal(folder: Path, *words: str) -> str:
    """Run a command whose standard error is a terminal; what is to be seen there."""
    import pty

    ours, theirs = pty.openpty()
    shown = b""
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "pip_intoto", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env={
                **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
                "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'hooks'}",
                "TERM": "xterm",
                "COLUMNS": "100",
            },
        ):
            os.close(theirs)
            while True:
                try:
                    more = os.read(ours, 1 << 16)
                except OSError:  # as Linux says that nobody is there any more
                    break
                if not more:
                    break
                shown += more
    finally:
        os.close(ours)
    return shown.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    key_files.write_pair(tmp_path / "key", signing.generate())
    work = tmp_path / "work"
    work.mkdir()
    with (work / "large").open("wb") as file:
        file.truncate(LARGE)
    return work


# Large enough for machines that hash fast, which takes long on others.
@pytest.mark.matrix
def test_recording_and_comparing_a_large_file(folder: Path) -> None:
    words = "run -n x --signing-key ../key.pem -x -p large"
    shown = on_a_terminal(folder, *words.split())
    assert "recording products" in shown
    assert "%" in shown
    # In the end the bar is gone, and the last line says what there is.
    assert "1 product" in shown.splitlines()[-1]
    (link,) = folder.glob("x.*.link")
    shown = on_a_terminal(folder, "match-products", "-l", link.name, "-p", "large")
    assert "comparing" in shown
    assert "%" in shown
    assert "comparing" not in on_a_terminal(
        folder, "match-products", "-q", "-l", link.name, "-p", "pyproject.toml"
    )


@pytest.mark.parametrize("command", ["init --yes --no-isolation", "prepare --no-isolation"])
def test_a_build_that_takes_long(command: str, folder: Path) -> None:
    (folder / "large").unlink()
    (folder / "slow.py").write_text(SLOW)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
        '[project]\nname = "demo"\nversion = "1.0"\n'
    )
    (folder.parent / "keys").mkdir()
    for role in ("owner", "author", "builder"):
        key_files.write_pair(folder.parent / "keys" / role, signing.generate())
    shown = on_a_terminal(folder, *command.split())
    assert "preparing the metadata" in shown or "building a wheel" in shown
    assert "no more than this is looked at" in shown
