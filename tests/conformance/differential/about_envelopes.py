"""Questions about the envelopes, signatures and keys of a case, for known differences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from securesystemslib.signer import KEY_FOR_TYPE_AND_SCHEME

from tests.conformance.differential.reading import members, objects, public_of, strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue
    from tests.conformance.differential.reading import View

_LAYOUT_DEFAULTS: JsonObject = {"keys": {}, "readme": "", "expires": None}
_STEP_DEFAULTS: JsonObject = {
    "expected_materials": [], "expected_products": [], "pubkeys": [], "expected_command": [],
    "threshold": 1,
}  # fmt: skip
_INSPECTION_DEFAULTS: JsonObject = {"expected_materials": [], "expected_products": [], "run": []}
_LINK_DEFAULTS: JsonObject = {
    "name": None, "materials": {}, "products": {}, "byproducts": {}, "command": [],
    "environment": {},
}  # fmt: skip


def _understood(payload: JsonObject) -> JsonObject:
    """Return what the reference makes of a payload, and checks the signature over."""

    def known(value: JsonObject, kind: str, defaults: JsonObject) -> JsonObject:
        named = {"name", *defaults} if kind in {"step", "inspection"} else defaults.keys()
        given = {name: value.get(name, defaults.get(name)) for name in named}
        return {"_type": kind, **given}

    if payload.get("_type") == "link":
        return known(payload, "link", _LINK_DEFAULTS)
    steps: list[JsonValue] = [
        known(each, "step", _STEP_DEFAULTS) for each in objects(payload.get("steps"))
    ]
    inspections: list[JsonValue] = [
        known(each, "inspection", _INSPECTION_DEFAULTS) for each in objects(payload.get("inspect"))
    ]
    return {**known(payload, "layout", _LAYOUT_DEFAULTS), "steps": steps, "inspect": inspections}


def not_understood(view: View) -> bool:
    return any(
        not file.is_dsse and file.payload is not None and _understood(file.payload) != file.payload
        for file in view.files
    )


def ambiguous(view: View) -> bool:
    return any(file.ambiguous for file in view.files)


def float_inside(view: View) -> bool:
    return any(file.is_dsse and _holds_float(file.payload) for file in view.files)


def _holds_float(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_float, value.values()))
    return isinstance(value, float) or (isinstance(value, list) and any(map(_holds_float, value)))


def _depth(value: JsonValue) -> int:
    inner: list[JsonValue] = []
    if isinstance(value, (dict, list)):
        inner = list(value.values()) if isinstance(value, dict) else value
        return 1 + max(map(_depth, inner), default=0)
    return 0


def deep(view: View) -> bool:
    return any(_depth(file.payload) > 63 for file in view.files)


def long_number(view: View) -> bool:
    """Tell whether an integer has more than 19 digits."""
    return any(_holds_long_number(file.payload) for file in view.files)


def _holds_long_number(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_long_number, value.values()))
    if isinstance(value, list):
        return any(map(_holds_long_number, value))
    return isinstance(value, int) and abs(value) >= 10**19


def _base64_texts(view: View) -> Iterator[str]:
    for file in view.files:
        if file.is_dsse and file.content is not None:
            texts = [file.content.get("payload"), *(each.get("sig") for each in file.signatures)]
            yield from (text for text in texts if isinstance(text, str))


def without_padding(view: View) -> bool:
    return any(len(text) % 4 for text in _base64_texts(view))


def two_alphabets(view: View) -> bool:
    return any(set("+/") & set(text) and set("-_") & set(text) for text in _base64_texts(view))


def spaced_signature(view: View) -> bool:
    return any(
        not file.is_dsse and any(space in str(each.get("sig")) for space in " \t\n\r\x0b\x0c")
        for file in view.files
        for each in file.signatures
    )


def hint_is_wrong(view: View) -> bool:
    for file in view.files:
        found = view.signers[file.path]
        for index, signature in enumerate(file.signatures):
            names = {keyid for at, keyid, _ in found if at == index}
            if names and signature.get("keyid") not in names:
                return True
    return False


def same_hint_twice(view: View) -> bool:
    return any(
        len({str(each.get("keyid")) for each in file.signatures}) < len(file.signatures)
        for file in view.files
    )


def malformed_signature(view: View) -> bool:
    """Tell whether something among the signatures is none, so that the reference reads nothing."""
    return any(
        file.content is not None
        and isinstance(found := file.content.get("signatures"), list)
        and any(not _could_be_signature(each, is_dsse=file.is_dsse) for each in found)
        for file in view.files
    )


def _could_be_signature(value: JsonValue, *, is_dsse: bool) -> bool:
    sig = members(value).get("sig")
    return isinstance(sig, str) and (not is_dsse or not re.search(r"[^A-Za-z0-9+/=_-]", sig))


def openpgp_signature(view: View) -> bool:
    return any(
        not file.is_dsse and {"signature", "other_headers"} <= each.keys()
        for file in view.files
        for each in file.signatures
    )


def two_names_in_key(view: View) -> bool:
    return any(
        members(key).get("keyid", keyid) != keyid
        for layout in view.layouts.values()
        for keyid, key in members(members(layout.payload).get("keys")).items()
    )


def no_name_in_key(view: View) -> bool:
    return any(
        "keyid" not in members(key)
        for layout in view.layouts.values()
        for key in members(members(layout.payload).get("keys")).values()
    )


def unknown_key(view: View) -> bool:
    return any(
        (key.get("keytype"), key.get("scheme")) not in KEY_FOR_TYPE_AND_SCHEME for key in view.keys
    )


def short_rsa(view: View) -> bool:
    # A key of 2048 bits takes nearly 400 characters of base64.
    return any(key.get("keytype") == "rsa" and len(public_of(key)) < 420 for key in view.keys)


def key_twice(view: View) -> bool:
    for _, layout, step in view.all_steps():
        keys = members(members(layout.payload).get("keys"))
        named = [keyid for keyid in set(strings(step.get("pubkeys"))) if keyid in keys]
        if len({public_of(members(keys[keyid])) for keyid in named}) < len(named):
            return True
    return False


def odd_keyid(view: View) -> bool:
    named = [keyid for _, _, step in view.all_steps() for keyid in strings(step.get("pubkeys"))]
    named += [str(key["keyid"]) for key in view.keys]
    return any(not 8 <= len(keyid) <= 128 for keyid in named)
