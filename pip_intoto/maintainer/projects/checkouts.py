"""What a fresh checkout of a project would hold, and copies of it that a build may litter.

Build backends write where they please: into ``build/``, ``*.egg-info``, a version file. Whoever
only wants to look at what they make lets them do so in a copy. The copy holds what git tracks, as
it lies in the working directory, submodules included; without git, all but what tools leave behind.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.git import ask

#: Never part of a project, wherever they lie.
_OF_TOOLS = frozenset(
    {
        *(".git", ".hg", ".svn", ".tox", ".nox", ".eggs", "__pycache__", "node_modules"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
    }
)
#: What builds leave at the top of a project.
_OF_BUILDS = frozenset({"build", "dist", "wheel-metadata", "dist-evidence"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The files of a project and of the repository around it.

    ``root`` is the top of the repository, or the project itself where there is none; ``project``
    is the project's directory below it, and ``names`` are all files below ``root``, with ``/``.
    ``git`` is where git keeps what belongs to this working directory, None without git.
    """

    root: Path
    project: PurePosixPath
    names: tuple[str, ...]
    git: Path | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the project itself, relative to its directory."""
        if self.project == PurePosixPath():
            return self.names
        prefix = f"{self.project}/"
        return tuple(name.removeprefix(prefix) for name in self.names if name.startswith(prefix))

    def path(self, name: str) -> Path:
        """Where one of :attr:`files` lies."""
        return self.root / self.project / name

    def changed(self) -> tuple[str, ...]:
        """Tracked files below ``root`` that are not as they were committed.

        To compare them, git may run filters that the repository's own configuration names. Raises
        CommandError when git does not answer.
        """
        if self.git is None:
            return ()
        words = ("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames")
        status = _git(self.root, *words) or ""
        return tuple(entry[3:] for entry in status.split("\0") if entry[2:3] == " ")

    def copy(self, folder: Path) -> Path:
        """Copy everything below ``folder``, which exists; gives the project's directory there.

        Raises :class:`OSError`.
        """
        tree = folder / "tree"
        (tree / self.project).mkdir(parents=True)
        for name in self.names:
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.root / name, target, follow_symlinks=False)
        if self.git is not None:
            _link_worktree(self.git, tree, folder / "git")
        return tree / self.project


def read_checkout(directory: Path) -> Checkout:
    """Look at the project in ``directory``; nothing that it brings along runs.

    Raises CommandError when git does not answer.
    """
    if not directory.is_dir():
        raise CommandError(f"{directory} is not a directory")
    top = _git(directory, "rev-parse", "--show-toplevel", "--absolute-git-dir")
    if top is None:
        root = directory.resolve()
        return Checkout(root=root, project=PurePosixPath(), names=tuple(sorted(_walk(root))))
    root, git = (Path(line).resolve() for line in top.splitlines()[:2])
    project = PurePosixPath(directory.resolve().relative_to(root).as_posix())
    listed = _git(root, "ls-files", "-z", "--cached", "--recurse-submodules") or ""
    # What is deleted in the working directory is still listed, and so are broken links.
    names = sorted({name for name in listed.split("\0") if name and _is_there(root / name)})
    return Checkout(root=root, project=project, names=tuple(names), git=git)


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _walk(root: Path) -> list[str]:
    names = []
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if not _is_left_behind(here / name, root)]
        names += [(here / name).relative_to(root).as_posix() for name in files]
        # Links to folders are copied as links; os.walk lists them as folders.
        links = [name for name in folders if (here / name).is_symlink()]
        names += [(here / name).relative_to(root).as_posix() for name in links]
    return names


def _is_left_behind(folder: Path, root: Path) -> bool:
    if folder.name in _OF_TOOLS or (folder / "pyvenv.cfg").exists():
        return True
    # A package may be called `build`.
    if folder.parent != root:
        return False
    if folder.name in _OF_BUILDS:
        return not (folder / "__init__.py").exists()
    # Those of an earlier release, whatever the folder is called.
    inside = (name for _, _, names in os.walk(folder) for name in names)
    return next(inside, "").endswith(".link") and all(name.endswith(".link") for name in inside)


def _link_worktree(git: Path, tree: Path, private: Path) -> None:
    """Make ``tree`` a further working directory of the repository, with an index of its own.

    It is what ``git worktree add`` makes, but the repository does not learn of it: version numbers
    can be taken from tags and history, and nothing that is done to the index here is seen there.
    """
    private.mkdir()
    common = git / "commondir"
    shared = (git / common.read_text().strip()).resolve() if common.is_file() else git
    (private / "commondir").write_text(f"{shared}\n")
    (private / "gitdir").write_text(f"{tree / '.git'}\n")
    for name in ("HEAD", "index"):
        if (git / name).is_file():
            shutil.copy2(git / name, private / name)
    (tree / ".git").write_text(f"gitdir: {private}\n")


def _git(directory: Path, *words: str) -> str | None:
    """What git says; None when it is not installed, or there is no repository."""
    answer = ask(str(directory), *words)
    if answer is None or (answer.status and "not a git repository" in answer.said):
        return None
    if answer.status:
        raise CommandError(f"git does not say what is in {directory}", found=answer.said)
    return os.fsdecode(answer.output)
