"""``pip-intoto index``: a package index of plain files, with the evidence beside the releases."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError, EvidenceError, NothingVerified
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer.evidence import evidence_files, static_index
from pip_intoto.maintainer.evidence.static_index import FILES, METADATA_SUFFIX, Entry
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.node import Node
from pip_intoto.sources.finding import is_plain
from pip_intoto.verification.wording import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

HELP = "write a static package index, with the evidence beside the files"
EXAMPLES = """
  # dist/ and dist-evidence/ -> public/simple/, for any web server or pip itself
  pip-intoto index dist -o public
  pip install --index-url file:///srv/public/simple/ demo

  # evidence from elsewhere; and only what is in dist, nothing of earlier runs
  pip-intoto index dist --evidence evidence -o public --clean
"""

#: What earlier runs wrote: nothing else is ever deleted or replaced.
_LEDGER = ".pip-intoto-index.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``index``."""
    parser.add_argument(
        "dist", metavar="DIST_DIR", type=Path, help="a directory of wheels and sdists"
    )
    parser.add_argument(
        "--evidence",
        metavar="DIR",
        type=Path,
        help="where their evidence lies (default: dist-evidence for dist, else beside them)",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help="where to write the index"
    )
    parser.add_argument(
        "--clean",
        action="store_true",
        help="list only what is in DIST_DIR, and delete what earlier runs of this command wrote"
        " (default: keep it)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the index. Raises the errors of this package.

    Files come first, then the pages that list them, one by one and each in one step: whenever this
    stops, every page speaks of files that are there.
    """
    terminal = Terminal.of(args)
    releases = _releases(terminal, args.dist, args.evidence)
    ledger = _Ledger.read(args.output)
    entries = {release.entry.filename: release.entry for release in releases}
    if not args.clean:
        _check_unchanged(args.output, ledger, entries)
        entries = {**_earlier(args.output, ledger), **entries}
    pages = static_index.pages(entries.values())
    names = {*pages, *(name for release in releases for name in release.contents)}
    for name in sorted(names):
        ledger.check_ours(name)
    # Said before anything is written, so that --clean knows of an interrupted run's files, too.
    ledger.claim(names)
    for release in releases:
        release.write(ledger)
    for name, content in pages.items():
        ledger.put(name, content)
    if args.clean:
        for path in ledger.forget_but(names):
            terminal.detail(f"deleted {path}")
    ledger.save()
    projects = counted(len({entry.project for entry in entries.values()}), "project")
    simple = args.output / static_index.PAGES
    terminal.report(f"{simple}: {projects}, {counted(len(entries), 'file')}")
    return 0


# --- what is listed -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Release:
    """One file, what lies beside it, and where it goes."""

    source: Path
    entry: Entry
    metadata: bytes
    bundle: Path | None
    #: The directory form: names to contents.
    documents: dict[str, bytes] = field(default_factory=dict)

    @property
    def contents(self) -> dict[str, bytes | Path]:
        """What is written for it, by name: bytes, or the file that they are in; itself last."""
        own = f"{FILES}/{self.entry.filename}"
        found: dict[str, bytes | Path] = {}
        if self.entry.metadata_sha256:
            found[f"{own}{METADATA_SUFFIX}"] = self.metadata
        if self.bundle is not None:
            found[evidence_files.bundle_name(own)] = self.bundle
        for name, content in self.documents.items():
            found[f"{evidence_files.directory_name(own)}/{name}"] = content
        return {**found, own: self.source}

    def write(self, ledger: _Ledger) -> None:
        """Write all of it. Raises CommandError when the file is no longer what is listed."""
        sha256 = ""
        for name, content in self.contents.items():
            sha256 = ledger.put(name, content)
        if sha256 != self.entry.sha256:
            raise CommandError(
                f"{self.source} changed while it was read",
                expected=f"sha256 {self.entry.sha256}",
                found=f"sha256 {sha256}",
                advice=f"Run the command again; {ledger.output} does not list it yet.",
            )


def _releases(terminal: Terminal, dist: Path, evidence: Path | None) -> list[_Release]:
    if not dist.is_dir():
        raise CommandError(f"{dist} is not a directory", expected="a directory of distributions")
    found = []
    for path in sorted(dist.iterdir()):
        known = static_index.identify(path.name) if path.is_file() else None
        if known is None:
            if path.name.endswith((".whl", ".tar.gz", ".zip")):
                terminal.warn(f"{path} is left out: it is not named as a wheel or an sdist")
            continue
        found.append(_release(path, *known, evidence_files.find_folder(path, evidence)))
        if found[-1].bundle is None and not found[-1].documents:
            terminal.warn(f"{path} has no evidence; `pip-intoto bundle` makes it")
    if not found:
        raise NothingVerified(f"{dist} holds neither wheels nor sdists", expected="files to list")
    return found


def _release(path: Path, project: str, version: str, folder: Path) -> _Release:
    bundle = folder / evidence_files.bundle_name(path.name)
    directory = folder / evidence_files.directory_name(path.name)
    metadata = static_index.core_metadata(path)
    return _Release(
        source=path,
        entry=_entry(path, project, version, metadata),
        metadata=metadata,
        bundle=bundle if bundle.is_file() else None,
        documents=_documents(directory) if directory.is_dir() else {},
    )


def _entry(path: Path, project: str, version: str, metadata: bytes) -> Entry:
    is_wheel = path.name.endswith(".whl")
    with files.reading(path):
        return Entry(
            project=project,
            version=version,
            filename=path.name,
            sha256=sha256_file(path),
            size=path.stat().st_size,
            requires_python=static_index.requires_python(metadata),
            metadata_sha256=hashlib.sha256(metadata).hexdigest() if is_wheel else "",
        )


def _documents(directory: Path) -> dict[str, bytes]:
    papers, _ = evidence_files.read_folder(directory)
    return evidence_files.directory_of({paper.document.hint: paper for paper in papers})


def _earlier(output: Path, ledger: _Ledger) -> dict[str, Entry]:
    """List the files of earlier runs that are still there."""
    found = {}
    for written in ledger.files:
        path = output / written
        known = static_index.identify(path.name)
        if known is not None and written == f"{FILES}/{path.name}" and path.is_file():
            found[path.name] = _entry(path, *known, static_index.core_metadata(path))
    return found


def _check_unchanged(output: Path, ledger: _Ledger, entries: dict[str, Entry]) -> None:
    for name, entry in entries.items():
        path = output / FILES / name
        if f"{FILES}/{name}" in ledger.files and path.is_file():
            there = sha256_file(path)
            if there != entry.sha256:
                raise CommandError(
                    f"{name} is in {output} already, with other content",
                    expected=f"sha256 {there}",
                    found=f"sha256 {entry.sha256}",
                    advice="Whoever has it would not notice: give the release a new version."
                    " --clean replaces it.",
                )


# --- what was written -----------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Ledger:
    """Which files below ``output`` this command wrote, and the sha256 of each ("" unless done)."""

    output: Path
    files: dict[str, str]

    @classmethod
    def read(cls, output: Path) -> _Ledger:
        path = output / _LEDGER
        if not path.exists():
            return cls(output=output, files={})
        try:
            node = Node(strict_json.parse(files.read(path, LOCAL.page_bytes), limits=LOCAL))
            written = {name: value.string() for name, value in node.member("files").items()}
        except EvidenceError as error:
            raise CommandError(
                f"{path} cannot be read: {error}",
                expected="what earlier runs of this command left",
                advice="Write to another directory.",
            ) from None
        strange = [name for name in written if not is_plain(name)]
        if strange:
            raise CommandError(f"{path} names a file elsewhere", found=repr(strange[0]))
        return cls(output=output, files=written)

    def check_ours(self, name: str) -> None:
        """Raises CommandError when there is something that this command did not write."""
        path = self.output / name
        if path.exists() and name not in self.files:
            raise CommandError(
                f"{path} is there, and this command did not write it",
                advice="Move it away, or write to another directory.",
            )

    def claim(self, names: Iterable[str]) -> None:
        """Say that these are going to be written here."""
        for name in names:
            self.files.setdefault(name, "")
        self.save()

    def put(self, name: str, content: bytes | Path) -> str:
        """Write one file, or copy it, unless it is as it should be; its sha256."""
        path = self.output / name
        if isinstance(content, Path):
            sha256 = sha256_file(content)
        else:
            sha256 = hashlib.sha256(content).hexdigest()
        if not self._has(path, sha256):
            files.make_folder(path.parent)
            if isinstance(content, Path):
                sha256 = files.copy(content, path)
            else:
                files.replace(path, content)
        self.files[name] = sha256
        return sha256

    @staticmethod
    def _has(path: Path, sha256: str) -> bool:
        return path.is_file() and not path.is_symlink() and sha256_file(path) == sha256

    def forget_but(self, kept: set[str]) -> list[str]:
        """Delete what was written and is not ``kept``, unless somebody changed it since."""
        deleted = []
        for name, sha256 in [*self.files.items()]:
            if name in kept:
                continue
            path = self.output / name
            if path.is_file() and sha256 in {"", sha256_file(path)}:
                path.unlink()
                deleted.append(name)
                with suppress(OSError):
                    path.parent.rmdir()
            del self.files[name]
        return deleted

    def save(self) -> None:
        files.make_folder(self.output)
        content = {"schema": 1, "files": dict(sorted(self.files.items()))}
        files.replace(self.output / _LEDGER, json.dumps(content, indent=1).encode("ascii") + b"\n")
