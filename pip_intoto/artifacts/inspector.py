"""Carrying out inspections: natively where that is possible, else as the policy allows.

:class:`FileInspector` looks at one file, :class:`DirectoryInspector` at a working directory, as
plain in-toto verification does. Both are :class:`pip_intoto.verification.inspections.Inspector`.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pip_intoto.artifacts.archives import read_tar, read_wheel, read_zip
from pip_intoto.artifacts.hashing import sha256_stream
from pip_intoto.artifacts.recording import record_directory
from pip_intoto.errors import ArchiveAmbiguous, InspectionFailed, InspectionNotAllowed
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.node import shown
from pip_intoto.verification.inspections import Nothing, Unpack, as_listed, recognise
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
        self._members: dict[str, str] | None = None

    def inspect(self, inspection: Inspection) -> Record:
        """Return ``{filename: sha256}`` as materials; see the protocol for what is raised."""
        native = recognise(inspection.run)
        if native is None:
            return self._run(inspection)
        materials = {self._filename: {"sha256": self._digest()}}
        products = dict(materials)
        if isinstance(native, Unpack):
            _check_names(native, self._filename, inspection)
            if self._members is None:
                with _readable(inspection), self._path.open("rb") as stream:
                    self._members = _read(stream, self._filename, native, self._limits)
            _add_members(products, native, self._members, inspection)
        return Record(materials=materials, products=products)

    def _digest(self) -> str:
        if self._sha256 is None:
            with _readable(None), self._path.open("rb") as stream:
                self._sha256 = sha256_stream(stream)
        return self._sha256

    def _run(self, inspection: Inspection) -> Record:
        _check_allowed(inspection, self._allowed, run_all=self._run_all)
        # Here, because few layouts run commands.
        import tempfile

        name = self._filename
        if name in {"", ".", ".."} or "/" in name or "\\" in name or "\0" in name:
            raise InspectionFailed("The file has no name of its own", found=shown(name))
        with tempfile.TemporaryDirectory(prefix="pip-intoto-") as scratch:
            directory = Path(scratch, "inspection")
            home = Path(scratch, "home")
            directory.mkdir()
            home.mkdir()
            with _readable(inspection):
                shutil.copyfile(self._path, directory / name)
            materials = record_directory(directory, limits=self._limits)
            _run_command(inspection, directory, home, self._limits)
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
        import tempfile

        with tempfile.TemporaryDirectory(prefix="pip-intoto-") as home:
            _run_command(inspection, self._directory, Path(home), self._limits)
        return Record(
            materials=materials, products=record_directory(self._directory, limits=self._limits)
        )


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
        raise InspectionNotAllowed(
            "An inspection of the layout wants to run a command on this machine",
            expected="unpacking, which runs no command, or a command that the policy lists",
            found=as_listed(inspection.run),
            place=f"inspection {inspection.name}",
        )


@contextmanager
def _readable(inspection: Inspection | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InspectionFailed(
            "The file to inspect cannot be read",
            found=str(error),
            place=f"inspection {inspection.name}" if inspection else "",
        ) from error


#: What a command may know of the environment; everything else may be a secret.
_VARIABLES = ("PATH", "SYSTEMROOT", "COMSPEC", "PATHEXT", "LANG", "LC_ALL")


def _run_command(inspection: Inspection, directory: Path, home: Path, limits: Limits) -> None:
    """Run the command in ``directory``: no shell, no input, few variables, bounded output."""
    import signal
    import subprocess
    import tempfile

    place = f"inspection {inspection.name}"
    if not inspection.run:
        # I3: "run" is a list that is not empty.
        raise InspectionFailed("The inspection has no command", place=place)
    environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    environment |= {"HOME": str(home), "TMPDIR": str(home), "TEMP": str(home), "TMP": str(home)}
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                list(inspection.run),
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own, so that its children end with it.
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            raise InspectionFailed(
                "The inspection's command cannot be run", found=str(error), place=place
            ) from error
        try:
            status: int | None = process.wait(timeout=limits.inspection_seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            # Whatever the command left behind must not touch the files any more.
            if os.name == "posix":
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
        # The file may be large; only its end is read.
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - limits.inspection_output))
        tail = output.read(limits.inspection_output).decode("utf-8", "replace").strip()
    said = "; it said: " + shown(tail[-_TAIL_SHOWN:]) if tail else ""
    if status is None:
        raise InspectionFailed(
            "The inspection's command did not end",
            expected=f"an end within {limits.inspection_seconds} seconds",
            found=f"none{said}",
            place=place,
        )
    # I4: "If the return value is 0, then the inspection was successful."
    if status != 0:
        raise InspectionFailed(
            "The inspection's command did not succeed",
            expected="exit status 0",
            found=f"exit status {status}{said or ', without a word'}",
            place=place,
        )


_TAIL_SHOWN = 70
