"""Looks at a TUF repository with python-tuf, without ever waiting for anything.

This is the only module that imports python-tuf, and it is imported only where a policy names a
repository (start-up time). python-tuf's ``Updater`` calls a fetcher and wants the bytes at once;
here a fetcher answers from what has arrived so far. When something is missing, the look ends with
:class:`Wanted`, and whoever asked brings it and looks again. Every look begins with the same
trusted metadata and goes the same way, in a folder of its own that is gone afterwards.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Targets
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from pip_intoto.errors import PolicyInvalid, TufExpired, TufInvalid, TufRollback
from pip_intoto.metadata.node import shown
from pip_intoto.sources.addresses import redacted
from pip_intoto.sources.fetching import Fetch
from pip_intoto.sources.finding import is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import IO

    from tuf.api.metadata import TargetFile

    from pip_intoto.errors import EvidenceInvalid
    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import TufRepository
    from pip_intoto.sources.fetching import Response

T = TypeVar("T")

_OK = 200
_ABSENT = (404, 410)
_TIMESTAMP, _SNAPSHOT, _TARGETS = "timestamp.json", "snapshot.json", "targets.json"
_ROOTS = "root_history"
#: What protects against older states; all else can be fetched anew.
_KEPT = (_TIMESTAMP, _SNAPSHOT)
#: What may stand in the path of an address.
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=@%/-]+")
#: The end of a sentence of python-tuf's that is shown.
_SENTENCE = 300


class Unreachable(Exception):
    """Something could not be asked for; the text says what and why."""


class Absent(Exception):
    """There is no repository at the address."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What must be fetched before a look can go on."""

    fetches: tuple[Fetch, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """One target as trusted metadata lists it.

    ``in_toto`` is the member of that name in its custom metadata (ITE-2), unchecked, and None
    without it. ``by_top`` says that the top-level targets role lists it, and none that it
    delegates to.
    """

    name: str
    length: int
    sha256: str
    in_toto: object
    by_top: bool
    info: TargetFile = field(repr=False)


class _Missing(DownloadError):
    """Not fetched yet. python-tuf passes errors of this kind on as they are."""

    def __init__(self, *fetches: Fetch) -> None:
        super().__init__("not fetched yet")
        self.fetches = fetches


class _Answers(FetcherInterface):
    """Answers from what has arrived."""

    def __init__(
        self, answers: Mapping[str, Response], bases: tuple[str, str], limits: Limits
    ) -> None:
        self._answers = answers
        self._bases = bases
        self._limits = limits
        self._at_most = 0
        #: The address that was asked for last, and what it gave.
        self.url = ""
        self.body = b""

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Take note of the cap, which `_fetch` is not told."""
        # What signed metadata says of a length is no reason to read any amount.
        self._at_most = min(max_length, self._limits.bundle_bytes)
        with super().download_file(url, max_length) as file:
            yield file

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.url, self.body = url, b""
        response = self._answers.get(url)
        if response is None:
            path = next((url[len(base) :] for base in self._bases if url.startswith(base)), "")
            if not _PATH.fullmatch(path) or not is_plain(path) or _climbs(path):
                raise RepositoryError(f"{shown(path)} is no path below the repository")
            raise _Missing(Fetch(url, self._at_most, self._limits.fetch_seconds, fresh=True))
        if response.too_large:
            raise DownloadLengthMismatchError(f"there is more than {self._at_most} bytes")
        if response.status is None:
            raise DownloadError(response.error or "no answer")
        if response.status != _OK:
            raise DownloadHTTPError(f"the server answered {response.status}", response.status)
        self.body = response.body
        return iter((response.body,))

    def fetch(self, url: str) -> Iterator[bytes]:
        """Let our own errors through; python-tuf would call each of them a failed download."""
        return self._fetch(url)


class View:
    """The repository as it shows itself, every word of it verified by python-tuf."""

    def __init__(self, updater: Updater, folder: Path) -> None:
        self._updater = updater
        self._folder = folder
        updater.refresh()
        # Verified a moment ago, and written by python-tuf itself.
        top = Metadata[Targets].from_file(str(folder / _TARGETS))
        self._top = top.signed.targets
        #: The version of the timestamp: which state of the repository this is.
        self.version = _version((folder / _TIMESTAMP).read_bytes())

    def target(self, name: str) -> Target | None:
        """Find a target, in the most trusted role that lists it."""
        info = self._updater.get_targetinfo(name)
        if info is None:
            return None
        custom = info.custom
        return Target(
            name=name,
            length=info.length,
            sha256=info.hashes.get("sha256", "").lower(),
            in_toto=custom.get("in-toto") if isinstance(custom, dict) else None,
            by_top=name in self._top,
            info=info,
        )

    def contents(self, targets: Iterable[Target]) -> dict[str, bytes]:
        """Give what the targets hold, by name, each of the length and digests that are listed."""
        found: dict[str, bytes] = {}
        missing: list[Fetch] = []
        for target in targets:
            path = self._folder / "content"
            try:
                self._updater.download_target(target.info, filepath=str(path))
            except _Missing as error:
                missing += error.fetches
            else:
                found[target.name] = path.read_bytes()
        if missing:
            raise _Missing(*missing)
        return found


class Session:
    """Looks at one repository, one after the other, as more and more of it arrives.

    ``held`` is what was kept of an earlier run, by file name; ``kept`` is what should be now.
    ``answers`` is what was fetched, by address.
    """

    def __init__(
        self, repository: TufRepository, held: Mapping[str, bytes], limits: Limits
    ) -> None:
        self._repository = repository
        self._held = held
        self._limits = limits
        self.kept = dict(held)
        self.answers: dict[str, Response] = {}

    def look(self, work: Callable[[View], T]) -> T | Wanted:
        """Do ``work``, as far as that is possible with what has arrived.

        Raises TufInvalid and its kin, PolicyInvalid, :class:`Unreachable`, :class:`Absent`,
        OSError, and whatever ``work`` raises.
        """
        with TemporaryDirectory(prefix="pip-intoto-tuf-") as name:
            folder = Path(name)
            for path, content in self._held.items():
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(content)
            repository = self._repository
            bases = (repository.metadata, repository.targets)
            fetcher = _Answers(self.answers, bases, self._limits)
            try:
                updater = self._updater(folder, fetcher)
                return work(View(updater, folder))
            except _Missing as error:
                return Wanted(error.fetches)
            except DownloadLengthMismatchError as error:
                raise _invalid(
                    TufInvalid,
                    "the TUF repository sends more than its metadata allows",
                    "a file of the listed length, or shorter than the cap for its kind",
                    fetcher,
                    error,
                ) from None
            except DownloadError as error:
                raise _not_had(error, fetcher) from None
            except RepositoryError as error:
                raise _explained(error, fetcher, folder) from None
            finally:
                # Also of a look that failed: what was verified on the way has been seen.
                self.kept = _read_kept(folder)

    def _updater(self, folder: Path, fetcher: _Answers) -> Updater:
        limits, repository = self._limits, self._repository
        config = UpdaterConfig(
            max_root_rotations=limits.tuf_rotations,
            max_delegations=limits.tuf_delegations,
            root_max_length=limits.tuf_root_bytes,
            timestamp_max_length=limits.tuf_timestamp_bytes,
            snapshot_max_length=limits.tuf_snapshot_bytes,
            targets_max_length=limits.tuf_targets_bytes,
        )
        try:
            return Updater(
                str(folder),
                repository.metadata,
                target_base_url=repository.targets,
                fetcher=fetcher,
                config=config,
                bootstrap=repository.root,
            )
        except RepositoryError as error:
            raise PolicyInvalid(
                f"the root of [tuf.{repository.name}] cannot be used",
                expected="TUF root metadata that is signed as it says",
                found=_sentence(error),
            ) from None


def newer(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> bool:
    """Tell whether the first is of a later state of the repository than the second, or the same.

    After a newer root, versions may begin anew: that is how TUF recovers from stolen keys.
    """
    return _age(ours) >= _age(theirs)


def _age(kept: Mapping[str, bytes]) -> tuple[int, int]:
    roots = (
        int(name.removeprefix(f"{_ROOTS}/").partition(".")[0])
        for name in kept
        if name.startswith(_ROOTS)
    )
    return max(roots, default=0), _version(kept.get(_TIMESTAMP, b""))


def _read_kept(folder: Path) -> dict[str, bytes]:
    paths = [folder / name for name in _KEPT]
    paths += sorted((folder / _ROOTS).glob("*.root.json"))
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.exists()
    }


def _climbs(path: str) -> bool:
    """Whether it leads elsewhere for whoever decodes it, as whoever sends it does."""
    decoded = unquote(path)
    return "\\" in decoded or not {".", ".."}.isdisjoint(decoded.split("/"))


def _version(metadata: bytes) -> int:
    """The version that metadata says it has; 0 of what is none."""
    try:
        version = json.loads(metadata)["signed"]["version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return 0
    return version if isinstance(version, int) else 0


def _not_had(error: DownloadError, fetcher: _Answers) -> Unreachable | Absent:
    name = fetcher.url.rpartition("/")[2]
    if isinstance(error, DownloadHTTPError) and error.status_code in _ABSENT:
        if name == _TIMESTAMP:
            return Absent(redacted(fetcher.url))
        # Signed metadata says that it is there.
        return Unreachable(f"{redacted(fetcher.url)}: {error}, and the repository lists it")
    return Unreachable(f"{redacted(fetcher.url)}: {error}")


def _explained(error: RepositoryError, fetcher: _Answers, folder: Path) -> EvidenceInvalid:
    if isinstance(error, ExpiredMetadataError):
        message = "what the TUF repository shows has expired"
        return _invalid(TufExpired, message, "metadata that is still current", fetcher, error)
    if isinstance(error, BadVersionNumberError) and _is_rollback(fetcher, folder):
        message = "the TUF repository shows an older state than before"
        return _invalid(
            TufRollback, message, "the state that was seen here, or a newer one", fetcher, error
        )
    return _invalid(
        TufInvalid,
        "what the TUF repository shows does not verify",
        "metadata and targets of one state, signed as the repository's root says",
        fetcher,
        error,
    )


def _is_rollback(fetcher: _Answers, folder: Path) -> bool:
    """Tell an older state from one that does not fit together (mix and match)."""
    name = fetcher.url.rpartition("/")[2]
    if name == _TIMESTAMP:
        return True
    if not name.endswith(_SNAPSHOT):
        return False
    # It is the snapshot that the timestamp names, and lists something older than the last did.
    try:
        timestamp = json.loads((folder / _TIMESTAMP).read_bytes())
        named = timestamp["signed"]["meta"][_SNAPSHOT]["version"]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return bool(_version(fetcher.body) == named)


def _invalid(
    kind: type[TufInvalid], message: str, expected: str, fetcher: _Answers, error: Exception
) -> TufInvalid:
    return kind(message, expected=expected, found=_sentence(error), place=redacted(fetcher.url))


def _sentence(error: Exception) -> str:
    return shown(str(error)[:_SENTENCE])[1:-1]
