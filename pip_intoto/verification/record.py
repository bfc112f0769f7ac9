"""What was reported of one step or inspection: the artifacts before and after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.metadata.digests import Digests

Side: TypeAlias = Literal["materials", "products"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Materials and products by name, and who says so.

    ``origin`` is for messages: ``demo-1.0.whl.intoto.jsonl#line 3, signed by alice``.
    """

    materials: Mapping[str, Digests] = field(repr=False)
    products: Mapping[str, Digests] = field(repr=False)
    origin: str = ""

    def side(self, side: Side) -> Mapping[str, Digests]:
        """Return the materials or the products."""
        return self.materials if side == "materials" else self.products
