"""SLSA provenance: what a build used, and what it made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.metadata.predicates.attested import Attested, named, resources

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.statement import Statement


def attested_v1(statement: Statement, limits: Limits) -> Attested:
    """What provenance 1.0 says.

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    build = statement.predicate.member("buildDefinition")
    build.member("buildType").string(longest=limits.text)
    builder = statement.predicate.member("runDetails").member("builder")
    builder.member("id").string(longest=limits.text)
    return _attested(statement, build.optional("resolvedDependencies"), limits)


def attested_v02(statement: Statement, limits: Limits) -> Attested:
    """What provenance 0.2 says; raises as :func:`attested_v1`."""
    predicate = statement.predicate
    predicate.member("builder").member("id").string(longest=limits.text)
    predicate.member("buildType").string(longest=limits.text)
    return _attested(statement, predicate.optional("materials"), limits)


def _attested(statement: Statement, used: Node | None, limits: Limits) -> Attested:
    return Attested(
        materials={} if used is None else named(resources(used, limits), used, limits),
        products=named(statement.subjects, statement.node.member("subject"), limits),
    )
