"""Repositories for tests, untouched by whatever git is told elsewhere on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class Repository:
    """A work tree; everything in *folder* that git is told to track."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("git") is None:
            pytest.skip("git is not installed")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q")

    def git(self, *arguments: str) -> str:
        """Run git in the work tree, and give what it says."""
        return git(self.folder, *arguments)

    def track(self, *names: str) -> None:
        """Write files that are not there yet, and commit all that is."""
        for name in names:
            write(self.folder / name, name)
        self.git("add", "--all", "--force", ".")
        self.git("commit", "-q", "-m", "more")


def git(folder: Path, *arguments: str) -> str:
    """Run git in *folder*, and give what it says."""
    variables = {name: text for name, text in os.environ.items() if name[:4] != "GIT_"}
    settings = {
        "user.name": "T",
        "user.email": "t@test.invalid",
        "protocol.file.allow": "always",
        "init.defaultBranch": "main",
    }
    options = [word for name, text in settings.items() for word in ("-c", f"{name}={text}")]
    result = subprocess.run(
        ["git", *options, *arguments],
        cwd=folder,
        env={**variables, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.rstrip("\n")


def write(path: Path, text: str = "") -> Path:
    """Write a file, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
