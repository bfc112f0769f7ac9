"""Inspections (specification, section 4.3.2): which of them need no command to be run.

Commands out of metadata do not run. The usual ones, unpacking the file and doing nothing, are
recognised here by their exact words, and carried out by reading the archive.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from pip_intoto.errors import InspectionNotAllowed
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.metadata.layout import Inspection
    from pip_intoto.verification.record import Record
    from pip_intoto.verification.trust import Trust


class Inspector(Protocol):
    """Carries out inspections on the file in hand, or on a working directory."""

    def concerns(self, inspection: Inspection) -> bool:
        """Tell whether the inspection is about what is at hand (see :func:`about`)."""
        ...  # pragma: no cover

    def inspect(self, inspection: Inspection) -> Record:
        """Return the artifacts before and after the command.

        Whether it may run was decided before. Raises :class:`InspectionNotAllowed`,
        :class:`pip_intoto.errors.InspectionFailed`,
        :class:`pip_intoto.errors.ArchiveAmbiguous` or
        :class:`pip_intoto.errors.MetadataTooLarge`.
        """
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True)
class Nothing:
    """A command that does nothing, and succeeds."""


@dataclass(frozen=True, slots=True)
class Unpack:
    """A command that unpacks ``archive`` below ``folder``.

    ``folder`` ends with a slash, or is empty for the command's own directory.
    """

    format: Literal["zip", "tar"]
    archive: str
    folder: str = ""
    #: unzip, alone, reads its archive's name as a pattern.
    wildcards: bool = False

    def names(self, filename: str) -> bool:
        """Tell whether ``archive`` is the file with this name."""
        name = self.archive.removeprefix("./")
        return name == filename or (self.wildcards and fnmatch.fnmatchcase(filename, name))


Native: TypeAlias = Nothing | Unpack

_PYTHON = re.compile(r"(?:/usr/bin/|/usr/local/bin/)?python(?:3(?:\.\d+)?)?")
_TRUE = frozenset({"true", "/bin/true", "/usr/bin/true"})
_UNZIP = frozenset({"unzip", "/usr/bin/unzip"})
_TAR = frozenset({"tar", "/bin/tar", "/usr/bin/tar"})
#: unzip's options that do not change which files come out: quiet, overwrite, never overwrite.
_UNZIP_FLAGS = frozenset({"-q", "-qq", "-o", "-n", "-qo", "-oq", "-qn", "-nq"})
#: One group of letters: extract, verbose, a compression (told by the file itself), file.
_TAR_LETTERS = re.compile(r"-(?=[^x]*x)[xvzjJap]*f")
#: The first word without a dash, as of old: the file is the next word, wherever the f stands. After
#: a dash it would be the rest of the group: `-xfz` is about a file named z.
_TAR_OLD_LETTERS = re.compile(r"(?=[^x]*x)[xvzjJap]*f[xvzjJap]*")
_TAR_EXTRACT = frozenset({"-x", "--extract", "--get", "-xv", "-xz", "-xzv", "-xvz"})
_TAR_FLAGS = frozenset(
    {"-v", "--verbose", "-z", "--gzip", "-j", "--bzip2", "-J", "--xz", "-a", "--auto-compress",
     "-p", "--preserve-permissions", "--no-same-owner", "--no-same-permissions"}
)  # fmt: skip


def recognise(run: Sequence[str]) -> Native | None:
    """Return what a command does, when it is one of those that are carried out natively.

    These are, with ``FILE`` the file and ``DIR`` a folder below the command's own::

        true
        unzip [-q|-qq|-o|-n] FILE [-d DIR]
        python -m zipfile -e FILE DIR           (or --extract)
        python -m wheel unpack FILE [-d DIR]    (or --dest; or wheel unpack …)
        python -m tarfile -e FILE [DIR]         (or --extract)
        tar -x[v][z|j|J]f FILE [-C DIR]         (or tar --extract --file FILE [--directory DIR];
                                                 or, without the dash, letters in any order)

    Anything more, ``--strip-components`` and the like, is not native.
    """
    words = list(run)
    if not words:
        return None
    program, arguments = words[0], words[1:]
    if program in _TRUE and not arguments:
        return Nothing()
    if program in _UNZIP:
        return _unzip(arguments)
    if program in _TAR:
        return _tar(arguments)
    if program == "wheel" and arguments[:1] == ["unpack"]:
        return _wheel_unpack(arguments[1:])
    if _PYTHON.fullmatch(program) and arguments[:1] == ["-m"]:
        return _python_module(arguments[1:2], arguments[2:])
    return None


def about(inspection: Inspection, *filenames: str) -> bool:
    """Tell whether the inspection is about one of these files.

    What unpacks an archive is about that archive. What any other command looks at only the command
    knows, so that it is about whatever there is.
    """
    native = recognise(inspection.run)
    return not isinstance(native, Unpack) or sum(map(native.names, filenames)) == 1


def as_listed(run: Sequence[str]) -> str:
    """Return a command as `inspections` in the policy would list it."""
    words = ", ".join(shown(word) for word in run)
    return f"[{words}]"


def is_permitted(inspection: Inspection, trust: Trust, *, in_sublayout: bool) -> bool:
    """Tell whether the inspection may be carried out here.

    A functionary who signs a sublayout could otherwise run commands here: for sublayouts it
    takes the policy, word for word, whatever the command line allows.
    """
    if recognise(inspection.run) is not None or inspection.run in trust.allowed_commands:
        return True
    return trust.run_all_inspections and not in_sublayout


def permit(inspection: Inspection, trust: Trust, *, in_sublayout: bool) -> None:
    """Raise :class:`InspectionNotAllowed` unless :func:`is_permitted`."""
    if not is_permitted(inspection, trust, in_sublayout=in_sublayout):
        raise not_allowed(inspection, in_sublayout=in_sublayout)


def not_allowed(inspection: Inspection, *, in_sublayout: bool = False) -> InspectionNotAllowed:
    """Return the error for an inspection that would have to run a command."""
    of_whom = "a sublayout" if in_sublayout else "the layout"
    instead = ", or a link of it by whoever signed the sublayout" if in_sublayout else ""
    return InspectionNotAllowed(
        f"An inspection of {of_whom} wants to run a command on this machine",
        expected=f"unpacking, which runs no command, or a command that the policy lists{instead}",
        found=as_listed(inspection.run),
        place=f"inspection {inspection.name}",
    )


def _unzip(arguments: list[str]) -> Native | None:
    while arguments and arguments[0] in _UNZIP_FLAGS:
        arguments = arguments[1:]
    match arguments:
        case [archive]:
            return _unpack("zip", archive, ".", wildcards=True)
        case [archive, "-d", folder]:
            return _unpack("zip", archive, folder, wildcards=True)
    return None


def _python_module(module: list[str], arguments: list[str]) -> Native | None:
    match module, arguments:
        case ["zipfile"], ["-e" | "--extract", archive, folder]:
            return _unpack("zip", archive, folder)
        case ["tarfile"], ["-e" | "--extract", archive]:
            return _unpack("tar", archive, ".")
        case ["tarfile"], ["-e" | "--extract", archive, folder]:
            return _unpack("tar", archive, folder)
        case ["wheel"], ["unpack", *rest]:
            return _wheel_unpack(rest)
    return None


def _wheel_unpack(arguments: list[str]) -> Native | None:
    folder = "."
    match arguments:
        case [archive]:
            pass
        case [archive, "-d" | "--dest", folder] | ["-d" | "--dest", folder, archive]:
            pass
        case _:
            return None
    # It unpacks into <name>-<version>/, as the filename spells them.
    filename = archive.rpartition("/")[2]
    parts = filename.split("-")
    if not filename.endswith(".whl") or len(parts) not in {5, 6}:
        return None
    own = f"{parts[0]}-{parts[1]}"
    return _unpack("zip", archive, own if folder == "." else f"{folder}/{own}")


def _tar(arguments: list[str]) -> Native | None:
    archive = ""
    folder = "."
    extract = False
    words = iter(arguments)
    for index, word in enumerate(words):
        old = index == 0 and _TAR_OLD_LETTERS.fullmatch(word)
        if old or (_TAR_LETTERS.fullmatch(word) and not archive):
            extract, archive = True, next(words, "")
        elif word in _TAR_EXTRACT:
            extract = True
        elif word in {"-f", "--file"} and not archive:
            archive = next(words, "")
        elif word.startswith("--file=") and not archive:
            archive = word.partition("=")[2]
        elif word in {"-C", "--directory"} and folder == ".":
            folder = next(words, "")
        elif word.startswith("--directory=") and folder == ".":
            folder = word.partition("=")[2]
        elif word not in _TAR_FLAGS:
            return None
    return _unpack("tar", archive, folder) if extract else None


def _unpack(
    form: Literal["zip", "tar"], archive: str, folder: str, *, wildcards: bool = False
) -> Native | None:
    if not archive or archive.startswith(("-", "/")):
        return None
    folder = folder.removeprefix("./").rstrip("/") if folder != "." else ""
    if folder:
        segments = folder.split("/")
        if folder.startswith("-") or "\\" in folder or {"", ".", ".."} & set(segments):
            return None
        folder += "/"
    return Unpack(form, archive, folder, wildcards)
