"""Which file of a release pip would choose: the wheel whose tags come first, else the sdist.

Two files can be equally good: spelled differently, or of one name with different digests. Then any
of them may be installed, and all are chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from pip_intoto.distribution import Kind
from pip_intoto.verifier.naming import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.tags import Tag

    from pip_intoto.lockfiles.locked import Interpreter


class _Named(Protocol):
    @property
    def filename(self) -> str: ...


File = TypeVar("File", bound=_Named)


class Choice:
    """Chooses for one interpreter; ``tags`` are its own, the best first.

    ``python`` is its full version; where it is empty, files for any Python fit.
    """

    def __init__(self, tags: Sequence[Tag], python: str = "") -> None:
        self._order = {tag: position for position, tag in enumerate(tags)}
        self._python = python

    @classmethod
    def here(cls) -> Choice:
        """Choose for the interpreter that runs this."""
        # Imported here for start-up time, as all of packaging.
        from platform import python_version

        from packaging.tags import sys_tags

        return cls(tuple(sys_tags()), python_version())

    @classmethod
    def of_interpreter(cls, interpreter: Interpreter) -> Choice:
        """Choose for the interpreter that a lock is read for."""
        return cls(interpreter.tags, interpreter.markers.get("python_full_version", ""))

    def of(self, files: Iterable[File]) -> File | None:
        """Choose among the files of one release; None when none of them fits."""
        return next(iter(self.all_of(files)), None)

    def all_of(self, files: Iterable[File]) -> list[File]:
        """Choose every file that may be the one; several where they are equally good."""
        ranked = [(rank, file) for file in files if (rank := self._rank(file.filename)) is not None]
        best = max((rank for rank, _ in ranked), default=None)
        return [file for rank, file in ranked if rank == best]

    def fits(self, filename: str, requires_python: str = "") -> bool:
        """Tell whether a file can be installed here."""
        return self._rank(filename) is not None and self._is_allowed(requires_python)

    def _is_allowed(self, requires_python: str) -> bool:
        if not requires_python or not self._python:
            return True
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            return SpecifierSet(requires_python).contains(self._python, prereleases=True)
        except (InvalidSpecifier, ValueError):
            # pip passes over what makes no sense.
            return True

    def _rank(self, filename: str) -> tuple[int, tuple[int, str]] | None:
        """Give what is greater for the better file; None for what cannot be installed here."""
        kind = kind_of(filename)
        if kind is not Kind.WHEEL:
            return None if kind is None else (-len(self._order), (0, ""))
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            _, _, build, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            return None
        fitting = [self._order[tag] for tag in tags if tag in self._order]
        if not fitting:
            return None
        return -min(fitting), (build[0], build[1]) if build else (0, "")
