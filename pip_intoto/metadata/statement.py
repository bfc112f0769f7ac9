"""Statements: what somebody attests of artifacts, whatever it is (attestation framework 1.2)."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto.errors import MetadataTooLarge
from pip_intoto.metadata.digests import ACCEPTED, are_well_formed
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.strict_json import JsonValue

STATEMENT = "https://in-toto.io/Statement/v1"
_OLD_STATEMENT = "https://in-toto.io/Statement/v0.1"
#: A4: "The TypeURI is represented as a case sensitive string"; 0.1 is a major version.
STATEMENTS = frozenset({STATEMENT, _OLD_STATEMENT})
_TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource descriptor: an artifact, or anything else that a statement refers to.

    ``digests`` has those of accepted algorithms only (A6). ``annotations`` are what the producer
    says besides; nothing of them is checked.
    """

    name: str = ""
    uri: str = ""
    digests: Digests = field(default_factory=dict)
    annotations: Mapping[str, JsonValue] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A checked statement, its predicate not looked into.

    ``predicate`` stands for an empty one where there is none. ``node`` is the whole of it, as it
    was received.
    """

    subjects: tuple[Resource, ...]
    predicate_type: str
    predicate: Node = field(repr=False, compare=False)
    node: Node = field(repr=False, compare=False)

    @property
    def variables(self) -> Mapping[str, JsonValue]:
        """What conditions see of it (ITE-11)."""
        return {
            "type": self.node.member("_type").value,
            "subject": self.node.member("subject").value,
            "predicateType": self.predicate_type,
            "predicate": self.predicate.value,
        }


def parse_statement(node: Node, limits: Limits) -> Statement:
    """The statement in ``node``; members that are not known are ignored (A3).

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    kind = node.member("_type")
    if kind.string() not in STATEMENTS:
        raise kind.malformed(
            "this is no statement", expected=f'"{STATEMENT}"', found=shown(kind.value)
        )
    is_old = kind.value == _OLD_STATEMENT
    predicate = node.optional("predicate")
    # "Unset is treated the same as set-but-empty."
    if predicate is None or predicate.value is None:
        predicate = node.inner("predicate", {})
    predicate.mapping()
    subjects = node.member("subject")
    if len(subjects.sequence()) > limits.artifacts:
        raise MetadataTooLarge(
            "this statement has too many subjects",
            expected=f"at most {limits.artifacts}",
            found=str(len(subjects.sequence())),
            place=subjects.place,
        )
    return Statement(
        subjects=tuple(_subject(each, limits, needs_name=is_old) for each in subjects.elements()),
        predicate_type=node.member("predicateType").string(longest=limits.text),
        predicate=predicate,
        node=node,
    )


def _subject(node: Node, limits: Limits, *, needs_name: bool) -> Resource:
    # "Each element MUST have `digest` set."
    if not node.member("digest").mapping():
        raise node.member("digest").malformed("a subject without a digest", expected="a digest")
    if needs_name:
        node.member("name")
    return parse_resource(node, limits)


def parse_resource(node: Node, limits: Limits) -> Resource:
    """The resource descriptor in ``node``.

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    members = {name: node.optional(name) for name in ("name", "uri", "digest", "content")}
    # "a ResourceDescriptor MUST specify one of `uri`, `digest` or `content` at a minimum"
    if all(members[name] is None for name in ("uri", "digest", "content")):
        raise node.malformed("this refers to nothing", expected="a uri, a digest, or content")
    name, uri, digest = members["name"], members["uri"], members["digest"]
    annotations = node.optional("annotations")
    return Resource(
        name="" if name is None else name.string(longest=limits.text),
        uri="" if uri is None else uri.string(longest=limits.text),
        digests={} if digest is None else _digests(digest),
        annotations={} if annotations is None else annotations.mapping(),
    )


def _digests(node: Node) -> Digests:
    # A6: "Consumers MUST only accept algorithms that they consider secure and MUST ignore
    # unrecognized or unaccepted algorithms."
    digests = {}
    for algorithm, member in node.items():
        if algorithm not in ACCEPTED:
            continue
        digest = member.string()
        if not are_well_formed(algorithm, [digest]):
            raise member.malformed(
                f"this is no {algorithm} digest",
                expected=f"{ACCEPTED[algorithm]} lower-case hex digits",
                found=shown(digest),
            )
        digests[algorithm] = digest
    return digests


def parse_timestamp(node: Node) -> datetime:
    """The point in time in ``node``, aware, in UTC.

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    # A9: "MUST be in RFC 3339 format in the UTC timezone ("Z")".
    text = node.string()
    matched = _TIMESTAMP.fullmatch(text)
    if matched is not None:
        year, month, day, hour, minute, second = map(int, matched.groups()[:6])
        fraction = int((matched[7] or "")[:6].ljust(6, "0"))
        with contextlib.suppress(ValueError):  # the 30th of February
            return datetime(year, month, day, hour, minute, second, fraction, timezone.utc)
    raise node.malformed(
        "this is no point in time in UTC", expected="YYYY-MM-DDTHH:MM:SSZ", found=shown(text)
    )


def spelled_timestamp(moment: datetime) -> str:
    """Spell ``moment`` (aware) as statements have it, in whole seconds."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
