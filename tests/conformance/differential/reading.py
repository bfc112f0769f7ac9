"""A case as an onlooker reads it: neither engine's parser, and signatures checked by a third.

What a known difference rests on is decided from this. It is lenient: what cannot be read at all
is None, and a signature counts for the keys with which it verifies.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from securesystemslib.exceptions import Error
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import Signature, SSlibKey

from pip_intoto.metadata.envelope import PAYLOAD_TYPE, pre_authentication_encoding
from tests.conformance.differential.papers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue
    from tests.conformance.differential.drawing import Words
    from tests.conformance.differential.papers import Case


@dataclass(frozen=True, slots=True)
class Reading:
    """One file; ``payload`` and ``signatures`` as far as they could be made out."""

    path: str
    data: bytes
    content: JsonObject | None
    payload: JsonObject | None
    signed: bytes | None
    #: A member stands twice in some object, or numbers are none that JSON knows.
    ambiguous: bool

    @property
    def is_dsse(self) -> bool:
        """Whether it is in the newer envelope."""
        return self.content is not None and "payload" in self.content

    @property
    def signatures(self) -> list[JsonObject]:
        """The signatures that are objects."""
        return [] if self.content is None else objects(self.content.get("signatures"))

    def is_a(self, kind: str) -> bool:
        """Whether it says that it is a layout, or a link."""
        return self.payload is not None and self.payload.get("_type") == kind


def objects(value: JsonValue) -> list[JsonObject]:
    """Return the objects in a list; none when it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def members(value: JsonValue) -> JsonObject:
    """Return an object's members; none when it is no object."""
    return value if isinstance(value, dict) else {}


def strings(value: JsonValue) -> list[str]:
    """Return the strings in a list; none when it is no list."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def rules_in(value: JsonValue) -> list[Words]:
    """Return the rules in a list, as far as they are made of words."""
    return (
        [strings(rule) for rule in value if isinstance(rule, list)]
        if isinstance(value, list)
        else []
    )


def read(path: str, data: bytes) -> Reading:
    """Make out what one file says."""
    content, ambiguous = _json(data)
    payload: JsonValue = None
    signed: bytes | None = None
    if isinstance(content, dict) and isinstance(content.get("payload"), str):
        body = _base64(str(content["payload"]))
        payload, inner = _json(body)
        ambiguous = ambiguous or inner
        signed = pre_authentication_encoding(PAYLOAD_TYPE, body)
    elif isinstance(content, dict):
        payload = content.get("signed")
        try:
            signed = (encode_canonical(payload) or "").encode()  # type: ignore[arg-type]
        except (Error, ValueError, TypeError):
            signed = None
    return Reading(
        path=path,
        data=data,
        content=content if isinstance(content, dict) else None,
        payload=payload if isinstance(payload, dict) else None,
        signed=signed,
        ambiguous=ambiguous,
    )


def _json(data: bytes) -> tuple[JsonValue, bool]:
    ambiguous = False

    def pairs(found: list[tuple[str, JsonValue]]) -> JsonObject:
        nonlocal ambiguous
        ambiguous = ambiguous or len(dict(found)) < len(found)
        return dict(found)

    def constant(_text: str) -> None:
        nonlocal ambiguous
        ambiguous = True

    try:
        value: JsonValue = json.loads(data, object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError):
        return None, False
    return value, ambiguous


def _base64(text: str) -> bytes:
    digits = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


class View:
    """All files of a case, and how they hang together."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.files = [read(path, data) for path, data in case.files.items()]

    @functools.cached_property
    def layouts(self) -> dict[str, Reading]:
        """The layouts, by the folder in which their links belong."""
        return {
            "" if file.path == ROOT else file.path.removesuffix(".link") + "/": file
            for file in self.files
            if file.is_a("layout")
        }

    @property
    def links(self) -> list[Reading]:
        """The files that say they are links."""
        return [file for file in self.files if file.is_a("link")]

    def all_steps(self) -> Iterator[tuple[str, Reading, JsonObject]]:
        """Yield the steps of all layouts: the folder of the links, the layout, the step."""
        for folder, layout in self.layouts.items():
            for step in objects(members(layout.payload).get("steps")):
                yield folder, layout, step

    @functools.cached_property
    def keys(self) -> list[JsonObject]:
        """All key objects in layouts, with what they are listed as for a keyid."""
        return [
            {**members(key), "keyid": keyid}
            for layout in self.layouts.values()
            for keyid, key in members(members(layout.payload).get("keys")).items()
        ]

    def expected(self) -> Iterator[tuple[str, str, JsonObject]]:
        """Yield what the reference looks for: the file name, the keyid, the step."""
        for folder, _, step in self.all_steps():
            for keyid in strings(step.get("pubkeys")):
                yield f"{folder}{step.get('name')}.{keyid[:8]}.link", keyid, step

    @functools.cached_property
    def expected_files(self) -> list[tuple[Reading, str, JsonObject]]:
        """The files that the reference finds: the file, the keyid, the step."""
        by_path = {file.path: file for file in self.files}
        return [
            (by_path[path], keyid, step) for path, keyid, step in self.expected() if path in by_path
        ]

    @functools.cached_property
    def signers(self) -> dict[str, list[tuple[int, str, str]]]:
        """Who signed each file: the place of the signature, the keyid listed, the key itself."""
        owners = [key.listed() for key in self.case.owners]
        return {
            file.path: [
                (index, str(key["keyid"]), public_of(key))
                for index, signature in enumerate(file.signatures)
                for key in (*owners, *self.keys)
                if _verifies(file, signature, key)
            ]
            for file in self.files
        }


def public_of(key: JsonObject) -> str:
    """Return what tells a key from others."""
    return str(members(key.get("keyval")).get("public"))


def _verifies(file: Reading, signature: JsonObject, key: JsonObject) -> bool:
    sig = signature.get("sig")
    if file.signed is None or not isinstance(sig, str):
        return False
    try:
        value = _base64(sig) if file.is_dsse else bytes.fromhex(sig)
        checked = SSlibKey(
            "k", str(key.get("keytype")), str(key.get("scheme")), members(key.get("keyval"))
        )
        checked.verify_signature(Signature("k", value.hex()), file.signed)
    except (Error, ValueError, TypeError, KeyError):
        return False
    return True
