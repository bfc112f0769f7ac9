"""Locks as values, for tests of what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from packaging.tags import parse_tag

from pip_intoto.distribution import Place
from pip_intoto.lockfiles.locked import Interpreter, Lock, Locked, LockedFile
from pip_intoto.verifier.wanted import InLock

if TYPE_CHECKING:
    from fixtures.distributions import Built
    from pip_intoto.distribution import Kind

LOCK = Path("/project/pylock.toml")
FILES = "https://files.example/"
INDEX = "https://index.example/simple/"
#: An interpreter of its own: what is chosen must not depend on the one that runs the tests.
LINUX = Interpreter(
    markers={},
    tags=tuple(
        tag
        for text in ("cp39-cp39-linux_x86_64", "cp39-abi3-linux_x86_64", "py3-none-any")
        for tag in parse_tag(text)
    ),
)


def file_of(built: Built, *, line: int = 1, url: bool = True, digest: bool = True) -> LockedFile:
    """Say what a lock may say of a file."""
    return LockedFile(
        filename=built.filename,
        place=Place(LOCK, line),
        url=FILES + built.filename if url else "",
        sha256=built.sha256 if digest else "",
        size=len(built.data),
    )


def digest_of(built: Built, *, line: int = 1) -> LockedFile:
    """Say what a lock says that knows digests only."""
    return LockedFile(filename="", place=Place(LOCK, line), sha256=built.sha256)


def entry(
    *files: LockedFile,
    name: str = "demo",
    version: str = "1.0",
    kind: Kind | None = None,
    url: str = "",
    index: str = "",
    indexes: tuple[str, ...] = (),
    line: int = 1,
    notes: tuple[str, ...] = (),
) -> InLock:
    """Give one entry of a lock."""
    locked = Locked(
        name=name,
        version=version,
        place=Place(LOCK, line),
        files=files,
        kind=kind,
        url=url,
        index=index,
        notes=notes,
    )
    lock = Lock(path=LOCK, format="pylock", locked=(locked,), indexes=indexes, files=(LOCK,))
    return InLock(entry=locked, lock=lock)
