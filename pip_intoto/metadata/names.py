"""Names of steps and artifacts: which are fit to be compared, and to become file names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from pip_intoto.metadata.node import Node

_LONGEST_STEP_NAME = 200
# ITE-4: an artifact may be named by a URI. One letter before the colon is a drive, not a scheme.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_SEPARATORS = re.compile(r"[/\\]")


def check_step_name(node: Node) -> str:
    """The name of a step or inspection, which becomes part of file names (N3).

    Raises :class:`pip_intoto.errors.MetadataMalformed` for a name that is empty or longer than
    200 characters, that could leave the directory of the links, or that holds control characters.
    """
    raise NotImplementedError


def is_normal_artifact_name(name: str) -> bool:
    """Whether ``name`` is the only spelling of its path (P9)."""
    raise NotImplementedError


def first_abnormal(names: Collection[str], *, longest: int) -> str | None:
    """The first of many artifact names that is not normal, or too long; None when all are fine."""
    raise NotImplementedError


def link_filename(step: str, keyid: str) -> str:
    """``<step>.<first 8 characters of keyid>.link`` (N1)."""
    raise NotImplementedError
