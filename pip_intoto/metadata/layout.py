"""Layouts: what the project owner wants done, and by whom (section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that ``threshold`` of the functionaries ``pubkeys`` (keyids) must have done."""

    name: str
    threshold: int
    expected_materials: tuple[Rule, ...]
    expected_products: tuple[Rule, ...]
    pubkeys: tuple[str, ...]
    expected_command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A command that the verifier is asked to run (or to carry out natively)."""

    name: str
    expected_materials: tuple[Rule, ...]
    expected_products: tuple[Rule, ...]
    run: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A checked layout; it has at least one step, and ``expires`` is aware, in UTC."""

    expires: datetime
    readme: str
    keys: Mapping[str, PublicKey]
    steps: tuple[Step, ...]
    inspections: tuple[Inspection, ...]


def parse_layout(node: Node, limits: Limits) -> Layout:
    """The layout in ``node``.

    Raises :class:`pip_intoto.errors.MetadataMalformed`,
    :class:`pip_intoto.errors.MetadataTooLarge`, or
    :class:`pip_intoto.errors.LayoutFeatureUnsupported` for members of known extensions.
    """
    raise NotImplementedError
