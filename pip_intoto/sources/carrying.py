"""Evidence that is carried to where there is no network: one folder, written here and read there.

The folder holds what would lie beside each distribution, under its name, so that everything which
looks for evidence in a folder can read it: ``demo-1.0-py3-none-any.whl.intoto.jsonl``, and what
cannot be a line of that as it was received in ``demo-1.0-py3-none-any.whl.intoto/``. The list of
what it holds, ``manifest.json``, is for people and programs; no verdict rests on it. Whatever
happens to the folder on its way is found out when the evidence is verified, as anywhere.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto import __version__, files
from pip_intoto.errors import CommandError, EvidenceInvalid
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.names import BUNDLE_SUFFIX, DIRECTORY_SUFFIX, LINK_SUFFIX, ROOT_LAYOUT
from pip_intoto.metadata.node import Node
from pip_intoto.policy.model import Beside, Folder, Pep740
from pip_intoto.sources.addresses import printable
from pip_intoto.sources.finding import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.policy.model import Policy, Source
    from pip_intoto.verdict import Verdict

#: The list of what an export holds; without it, a folder is none.
MANIFEST = "manifest.json"
#: Rises when a member means something else.
SCHEMA = 1
#: What a longer name of a document is cut to; it says nothing anyway.
_NAME = 120


@dataclass(slots=True)
class _Carried:
    """What was written for one filename. There may be several files of that name."""

    seen: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    lines: int = 0
    size: int = 0


@contextmanager
def exporting(
    folder: Path, targets: Sequence[str], *, limits: Limits = DEFAULT
) -> Iterator[Export]:
    """Write all evidence that a run finds into ``folder``, which is there whole or not at all.

    It takes the place of an earlier export, and of nothing else. What is not finished, or ends
    with an error, leaves nothing behind::

        with exporting(Path("evidence"), ["pylock.toml"]) as export:
            ...  # judge, with export.keep for the evidence of each distribution
            export.finish(verdicts)

    Raises CommandError.
    """
    _check_replaceable(folder, limits)
    files.make_folder(folder.absolute().parent)
    with suppress(_Unfinished), files.replacing_folder(folder) as fresh:
        export = Export(fresh, targets, limits)
        yield export
        if not export.is_finished:
            raise _Unfinished


class _Unfinished(Exception):
    """Nobody said what came of the run."""


class Export:
    """A folder that is being filled; see :func:`exporting`."""

    def __init__(self, folder: Path, targets: Sequence[str], limits: Limits) -> None:
        self._folder = folder
        self._targets = tuple(targets)
        self._limits = limits
        self._lock = threading.Lock()
        self._carried: dict[str, _Carried] = {}
        self._documents: dict[tuple[str, str], list[str]] = {}
        self._failure: OSError | None = None
        self._is_closed = False
        self.is_finished = False

    def keep(self, distribution: Distribution, documents: Sequence[Document]) -> None:
        """Take the evidence of a distribution. Safe to call from several threads; never raises.

        What cannot be written is said by :meth:`finish`.
        """
        filename, sha256 = distribution.filename, distribution.sha256
        if sha256 is None or not documents or not _is_filename(filename, self._limits):
            return
        with self._lock:
            # A thread that nobody waited for may still come with something.
            if self._is_closed:
                return
            carried = self._carried.setdefault(filename, _Carried())
            try:
                for document in documents:
                    self._write(filename, carried, document)
            except OSError as error:
                self._failure = self._failure or error
            self._documents[filename, sha256] = [each.envelope.sha256 for each in documents]

    def finish(self, verdicts: Iterable[Verdict]) -> int:
        """Write the list; gives the number of files that there is evidence of.

        Raises CommandError when anything could not be written.
        """
        with self._lock:
            self._is_closed = True
        if self._failure is not None:
            why = self._failure.strerror or self._failure
            raise CommandError(f"the evidence cannot be written: {why}")
        listed = {
            (verdict.distribution.filename, verdict.distribution.sha256 or ""): verdict
            for verdict in verdicts
        }
        content = {
            "schema": SCHEMA,
            "written": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
            "by": f"pip-intoto {__version__}",
            "targets": self._targets,
            "files": [self._listed(listed[key]) for key in sorted(listed)],
        }
        # Last of all: where it is, everything is.
        files.write_new(self._folder / MANIFEST, json.dumps(content, indent=1).encode() + b"\n")
        self.is_finished = True
        return len(self._documents)

    def _listed(self, verdict: Verdict) -> dict[str, object]:
        distribution = verdict.distribution
        key = (distribution.filename, distribution.sha256 or "")
        return {
            "filename": printable(distribution.filename),
            "sha256": distribution.sha256,
            "project": printable(distribution.name),
            "version": printable(distribution.version),
            "status": verdict.status.value,
            "reason": verdict.reason,
            "documents": self._documents.get(key, []),
        }

    def _write(self, filename: str, carried: _Carried, document: Document) -> None:
        sha256, data = document.envelope.sha256, document.data
        # The same line for another file of the same name, or the same document from two places.
        if sha256 in carried.seen:
            return
        carried.seen.add(sha256)
        limits = self._limits
        # A document is known by its digest, so it is carried as it came. Many are written over
        # several lines, or end with one that is empty.
        is_line = b"\n" not in data and data == data.strip(b" \t\r")
        if (
            is_line
            and carried.lines < limits.bundle_lines - 1
            and carried.size + len(data) < limits.bundle_bytes
        ):
            with (self._folder / (filename + BUNDLE_SUFFIX)).open("ab") as stream:
                stream.write(data + b"\n")
            carried.lines += 1
            carried.size += len(data) + 1
            return
        name = _free_name(document, carried.names)
        path = self._folder / (filename + DIRECTORY_SUFFIX) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def _free_name(document: Document, taken: set[str]) -> str:
    """Name a document in the directory form, where names order candidates and mean nothing."""
    hint = document.hint
    is_usual = hint == ROOT_LAYOUT or (
        hint.endswith(LINK_SUFFIX) and "/" not in hint and is_plain(hint) and len(hint) <= _NAME
    )
    name = hint if is_usual and hint.isprintable() else document.envelope.sha256 + LINK_SUFFIX
    # File systems may take two spellings for one name.
    if name.casefold() in taken:
        name = document.envelope.sha256 + LINK_SUFFIX
    taken.add(name.casefold())
    return name


def _is_filename(name: str, limits: Limits) -> bool:
    # It came out of a lock or an index: nothing becomes a path unchecked.
    longest = limits.filename - len(BUNDLE_SUFFIX)
    return (
        is_plain(name)
        and "/" not in name
        and not name.startswith(".")
        and name.isprintable()
        and len(name.encode("utf-8", "surrogatepass")) <= longest
    )


def _check_replaceable(folder: Path, limits: Limits) -> None:
    """Raise CommandError when something is there that is no export, or has been added to one."""
    if not folder.is_symlink() and not folder.exists():
        return
    if not folder.is_symlink() and folder.is_dir():
        names = {entry.name for entry in folder.iterdir()}
        if not names:
            return
        if MANIFEST in names:
            filenames = _filenames(folder, limits)
            ours = {MANIFEST}
            ours |= {name + suffix for name in filenames for suffix in _SUFFIXES}
            if names <= ours:
                return
    raise CommandError(
        f"{folder} is there already, and holds other things than an export",
        expected="a new directory, or an earlier export",
        advice="Choose another name, or move the directory away: nothing is overwritten.",
    )


_SUFFIXES = (BUNDLE_SUFFIX, DIRECTORY_SUFFIX)


# --- where there is no network --------------------------------------------------------------


def importing(
    policy: Policy, folder: Path, *, offline: bool = False, limits: Limits = DEFAULT
) -> Policy:
    """Return the policy with ``folder``, an export, in front of the sources of every rule.

    ``offline`` says that nothing can be fetched: then the folder stands for all that would have
    to be, so that what it lacks is missing, and not unreachable for ever. Raises CommandError
    when there is no export at ``folder``.
    """
    _filenames(folder, limits)
    carried = Folder(folder.absolute())
    return replace(
        policy,
        projects=tuple(
            replace(
                rule,
                sources=(carried, *(_on_disk(rule.sources) if offline else rule.sources)),
            )
            for rule in policy.projects
        ),
    )


def _on_disk(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    return tuple(
        source if isinstance(source, Folder) else replace(source, on_disk=True)
        for source in sources
        if isinstance(source, Beside | Folder | Pep740)
    )


def _filenames(folder: Path, limits: Limits) -> frozenset[str]:
    """Read which files an export is about. Raises CommandError when it is none."""
    data = files.read(
        folder / MANIFEST,
        limits.manifest_bytes,
        missing="Name a directory that `pip-intoto verify --export` wrote, and copy all of it.",
    )
    try:
        root = Node(strict_json.parse(data, limits=limits, max_bytes=limits.manifest_bytes))
        schema = root.member("schema")
        if schema.integer() != SCHEMA:
            raise schema.malformed(
                "this export is of another version", expected=str(SCHEMA), found=str(schema.value)
            )
        return frozenset(
            each.member("filename").string() for each in root.member("files").elements()
        )
    except EvidenceInvalid as error:
        raise CommandError(
            f"{folder / MANIFEST} is no list of an export: {error}",
            expected=error.expected,
            found=error.found,
            advice="Export the evidence anew, or copy the directory once more.",
        ) from error
