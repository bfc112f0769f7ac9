"""What a statement says of artifacts, in the shape that artifact rules know: name → digests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.errors import MetadataTooLarge
from pip_intoto.metadata.digests import agree
from pip_intoto.metadata.names import abnormal_artifact_name
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.statement import parse_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.statement import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """Artifacts before and after, and what else decides.

    ``failure`` says what failed, where the statement says that something did. ``step`` and
    ``command`` are a link's: which step it is of, and what was run.
    """

    materials: Mapping[str, Digests] = field(default_factory=dict, repr=False)
    products: Mapping[str, Digests] = field(default_factory=dict, repr=False)
    failure: str = ""
    step: str = ""
    command: tuple[str, ...] = ()


def resources(node: Node | None, limits: Limits) -> tuple[Resource, ...]:
    """The resource descriptors in ``node``, a list; none where there is no such member."""
    if node is None or node.value is None:
        return ()
    if len(node.sequence()) > limits.artifacts:
        raise MetadataTooLarge(
            "this statement lists too many artifacts",
            expected=f"at most {limits.artifacts}",
            found=str(len(node.sequence())),
            place=node.place,
        )
    return tuple(parse_resource(each, limits) for each in node.elements())


def named(found: Sequence[Resource], node: Node, limits: Limits) -> Mapping[str, Digests]:
    """Artifact name → digests; ``node`` is the list that the resources stand in.

    What has no name goes by its URI (ITE-4), else by its digest, ``sha256:<hex>``. Raises
    :class:`pip_intoto.errors.MetadataMalformed`.
    """
    artifacts: dict[str, Digests] = {}
    for index, resource in enumerate(found):
        name = resource.name or resource.uri or _by_digest(resource.digests) or f"#{index}"
        known = artifacts.setdefault(name, resource.digests)
        if known is resource.digests or known == resource.digests:
            continue
        # One artifact that is two: whichever was taken, the other would go unseen.
        if not agree(known, resource.digests):
            raise node.malformed(
                "this lists an artifact twice, with other digests", found=shown(name)
            )
        artifacts[name] = {
            algorithm: digest
            for algorithm, digest in known.items()
            if resource.digests.get(algorithm) == digest
        }
    check_names(artifacts, node, limits)
    return artifacts


def _by_digest(digests: Digests) -> str:
    algorithm = "sha256" if "sha256" in digests else min(digests, default="")
    return f"{algorithm}:{digests[algorithm]}" if algorithm else ""


def check_names(names: Iterable[str], node: Node, limits: Limits) -> None:
    """Every name is the only spelling of its path (P9); ``node`` is where they stand.

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    abnormal = abnormal_artifact_name(tuple(names), longest=limits.text)
    if abnormal is not None:
        raise node.malformed(
            "this artifact name is not normal",
            expected="a URI, or a relative path without '.', '..' and empty segments",
            found=shown(abnormal),
        )
