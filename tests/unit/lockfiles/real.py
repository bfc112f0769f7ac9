"""What the locks of real tools must come to: fixtures/locks, or what the tools write today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fixtures import locks
from pip_intoto.lockfiles.reading import read_lock
from pip_intoto.lockfiles.trees import Disk
from tests.unit.lockfiles.trees import LINUX

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.lockfiles.locked import Lock

#: The tools that lock the one project; the others lock the one with two versions of theta.
TOOLS = [name for name in locks.TOOLS if not name.endswith("-forked")]
FORKED = [name for name in locks.TOOLS if name.endswith("-forked")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What a format, or the tool that writes it, can say."""

    #: It locks for one interpreter, that of the tool; what others need is not there.
    is_for_one: bool = False
    #: It does not say what is for which platform: for one interpreter, everything is read.
    has_no_markers: bool = False
    has_names: bool = True
    has_urls: bool = False
    has_sizes: bool = False
    #: It has the index: of each project, or of the whole file.
    has_index: bool = True
    #: It has one file of each project, the one that the tool would install.
    has_one_file: bool = False


SAYS = {
    "pip": Says(is_for_one=True, has_urls=True, has_index=False, has_one_file=True),
    "pip-tools": Says(is_for_one=True, has_names=False),
    "uv": Says(has_urls=True, has_sizes=True),
    "poetry": Says(),
    "poetry-1.8": Says(has_no_markers=True),
    "poetry-1.1": Says(has_no_markers=True),
    "pdm": Says(has_index=False),
    "pdm-static": Says(has_urls=True, has_index=False),
    "pipenv": Says(has_names=False),
}
#: For Linux and a Python of today.
INSTALLED = {"alpha 1.0", "beta 2.1", "epsilon 5.0", "eta 7.0", "zeta 6.0"}
ELSEWHERE = {"delta 4.0", "gamma 3.0"}


def read(folder: Path, tool: str, *, all_interpreters: bool = False) -> Lock:
    """Read what a tool wrote, for Linux or for every interpreter."""
    path = folder / tool / locks.TOOLS[tool].writes
    return read_lock(path, Disk(), None if all_interpreters else LINUX)


def contents(lock: Lock) -> dict[str, set[tuple[str, str]]]:
    """The files of each ``name version``: filenames, empty where there are none, and digests."""
    return {
        f"{locked.name} {locked.version}": {(file.filename, file.sha256) for file in locked.files}
        for locked in lock.locked
    }


def expected(tool: str, *, all_interpreters: bool = False) -> dict[str, set[tuple[str, str]]]:
    """What the tool's lock must come to, from what the index has."""
    says = SAYS[tool]
    projects = set(INSTALLED)
    if says.has_no_markers or (all_interpreters and not says.is_for_one):
        projects |= ELSEWHERE
    found: dict[str, set[tuple[str, str]]] = {}
    for file in locks.distributions():
        title = f"{file.name} {file.version}"
        if title in projects and not (says.has_one_file and file.filename.endswith(".tar.gz")):
            name = file.filename if says.has_names else ""
            found.setdefault(title, set()).add((name, file.sha256))
    return found
