"""What a lockfile says, whatever its format: projects, versions, files and digests, with lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.tags import Tag

    from pip_intoto.account import LeftOut
    from pip_intoto.distribution import Kind, Place
    from pip_intoto.metadata.identities import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """What a lock is read for: values of environment markers, and tags, the best first."""

    markers: Mapping[str, str]
    tags: tuple[Tag, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """One file that a lock allows.

    ``filename`` is empty where the format names none (then ``sha256`` says which file of the
    index it is). ``url`` is empty where the format has none; ``path`` is absolute and set for a
    file on this machine. ``sha256`` is lower-case hex, empty where the lock has no digest;
    ``size`` is in bytes.
    """

    filename: str
    place: Place
    url: str = ""
    path: Path | None = None
    sha256: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What `pip-intoto lock` noted of a project: who vouched for it at ``version``.

    ``layout_keys`` are identities of keys (see :mod:`pip_intoto.metadata.keys`) that signed its
    layout. Both are empty where it came without evidence.
    """

    version: str
    identities: tuple[Identity, ...] = ()
    layout_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One project at one version, as a lock pins it.

    ``name`` is the PEP 503 name. ``kind`` is None for a release with ``files``, any of which
    may be installed; DIRECTORY or VCS where there is no file that evidence could be about.
    ``form`` is WHEEL or SDIST where the lock says that only such files are taken.
    ``version`` may be empty for these, and for a direct URL whose filename does not say. ``index``
    is the simple index that the lock names for it, with its credentials if any; empty where it
    names none. ``notes`` say what the format could not say. ``attested_by`` are the publishers
    of which one must have attested it (PEP 751's ``attestation-identities``); ``recorded`` is None
    where nobody noted who vouches for it.
    """

    name: str
    version: str
    place: Place
    files: tuple[LockedFile, ...] = ()
    kind: Kind | None = None
    form: Kind | None = None
    url: str = ""
    index: str = ""
    notes: tuple[str, ...] = ()
    attested_by: tuple[Identity, ...] = ()
    recorded: Recorded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One lockfile, for one interpreter, or for all of them.

    ``files`` are all files that were read for it, the lock itself first. ``indexes`` are those
    that the file names as a whole, in order. ``find_links`` are folders and pages that are looked
    at beside them, and with ``no_index`` instead of any index.
    """

    path: Path
    format: str
    locked: tuple[Locked, ...]
    left_out: tuple[LeftOut, ...] = ()
    indexes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False


class Tree(Protocol):
    """Where files are read from: the disk, or a revision in git."""

    def read(self, path: Path) -> bytes:
        """Give the content of a file. Raises CommandError when it is not there, or too large."""
        ...


class Reader(Protocol):
    """A module of this package that reads one format.

    ``FORMAT`` is its name in reports.
    """

    FORMAT: str

    def read(self, path: Path, tree: Tree, interpreter: Interpreter | None) -> Lock:
        """Read a lock; for every interpreter when ``interpreter`` is None.

        Raises LockfileInvalid, and CommandError for a file that cannot be read.
        """
        ...
