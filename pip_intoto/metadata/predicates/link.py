"""Links in statements (predicate ``link`` 0.3, and older ones): what a step did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.metadata.digests import parse_artifact_digests
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.predicate_names import LINK
from pip_intoto.metadata.predicates.attested import Attested, check_names, named, resources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.statement import Resource, Statement

#: Before 0.3, materials stood as in links: an object, name → hash object.
_OLDER = (
    "https://in-toto.io/Link/v0.1",
    "https://in-toto.io/Link/v0.2",
    "https://in-toto.io/Link/v1",
)
TYPES = (LINK, *_OLDER)


def attested(statement: Statement, limits: Limits) -> Attested:
    """What the link in ``statement`` says.

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    predicate = statement.predicate
    command = predicate.optional("command")
    materials = predicate.optional("materials")
    return Attested(
        materials=_materials(materials, limits),
        products=_unique(statement.subjects, statement.node.member("subject"), limits),
        step=predicate.member("name").string(longest=limits.text),
        command=() if command is None or command.value is None else command.strings(),
    )


def _materials(node: Node | None, limits: Limits) -> Mapping[str, Digests]:
    if node is not None and isinstance(node.value, dict):
        check_names(node.value, node, limits)
        return parse_artifact_digests(node)
    return {} if node is None else _unique(resources(node, limits), node, limits)


def _unique(found: Sequence[Resource], node: Node, limits: Limits) -> Mapping[str, Digests]:
    # A10: "The `name` and `digest` fields of each entry MUST be set, and `name` MUST be unique
    # among the `materials` entries"; "each subject's `name` in a link attestation MUST be unique".
    seen: set[str] = set()
    for index, resource in enumerate(found):
        if not resource.name or not resource.digests:
            raise node.malformed(
                "this artifact lacks a name or a digest that is accepted", found=f"number {index}"
            )
        if resource.name in seen:
            raise node.malformed("this lists an artifact twice", found=shown(resource.name))
        seen.add(resource.name)
    return named(found, node, limits)
