"""Which file of a release pip would choose: the wheel whose tags come first, else the sdist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from pip_intoto.distribution import Kind
from pip_intoto.verifier.naming import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.tags import Tag


class _Named(Protocol):
    @property
    def filename(self) -> str: ...


File = TypeVar("File", bound=_Named)


class Choice:
    """Chooses for one interpreter; ``tags`` are its own, the best first."""

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._order = {tag: position for position, tag in enumerate(tags)}

    @classmethod
    def here(cls) -> Choice:
        """Choose for the interpreter that runs this."""
        # Imported here for start-up time, as all of packaging.
        from packaging.tags import sys_tags

        return cls(tuple(sys_tags()))

    def of(self, files: Iterable[File]) -> File | None:
        """Choose among the files of one release; None when none of them fits."""
        ranked = [
            (*rank, number, file)
            for number, file in enumerate(files)
            if (rank := self._rank(file.filename)) is not None
        ]
        return min(ranked, key=lambda entry: entry[:3])[3] if ranked else None

    def _rank(self, filename: str) -> tuple[int, tuple[int, str]] | None:
        """Give what sorts the better file first; None for what cannot be installed here."""
        kind = kind_of(filename)
        if kind is not Kind.WHEEL:
            return None if kind is None else (len(self._order), (0, ""))
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            _, _, build, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            return None
        fitting = [self._order[tag] for tag in tags if tag in self._order]
        if not fitting:
            return None
        return min(fitting), (-build[0], build[1]) if build else (0, "")
