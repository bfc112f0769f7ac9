"""Files that a project has published: where their layouts are, and how they are replaced."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.metadata.names import BUNDLE_SUFFIX, ROOT_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pip_intoto.maintainer.layouts.renewal import Outcome, Renewer

LAYOUT_SUFFIX = ".layout"
#: Behind the name of a layout file: what it will be once all owners have signed it.
PENDING_SUFFIX = ".renewed"


@dataclass(frozen=True, slots=True)
class Published:
    """A bundle, or a file that holds one layout."""

    path: Path

    @property
    def is_bundle(self) -> bool:
        """Whether it holds many documents."""
        return self.path.name.endswith(BUNDLE_SUFFIX)

    def renew(self, renewer: Renewer, *, writes: bool = True) -> Outcome:
        """Renew its layout; with ``writes`` False say only what would be done.

        Raises NotRenewed, and CommandError for what cannot be read, signed or written. The file
        is replaced in one step, or not at all.
        """
        content = files.read(self.path, LOCAL.bundle_bytes)
        if self.is_bundle:
            outcome, made = renewer.bundle(content)
            if writes and made != content:
                files.replace(self.path, made)
            return outcome
        waiting = self.path.with_name(self.path.name + PENDING_SUFFIX)
        pending = files.read(waiting, LOCAL.document_bytes) if waiting.is_file() else None
        outcome, made, next_ = renewer.layout(content, pending, self._links())
        if not writes:
            return outcome
        if made != content:
            files.replace(self.path, made)
        # In this order: whoever is interrupted here has the renewed layout twice, and the next
        # run takes the second one away.
        if next_ is None and pending is not None:
            waiting.unlink(missing_ok=True)
        elif next_ is not None and next_ != pending:
            files.replace(waiting, next_)
        return outcome

    def _links(self) -> dict[str, bytes]:
        if self.path.name != ROOT_LAYOUT:
            return {}
        return {
            link.name: files.read(link, LOCAL.document_bytes)
            for link in sorted(self.path.parent.glob("*.link"))
            if link.is_file()
        }


def published(paths: Iterable[Path]) -> tuple[Published, ...]:
    """Every bundle and layout file that ``paths`` name, or that lies below them, each once.

    Raises CommandError for a path that is not there, and for a directory with neither.
    """
    found: dict[str, Published] = {}
    for path in paths:
        below = list(_below(path))
        if not below:
            raise CommandError(
                f"there is nothing to renew in {path}",
                expected=f"*{BUNDLE_SUFFIX}, {ROOT_LAYOUT} or *{LAYOUT_SUFFIX}",
            )
        for each in below:
            # Two names of one file are one.
            found.setdefault(os.path.realpath(each), Published(each))
    return tuple(found.values())


def _below(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                each = Path(folder, name)
                # Of what only looks like a file, nobody knows when it ends.
                is_named = name.endswith((BUNDLE_SUFFIX, LAYOUT_SUFFIX))
                if is_named and (each.is_file() or each.is_symlink()):
                    yield each
    elif not path.exists():
        raise CommandError(f"{path} is not there", expected="a bundle, a layout or a directory")
    elif path.name.endswith(PENDING_SUFFIX):
        yield path.with_name(path.name.removesuffix(PENDING_SUFFIX))
    else:
        yield path
