"""What git tracks in a directory, submodules included."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.maintainer import git
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from pip_intoto.limits import Limits

_ADVICE = (
    "If the repository is broken, or git does not trust it, the lines above say so; --all-files"
    " records what lies there, whether git tracks it or not."
)


def tracked(directory: str, *, limits: Limits) -> list[str] | None:
    """Paths below ``directory`` that git tracks, relative to it and with ``/``.

    None when there is no git to ask. Submodules that are checked out are listed file by file,
    others by their name. Raises CommandError when git fails, is late, or lists too much.
    """
    listing = ("ls-files", "-z", "--cached", "--recurse-submodules")
    answer = git.ask(directory, *listing, advice=_ADVICE, limits=limits)
    if answer is None:
        return None
    if answer.status != 0:
        raise CommandError(
            f"git cannot say what it tracks below {shown(directory)}",
            found=answer.said or f"exit status {answer.status}",
            advice=_ADVICE,
        )
    # A file that is being merged is listed once for each side.
    names = list(dict.fromkeys(os.fsdecode(name) for name in answer.output.split(b"\0") if name))
    if len(names) > limits.artifacts:
        raise CommandError(
            f"git tracks too much below {shown(directory)}",
            expected=f"at most {limits.artifacts} files",
            found=f"{len(names)} files",
            advice="Name the directories that the step uses or makes.",
        )
    return names
