"""Whether what lies in an environment is still what was installed there.

Every file that was installed is hashed and held against the list of files that the gate kept, or
else against the one that the installer left. What can be imported, lies in a project's own folders,
and is in nobody's list, is named too: that is how code is added without touching a file.

What Python compiles (``__pycache__``) is in no list with a digest, and is not looked at.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from pip_intoto.artifacts.hashing import CHUNK, NotAFile, open_file, sha256_file
from pip_intoto.errors import ArchiveAmbiguous, CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.sources.addresses import printable
from pip_intoto.verifier.installed import Row, installed_in, places_of, rows_of
from pip_intoto_gate.records import FILENAME
from pip_intoto_gate.settings import FILES as GATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pip_intoto.environments import Environment
    from pip_intoto.limits import Limits
    from pip_intoto.verifier.installed import Installed

#: What Python imports, or runs at its start.
_IMPORTABLE = (".py", ".pyw", ".pyc", ".so", ".pyd", ".dll", ".dylib", ".pth", ".start")
_LISTS = (".dist-info", ".egg-info")
_COMPILED = "__pycache__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What became of the files of one project; paths are relative to its ``root``.

    ``changed`` have another content, or cannot be read; ``missing`` are gone; ``unexpected`` can be
    imported and are in no list. ``compared`` counts files that were hashed. ``against`` is what
    they were held against: "wheel" (the file itself), "record" (the gate's), "RECORD" (the
    installer's), or "" for nothing.
    """

    compared: int = 0
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    against: str = ""

    @property
    def are_intact(self) -> bool:
        """Whether nothing is wrong with them, as far as anything is known."""
        return not (self.changed or self.missing or self.unexpected)


