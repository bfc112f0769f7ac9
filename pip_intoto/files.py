"""Files that somebody named: read within bounds, and written so that nobody meets half of one.

What is written goes into a new file in the same directory first, reaches the disk, and takes its
name in one step. When that fails, what stood there stands there still.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: What programs give to files unless they have a reason; the umask takes away from it.
OPEN = 0o666
#: For keys, and for what only its owner may read.
PRIVATE = 0o600
_OPEN_FOLDER = 0o777

#: Seconds between two attempts to get hold of a lock.
_PAUSE = 0.01
#: Bytes that are copied at once.
_CHUNK = 256 * 1024
_CREATE: int = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
#: What to say of a file that could not be written, to whoever has no better advice.
_AS_BEFORE = "What stood there before stands there still."


def read(path: Path, at_most: int, *, missing: str = "") -> bytes:
    """The bytes of a file. Raises CommandError when it cannot be read, or has more than that.

    ``missing`` is the advice when there is none.
    """
    with reading(path, missing), path.open("rb") as stream:
        data = stream.read(at_most + 1)
    if len(data) > at_most:
        raise CommandError(f"{path} is too large", expected=f"at most {at_most} bytes")
    return data


@contextmanager
def reading(path: Path, missing: str = "") -> Iterator[None]:
    """Say which file it was, and what makes it: raises CommandError for an :class:`OSError`."""
    try:
        yield
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read",
            found=str(error.strerror or error),
            advice=missing if isinstance(error, FileNotFoundError) else "",
        ) from None


def check_free(path: Path) -> None:
    """Fail where :func:`write_new` would, before any work is done for it. Raises CommandError."""
    with _explained(path):
        if os.path.lexists(path):
            raise FileExistsError


def write_new(path: Path, content: bytes, *, mode: int = OPEN, advice: str = _AS_BEFORE) -> None:
    """Write a file that is not there yet. Raises CommandError, and leaves nothing behind.

    Whoever creates a file of the same name in the meantime keeps it.
    """
    check_free(path)
    with _explained(path, advice), _beside(path, content, mode) as written:
        try:
            # Unlike a rename, a second name is refused where one exists.
            os.link(written, path)
        except FileExistsError:
            raise
        except OSError:
            # File systems without links; the name is taken first, then filled in one step.
            os.close(os.open(path, _CREATE, mode))
            try:
                written.replace(path)
            except BaseException:
                path.unlink()
                raise


def replace(
    path: Path,
    content: bytes,
    *,
    mode: int | None = None,
    advice: str = _AS_BEFORE,
    lasting: bool = True,
) -> None:
    """Put ``content`` in the place of what is there, through a link if it is one.

    ``mode`` defaults to the one that the file has, else to :data:`OPEN`. What need not be
    ``lasting`` is not waited for until it has reached the disk: after a loss of power there may
    be less of it. Raises CommandError.
    """
    with _explained(path, advice):
        target = Path(os.path.realpath(path))
        present = _mode_of(target)
        wanted = present if mode is None else mode
        at_first = OPEN if wanted is None else PRIVATE
        with _beside(target, content, at_first, lasting=lasting) as written:
            if wanted is not None:
                written.chmod(wanted)
            written.replace(target)


def copy(source: Path, path: Path) -> str:
    """Put a copy of a file, of any size, in the place of what is there; the sha256 of its bytes.

    Raises CommandError.
    """
    digest = hashlib.sha256()

    def chunks() -> Iterator[bytes]:
        with reading(source), source.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                yield chunk

    with _explained(path), _beside(path, chunks(), OPEN) as written:
        written.replace(path)
    return digest.hexdigest()


def make_folder(path: Path, *, mode: int = _OPEN_FOLDER) -> None:
    """Make a folder, and those above it, where they are missing. Raises CommandError."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{path} cannot be made: {error.strerror or error}") from None


def replace_folder(path: Path, contents: Mapping[str, bytes]) -> None:
    """Put a folder with ``contents`` in the place of what is there, as a whole.

    The names of ``contents`` are relative, with ``/``. Raises CommandError.
    """
    with replacing_folder(path) as fresh, _explained(path):
        for name, content in contents.items():
            file = fresh / name
            file.parent.mkdir(parents=True, exist_ok=True)
            write_new(file, content)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a new folder to fill, which takes the place of what is there in the end, as a whole.

    Nobody meets half a folder; for a moment nobody meets any, as none can be renamed over another.
    Whatever the caller raises leaves everything as it was. Raises CommandError.
    """
    # Imported here for start-up time: it brings three ways of compression.
    from shutil import rmtree

    target = path.absolute()
    fresh = _hidden(target)
    old = fresh.with_name(f"{fresh.name}.old")
    with _explained(path):
        fresh.mkdir()
    try:
        yield fresh
        with _explained(path):
            if target.exists():
                target.rename(old)
            fresh.rename(target)
    except BaseException:
        # Ctrl-C between the two steps, too.
        if old.exists() and not target.exists():
            _put_back(old, path)
        raise
    finally:
        rmtree(fresh, ignore_errors=True)
    rmtree(old, ignore_errors=True)


@contextmanager
def held(path: Path, seconds: float) -> Iterator[str]:
    """Hold other processes off while this goes on; gives a sentence about why it does not.

    The file at ``path`` stands for whatever they share.
    """
    # A link could have any file made.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags, PRIVATE)
    except OSError as error:
        yield f"{path} cannot be opened: {error.strerror or error}"
        return
    try:
        until = time.monotonic() + seconds
        while not (locked := _lock(descriptor)) and time.monotonic() < until:
            time.sleep(_PAUSE)
        yield "" if locked else f"{path} is held by another process"
    finally:
        # Whoever holds the lock lets go of it with the file.
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Take the lock on a file, unless somebody else has it."""
    try:
        # Imported here because Windows has another one.
        import fcntl
    except ImportError:
        import msvcrt

        with suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            return True
    else:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def _put_back(old: Path, path: Path) -> None:
    try:
        old.rename(path.absolute())
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written: {error.strerror or error}",
            advice=f"What stood there before is in {old}: give it its name again.",
        ) from None


def _hidden(path: Path) -> Path:
    """A name in the same directory that nobody has, and that nobody looks at."""
    # (A character takes up to four bytes, and a name may have 255 of them.)
    return path.with_name(f".{path.name[:60]}.{secrets.token_hex(4)}")


@contextmanager
def _beside(
    path: Path, content: bytes | Iterator[bytes], mode: int, *, lasting: bool = True
) -> Iterator[Path]:
    """A file with ``content`` in the same directory, which is gone afterwards unless renamed."""
    written = _hidden(path)
    try:
        with os.fdopen(os.open(written, _CREATE, mode), "wb") as stream:
            for chunk in (content,) if isinstance(content, bytes) else content:
                stream.write(chunk)
            stream.flush()
            if lasting:
                os.fsync(stream.fileno())
        yield written
    finally:
        with suppress(OSError):
            written.unlink()


def _mode_of(path: Path) -> int | None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        # A device would no longer be one; root could take /dev/null away from everybody.
        raise OSError(errno.EINVAL, "it is no file, and is not replaced by one")
    return stat.S_IMODE(mode)


@contextmanager
def _explained(path: Path, advice: str = _AS_BEFORE) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise CommandError(
            f"{path} exists already",
            expected="a name that is free",
            advice="Choose another name, or move the file away: nothing is overwritten.",
        ) from None
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written: {error.strerror or error}",
            advice=advice,
        ) from None
