"""Work that several test processes need, done by one of them."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: What earlier runs left in the cache is removed after this long, in seconds.
STALE = 2 * 60 * 60


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made_once(path: Path, make: Callable[[Path], None]) -> Path:
    """Give *path*, which *make* produces under another name when it is not there yet."""
    if path.exists():
        return path
    with lock(path.with_name(path.name + ".lock")):
        if not path.exists():
            unfinished = path.with_name(path.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.unlink(missing_ok=True)
            make(unfinished)
            unfinished.rename(path)
    return path


def remove_stale(folder: Path, pattern: str, keep: Path) -> None:
    """Remove what fits *pattern* and has not been touched for long."""
    for path in folder.glob(pattern):
        if path not in {keep, keep.with_name(keep.name + ".lock")}:
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE:
                    if path.is_dir():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
