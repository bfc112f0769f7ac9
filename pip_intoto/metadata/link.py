"""Links: what a functionary did (section 4.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.strict_json import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A checked link. Byproducts and environment are opaque: nothing here reads them."""

    name: str
    command: tuple[str, ...]
    materials: Mapping[str, Digests] = field(repr=False)
    products: Mapping[str, Digests] = field(repr=False)
    byproducts: JsonValue = field(repr=False, default=None)
    environment: JsonValue = field(repr=False, default=None)


def parse_link(node: Node, limits: Limits) -> Link:
    """The link in ``node``.

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    raise NotImplementedError
