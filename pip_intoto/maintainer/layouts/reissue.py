"""The same layout with another expiry, and nothing else that is different."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.layouts.expiry import written
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.documents import SignedDocument
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.strict_json import JsonValue


class NotRenewed(CommandError):
    """The layout in a file is not this owner's to renew, or not to this date."""


def _fragments(word: bytes) -> Iterator[bytes]:
    """What the base64 of every text with ``word`` in it holds, wherever the word begins."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + word)
        # Without the digits that depend on what stands before and behind.
        begin = -(-before * 8 // 6)
        yield encoded[begin : (before + len(word)) * 8 // 6]


_WORD = b'"layout"'
_TRACES = (_WORD, *_fragments(_WORD))


def may_be_layout(data: bytes) -> bool:
    """Whether a document is worth a look, without parsing what may be a link of megabytes."""
    return any(trace in data for trace in _TRACES)


def bundle_line(document: SignedDocument) -> bytes:
    """A document as a bundle has it."""
    return json.dumps(document.content, separators=(",", ":")).encode("ascii")


def apart_from_expiry(document: SignedDocument) -> str:
    """A digest of the layout without its ``expires``, the same in both envelopes."""
    payload = dict(_payload(document))
    payload.pop("expires", None)
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode("ascii")).hexdigest()


def _payload(document: SignedDocument) -> JsonObject:
    if document.form is authoring.Envelope.METABLOCK:
        return Node(document.content).member("signed").mapping()
    return Node(strict_json.parse(_body(document.envelope), limits=LOCAL)).mapping()


def _body(envelope: Envelope) -> bytes:
    """The payload of a DSSE envelope."""
    # E5: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body
    return envelope.signed.split(b" ", 4)[4]


def with_expiry(document: SignedDocument, expires: datetime) -> SignedDocument:
    """The layout without signatures and with another expiry, which is all that differs.

    Raises NotRenewed where that cannot be done.
    """
    changed: JsonObject
    if document.form is authoring.Envelope.METABLOCK:
        changed = {"signed": {**_payload(document), "expires": written(expires)}}
    else:
        # In the text itself: what a parser makes of a number may be spelled otherwise.
        body = _replaced(_body(document.envelope).decode("utf-8"), written(expires))
        changed = {"payload": base64.b64encode(body.encode("utf-8")).decode("ascii")}
    made = documents.of({**document.content, **changed, "signatures": []})
    layout = document.payload
    if (
        not isinstance(layout, Layout)
        or made.payload != replace(layout, expires=expires)
        or apart_from_expiry(made) != apart_from_expiry(document)
    ):
        raise NotRenewed("the layout cannot be renewed without changing more than its expiry")
    return made


_SIGN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')


def _replaced(text: str, expires: str) -> str:
    """The JSON object ``text`` with another value for its member ``expires``."""
    depth = 0
    name = before = ""
    for matched in _SIGN.finditer(text):
        sign = matched[0]
        if sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
        elif sign.startswith('"') and depth == 1:
            if before != ":":
                name = json.loads(sign)
            elif name == "expires":
                return f'{text[: matched.start()]}"{expires}"{text[matched.end() :]}'
        before = sign
    # What was read as a layout has the member.
    raise AssertionError(text)


def joined(copies: Sequence[SignedDocument]) -> SignedDocument:
    """The first of several copies, with the signatures of all."""
    signatures: dict[str, JsonValue] = {}
    for copy in copies:
        for each in Node(copy.content).member("signatures").sequence():
            signatures.setdefault(json.dumps(each, sort_keys=True), each)
    return documents.of({**copies[0].content, "signatures": list(signatures.values())})
