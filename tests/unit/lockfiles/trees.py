"""Files of a lock in memory, and interpreters that nobody has to have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.markers import default_environment
from packaging.tags import Tag

from pip_intoto.errors import CommandError
from pip_intoto.lockfiles.locked import Interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where the files of a :class:`Memory` are said to be.
FOLDER = Path("project")
LINUX = Interpreter(
    markers={
        **{name: str(value) for name, value in default_environment().items()},
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "python_version": "3.12",
        "python_full_version": "3.12.1",
    },
    tags=(
        Tag("cp312", "cp312", "manylinux_2_17_x86_64"),
        Tag("cp312", "abi3", "manylinux_2_17_x86_64"),
        Tag("py3", "none", "any"),
    ),
)


class Memory:
    """A tree of files by name, relative to :data:`FOLDER`."""

    def __init__(self, **files: str | bytes) -> None:
        self.files: dict[str, bytes] = {}
        self.add({name.replace("__", "."): content for name, content in files.items()})

    def add(self, files: Mapping[str, str | bytes]) -> Memory:
        for name, content in files.items():
            self.files[_key(FOLDER / name)] = (
                content.encode() if isinstance(content, str) else content
            )
        return self

    def read(self, path: Path) -> bytes:
        try:
            return self.files[_key(path)]
        except KeyError:
            raise CommandError(f"{path} cannot be read", found="no such file") from None


def _key(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - nothing is there that could be resolved


def sha256(digit: str) -> str:
    """A digest that is easy to tell from another."""
    return digit * 64
