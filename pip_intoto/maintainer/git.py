"""git, asked with care about the repository that a directory is in.

It is asked, not imitated: what it says depends on its version, on submodules and on sparse
checkouts. It runs nothing that a repository brings along, neither hooks nor a monitor of the file
system, and it looks at the repository around the directory, whatever repository a hook or a script
around this program has in its environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from pip_intoto.limits import Limits

#: Before each command of git's.
_CAREFULLY = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What git gave: its exit status, its output, and what it said besides."""

    status: int
    output: bytes
    said: str


def is_in_repository(directory: str) -> bool:
    """Whether ``directory``, a path without links in it, lies in what git calls a work tree."""
    here = Path(directory)
    return any(os.path.lexists(folder / ".git") for folder in (here, *here.parents))


def ask(directory: str, *words: str, advice: str = "", limits: Limits = LOCAL) -> Answer | None:
    """Run git in ``directory``; None when there is no git to ask.

    Raises CommandError, with ``advice``, when it cannot be run or is late; a status is no error.
    """
    program = shutil.which("git")
    # Out of a relative PATH, it would be whatever lies in the working directory.
    if program is None or not Path(program).is_absolute():
        return None
    try:
        done = subprocess.run(
            [program, *_CAREFULLY, *words],
            check=False,
            cwd=directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.git_seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(
            f"git does not say what is in {shown(directory)}",
            expected=f"an answer within {limits.git_seconds} seconds",
            found=str(error),
            advice=advice,
        ) from None
    said = done.stderr.decode(sys.getfilesystemencoding(), "replace").strip()
    return Answer(status=done.returncode, output=done.stdout, said=said)


def _environment() -> dict[str, str]:
    # GIT_DIR and GIT_INDEX_FILE, which git sets for its hooks, would speak of something else.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    return environment | {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
    }
