"""What is said of projects that are installed, and of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.reports.lines import verdict_lines
from tests.messages.situations import situation, steady
from tests.unit.verifier.homes import Home

if TYPE_CHECKING:
    from pathlib import Path


def told(home: Home, *, head: str = "") -> str:
    checked = home.checked(head=head)
    lines = verdict_lines(checked.verdict, place=checked.place)
    text = "\n".join(line.text for line in lines)
    return steady(text, {str(home.prefix): "/home/you/venv"})


@situation("installed-files-changed")
def _(folder: Path) -> str:
    home = Home(folder)
    home.install()
    (home.site / "demo/__init__.py").write_bytes(b"A = 2\n")
    (home.site / "demo/sub/b.py").unlink()
    (home.site / "demo/evil.py").write_bytes(b"\n")
    return told(home)


@situation("installed-files-changed.no-metadata")
def _(folder: Path) -> str:
    home = Home(folder)
    (home.install() / "METADATA").unlink()
    return told(home)


@situation("unverifiable.file-unknown")
def _(folder: Path) -> str:
    home = Home(folder)
    home.install(installer="uv", record=False)
    return told(home, head='mode = "warn"')
