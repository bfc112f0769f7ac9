"""Places on this machine: a bundle, and a directory, which can be listed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.artifacts.hashing import NotAFile, open_file
from pip_intoto.errors import MetadataTooLarge
from pip_intoto.metadata.names import LINK_SUFFIX, ROOT_LAYOUT
from pip_intoto.sources.addresses import printable
from pip_intoto.sources.finding import (
    Finding,
    fault,
    nothing_at,
    read_bundle,
    read_document,
    too_large,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pip_intoto.limits import Limits

_SUBLAYOUT = re.compile(r".+\.[0-9a-fA-F]{8}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LocalBundle:
    """A bundle in the file ``path``."""

    path: Path
    limits: Limits

    async def find(self) -> Finding:
        """Read the bundle."""
        origin = printable(str(self.path))
        data = read_file(self.path, self.limits.bundle_bytes)
        if isinstance(data, Finding):
            return data
        return read_bundle(data, origin=origin, limits=self.limits)

    async def find_named(self, names: Sequence[str]) -> Finding:  # noqa: ARG002
        """Nothing more: a bundle came as a whole."""
        return Finding()


@dataclass(frozen=True, slots=True)
class LocalDirectory:
    """The directory form in ``path``: the root layout, links, and directories of sublayouts."""

    path: Path
    limits: Limits

    async def find(self) -> Finding:
        """Read every layout and link; a directory can be listed, so no layout has to name them."""
        found = Finding()
        try:
            for number, name in enumerate(self._names("", 0)):
                if number >= self.limits.documents or found.size > self.limits.evidence_bytes:
                    return found + fault(
                        printable(str(self.path)),
                        MetadataTooLarge(
                            "too much evidence in the directory",
                            expected=f"at most {self.limits.documents} documents and"
                            f" {self.limits.evidence_bytes} bytes",
                            place=printable(str(self.path)),
                        ),
                    )
                found += self._document(name)
        except OSError as error:
            return found + unreachable(printable(str(self.path)), _reason(error))
        return found if found.trace else nothing_at(printable(str(self.path)))

    async def find_named(self, names: Sequence[str]) -> Finding:  # noqa: ARG002
        """Nothing more: the directory was listed."""
        return Finding()

    def _document(self, name: str) -> Finding:
        path = self.path / name
        data = read_file(path, self.limits.document_bytes)
        if isinstance(data, Finding):
            return data
        origin = printable(str(path))
        return read_document(data, origin=origin, name=name, limits=self.limits)

    def _names(self, below: str, depth: int) -> Iterator[str]:
        """Names of the documents, sorted, as the directory form spells them."""
        try:
            entries = sorted(os.scandir(self.path / below), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if entry.name.endswith(LINK_SUFFIX) or (not below and entry.name == ROOT_LAYOUT):
                if not entry.is_dir():
                    yield below + entry.name
            # U2: the links of a sublayout lie in `<step>.<first 8 of keyid>/`.
            elif (
                depth < self.limits.sublayout_depth
                and _SUBLAYOUT.fullmatch(entry.name)
                and entry.is_dir(follow_symlinks=False)
            ):
                yield from self._names(f"{below}{entry.name}/", depth + 1)


def read_file(path: Path, at_most: int) -> bytes | Finding:
    """The content of a regular file, or why there is none. A pipe or device is never waited for."""
    origin = printable(str(path))
    try:
        descriptor, _ = open_file(str(path))
        with os.fdopen(descriptor, "rb") as stream:
            data = stream.read(at_most + 1)
    except (FileNotFoundError, NotADirectoryError):
        return nothing_at(origin)
    except NotAFile:
        return unreachable(origin, "not a regular file")
    except OSError as error:
        return unreachable(origin, _reason(error))
    return too_large(origin, at_most) if len(data) > at_most else data


def _reason(error: OSError) -> str:
    return printable(error.strerror or type(error).__name__)
