"""Supply chains before they are signed, and the files that they become.

A :class:`Paper` is one layout or link that somebody will sign; a :class:`Chain` is all of them,
and can be tampered with before and after signing. A :class:`Case` is what both sides get.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata import canonical
from pip_intoto.metadata.envelope import PAYLOAD_TYPE, pre_authentication_encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue
    from tests.conformance.differential.signing_keys import Key

ROOT = "root.layout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What both sides get.

    ``files`` by name, below the directory of the evidence; ``work`` is the directory that
    inspections look at.
    """

    files: Mapping[str, bytes]
    owners: tuple[Key, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    work: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Paper:
    """One document: what it says, who signs it, and what is done to it afterwards."""

    path: str
    payload: JsonObject
    signers: list[Key]
    envelope: Envelope
    #: Changes of the signed document, and then of its bytes.
    edits: list[Callable[[JsonObject], None]] = field(default_factory=list)
    byte_edits: list[Callable[[bytes], bytes]] = field(default_factory=list)

    @property
    def is_layout(self) -> bool:
        """Whether it was written as a layout."""
        return "steps" in self.payload

    def data(self) -> bytes:
        """Sign it, and write it down."""
        content = _sign(self.payload, self.signers, self.envelope)
        for edit in self.edits:
            edit(content)
        data = json.dumps(content).encode()
        for byte_edit in self.byte_edits:
            data = byte_edit(data)
        return data


def _sign(payload: JsonObject, signers: list[Key], envelope: Envelope) -> JsonObject:
    if envelope is Envelope.METABLOCK:
        signed = canonical.encode(payload)
        # A copy: what is done to the document afterwards must not reach the paper.
        return {
            "signed": json.loads(json.dumps(payload)),
            "signatures": [{"keyid": key.keyid, "sig": key.sign(signed).hex()} for key in signers],
        }
    body = json.dumps(payload).encode()
    signed = pre_authentication_encoding(PAYLOAD_TYPE, body)
    return {
        "payload": base64.b64encode(body).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": key.keyid, "sig": base64.b64encode(key.sign(signed)).decode()}
            for key in signers
        ],
    }


@dataclass(slots=True, kw_only=True)
class Chain:
    """Everything that belongs to one supply chain; the root layout comes first."""

    papers: list[Paper]
    owners: list[Key]
    parameters: dict[str, str] = field(default_factory=dict)
    work: dict[str, bytes] = field(default_factory=dict)
    #: Changes of the files as a whole.
    file_edits: list[Callable[[dict[str, bytes]], None]] = field(default_factory=list)

    @property
    def root(self) -> Paper:
        """The root layout."""
        return self.papers[0]

    @property
    def links(self) -> list[Paper]:
        """The papers that are links."""
        return [paper for paper in self.papers if not paper.is_layout]

    @property
    def layouts(self) -> list[Paper]:
        """The papers that are layouts, the root first."""
        return [paper for paper in self.papers if paper.is_layout]

    def case(self) -> Case:
        """Sign everything, and write it down."""
        files = {paper.path: paper.data() for paper in self.papers}
        for edit in self.file_edits:
            edit(files)
        return Case(
            files=files,
            owners=tuple(self.owners),
            parameters=dict(self.parameters),
            work=dict(self.work),
        )


# --- looking into JSON -----------------------------------------------------------------------


def obj(value: JsonValue) -> JsonObject:
    """Return an object of which the type is known."""
    assert isinstance(value, dict)
    return value


def items(value: JsonValue) -> list[JsonValue]:
    """Return a list of which the type is known."""
    assert isinstance(value, list)
    return value


def steps(layout: JsonObject) -> list[JsonObject]:
    """Return the steps of a layout that is still well formed."""
    return [obj(step) for step in items(layout["steps"])]
