"""One build of a project, to see what its backend puts into a wheel and what it takes that from."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from pip_intoto.artifacts.archives import read_wheel
from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer.progress import SILENT
from pip_intoto.maintainer.projects.backends import open_backend
from pip_intoto.maintainer.projects.checkouts import read_checkout
from pip_intoto.maintainer.projects.declared import read_project
from pip_intoto.maintainer.projects.members import Origin, of_any_version, trace_members
from pip_intoto.maintainer.projects.prepared import prepare_with

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pip_intoto.maintainer.progress import Progress
    from pip_intoto.maintainer.projects.backends import Backend
    from pip_intoto.maintainer.projects.checkouts import Checkout
    from pip_intoto.maintainer.projects.declared import Project
    from pip_intoto.maintainer.projects.members import Origins

#: Where links are put, unless the build minds.
LINKS = "links"
#: What compilers read, and what tells them how.
_COMPILED_FROM = frozenset(
    {
        *(".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".pyx", ".pxd", ".pxi"),
        *(".rs", ".f", ".f90", ".go", ".s", ".asm", ".cu", ".m", ".mm"),
    }
)
_RECIPES = frozenset(
    {
        *("CMakeLists.txt", "meson.build", "meson.options", "meson_options.txt"),
        *("Cargo.toml", "Cargo.lock", "go.mod", "go.sum"),
    }
)
#: Folders that no build of a wheel reads.
_ASIDE = frozenset({"test", "tests", "doc", "docs", "bench", "benchmarks", "example", "examples"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A project that is about to be looked into; nothing of it has run yet."""

    checkout: Checkout
    project: Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one wheel of a project is made of.

    ``project`` is the PEP 503 name, ``distribution`` the name as the filename of ``wheel`` spells
    it. ``recorded`` are the paths that the build reads, of which ``folders`` are folders;
    ``prepared`` are the patterns of the prepared metadata. ``beside`` says whether the build still
    works, and makes the same, once a folder of links lies in the project.
    """

    project: str
    distribution: str
    wheel: str
    recorded: tuple[str, ...]
    folders: frozenset[str]
    prepared: tuple[str, ...]
    origins: Origins
    beside: bool


def examine(directory: Path) -> Examined:
    """Read a project without running anything of it. Raises CommandError."""
    checkout = read_checkout(directory)
    return Examined(checkout=checkout, project=read_project(directory, checkout.files))


def try_out(
    examined: Examined, wheel: Path | None, *, isolated: bool = True, progress: Progress = SILENT
) -> Trial:
    """Look into ``wheel``, or into one that is built now. Raises CommandError.

    The backend runs in copies of the project, one for the metadata and one for the wheel.
    """
    checkout, project = examined.checkout, examined.project
    if wheel is not None:
        _name_of(wheel, project)
    with (
        open_backend(isolated=isolated, progress=progress) as backend,
        tempfile.TemporaryDirectory() as folder,
    ):
        metadata = prepare_with(backend, checkout, project)
        built, beside = (wheel, True) if wheel else _build(backend, checkout, Path(folder))
        name = _name_of(built, project)
        with built.open("rb") as stream:
            members = read_wheel(stream, limits=LOCAL)
    prepared = {name: sha256(content).hexdigest() for name, content in metadata.items()}
    origins = trace_members(members, _digests(checkout, members), prepared)
    recorded = _recorded(checkout.files, project, origins)
    files = frozenset(checkout.files)
    return Trial(
        project=canonicalize_name(name),
        distribution=name,
        wheel=built.name,
        recorded=recorded,
        folders=frozenset(path for path in recorded if path not in files),
        prepared=tuple(of_any_version(name) for name in sorted(prepared)),
        origins=origins,
        beside=beside,
    )


def _build(backend: Backend, checkout: Checkout, folder: Path) -> tuple[Path, bool]:
    """A wheel, and whether it came about beside a folder of links.

    There are backends that take any folder for a package unless they are told which there are:
    setuptools then refuses to build, and others put the links into the wheel.
    """
    (first := folder / "first").mkdir()
    project = checkout.copy(first)
    links = project / LINKS
    if links.exists():
        return backend.wheel(project, folder / "dist"), True
    links.mkdir()
    (links / "source.00000000.link").write_text("{}")
    try:
        built = backend.wheel(project, folder / "beside")
        with built.open("rb") as stream:
            if not any(name.endswith(".link") for name in read_wheel(stream, limits=LOCAL)):
                return built, True
    except CommandError:
        # Whether it fails for this reason is seen without them.
        pass
    (second := folder / "second").mkdir()
    return backend.wheel(checkout.copy(second), folder / "dist"), False


def _name_of(wheel: Path, project: Project) -> str:
    """The name in a wheel's filename, which must be the project's."""
    try:
        theirs = parse_wheel_filename(wheel.name)[0]
    except InvalidWheelFilename:
        raise CommandError(
            f"{wheel.name} is not the filename of a wheel",
            expected="NAME-VERSION-PYTHON-ABI-PLATFORM.whl",
        ) from None
    if project.name and theirs != canonicalize_name(project.name):
        raise CommandError(
            "the wheel is of another project", expected=project.name, found=wheel.name
        )
    return wheel.name.partition("-")[0]


def _digests(checkout: Checkout, members: Iterable[str]) -> dict[str, str]:
    """The digests of files that may have become members: these keep their last segment."""
    wanted = {member.rpartition("/")[2] for member in members}
    return {
        name: sha256_file(path)
        for name in checkout.files
        if name.rpartition("/")[2] in wanted and (path := checkout.path(name)).is_file()
    }


# --- what is recorded of the source ---------------------------------------------------------


def _recorded(names: tuple[str, ...], project: Project, origins: Origins) -> tuple[str, ...]:
    """The paths that the build reads: files first, then folders, none inside another."""
    wanted = {rule.source for rule in (*origins.matched, *origins.versioned)}
    if any(rule.origin is Origin.COMPILED for rule in origins.allowed):
        wanted |= set(_compiled_from(names))
    wanted |= set(project.reads)
    files = frozenset(names)
    folders = {path for path in wanted if path not in files}
    whole = {_widened(folder, folders, names) for folder in folders}
    outermost = {folder for folder in whole if not _is_below(folder, whole)}
    loose = {path for path in wanted & files if not _is_below(path, outermost)}
    first = [path for path in ("pyproject.toml",) if path in loose]
    return (*first, *sorted(loose - set(first)), *sorted(outermost))


def _compiled_from(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() in _COMPILED_FROM or path.name in _RECIPES:
            top = path.parts[0]
            if top == name:
                yield name
            elif top not in _ASIDE:
                yield path.parent.as_posix()


def _widened(folder: str, folders: Iterable[str], names: Iterable[str]) -> str:
    """The outermost folder around ``folder`` in which there is nothing but ``folders``."""
    folders = frozenset(folders)
    for above in reversed(PurePosixPath(folder).parents):
        around = above.as_posix()
        inside = [name for name in names if name.startswith(f"{around}/")]
        if inside and all(_is_below(name, folders) for name in inside):
            return around
    return folder


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return not {above.as_posix() for above in PurePosixPath(path).parents}.isdisjoint(folders)
