"""Lines of requirements files, held against those of the pip that is installed here."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from pip._internal.exceptions import PipError
from pip._internal.req.req_file import parse_requirements

from pip_intoto.errors import LockfileInvalid
from pip_intoto.lockfiles.requirement_lines import lines_of
from tests.unit.lockfiles.test_hostile import REQUIREMENTS

if TYPE_CHECKING:
    from pathlib import Path

#: What is changed into what; -r and -c would need files.
BITS = (
    *("\\", "\\\n", "\n", "\r", "\r\n", "\f", "\v", "\u2028", "\x1c", "\t", " ", " -", "--", "#"),
    *(" #", "${PATH}", "${A}", "$", "'", '"', ";", "; ", "-e ", "-i ", "--has", "=", "é", "\ufeff"),
)
SAMPLE = "\n".join(
    line for line in REQUIREMENTS.splitlines() if not line.startswith(("-r", "-c", "# -*-"))
)


def ours(path: Path) -> list[tuple[str, bool, list[str]]] | None:
    try:
        return [
            (
                (line.editable or line.requirement).strip(),
                bool(line.editable),
                [] if line.editable else sorted(line.options.hashes),
            )
            for line in lines_of(path.read_bytes(), path, os.environ)
            if line.requirement or line.editable
        ]
    except LockfileInvalid:
        return None


def theirs(path: Path) -> list[tuple[str, bool, list[str]]] | None:
    try:
        return [
            (
                # What stands before an option keeps its blanks there.
                each.requirement.strip(),
                each.is_editable,
                sorted(
                    f"{algorithm}:{digest}"
                    for algorithm, digests in (each.options or {}).get("hashes", {}).items()
                    for digest in digests
                ),
            )
            for each in parse_requirements(str(path), session=None)
        ]
    except (PipError, UnicodeError, LookupError):
        return None


@pytest.mark.parametrize("seed", range(8))
def test_changed_files_have_the_lines_that_pip_finds(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    path = tmp_path / "requirements.txt"
    for _ in range(40):
        text = SAMPLE
        for _ in range(chance.randint(0, 5)):
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(BITS) + text[at + chance.choice((0, 0, 1)) :]
        path.write_bytes(text.encode())
        assert ours(path) == theirs(path), text
