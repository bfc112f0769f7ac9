"""What git tracks in a directory, submodules included.

git is asked, not imitated: what its index means depends on its version, on submodules and on
sparse checkouts. It runs nothing that a repository brings along, neither hooks nor a monitor of
the file system, and it looks at the repository that the directory is in, whatever repository a
hook or a script around this program has in its environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from pip_intoto.limits import Limits

#: Before each command of git's.
_CAREFULLY = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
_ADVICE = (
    "If the repository is broken, or git does not trust it, the lines above say so; --all-files"
    " records what lies there, whether git tracks it or not."
)


def is_in_repository(directory: str) -> bool:
    """Whether ``directory``, a path without links in it, lies in what git calls a work tree."""
    while not os.path.lexists(os.path.join(directory, ".git")):
        above = os.path.dirname(directory)
        if above == directory:
            return False
        directory = above
    return True


def tracked(directory: str, *, limits: Limits) -> list[str] | None:
    """Paths below ``directory`` that git tracks, relative to it and with ``/``.

    None when there is no git to ask. Submodules that are checked out are listed file by file,
    others by their name. Raises CommandError when git fails, is late, or lists too much.
    """
    program = shutil.which("git")
    if program is None or not os.path.isabs(program):
        return None
    try:
        listing = _run(program, directory, limits)
    except subprocess.TimeoutExpired:
        raise CommandError(
            f"git does not say what it tracks below {shown(directory)}",
            expected=f"an answer within {limits.git_seconds} seconds",
            advice=_ADVICE,
        ) from None
    # A file that is being merged is listed once for each side.
    names = list(dict.fromkeys(os.fsdecode(name) for name in listing.split(b"\0") if name))
    if len(names) > limits.artifacts:
        raise CommandError(
            f"git tracks too much below {shown(directory)}",
            expected=f"at most {limits.artifacts} files",
            found=f"{len(names)} files",
            advice="Name the directories that the step uses or makes.",
        )
    return names


def _run(program: str, directory: str, limits: Limits) -> bytes:
    command = [program, *_CAREFULLY, "ls-files", "-z", "--cached", "--recurse-submodules"]
    result = subprocess.run(
        command,
        cwd=directory,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=limits.git_seconds,
        check=False,
    )
    if result.returncode != 0:
        said = result.stderr.decode(sys.getfilesystemencoding(), "replace").strip()
        raise CommandError(
            f"git cannot say what it tracks below {shown(directory)}",
            found=said or f"exit status {result.returncode}",
            advice=_ADVICE,
        )
    return result.stdout


def _environment() -> dict[str, str]:
    # GIT_DIR and GIT_INDEX_FILE, which git sets for its hooks, would speak of something else.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    return environment | {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
    }
