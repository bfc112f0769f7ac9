"""Carrying out inspections: natively where that is possible, else as the policy allows.

:class:`FileInspector` looks at one file, :class:`DirectoryInspector` at a working directory, as
plain in-toto verification does. Both are :class:`pip_intoto.verification.inspections.Inspector`.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pip_intoto.artifacts.archives import read_tar, read_wheel, read_zip
from pip_intoto.artifacts.hashing import sha256_stream
from pip_intoto.artifacts.recording import record_directory
from pip_intoto.errors import ArchiveAmbiguous, InspectionFailed
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.node import shown
from pip_intoto.verification.inspections import Nothing, Unpack, about, not_allowed, recognise
from pip_intoto.verification.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.layout import Inspection


class FileInspector:
    """Inspects one file, which is the only material.

    ``path`` is a private copy, which nobody else writes to. ``filename`` is what the file is
    called in the chain. Commands that are not native run only if they are in
    ``allowed_commands``, word for word, or ``run_all`` is set.
    """

    def __init__(
        self,
        path: Path,
        filename: str,
        *,
        allowed_commands: Sequence[Sequence[str]] = (),
        run_all: bool = False,
        limits: Limits = DEFAULT,
    ) -> None:
        self._path = path
        self._filename = filename
        self._allowed = {tuple(command) for command in allowed_commands}
        self._run_all = run_all
        self._limits = limits
        self._sha256: str | None = None
        #: What is in the file, by the format that it was read as.
        self._members: dict[str, dict[str, str]] = {}

    def concerns(self, inspection: Inspection) -> bool:
        """Tell whether the inspection is about this file."""
        return about(inspection, self._filename)

    def inspect(self, inspection: Inspection) -> Record:
        """Return ``{filename: sha256}`` as materials; see the protocol for what is raised."""
        native = recognise(inspection.run)
        if native is None:
            return self._run(inspection)
        materials = {self._filename: {"sha256": self._digest()}}
        products = dict(materials)
        if isinstance(native, Unpack):
            _check_names(native, self._filename, inspection)
            if native.format not in self._members:
                with _readable(inspection), self._path.open("rb") as stream:
                    self._members[native.format] = _read(
                        stream, self._filename, native, self._limits
                    )
            _add_members(products, native, self._members[native.format], inspection)
        return Record(materials=materials, products=products)

    def _digest(self) -> str:
        if self._sha256 is None:
            with _readable(None), self._path.open("rb") as stream:
                self._sha256 = sha256_stream(stream)
        return self._sha256

    def _run(self, inspection: Inspection) -> Record:
        _check_allowed(inspection, self._allowed, run_all=self._run_all)
        # Here, because few layouts run commands.
        from pip_intoto.artifacts.running import run_command

        name = self._filename
        place = f"inspection {inspection.name}"
        if name in {"", ".", ".."} or "/" in name or "\\" in name or "\0" in name:
            raise InspectionFailed("The file has no name of its own", found=shown(name))
        with _scratch(inspection) as scratch:
            directory = scratch / "inspection"
            home = scratch / "home"
            with _readable(inspection):
                directory.mkdir()
                home.mkdir()
                shutil.copyfile(self._path, directory / name)
            # I5: "materials recorded before, products after".
            materials = record_directory(directory, limits=self._limits)
            run_command(inspection.run, directory, home, place=place, limits=self._limits)
            products = record_directory(directory, limits=self._limits)
        return Record(materials=materials, products=products)


class DirectoryInspector:
    """Inspects a working directory; whatever lies in it is material.

    Commands that are not native run in the directory itself, and only if they are in
    ``allowed_commands``, word for word, or ``run_all`` is set.
    """

    def __init__(
        self,
        directory: Path,
        *,
        allowed_commands: Sequence[Sequence[str]] = (),
        run_all: bool = False,
        limits: Limits = DEFAULT,
    ) -> None:
        self._directory = directory
        self._allowed = {tuple(command) for command in allowed_commands}
        self._run_all = run_all
        self._limits = limits

    def concerns(self, inspection: Inspection) -> bool:
        """Tell whether the inspection is about what lies in the directory."""
        with _readable(inspection):
            return about(inspection, *(path.name for path in self._directory.iterdir()))

    def inspect(self, inspection: Inspection) -> Record:
        """Return what lies in the directory before and after; raises as the protocol says."""
        native = recognise(inspection.run)
        if native is None:
            _check_allowed(inspection, self._allowed, run_all=self._run_all)
        # I5: "materials recorded before, products after".
        materials = record_directory(self._directory, limits=self._limits)
        if isinstance(native, Nothing):
            return Record(materials=materials, products=materials)
        if isinstance(native, Unpack):
            named = [name for name in materials if "/" not in name and native.names(name)]
            if len(named) != 1:
                raise InspectionFailed(
                    "The inspection unpacks a file that is not in the directory",
                    expected=shown(native.archive),
                    place=f"inspection {inspection.name}",
                )
            with _readable(inspection), (self._directory / named[0]).open("rb") as stream:
                members = _read(stream, named[0], native, self._limits)
            products = dict(materials)
            _add_members(products, native, members, inspection)
            return Record(materials=materials, products=products)
        from pip_intoto.artifacts.running import run_command

        with _scratch(inspection) as home:
            run_command(
                inspection.run,
                self._directory,
                home,
                place=f"inspection {inspection.name}",
                limits=self._limits,
            )
        products = record_directory(self._directory, limits=self._limits)
        return Record(materials=materials, products=products)


def _check_names(native: Unpack, filename: str, inspection: Inspection) -> None:
    if not native.names(filename):
        raise InspectionFailed(
            "The inspection unpacks another file than the one in hand",
            expected=shown(filename),
            found=shown(native.archive),
            place=f"inspection {inspection.name}",
        )


def _read(stream: BinaryIO, filename: str, native: Unpack, limits: Limits) -> dict[str, str]:
    if native.format == "tar":
        return read_tar(stream, limits=limits)
    # However it is unpacked: a wheel's RECORD has to be right.
    read = read_wheel if filename.endswith(".whl") else read_zip
    return read(stream, limits=limits)


def _add_members(
    products: dict[str, dict[str, str]],
    native: Unpack,
    members: dict[str, str],
    inspection: Inspection,
) -> None:
    for member, sha256 in members.items():
        name = native.folder + member
        if name in products:
            raise ArchiveAmbiguous(
                "The archive would overwrite a file when unpacked",
                found=shown(name),
                place=f"inspection {inspection.name}",
            )
        products[name] = {"sha256": sha256}


def _check_allowed(inspection: Inspection, allowed: set[tuple[str, ...]], *, run_all: bool) -> None:
    if not run_all and inspection.run not in allowed:
        raise not_allowed(inspection)


@contextmanager
def _readable(inspection: Inspection | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InspectionFailed(
            "The file to inspect cannot be read",
            found=str(error.strerror or error),
            place=f"inspection {inspection.name}" if inspection else "",
        ) from error


@contextmanager
def _scratch(inspection: Inspection) -> Iterator[Path]:
    """Give an empty directory, which is removed again as far as that is possible."""
    # Here, because few layouts run commands.
    import tempfile

    from pip_intoto.artifacts.running import scratches

    try:
        scratch = tempfile.TemporaryDirectory(prefix="pip-intoto-", ignore_cleanup_errors=True)
    except OSError as error:
        raise InspectionFailed(
            "There is no place where the inspection's command could work",
            found=str(error.strerror or error),
            place=f"inspection {inspection.name}",
        ) from error
    scratches.add(Path(scratch.name))
    try:
        yield Path(scratch.name)
    finally:
        # A command may leave folders in folders without end.
        with suppress(OSError, RecursionError):
            scratch.cleanup()
        scratches.discard(Path(scratch.name))
