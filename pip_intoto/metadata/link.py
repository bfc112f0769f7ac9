"""Links: what a functionary did (section 4.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.errors import MetadataTooLarge
from pip_intoto.metadata.artifacts import Uniform
from pip_intoto.metadata.digests import parse_artifact_digests
from pip_intoto.metadata.names import abnormal_artifact_name
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.strict_json import JsonValue

_NOTHING_TAKEN_OUT: Mapping[str, Uniform] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A checked link. Byproducts and environment are opaque: nothing here reads them."""

    name: str
    command: tuple[str, ...]
    materials: Mapping[str, Digests] = field(repr=False)
    products: Mapping[str, Digests] = field(repr=False)
    byproducts: JsonValue = field(repr=False, compare=False)
    environment: JsonValue = field(repr=False, compare=False)


def parse_link(
    node: Node, limits: Limits, uniform: Mapping[str, Uniform] = _NOTHING_TAKEN_OUT
) -> Link:
    """The link in ``node``; members that are not known are ignored (A3).

    ``uniform`` holds materials and products that were already taken out of it, by these names.
    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    kind = node.member("_type")
    if kind.string() != "link":
        raise kind.malformed("this is no link", expected='"link"', found=shown(kind.value))
    command = node.optional("command")
    return Link(
        name=node.member("name").string(longest=limits.text),
        command=() if command is None else command.strings(),
        materials=_artifacts(node, "materials", limits, uniform),
        products=_artifacts(node, "products", limits, uniform),
        byproducts=_opaque(node.optional("byproducts")),
        environment=_opaque(node.optional("environment")),
    )


def _opaque(node: Node | None) -> JsonValue:
    # L10: objects; some tools write null.
    if node is None or node.value is None:
        return {}
    return node.mapping()


def _artifacts(
    link: Node, side: str, limits: Limits, uniform: Mapping[str, Uniform]
) -> Mapping[str, Digests]:
    """Artifact name → digests, checked in bulk: there may be tens of thousands."""
    found = uniform.get(side)
    # What was taken out stands where it stood, but for its value.
    node = link.member(side) if found is None else link.inner(side, {})
    if found is None:
        found = Uniform.of(node.value)
    artifacts = node.mapping() if found is None else found
    if len(artifacts) > limits.artifacts:
        raise MetadataTooLarge(
            "this link lists too many artifacts",
            expected=f"at most {limits.artifacts}",
            found=str(len(artifacts)),
            place=node.place,
        )
    name = abnormal_artifact_name(artifacts.keys(), longest=limits.text)
    if name is not None:
        # P9
        raise node.malformed(
            "this artifact name is not normal",
            expected=f"a relative path of at most {limits.text} characters, without '.', '..'"
            " and empty segments",
            found=shown(name),
        )
    return parse_artifact_digests(node) if found is None else found
