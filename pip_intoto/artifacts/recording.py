"""Recording what lies in a directory, as materials or products of an inspection.

Everything is recorded (I6): no pattern leaves anything out. Symbolic links are followed, except
to a folder that they lie in; what is neither file nor folder is an error, because a rule like
``DISALLOW *`` could not see it.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.errors import InspectionFailed, MetadataTooLarge
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.limits import Limits


def record_directory(directory: Path, *, limits: Limits) -> dict[str, dict[str, str]]:
    """Return ``{name: {"sha256": hex}}`` for every file below ``directory``, with ``/`` in names.

    Raises :class:`InspectionFailed` for what cannot be read, and :class:`MetadataTooLarge`.
    """
    recorded: dict[str, dict[str, str]] = {}
    seen = 0
    # Folders still to visit: path, prefix of the names in it, and the folders it lies in.
    pending: list[tuple[Path, str, frozenset[tuple[int, int]]]] = [(directory, "", frozenset())]
    try:
        while pending:
            folder, prefix, above = pending.pop()
            status = folder.stat()
            here = above | {(status.st_dev, status.st_ino)}
            for path in folder.iterdir():
                seen += 1
                if seen > limits.artifacts:
                    raise MetadataTooLarge(
                        "The directory has too many files",
                        expected=f"at most {limits.artifacts}",
                        place=str(directory),
                    )
                name = path.name
                found = path.stat()
                if stat.S_ISDIR(found.st_mode):
                    if (found.st_dev, found.st_ino) not in here:
                        pending.append((path, f"{prefix}{name}/", here))
                elif stat.S_ISREG(found.st_mode):
                    recorded[prefix + name] = {"sha256": sha256_file(path)}
                else:
                    raise InspectionFailed(
                        "There is something that is neither a file nor a folder",
                        found=shown(prefix + name),
                        place=str(directory),
                    )
    except OSError as error:
        raise InspectionFailed(
            "The directory cannot be recorded", found=str(error), place=str(directory)
        ) from error
    return recorded
