"""Files that are fetched because an inspection looks into them, and gone with the verdict.

Each goes into a private folder of the run while it is hashed; nothing of it is kept.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from pip_intoto.errors import ArtifactDigestMismatch, EvidenceError, SourceUnreachable
from pip_intoto.sources.addresses import is_web, printable, redacted
from pip_intoto.sources.fetching import Fetch

if TYPE_CHECKING:
    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.sources.web import Web

_OK = 200


class Lender:
    """Fetches the files of one run. ``web`` is None where nothing is fetched."""

    def __init__(self, web: Web | None, limits: Limits) -> None:
        self._web = web
        self._limits = limits
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()
        self._last = 0

    def lend(self, distribution: Distribution, pinned_by: str) -> Borrowed:
        """Prepare to fetch the file of a distribution; nothing is fetched yet.

        ``pinned_by`` says who knows the digest, for messages: a place in a lock.
        """
        return Borrowed(self, distribution, pinned_by)

    def close(self) -> None:
        """Remove whatever is still there."""
        with self._lock:
            folder, self._folder = self._folder, None
        if folder is not None:
            with suppress(OSError):
                folder.cleanup()

    def fetch(self, distribution: Distribution) -> tuple[Path, str]:
        """Fetch a file; gives its path and sha256. Raises SourceUnreachable."""
        url = distribution.url
        shown = printable(distribution.filename)
        if url is None or not is_web(url):
            raise SourceUnreachable(
                f"{shown} itself is needed, and has no address",
                advice="Name a folder that has it with --find-links.",
            )
        if self._web is None:
            raise SourceUnreachable(
                f"{shown} itself is needed, and nothing is fetched with --offline",
                found=redacted(url),
                advice="Name a folder that has it with --find-links, or leave --offline out.",
            )
        path = self._new_path(distribution)
        try:
            with path.open("xb") as target:
                hashing = _Hashing(target)
                # It has what of a file is used there.
                response = self._web.download(
                    Fetch(url, self._limits.download_bytes, self._limits.download_seconds),
                    cast("BinaryIO", hashing),
                )
        except OSError as error:
            raise SourceUnreachable(
                f"{shown} could not be fetched", found=str(error.strerror or error)
            ) from error
        if response.status != _OK:
            path.unlink(missing_ok=True)
            why = response.error or f"the server answered {response.status}"
            raise SourceUnreachable(
                f"{shown} itself is needed, and could not be fetched",
                found=f"{redacted(url)}: {why}",
            )
        return path, hashing.hexdigest()

    def _new_path(self, distribution: Distribution) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(
                    prefix="pip-intoto-", ignore_cleanup_errors=True
                )
            self._last += 1
            # The name comes from a lock or an index, and is nothing to make a path of.
            suffix = "whl" if distribution.filename.endswith(".whl") else "sdist"
            return Path(self._folder.name) / f"{self._last}.{suffix}"


class Borrowed:
    """The file of one distribution: fetched on first use, and removed when it is closed."""

    def __init__(self, lender: Lender, distribution: Distribution, pinned_by: str) -> None:
        self._lender = lender
        self._distribution = distribution
        self._pinned_by = pinned_by
        self._fetched: tuple[Path, str] | None = None
        self._failed: EvidenceError | None = None
        #: Somebody wanted it.
        self.begun = False

    def close(self) -> None:
        """Remove the file, if it was fetched."""
        if self._fetched is not None:
            with suppress(OSError):
                self._fetched[0].unlink()

    @property
    def was_fetched(self) -> bool:
        """Whether anybody wanted it."""
        return self._fetched is not None

    def path(self) -> Path:
        """Give the file, which has the digest of the distribution.

        Raises SourceUnreachable, and ArtifactDigestMismatch.
        """
        path, sha256 = self._fetch()
        if self._distribution.sha256 not in {None, sha256}:
            raise ArtifactDigestMismatch(
                "the server gives another file than is pinned",
                expected=f"sha256 {self._distribution.sha256}, as in {self._pinned_by}",
                found=f"sha256 {sha256}, from {redacted(self._distribution.url or '')}",
            )
        return path

    def sha256(self) -> str:
        """Give the digest of a file of which it is not known. Raises SourceUnreachable."""
        return self._fetch()[1]

    def _fetch(self) -> tuple[Path, str]:
        if self._failed is not None:
            raise self._failed
        if self._fetched is None:
            self.begun = True
            try:
                self._fetched = self._lender.fetch(self._distribution)
            except EvidenceError as error:
                # A server that failed is not asked for every inspection again.
                self._failed = error
                raise
        return self._fetched


class _Hashing:
    """A file that is written from its beginning, perhaps more than once, and hashed meanwhile."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return self._target.write(data)

    def seek(self, position: int) -> int:
        if position:
            raise ValueError("only from the beginning")
        self._hash = hashlib.sha256()
        return self._target.seek(0)

    def truncate(self) -> int:
        return self._target.truncate()

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
