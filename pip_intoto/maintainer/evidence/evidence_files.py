"""Evidence on disk: documents lying about, bundles, and the directory form, read and written."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError, EvidenceInvalid, MetadataMalformed
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.documents import of_ours
from pip_intoto.maintainer.evidence.bundling import Paper, without_hint
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.bundle import Document, documents_in, parse_bundle
from pip_intoto.metadata.envelope import read_envelope
from pip_intoto.metadata.names import BUNDLE_SUFFIX, DIRECTORY_SUFFIX, LINK_SUFFIX, ROOT_LAYOUT
from pip_intoto.metadata.node import Node
from pip_intoto.sources.finding import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pip_intoto.limits import Limits

#: What only evidence is called by: links, and what Sigstore vouches for (PEP 740).
_EVIDENCE = frozenset({LINK_SUFFIX, ".attestation", ".provenance", ".sigstore"})
#: Spaces that may stand before a JSON object.
_BLANK = b" \t\r\n"


# --- reading --------------------------------------------------------------------------------


def read_document(path: Path, *, missing: str = "", limits: Limits = LOCAL) -> Paper:
    """Read one signed document; ``missing`` is the advice when there is none.

    Raises CommandError for a file that cannot be read, MetadataMalformed and MetadataTooLarge.
    """
    data = files.read(path, limits.document_bytes, missing=missing)
    with of_ours(str(path)):
        return _paper(data, str(path), path.name, limits)


def read_folder(folder: Path, *, limits: Limits = LOCAL) -> tuple[tuple[Paper, ...], list[str]]:
    """Read every signed document in a folder and those below it, whatever it is called.

    Also gives a sentence for each file that is called a link, and is none. Raises CommandError
    for what cannot be read, or when there are too many documents.
    """
    if not folder.is_dir():
        raise CommandError(
            f"{folder} is not a directory", expected="the directory that the links lie in"
        )
    found: list[Paper] = []
    notes: list[str] = []
    for path in _files_below(folder, limits.sublayout_depth):
        if not _begins_as_object(path):
            if path.suffix == LINK_SUFFIX:
                notes.append(f"{path} is no signed document")
            continue
        try:
            name = path.relative_to(folder).as_posix()
            data = files.read(path, limits.document_bytes)
            found += _papers(data, str(path), name, limits)
        except EvidenceInvalid as error:
            if path.suffix in _EVIDENCE:
                notes.append(f"{path} is no signed document: {error}")
        if len(found) > limits.documents:
            raise CommandError(
                f"there are too many documents in {folder}",
                expected=f"at most {limits.documents}",
                advice="Name the directory that the links of this release lie in.",
            )
    return tuple(found), notes


def read_bundle(path: Path, *, limits: Limits = LOCAL) -> tuple[tuple[Paper, ...], list[str]]:
    """Read a bundle, and say which lines are none of in-toto's.

    Raises CommandError for a file that cannot be read, MetadataMalformed and MetadataTooLarge.
    """
    data = files.read(path, limits.bundle_bytes)
    with of_ours(str(path)):
        bundle = parse_bundle(data, origin=str(path), limits=limits)
    papers = tuple(_paper_of(document, limits) for document in bundle.documents)
    return papers, [f"{note} (this line is left out)" for note in bundle.notes]


def _paper_of(document: Document, limits: Limits) -> Paper:
    content = Node(strict_json.parse(document.data, limits=limits)).mapping()
    return Paper(document=document, content=content)


def _papers(data: bytes, origin: str, name: str, limits: Limits) -> tuple[Paper, ...]:
    """What is in a file: one document, or several attestations of Sigstore's."""
    try:
        return (_paper(data, origin, name, limits),)
    except MetadataMalformed:
        found = documents_in(data, origin=origin, limits=limits).documents
        vouched = [replace(each, hint=name) for each in found if each.envelope.sigstore]
        if not vouched:
            raise
        return tuple(_paper_of(document, limits) for document in vouched)


def _paper(data: bytes, origin: str, name: str, limits: Limits) -> Paper:
    node = Node(strict_json.parse(data, limits=limits))
    envelope = read_envelope(node, sha256=hashlib.sha256(data).hexdigest(), limits=limits)
    document = Document(envelope=envelope, origin=origin, hint=name)
    return Paper(document=document, content=node.mapping())


