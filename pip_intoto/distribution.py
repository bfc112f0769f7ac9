"""What is verified: one wheel or sdist, or what stands where a file is expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: The digest of a file, in the one spelling that is used here.
SHA256 = re.compile(r"[0-9a-f]{64}")


class Kind(Enum):
    """The forms in which pip can be asked to install a project."""

    WHEEL = "wheel"
    SDIST = "sdist"
    #: A source tree named on the command line; there is no file to verify.
    DIRECTORY = "directory"
    #: A checkout from version control; there is no file to verify.
    VCS = "vcs"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a distribution is named: a file that the user gave, and a line, counted from 1."""

    path: Path
    line: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One distribution, known by name, version, filename, sha256 and origin.

    ``name`` is the PEP 503 name. ``sha256`` is lower-case hex, over the bytes that will be
    installed; it is None only while those bytes are still on their way. ``url`` is the link as
    the index lists it, before redirects, without a fragment. ``index`` is the index page that
    listed it. ``path`` is a private copy of the file, where there is one.
    """

    name: str
    version: str
    filename: str
    kind: Kind
    sha256: str | None = None
    url: str | None = None
    index: str | None = None
    path: Path | None = None
    #: The user named it on the command line or in a requirements file.
    requested: bool = False
    #: "demo 1.0" when this is a build requirement of the sdist demo 1.0 and the policy wants
    #: build requirements verified too; empty otherwise.
    building_for: str = ""
    #: The index page that may say where its provenance lies, where ``index`` is not known.
    page: str | None = None
    #: What an index page said of that: an address, or "" for none; None where nobody read one.
    provenance: str | None = None
