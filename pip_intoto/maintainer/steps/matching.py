"""Whether files are still those that a link calls its products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.metadata.digests import agree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.metadata.digests import Digests


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Names that only one side has, and names whose digests differ or cannot be compared."""

    only_products: tuple[str, ...] = ()
    not_in_products: tuple[str, ...] = ()
    differ: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.only_products or self.not_in_products or self.differ)


def mismatch(products: Mapping[str, Digests], found: Mapping[str, Digests]) -> Mismatch:
    """Compare ``products`` of a link with the artifacts ``found``; names in order."""
    return Mismatch(
        only_products=tuple(sorted(products.keys() - found.keys())),
        not_in_products=tuple(sorted(found.keys() - products.keys())),
        differ=tuple(
            name
            for name in sorted(products.keys() & found.keys())
            if not agree(products[name], found[name])
        ),
    )
