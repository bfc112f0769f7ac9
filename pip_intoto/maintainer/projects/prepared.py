"""A wheel's metadata as its build backend prepares it from the sources, and where that is kept.

The functionary of the source step records it. METADATA names the dependencies, and entry_points.txt
the commands: neither is in the sources as such, and neither should be left to whoever builds.
"""

from __future__ import annotations

import os
import re
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError
from pip_intoto.maintainer.progress import SILENT
from pip_intoto.maintainer.projects.backends import open_backend
from pip_intoto.maintainer.projects.checkouts import read_checkout
from pip_intoto.maintainer.projects.declared import read_project

if TYPE_CHECKING:
    from pip_intoto.maintainer.progress import Progress
    from pip_intoto.maintainer.projects.backends import Backend
    from pip_intoto.maintainer.projects.checkouts import Checkout
    from pip_intoto.maintainer.projects.declared import Project

#: Where `prepare` leaves it unless told otherwise.
FOLDER = "wheel-metadata"
#: What says how and on which machine a wheel was built, and is nothing that sources could say.
OF_THE_BUILD = frozenset({"WHEEL", "RECORD", "RECORD.jws", "RECORD.p7s"})
_INFO = re.compile(r"[^/]+\.dist-info")
_LICENCE = re.compile(rb"^License-File:(.*)$", re.MULTILINE)


def prepare(
    project: Path, output: Path, *, isolated: bool = True, progress: Progress = SILENT
) -> tuple[str, ...]:
    """Put the metadata into ``output``, in place of an earlier result; gives the names in it.

    The backend works on a copy of the project. Raises CommandError; ``output`` then is as it was.
    """
    _check_replaceable(output)
    checkout = read_checkout(project)
    described = read_project(project, checkout.files)
    with open_backend(isolated=isolated, progress=progress) as backend:
        members = prepare_with(backend, checkout, described)
    files.replace_folder(output, members)
    return tuple(members)


def prepare_with(backend: Backend, checkout: Checkout, project: Project) -> dict[str, bytes]:
    """What ``backend`` prepares: ``demo-1.0.dist-info/METADATA`` and the like, with content.

    ``WHEEL`` and ``RECORD`` are left out. Raises CommandError.
    """
    with tempfile.TemporaryDirectory() as folder:
        (scratch := Path(folder, "copy")).mkdir()
        copy = checkout.copy(scratch)
        info = backend.metadata(copy, Path(folder, "metadata"))
        members = {
            f"{info.name}/{path.relative_to(info).as_posix()}": path.read_bytes()
            for path in sorted(info.rglob("*"))
            if path.is_file()
        }
        metadata = members.get(f"{info.name}/METADATA")
        if metadata is None:
            raise CommandError(
                "the build backend prepared no METADATA", found=", ".join(members) or "nothing"
            )
        if _is_lacking(metadata, {name.partition("/")[2] for name in members}, project):
            # hatchling's hook gives METADATA alone, and flit's no licences. The rest is in the
            # wheels that they build.
            members = _metadata_in(backend.wheel(copy, Path(folder, "wheel")))
    return {
        name: content
        for name, content in members.items()
        if name.partition("/")[2] not in OF_THE_BUILD
    }


def _is_lacking(metadata: bytes, members: set[str], project: Project) -> bool:
    """Whether something was announced that is not among the files below the prepared folder."""
    if project.has_entry_points and "entry_points.txt" not in members:
        return True
    licences = {match.decode(errors="replace").strip() for match in _LICENCE.findall(metadata)}
    # Since metadata 2.4 they are in a folder of their own.
    return not licences <= members | {name.removeprefix("licenses/") for name in members}


def _metadata_in(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: archive.read(name)
            for name in sorted(archive.namelist())
            if _INFO.fullmatch(name.partition("/")[0]) and not name.endswith("/")
        }


def _check_replaceable(output: Path) -> None:
    """Only what was made here is thrown away."""
    if not os.path.lexists(output):
        return
    if output.is_symlink() or not output.is_dir():
        raise CommandError(f"{output} is no folder", expected="a folder, or a name that is free")
    strange = [path.name for path in output.iterdir() if not _is_prepared(path)]
    if strange:
        raise CommandError(
            f"{output} holds other things than prepared metadata",
            expected="nothing but an earlier result, which is replaced",
            found=", ".join(sorted(strange)[:3]),
            advice="Choose another folder with -o, or empty this one: nothing was changed.",
        )


def _is_prepared(path: Path) -> bool:
    return bool(_INFO.fullmatch(path.name)) and (path / "METADATA").is_file()
