"""Names of steps, artifacts and files: which are fit to be compared, and to become file names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from pip_intoto.metadata.node import Node

#: The bundle: the distribution's name or address with this at its end.
BUNDLE_SUFFIX = ".intoto.jsonl"
#: The directory form: the distribution's name or address with this at its end.
DIRECTORY_SUFFIX = ".intoto"
#: The root layout within the directory form.
ROOT_LAYOUT = "root.layout"
LINK_SUFFIX = ".link"

_LONGEST_STEP_NAME = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# ITE-4: an artifact may be named by a URI. One letter before the colon is a drive, not a scheme.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE = re.compile(r"[A-Za-z]:")
_SEPARATOR = re.compile(r"[/\\]")
#: In the names of many artifacts, joined by slashes: the sign of one to look at more closely.
_SUSPICIOUS = ("\0", "\\", ":", "//", "/./", "/../")


def check_step_name(node: Node) -> str:
    """The name of a step or inspection, which becomes part of file names (N3).

    Raises :class:`pip_intoto.errors.MetadataMalformed` for a name that is empty or longer than
    200 characters, that could leave the directory of the links, or that holds control characters.
    """
    name = node.string(longest=_LONGEST_STEP_NAME)
    leaves = name in {"", ".", ".."} or _SEPARATOR.search(name) or _DRIVE.match(name)
    if leaves or _CONTROL.search(name):
        raise node.malformed(
            "this name cannot be part of a file name",
            expected="a name without slashes, backslashes, drives and control characters",
            found=shown(name),
        )
    return name


def is_normal_artifact_name(name: str) -> bool:
    """Whether ``name`` is the only spelling of its path (P9).

    Not normal are: the empty name, NUL, absolute paths, drives, and segments that are empty,
    ``.`` or ``..``, whichever slash divides them. Otherwise ``dir/../foo`` would evade
    ``DISALLOW foo``. A URI (ITE-4) is opaque, but may not have the segments ``.`` and ``..``.
    """
    if not name or "\0" in name or _DRIVE.match(name):
        return False
    segments = _SEPARATOR.split(name)
    if "." in segments or ".." in segments:
        return False
    return "" not in segments or _SCHEME.match(name) is not None


def abnormal_artifact_name(names: Collection[str], *, longest: int) -> str | None:
    """One of many artifact names that is not normal or too long; None when all are fine.

    Costs little more than a few passes over the text of all names.
    """
    if not names:
        return None
    # An empty name, and a slash at either end of one, make two slashes.
    joined = "/".join(("", *names, ""))
    if max(map(len, names)) <= longest and not any(map(joined.__contains__, _SUSPICIOUS)):
        return None
    return next(
        (name for name in names if len(name) > longest or not is_normal_artifact_name(name)), None
    )


def link_filename(step: str, keyid: str) -> str:
    """``<step>.<first 8 characters of keyid>.link`` (N1)."""
    # The specification (section 4.4) says "the first six bytes"; everybody uses eight characters.
    return f"{step}.{keyid[:8]}{LINK_SUFFIX}"
