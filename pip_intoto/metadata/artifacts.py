"""Materials and products as links list them: artifact name → digests.

There may be hundreds of thousands, and nearly always each has one digest, of the same algorithm.
Such a side is kept as :class:`Uniform`: a fifth of the memory, compared without looking at each
hash object, and brought into canonical form without an encoder.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pip_intoto.metadata.digests import ACCEPTED, Digests, agree, are_well_formed, differ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, KeysView

    from pip_intoto.metadata.strict_json import JsonValue

#: So many that their memory matters. The names and most digests of a step are those of the step
#: before: one string for each will do. (Python 3.12 would keep such strings until it ends.)
_MANY = 20_000
_shared: Callable[[str], str] = str if sys.version_info[:2] == (3, 12) else sys.intern


class Uniform(Mapping[str, Digests]):
    """Artifacts with one well-formed digest each, all of the same accepted algorithm.

    No name has a character that JSON or its canonical form would escape.
    """

    __slots__ = ("algorithm", "hexes")

    def __init__(self, algorithm: str, hexes: dict[str, str]) -> None:
        self.algorithm = algorithm
        #: Artifact name → lower-case hex digest.
        self.hexes = hexes

    @classmethod
    def of(cls, value: JsonValue) -> Uniform | None:
        """The artifacts in ``value``; None when they are not like that, or no artifacts at all."""
        if type(value) is not dict or not value:
            return None
        first = next(iter(value.values()))
        algorithm = next(iter(first), "") if type(first) is dict else ""
        if algorithm not in ACCEPTED:
            return None
        digests = [
            digest
            for each in value.values()
            if type(each) is dict and len(each) == 1 and type(digest := each.get(algorithm)) is str
        ]
        if len(digests) < len(value) or not are_well_formed(algorithm, digests):
            return None
        names = "".join(value)
        if '"' in names or "\\" in names or not names.isprintable():
            return None
        if len(value) < _MANY:
            return cls(algorithm, dict(zip(value, digests, strict=True)))
        return cls(algorithm, dict(zip(map(_shared, value), map(_shared, digests), strict=True)))

    def __getitem__(self, name: str) -> Digests:
        return {self.algorithm: self.hexes[name]}

    def __contains__(self, name: object) -> bool:
        return name in self.hexes

    def __iter__(self) -> Iterator[str]:
        return iter(self.hexes)

    def __len__(self) -> int:
        return len(self.hexes)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self.hexes.keys()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Uniform):
            return self.algorithm == other.algorithm and self.hexes == other.hexes
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} artifacts with {self.algorithm}>"

    def canonical(self) -> str:
        """The text of these artifacts in canonical JSON (C1)."""
        hexes = self.hexes
        between = f'":{{"{self.algorithm}":"'
        pairs = [name + between + hexes[name] for name in sorted(hexes)]
        return '{"' + '"},"'.join(pairs) + '"}}'


def agreeing(
    ours: Mapping[str, Digests], theirs: Mapping[str, Digests], names: Iterable[tuple[str, str]]
) -> list[str]:
    """Our name of each pair of ours and theirs for which the digests :func:`agree`.

    Ours must be there; theirs need not be.
    """
    if isinstance(ours, Uniform) and isinstance(theirs, Uniform):
        if ours.algorithm != theirs.algorithm:
            return []
        our_hexes, their_hexes = ours.hexes, theirs.hexes
        return [name for name, there in names if their_hexes.get(there) == our_hexes[name]]
    return [
        name
        for name, there in names
        if (counterpart := theirs.get(there)) is not None and agree(ours[name], counterpart)
    ]


def modified(before: Mapping[str, Digests], after: Mapping[str, Digests]) -> frozenset[str]:
    """The names on both sides whose digests :func:`differ`."""
    if isinstance(before, Uniform) and isinstance(after, Uniform):
        if before.algorithm != after.algorithm:
            return frozenset()
        old = before.hexes
        return frozenset(
            [name for name, digest in after.hexes.items() if old.get(name, digest) != digest]
        )
    return frozenset(
        name for name, digests in before.items() if name in after and differ(digests, after[name])
    )
