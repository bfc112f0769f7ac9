"""Pages of the documentation, and a shell in which what they tell people to type is typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.integration.programs import ROOT, programs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.environments import Completed, Environment
    from tests.integration.loopback import Index

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Give the commands of a page's console blocks; a command may go on over several lines."""
    return commands_in((ROOT / page).read_text("utf-8"))


def sections(page: str) -> dict[str, list[str]]:
    """Give the same by the numbers of a page's headings: ``## 4. A release`` is ``"4"``."""
    text = (ROOT / page).read_text("utf-8")
    parts = re.split(r"^## (\d+)\. .*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], map(commands_in, parts[2::2]), strict=True))


def commands_in(text: str) -> list[str]:
    """Give the commands of the console blocks in a text."""
    found: list[str] = []
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(line[2:])
            else:
                found[-1] += "\n" + line
    return found


class Shell:
    """A shell in which ``python``, ``pip`` and ``pip-intoto`` are those of one environment."""

    def __init__(self, environment: Environment, folder: Path, index: Index | None = None) -> None:
        self._environment = environment
        self.home = environment.home
        self.variables = {} if index is None else {"PIP_INDEX_URL": index.simple}
        found = programs(folder / "bin", environment.python)
        self.variables["PATH"] = f"{found}:/usr/bin:/bin"
        self.work = folder / "work"
        self.work.mkdir()

    def run(self, command: str, cwd: Path | None = None) -> Completed:
        """Run one command to its end."""
        words = ["sh", "-c", command]
        return self._environment.run(words, variables=self.variables, cwd=cwd or self.work)
