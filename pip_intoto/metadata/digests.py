"""Digests of artifacts: which are accepted, and when two sets of them are equal."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TypeGuard

    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.strict_json import JsonValue

#: Algorithm name → hex digest. Algorithms outside :data:`ACCEPTED` may be present; they are
#: carried along, unchecked, and decide nothing.
Digests: TypeAlias = Mapping[str, str]

#: Algorithm → length of its hex digest.
ACCEPTED: Mapping[str, int] = {
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "sha3_256": 64,
    "sha3_384": 96,
    "sha3_512": 128,
    "blake2b": 128,
    "blake2b-256": 64,
}

_HEX = "0123456789abcdef"


def parse_digests(node: Node) -> Digests:
    """One hash object: ``{"sha256": "<64 lower-case hex digits>", …}``; it may be empty.

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    digests: dict[str, str] = {}
    for algorithm, member in node.items():
        # H1: hex of the algorithm's own length; of algorithms that decide nothing, any text.
        digest = member.string()
        length = ACCEPTED.get(algorithm)
        if length is not None and (len(digest) != length or digest.strip(_HEX)):
            raise member.malformed(
                f"this is no {algorithm} digest",
                expected=f"{length} lower-case hex digits",
                found=shown(digest),
            )
        digests[algorithm] = digest
    return digests


def parse_artifact_digests(node: Node) -> Mapping[str, Digests]:
    """``{name: hash object}``, as links list their materials and products.

    The same checks as :func:`parse_digests`, on all digests of one algorithm at once, since
    there may be tens of thousands. Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    artifacts = node.mapping()
    if _all_well_formed(artifacts):
        return artifacts
    # One of them is not: look at each, to say which.
    return {name: parse_digests(each) for name, each in node.items()}


def _all_well_formed(artifacts: dict[str, JsonValue]) -> TypeGuard[dict[str, Digests]]:
    objects = [each for each in artifacts.values() if type(each) is dict]
    if len(objects) < len(artifacts):
        return False
    if not set(map(type, chain.from_iterable(map(dict.values, objects)))) <= {str}:
        return False
    return all(
        are_well_formed(algorithm, [str(each[algorithm]) for each in objects if algorithm in each])
        for algorithm in ACCEPTED.keys() & set(chain.from_iterable(objects))
    )


def are_well_formed(algorithm: str, digests: Collection[str]) -> bool:
    """Whether all of ``digests`` are lower-case hex, as long as those of ``algorithm`` are."""
    if not set(map(len, digests)) <= {ACCEPTED[algorithm]}:
        return False
    text = "".join(digests)
    return text.isascii() and not text.encode().translate(None, _HEX.encode())


def agree(a: Digests, b: Digests) -> bool:
    """Whether the two describe the same bytes, by every accepted algorithm that both name.

    At least one must be shared, and none may differ: sets that cannot be compared are not equal,
    and an empty set equals nothing, not even itself.
    """
    shared = False
    for algorithm, digest in a.items():
        if algorithm in ACCEPTED and algorithm in b:
            if b[algorithm] != digest:
                return False
            shared = True
    return shared


def differ(a: Digests, b: Digests) -> bool:
    """Whether the two certainly describe different bytes.

    This is not the opposite of :func:`agree`: sets that cannot be compared do neither.
    """
    return any(
        algorithm in ACCEPTED and algorithm in b and b[algorithm] != digest
        for algorithm, digest in a.items()
    )