def _files_below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the files, in one order; hidden directories, and links to others, are left out."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = folder / entry.name
        if entry.is_file():
            yield path
        elif depth and entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _files_below(path, depth - 1)


def _begins_as_object(path: Path) -> bool:
    with files.reading(path), path.open("rb") as stream:
        return stream.read(1024).lstrip(_BLANK).startswith(b"{")


# --- the directory form ---------------------------------------------------------------------


def directory_of(papers: Mapping[str, Paper]) -> dict[str, bytes]:
    """Spell the files of the directory form: each document as it was signed, by its name."""
    return {name: authoring.written(without_hint(paper.content)) for name, paper in papers.items()}


def replace_directory(path: Path, contents: Mapping[str, bytes]) -> None:
    """Put a directory of the directory form in the place of what is there, as a whole.

    Nobody meets half of it. Raises CommandError when that cannot be done, and when what is there
    holds anything else than such documents.
    """
    _check_names(contents)
    _check_replaceable(path)
    files.replace_folder(path, contents)


def _check_names(names: Mapping[str, bytes]) -> None:
    # They came out of metadata: nothing becomes a path unchecked.
    for name in names:
        if not is_plain(name) or any(ord(character) < ord(" ") for character in name):
            raise CommandError("a document has a name that is no file name", found=repr(name))
    for name in names:
        if any(other.startswith(f"{name}/") for other in names):
            raise CommandError("a document has the name of a directory", found=repr(name))


def _check_replaceable(path: Path) -> None:
    if not os.path.lexists(path):
        return
    strangers = [path] if path.is_symlink() or not path.is_dir() else []
    strangers += [
        each
        for each in (() if strangers else sorted(path.rglob("*")))
        if each.is_symlink() or not (each.is_dir() or _is_ours(each.relative_to(path).as_posix()))
    ]
    if strangers:
        raise CommandError(
            f"{path} is there, and is not only evidence",
            expected="nothing, or a directory of a layout and links",
            found=str(strangers[0]),
            advice="Move it away, or write to another directory with -o.",
        )


def _is_ours(name: str) -> bool:
    return name == ROOT_LAYOUT or name.endswith(LINK_SUFFIX)


# --- names beside a file --------------------------------------------------------------------


def folder_for(file: Path) -> Path:
    """Give the folder for the evidence of a file: beside its own, ``dist-evidence`` for ``dist``.

    Not the file's own: tools that upload whatever lies in ``dist`` stop at files they do not know.
    Raises CommandError when there is no such place.
    """
    own = file.parent
    if own.name in {"", ".."}:
        own = own.absolute()
    if own.name in {"", ".."}:
        raise CommandError(f"there is nothing beside {own}", expected="-o DIR")
    return own.with_name(f"{own.name}-evidence")


def find_folder(file: Path, named: Path | None) -> Path:
    """Give the folder that has the evidence of a file: the named one, else where it is looked for.

    Raises CommandError when the named one is none.
    """
    if named is not None:
        if not named.is_dir():
            raise CommandError(f"{named} is not a directory", expected="where the evidence lies")
        return named
    names = (bundle_name(file.name), directory_name(file.name))
    sibling = folder_for(file)
    for folder in (sibling, file.parent):
        if any((folder / name).exists() for name in names):
            return folder
    return sibling


def bundle_name(filename: str) -> str:
    """``demo-1.0-py3-none-any.whl.intoto.jsonl``."""
    return filename + BUNDLE_SUFFIX


def directory_name(filename: str) -> str:
    """``demo-1.0-py3-none-any.whl.intoto``."""
    return filename + DIRECTORY_SUFFIX


def too_large_for_others(papers: tuple[Paper, ...], size: int, limits: Limits) -> str:
    """Say which of the limits of those who fetch evidence a bundle is over; empty for none."""
    if size > limits.bundle_bytes:
        return f"it has {size} bytes, and at most {limits.bundle_bytes} are read"
    if len(papers) > limits.bundle_lines:
        return f"it has {len(papers)} lines, and at most {limits.bundle_lines} are read"
    for paper in papers:
        length = len(json.dumps(paper.content, separators=(",", ":")))
        if length > limits.document_bytes:
            return (
                f"{paper.document.hint or paper.document.origin} has {length} bytes, and at most"
                f" {limits.document_bytes} of one document are read"
            )
    return ""
