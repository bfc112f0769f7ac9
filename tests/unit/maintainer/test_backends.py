"""Build backends at work: how far they are, and what is said when they cannot begin."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.projects.backends import open_backend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pip_intoto.maintainer.progress import Advance

OWN = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
SLOW = """\
import pathlib, time, warnings

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    print("a word on the way")
    warnings.warn("something is out of fashion")
    time.sleep(0.5)
    info = pathlib.Path(folder, "demo-1.0.dist-info")
    info.mkdir()
    return info.name
"""


class Watching:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Advance]:
        assert total is None
        self.told[label] = 0.0

        def advance(more: float) -> None:
            self.told[label] += more

        yield advance


def project(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_a_slow_backend_is_seen_to_work_and_not_heard(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    progress = Watching()
    source = project(tmp_path / "project", {"pyproject.toml": OWN, "own.py": SLOW})
    with open_backend(isolated=False, progress=progress) as backend:
        assert backend.metadata(source, tmp_path / "out").name == "demo-1.0.dist-info"
    assert progress.told["preparing the metadata"] > 0
    assert capfd.readouterr() == ("", "")


def test_what_a_failing_backend_said_last_is_quoted(tmp_path: Path) -> None:
    noisy = "for number in range(10_000):\n    print(number)\nraise SystemExit('no more')\n"
    source = project(tmp_path / "project", {"pyproject.toml": OWN, "own.py": noisy})
    with (
        open_backend(isolated=False) as backend,
        pytest.raises(CommandError, match="the build backend failed") as failed,
    ):
        backend.wheel(source, tmp_path / "out")
    assert failed.value.found.endswith("9999\nno more")
    assert len(failed.value.found) < 3_000


def test_an_environment_that_cannot_be_made_is_explained_in_the_words_of_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wanting = OWN.replace("requires = []", 'requires = ["no-such-backend-anywhere"]')
    source = project(tmp_path / "project", {"pyproject.toml": wanting, "own.py": SLOW})
    with (
        open_backend() as backend,
        pytest.raises(CommandError, match="environment for the build cannot be made") as failed,
    ):
        backend.metadata(source, tmp_path / "out")
    assert "no-such-backend-anywhere" in failed.value.found
    assert "--no-isolation" in failed.value.advice


@pytest.mark.parametrize(
    "table", ["[build-system]\nbuild-backend = 1\nrequires = []\n", "[build-system]\n"]
)
def test_a_build_system_that_is_none_is_said(tmp_path: Path, table: str) -> None:
    source = project(tmp_path / "project", {"pyproject.toml": table})
    with (
        open_backend(isolated=False) as backend,
        pytest.raises(CommandError, match=r"cannot be built: .*build-system"),
    ):
        backend.wheel(source, tmp_path / "out")