class Inventory:
    """The projects of one environment, and whose files are whose."""

    def __init__(self, environment: Environment, *, limits: Limits = DEFAULT) -> None:
        self._limits = limits
        self._environment = environment
        self._places = places_of(environment)
        self.projects: tuple[Installed, ...] = tuple(installed_in(environment, limits=limits))
        roots = (environment.prefix, *environment.roots, *self._places)
        self._roots = tuple({os.path.realpath(root) + os.sep for root in roots})
        #: What can be imported and is in a list, and all folders above that.
        self._claimed: set[str] = set()
        self._folders: set[str] = set()
        #: What lies beside all projects, and in nobody's list, by place.
        self._at_root: dict[str, tuple[str, ...]] = {}
        for project in self.projects:
            for row in rows_of(project, limits=limits)[0]:
                self._claim(project, row.path)
            self._claim_by_name(project)

    # --- one project ------------------------------------------------------------------------

    def check_files(self, installed: Installed, wheel: Path | None = None) -> Files:
        """Hash the files of one project, and look for what was added to it.

        ``wheel`` is the file that it was installed from, where that is at hand: its content then
        decides, and nothing that lies in the environment. Raises CommandError when it is another.
        """
        listed, against = rows_of(installed, limits=self._limits)
        rows, added = listed, []
        if wheel is not None:
            rows, against = self._rows_of_wheel(installed, wheel, listed), "wheel"
            known = {row.path for row in rows}
            added = [row.path for row in listed if row.path not in known]
        changed, missing, compared = [], [], 0
        directories: dict[str, str] = {}
        for row in rows:
            if not row.digest or _is_rewritten(installed, row.path):
                continue
            compared += 1
            try:
                why = self._difference(installed, row, directories)
            except (FileNotFoundError, NotADirectoryError):
                missing.append(printable(row.path))
                continue
            except (OSError, NotAFile, ValueError):
                why = "cannot be read"
            if why is not None:
                changed.append(printable(row.path) + (f" ({why})" if why else ""))
        return Files(
            compared=compared,
            changed=tuple(changed[: self._limits.installed_findings]),
            missing=tuple(missing[: self._limits.installed_findings]),
            unexpected=tuple(
                map(
                    printable,
                    islice(
                        chain(added, self._unexpected(installed, rows)),
                        self._limits.installed_findings,
                    ),
                )
            ),
            against=against if compared else "",
        )

    def _difference(
        self, installed: Installed, row: Row, directories: dict[str, str]
    ) -> str | None:
        """Say what is different about one file; None when nothing is.

        Raises OSError, NotAFile and ValueError.
        """
        folder, name = os.path.split(os.path.join(installed.root, row.path))  # noqa: PTH118
        real = directories.get(folder)
        if real is None:
            real = directories[folder] = os.path.realpath(folder)
        path = os.path.join(real, name)  # noqa: PTH118
        if os.path.islink(path):  # noqa: PTH114
            path = os.path.realpath(path)
        if not path.startswith(self._roots) or name in ("", os.curdir, os.pardir):
            return "leads out of the environment"
        descriptor, status = open_file(path)
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            # A size that is wrong is not believed before the content is, within reason.
            left = max(row.size or 0, self._limits.installed_file_bytes)
            if status.st_size > left:
                return "too large"
            digest = hashlib.new(row.algorithm)
            while left >= 0 and (block := stream.read(CHUNK)):
                digest.update(block)
                left -= len(block)
        return None if digest.hexdigest() == row.digest else ""

    def _rows_of_wheel(self, installed: Installed, wheel: Path, rows: list[Row]) -> list[Row]:
        # Imported here for start-up time.
        from pip_intoto.artifacts.archives import read_wheel

        try:
            found = sha256_file(wheel)
            with wheel.open("rb") as stream:
                members = read_wheel(stream, limits=self._limits)
        except (OSError, ArchiveAmbiguous) as error:
            raise CommandError(f"{wheel} cannot be read", found=str(error)) from None
        record = installed.record
        wanted = (record.built_sha256 if record else "") or installed.sha256
        if wanted != found:
            raise CommandError(
                f"{wheel} is not what {installed.name} was installed from",
                expected=f"sha256 {wanted}",
                found=f"sha256 {found}",
            )
        # Of what the wheel does not hold, only commands and pip's own notes can be right.
        listed = {
            row.path: row
            for row in rows
            if row.path.startswith("../")
            or not _is_importable(row.path)
            or _COMPILED in row.path.split("/")
        }
        for name, digest in members.items():
            first, _, rest = name.partition("/")
            path = name
            if first.endswith(".data"):
                key, _, path = rest.partition("/")
                if key not in ("purelib", "platlib"):
                    continue  # where it went, and what pip made of it, only the record says
            listed[path] = Row(path, "sha256", digest)
        return list(listed.values())

    # --- what was added ---------------------------------------------------------------------

    def _claim(self, project: Installed, path: str) -> None:
        if not _is_importable(path):
            return
        root = os.fspath(project.root)
        whole = os.path.normpath(os.path.join(root, path))  # noqa: PTH118
        if not whole.startswith(root + os.sep):
            return
        self._claimed.add(whole)
        folder = os.path.dirname(whole)  # noqa: PTH120
        while len(folder) > len(root) and folder not in self._folders:
            self._folders.add(folder)
            folder = os.path.dirname(folder)  # noqa: PTH120

    def _claim_by_name(self, project: Installed) -> None:
        """Of what was installed before wheels, only the modules' names are known."""
        listing = project.folder / "top_level.txt"
        if project.folder.suffix != ".egg-info" or not listing.is_file():
            return
        with listing.open(encoding="utf-8", errors="replace") as file:
            for line in islice(file, self._limits.installed_findings):
                name = line.strip()
                if name.isidentifier():
                    self._folders.add(os.fspath(project.root / name))
                    self._claimed.add(os.fspath(project.root / f"{name}.py"))

    def _unexpected(self, installed: Installed, rows: Iterable[Row]) -> Iterator[str]:
        root = os.fspath(installed.root)
        folders, names = set(), set()
        for row in rows:
            path = os.path.normpath(row.path)
            first = path.split(os.sep, 1)[0]
            if first in (os.pardir, _COMPILED) or os.path.isabs(path):  # noqa: PTH117
                continue
            if not _is_importable(path) or first.endswith(_LISTS):
                continue
            names.add(first.partition(".")[0])
            folder = os.path.dirname(path)  # noqa: PTH120
            if folder:
                folders.add(folder)
        for folder in sorted(folders):
            yield from self._strangers(root, folder)
        # What is found instead of a module of the same name: demo.so or demo/ before demo.py.
        for found in self._strangers_at_root(root):
            if found.split(os.sep, 1)[0].partition(".")[0] in names:
                yield found

    def _strangers(self, root: str, folder: str) -> Iterator[str]:
        """Give what is in a folder, can be imported, and is in nobody's list.

        Folders below it that are in somebody's list are left out.
        """
        pending, left = [folder], self._limits.entries
        while pending and left > 0:
            folder = pending.pop()
            try:
                with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118
                    found = sorted(islice(entries, left), key=lambda entry: entry.name)
            except OSError:
                continue
            left -= len(found)
            for entry in found:
                path = os.path.join(folder, entry.name)  # noqa: PTH118
                whole = os.path.join(root, path)  # noqa: PTH118
                if entry.name == _COMPILED or (not folder and entry.name.endswith(_LISTS)):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if whole not in self._folders:
                        pending.append(path)
                elif whole not in self._claimed and (_is_importable(path) or entry.is_dir()):
                    yield path

    def _strangers_at_root(self, root: str) -> tuple[str, ...]:
        if root not in self._at_root:
            self._at_root[root] = tuple(self._strangers(root, ""))
        return self._at_root[root]

    @property
    def unclaimed(self) -> tuple[Path, ...]:
        """What can be imported or runs at Python's start, and belongs to no project at all.

        Tools that make environments leave such files (``_virtualenv.pth``), and so does who wants
        code run. Of a folder, one file stands for all.
        """
        named: dict[Path, Path] = {}
        for place in self._places:
            for path in self._strangers_at_root(os.fspath(place)):
                first = path.split(os.sep, 1)[0]
                if not (first in GATE and _is_our_gate(place / path)):
                    named.setdefault(place / first, place / path)
        return tuple(sorted(named.values()))[: self._limits.installed_findings]


def _is_importable(path: str) -> bool:
    return path.casefold().endswith(_IMPORTABLE)


def _is_rewritten(installed: Installed, path: str) -> bool:
    """Whether a file is not, or not always, what a list says of it, for good reasons."""
    parts = path.split("/")
    return (
        # Python compiles again what a wheel brings compiled.
        _COMPILED in parts
        # A command of the wheel's own, for which pip writes another.
        or parts[0].endswith(".data")
        or (parts[0] == installed.folder.name and parts[-1] in ("RECORD", FILENAME))
    )


def _is_our_gate(path: Path) -> bool:
    """Whether a file is the gate's, as ``pip-intoto enable --python`` copies it."""
    # Imported here: only environments that got a copy have such files.
    from pip_intoto.arming import HOOKS, gate_source

    try:
        if not path.is_file() or path.stat().st_size > DEFAULT.install_text_bytes:
            return False
        content = path.read_bytes()
        if path.name in HOOKS:
            return content == HOOKS[path.name].encode()
        below = "" if path.name == "pip_intoto_boot.py" else "pip_intoto_gate"
        return content == (gate_source() / below / path.name).read_bytes()
    except OSError:
        return False
