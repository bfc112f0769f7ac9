"""The local record: with how long a layout each project was last verified here.

A layout that has been replaced is still signed, and may not have expired: whoever can withhold the
new one can bring it back with a newer release. So the state directory keeps, for each project and
those who may sign its layouts, the version that was verified, when its layout expires, and the
layout's digest. A file of that version or a later one must not come with a layout that expires
earlier. Files of older versions are not judged: they come with the layouts of their time. The files
of one version may each have a layout of their own, made one after the other: among these, a day
makes no difference.

Another policy may mean another project by the same name, or somebody else's layouts: whom it trusts
tells its records from those of others. So a policy that replaces a key begins anew.

On a machine that is thrown away after use there is no record, and this protects nothing. It never
fails because of itself: where nothing can be read or written, :attr:`Records.trouble` says why.
"""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import EvidenceInvalid, LayoutRollback, UnusableKey
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.identities import PARTS
from pip_intoto.metadata.keys import identity as key_identity
from pip_intoto.metadata.node import Node
from pip_intoto.shelf import Shelf
from pip_intoto.verifier.pins import is_older

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.verdict import SupplyChain
    from pip_intoto.verification.trust import Trust

_FOLDER = "layouts"
#: Beside the folder, and empty: who writes a record holds it.
_LOCK = "layouts.lock"
#: New projects between two looks at how many there are.
_TIDIED_AFTER = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was last verified of a project. ``expires`` is aware."""

    version: str
    expires: datetime
    layout_sha256: str


class Records:
    """The records in one folder, for any number of threads and processes.

    ``trouble`` is a sentence about why nothing is recorded (any more); empty while all is well.
    """

    def __init__(self, folder: Path, *, limits: Limits = DEFAULT) -> None:
        self._limits = limits
        self._shelf = Shelf(
            folder / _FOLDER,
            most_bytes=limits.layout_record_bytes * limits.layout_records,
            most_entries=limits.layout_records,
        )
        self._lock = folder / _LOCK
        self._threads = threading.Lock()
        self._trouble = ""
        self._added = 0

    @property
    def trouble(self) -> str:
        """Why nothing is recorded; empty while all is well."""
        return self._trouble or self._shelf.trouble

    def check(self, project: str, version: str, chain: SupplyChain, owners: str = "") -> None:
        """Hold the layout of a file against the one before it. Raises LayoutRollback.

        ``owners`` is :func:`whose` layouts these are.
        """
        seen = self._seen(project, owners)
        if seen is None or is_older(version, seen.version):
            return
        same = not is_older(seen.version, version)
        slack = timedelta(seconds=self._limits.layout_record_slack_seconds if same else 0)
        if seen.expires - chain.expires <= slack:
            return
        record = self._shelf.path(_name(project, owners))
        raise LayoutRollback(
            f"{project} {version} comes with a layout that expires before the one of"
            f" {seen.version}, which was verified here",
            expected=f"a layout that expires at {_shown(seen.expires)} or later, as sha256"
            f" {seen.layout_sha256} does",
            found=f"one that expires at {_shown(chain.expires)}, sha256 {chain.layout_sha256}",
            advice="Somebody may be bringing back a layout that was replaced: do not install this"
            " file before the project's owner says that it is meant. If it is, pin it with"
            f" `layout-sha256` in the policy, or delete {record}, which is the record.",
        )

    def note(self, project: str, version: str, chain: SupplyChain, owners: str = "") -> None:
        """Record what was just verified, unless it is older than what is recorded. Never raises."""
        new = Seen(version=version, expires=chain.expires, layout_sha256=chain.layout_sha256)
        if self.trouble or self._seen(project, owners) == new:
            return
        wait = self._limits.record_lock_seconds
        with self._threads, files.held(self._lock, wait) as trouble:
            # What another process has recorded in the meantime counts as well.
            seen = self._seen(project, owners)
            self._trouble = trouble
            if trouble or (seen is not None and _is_newer(seen, new)):
                return
            written = _written(project, owners, new)
            content = json.dumps(written, separators=(",", ":")).encode("ascii")
            if len(content) <= self._limits.layout_record_bytes:
                self._shelf.put(_name(project, owners), content)
                if seen is None:
                    self._count()

    def close(self) -> None:
        """Bring the folder back to its size."""
        self._shelf.close()

    def _count(self) -> None:
        # The gate's verifier is ended without a word: it tidies when it has added the first.
        if self._added % _TIDIED_AFTER == 0:
            self._shelf.tidy()
        self._added += 1

    def _seen(self, project: str, owners: str) -> Seen | None:
        data = self._shelf.get(_name(project, owners), self._limits.layout_record_bytes)
        if data is None:
            return None
        try:
            entry = Node(strict_json.parse(data, limits=self._limits))
            of = entry.member("project").string(), entry.member("owners").string()
            if of != (project, owners):
                return None
            expires = datetime.fromisoformat(entry.member("expires").string())
            if expires.tzinfo is None:
                return None
            return Seen(
                version=entry.member("version").string(),
                expires=expires.astimezone(timezone.utc),
                layout_sha256=entry.member("layout").string(),
            )
        except (EvidenceInvalid, ValueError, OverflowError):
            # Half of one, or of a later version of this package: as if there were none.
            return None


def open_records(folder: Path | None = None, *, limits: Limits = DEFAULT) -> Records:
    """Open the records of this user, or those in ``folder``. Never raises."""
    if folder is None:
        # Imported here for start-up time.
        from platformdirs import user_state_path

        folder = user_state_path("pip-intoto", appauthor=False)
    return Records(folder, limits=limits)


def is_judged(trust: Trust) -> bool:
    """Whether the layout is one that somebody else could bring back.

    The consumer has pinned, or holds, or wrote every other one.
    """
    return not trust.layout_sha256 and trust.own_layout is None


def whose(trust: Trust) -> str:
    """Lower-case hex sha256 over everybody who may sign the layout, as the policy names them.

    Who of them did sign makes no difference, nor who of them is revoked: otherwise what was seen
    could be forgotten without a word from the policy. Keys that a TUF repository gives out are
    not among them, whichever these are.
    """
    everybody: set[tuple[str, ...]] = set()
    for owner in trust.owners:
        # K3: one that cannot be used signs nothing.
        with suppress(UnusableKey):
            everybody.add((key_identity(owner.key),))
    for known in trust.owner_identities:
        everybody.add(tuple(getattr(known.identity, part) for part in PARTS))
    return hashlib.sha256(json.dumps(sorted(everybody)).encode("ascii")).hexdigest()


def _is_newer(seen: Seen, other: Seen) -> bool:
    """Whether ``other`` says nothing that ``seen`` does not."""
    if is_older(other.version, seen.version):
        return True
    return not is_older(seen.version, other.version) and other.expires <= seen.expires


def _written(project: str, owners: str, seen: Seen) -> dict[str, str]:
    return {
        "project": project,
        "owners": owners,
        "version": seen.version,
        "expires": seen.expires.astimezone(timezone.utc).isoformat(),
        "layout": seen.layout_sha256,
    }


def _name(project: str, owners: str) -> str:
    return hashlib.sha256(f"{project}\n{owners}".encode("utf-8", "surrogatepass")).hexdigest()


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
