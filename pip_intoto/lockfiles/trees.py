"""Where the bytes of a lockfile come from: the disk, or a revision in git."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from pip_intoto.limits import Limits

_LINK = b"120000"
_BLOB = b"blob"


class AbsentThen(CommandError):
    """The revision is known, and has no such file: a lock that did not exist then."""


class Disk:
    """Files as they are now."""

    def __init__(self, limits: Limits = LOCAL) -> None:
        self._limits = limits

    def read(self, path: Path) -> bytes:
        """Give the content of a file. Raises CommandError when it is not there, or too large."""
        return files.read(path, self._limits.lock_bytes)


class Revision:
    """Files as a commit of the git repository around them has them.

    ``ref`` is whatever names a commit: a branch, a tag, ``HEAD~3``, ``origin/main``.
    """

    def __init__(self, ref: str, limits: Limits = LOCAL) -> None:
        # A name like "--output=x" would be an option of git's.
        if not ref or ref.startswith("-") or not ref.isprintable():
            raise CommandError(
                f"{shown(ref)} cannot be a revision",
                expected="a branch, a tag, or a commit, as git names them",
            )
        self.ref = ref
        self._limits = limits
        #: The root of the repository and the commit, by the folder that was asked about.
        self._known: dict[str, tuple[str, str]] = {}

    def path_of(self, name: str) -> Path:
        """Say which file git means by ``REVISION:name``: from the root, unless a dot begins it.

        Raises CommandError.
        """
        if name.startswith(("./", "../")):
            return Path(name)
        root, _ = self._repository(os.path.realpath("."))
        return Path(root, name)

    def read(self, path: Path) -> bytes:
        """Give the content that a file had. Raises AbsentThen when it did not exist then.

        Raises CommandError when git or a repository is missing, the revision is unknown, or the
        file is too large.
        """
        # The file itself may be a link today; then it was one.
        folder = os.path.realpath(path.absolute().parent)
        root, commit = self._repository(folder)
        try:
            name = Path(folder, path.name).relative_to(root).as_posix()
        except ValueError:
            raise CommandError(f"{path} lies outside the git repository in {root}") from None
        kind, blob, size = self._entry(root, commit, name, path)
        if kind == _LINK:
            raise CommandError(
                f"{path} was a symbolic link in {self.ref}", expected="a file that git tracks"
            )
        if size > self._limits.lock_bytes:
            raise CommandError(
                f"{path} was too large in {self.ref}",
                expected=f"at most {self._limits.lock_bytes} bytes",
                found=f"{size} bytes",
            )
        return self._ask(root, "cat-file", "blob", blob)

    def _repository(self, folder: str) -> tuple[str, str]:
        # The folder may be gone by now, and the ones above it too.
        while not os.path.isdir(folder):  # noqa: PTH112 - a real path
            folder = os.path.dirname(folder)  # noqa: PTH120 - a real path
        if folder not in self._known:
            top = self._ask(folder, "rev-parse", "--show-toplevel")
            root = os.path.realpath(os.fsdecode(top.rstrip(b"\r\n")))
            commit = self._ask(
                root,
                *("rev-parse", "--verify", "--quiet", f"{self.ref}^{{commit}}"),
                problem=f"git knows no commit {self.ref}",
                advice="In CI, fetch the branch first: most checkouts have one commit only.",
            )
            self._known[folder] = (root, commit.decode("ascii").strip())
        return self._known[folder]

    def _entry(self, root: str, commit: str, name: str, path: Path) -> tuple[bytes, str, int]:
        """Mode, object and size of a file in a commit."""
        words = ("ls-tree", "-z", "-l", "--full-tree", commit, "--", name)
        # A name may begin with ":(", which would be a pattern of git's.
        listed = self._ask(root, "--literal-pathspecs", *words)
        fields = listed.partition(b"\t")[0].split()
        if not fields:
            raise AbsentThen(f"there is no {path} in {self.ref}")
        mode, kind, blob, size = fields
        if kind != _BLOB:
            raise AbsentThen(f"{path} is no file in {self.ref}", found=kind.decode("ascii"))
        return mode, blob.decode("ascii"), int(size)

    def _ask(self, folder: str, *words: str, problem: str = "", advice: str = "") -> bytes:
        # Imported here for start-up time: most runs are about files as they are now.
        from pip_intoto.maintainer import git

        answer = git.ask(folder, *words, limits=self._limits)
        if answer is None:
            raise CommandError(
                f"there is no git here to ask for {self.ref}",
                advice="Install git, or give the older lock as a file.",
            )
        if answer.status:
            said = answer.said.rpartition("\n")[2]
            if "not a git repository" in said:
                problem, advice = f"{folder} is in no git repository", ""
            raise CommandError(
                problem or f"git does not say what {self.ref} has", found=said, advice=advice
            )
        return answer.output
