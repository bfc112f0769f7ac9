"""sha256 over the bytes that will be installed, computed as rarely and as early as is safe.

A digest taken while a file streams in counts only for the first and only response to a URL that
had status 200, was read to its end, and is as long as the file that pip then has. Everything
else is read again. Memory by file identity is kept only for files in private directories, and
never on Windows, where the identity of a file says too little.
"""

from __future__ import annotations

import hashlib
import os
import queue
import stat
import threading
from typing import TYPE_CHECKING, Any

from pip_intoto_gate import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO


class StreamedDigests:
    """Digests of responses, taken on a second thread while pip writes them to disk."""

    def __init__(self) -> None:
        #: URL → (sha256, size), or None when the URL was answered in a way that does not count.
        self._seen: dict[str, tuple[str, int] | None] = {}

    def watch(self, response: Any, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass ``chunks`` of ``response`` on unchanged, and remember their digest."""
        request = (list(response.history) or [response])[0].request
        if request is None:
            # pip reads local files, such as the metadata of an index on this machine, through
            # responses that no request led to.
            yield from chunks
            return
        url = request.url
        whole = response.status_code == limits.OK and url not in self._seen
        self._seen[url] = None
        if not whole:
            yield from chunks
            return
        hasher = _BackgroundHasher()
        try:
            for chunk in chunks:
                hasher.update(chunk)
                yield chunk
        except BaseException:
            hasher.finish()
            raise
        self._seen[url] = hasher.finish()

    def take(self, url: str, path: str) -> str | None:
        """The digest of ``path`` if it is what ``url`` streamed, else None.

        It is given once, for the file as it was written: what changes later is read again.
        """
        seen = self._seen.get(url)
        if seen is None:
            return None
        self._seen[url] = None
        if os.name == "nt" or not _is_private(path):
            return None
        sha256, size = seen
        return sha256 if os.stat(path).st_size == size else None


class _BackgroundHasher:
    """Hashes blocks on a thread of its own; ``hashlib`` lets go of the interpreter lock."""

    def __init__(self) -> None:
        self._blocks: queue.Queue[list[bytes] | None] = queue.Queue(maxsize=limits.HASH_QUEUE)
        self._pending: list[bytes] = []
        self._waiting = 0
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._thread: threading.Thread | None = None

    def update(self, chunk: bytes) -> None:
        self._size += len(chunk)
        self._waiting += len(chunk)
        self._pending.append(chunk)
        if self._waiting >= limits.HASH_BLOCK:
            if self._thread is None:
                # Small files never get here: a thread would cost more than it hides.
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._blocks.put(self._pending)
            self._pending, self._waiting = [], 0

    def finish(self) -> tuple[str, int]:
        if self._thread is not None:
            self._blocks.put(None)
            self._thread.join()
        self._sha256.update(b"".join(self._pending))
        return self._sha256.hexdigest(), self._size

    def _run(self) -> None:
        while True:
            block = self._blocks.get()
            if block is None:
                return
            # Joined, because after each update this thread has to wait for the lock again.
            self._sha256.update(b"".join(block))


class FileDigests:
    """Digests of files on disk, remembered where nobody else can have changed them."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], str] = {}

    def remember(self, path: str, sha256: str) -> None:
        """Take ``sha256`` as the digest of ``path``, as it is now."""
        identity = _identity(path)
        if identity is not None:
            self._known[identity] = sha256

    def of(self, path: str) -> str:
        """The sha256 of the bytes that ``path`` holds now; raises OSError."""
        identity = _identity(path)
        if identity is not None and identity in self._known:
            return self._known[identity]
        with open(path, "rb") as file:
            sha256 = hash_stream(file)
        # Only if nothing moved meanwhile is it the digest of that identity.
        if identity is not None and identity == _identity(path):
            self._known[identity] = sha256
        return sha256


def copy_privately(source: str, target: str) -> str:
    """Copy a file to ``target``, which must not exist; return the sha256 of what was written."""
    sha256 = hashlib.sha256()
    with open(source, "rb") as reader, open(target, "xb") as writer:
        for block in iter(lambda: reader.read(limits.HASH_BLOCK), b""):
            sha256.update(block)
            writer.write(block)
    return sha256.hexdigest()


def hash_stream(file: BinaryIO) -> str:
    """The sha256 of what is left in an open binary file."""
    sha256 = hashlib.sha256()
    for block in iter(lambda: file.read(limits.HASH_BLOCK), b""):
        sha256.update(block)
    return sha256.hexdigest()


def _identity(path: str) -> tuple[int, ...] | None:
    """What tells one state of a private file from every other, or None."""
    if os.name == "nt" or not _is_private(path):
        return None
    status = os.stat(path)
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _is_private(path: str) -> bool:
    """Whether ``path`` is a real file in a directory that only this user may enter."""
    directory = os.stat(os.path.dirname(os.path.abspath(path)))
    return (
        stat.S_ISREG(os.lstat(path).st_mode)
        and directory.st_uid == os.geteuid()
        and not directory.st_mode & 0o077
    )
