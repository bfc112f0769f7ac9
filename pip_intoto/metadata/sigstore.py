"""What Sigstore signs: bundles, attestation objects, and provenance objects (PEP 740).

All of them hold an envelope, and what vouches for it: a certificate, and the entry of a log. They
are taken apart here, every part that is understood is bounded, and put together again as a bundle
of version 0.3, which who checks it is given: nothing else of the document ever reaches them. That
the certificate is one, and the entry of this envelope, is for them to say.

Who a provenance object claims has published is not even read.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pip_intoto.errors import MetadataTooLarge
from pip_intoto.metadata.envelope import PAYLOAD_TYPE, decode_base64, read_envelope
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.strict_json import JsonValue

_V3 = "application/vnd.dev.sigstore.bundle.v0.3+json"
#: Media types of bundles, and whether the certificate stands in a chain.
_MEDIA_TYPES = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": True,
    "application/vnd.dev.sigstore.bundle+json;version=0.2": True,
    "application/vnd.dev.sigstore.bundle+json;version=0.3": False,
    _V3: False,
}
_VERSION = 1
#: An integer of protocol buffers in JSON: 64 bits are a string there.
_INTEGER = re.compile(r"[0-9]{1,19}")


def read_attestations(node: Node, limits: Limits) -> Iterator[tuple[Node, str]]:
    """Yield each bundle or attestation object in ``node``, and what to call it among others.

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    bundles = node.optional("attestation_bundles")
    if bundles is None:
        yield node, ""
        return
    _check_version(node)
    number = 0
    for bundle in bundles.elements():
        for attestation in bundle.member("attestations").elements():
            number += 1
            if number > limits.attestations:
                raise MetadataTooLarge(
                    "there are too many attestations in one provenance object",
                    expected=f"at most {limits.attestations}",
                    place=bundles.place,
                )
            yield attestation, f"attestation {number}"


def read_attested(node: Node, *, sha256: str, limits: Limits) -> Envelope:
    """Return the envelope in a bundle or attestation object, parsed from a document ``sha256``.

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    is_bundle = node.optional("verificationMaterial") is not None
    envelope, dsse = _envelope(node, is_bundle=is_bundle, sha256=sha256, limits=limits)
    bundle: dict[str, JsonValue] = {
        "mediaType": _V3,
        "verificationMaterial": _of_bundle(node, limits)
        if is_bundle
        else _of_attestation(node, limits),
        "dsseEnvelope": dsse,
    }
    return replace(envelope, sigstore=json.dumps(bundle, separators=(",", ":")).encode("ascii"))


def _envelope(
    node: Node, *, is_bundle: bool, sha256: str, limits: Limits
) -> tuple[Envelope, dict[str, JsonValue]]:
    """Return the envelope, and the same as the bundle is to have it: what both say is one."""
    if is_bundle:
        if node.optional("messageSignature") is not None:
            raise node.member("messageSignature").malformed(
                "this bundle signs a file, and says nothing about it", expected="dsseEnvelope"
            )
        inside = node.member("dsseEnvelope")
    else:
        _check_version(node)
        held = node.member("envelope")
        inside = node.inner(
            "envelope",
            {
                "payload": held.member("statement").string(),
                # PEP 740 has no other, and leaves it out.
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": held.member("signature").string()}],
            },
        )
    envelope = read_envelope(inside, sha256=sha256, limits=limits)
    if envelope.kind != "dsse" or len(envelope.signatures) != 1 or envelope.notes:
        raise inside.malformed(
            "one certificate vouches for one signature", expected="an envelope with one signature"
        )
    payload = decode_base64(inside.member("payload").string()) or b""
    return envelope, {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": envelope.payload_type,
        "signatures": [{"sig": base64.b64encode(envelope.signatures[0].value).decode("ascii")}],
    }


def _of_bundle(node: Node, limits: Limits) -> JsonValue:
    media_type = node.member("mediaType")
    in_chain = _MEDIA_TYPES.get(media_type.string())
    if in_chain is None:
        raise media_type.malformed(
            "bundles of this version are not known here",
            expected=" or ".join(_MEDIA_TYPES),
            found=shown(media_type.value),
        )
    material = node.member("verificationMaterial")
    if in_chain:
        chain = material.member("x509CertificateChain").member("certificates")
        _check_count("certificates", chain, limits.certificate_path)
        # The first is the signer's. Those above it come out of the trust root, or are not believed.
        certificate = next(chain.elements()).member("rawBytes")
    else:
        certificate = material.member("certificate").member("rawBytes")
    return {
        "certificate": {"rawBytes": _bytes(certificate, limits.certificate_text)},
        "tlogEntries": _entries(material.member("tlogEntries"), limits),
        **_timestamps(material, limits),
    }


def _of_attestation(node: Node, limits: Limits) -> JsonValue:
    material = node.member("verification_material")
    certificate = material.member("certificate")
    return {
        "certificate": {"rawBytes": _bytes(certificate, limits.certificate_text)},
        "tlogEntries": _entries(material.member("transparency_entries"), limits),
    }


def _entries(node: Node, limits: Limits) -> JsonValue:
    if len(node.sequence()) != 1:
        raise node.malformed(
            "one signature has one entry in the log",
            expected="1 entry",
            found=str(len(node.sequence())),
        )
    (entry,) = node.elements()
    kind = entry.member("kindVersion")
    proof = entry.member("inclusionProof")
    hashes = proof.optional("hashes")
    if hashes is not None:
        _check_count("hashes", hashes, limits.inclusion_hashes, may_be_none=True)
    read: dict[str, JsonValue] = {
        "logIndex": _number(entry.member("logIndex")),
        "logId": {"keyId": _bytes(entry.member("logId").member("keyId"), limits.text)},
        "kindVersion": {
            "kind": kind.member("kind").string(longest=limits.text),
            "version": kind.member("version").string(longest=limits.text),
        },
        "inclusionProof": {
            "logIndex": _number(proof.member("logIndex")),
            "rootHash": _bytes(proof.member("rootHash"), limits.text),
            "treeSize": _number(proof.member("treeSize")),
            "hashes": [_bytes(each, limits.text) for each in (hashes.elements() if hashes else ())],
            "checkpoint": {
                "envelope": proof.member("checkpoint")
                .member("envelope")
                .string(longest=limits.certificate_text)
            },
        },
        "canonicalizedBody": _bytes(entry.member("canonicalizedBody"), limits.log_entry_text),
    }
    integrated = entry.optional("integratedTime")
    if integrated is not None and integrated.value is not None:
        read["integratedTime"] = _number(integrated)
    promise = entry.optional("inclusionPromise")
    if promise is not None and promise.value is not None:
        signed = promise.member("signedEntryTimestamp")
        read["inclusionPromise"] = {"signedEntryTimestamp": _bytes(signed, limits.text)}
    return [read]


def _timestamps(material: Node, limits: Limits) -> dict[str, JsonValue]:
    data = material.optional("timestampVerificationData")
    if data is None or data.value is None:
        return {}
    listed = data.optional("rfc3161Timestamps")
    if listed is None or listed.value in (None, []):
        return {}
    _check_count("timestamps", listed, limits.timestamps)
    return {
        "timestampVerificationData": {
            "rfc3161Timestamps": [
                {"signedTimestamp": _bytes(each.member("signedTimestamp"), limits.certificate_text)}
                for each in listed.elements()
            ]
        }
    }


def _check_version(node: Node) -> None:
    version = node.member("version")
    if version.integer() != _VERSION:
        raise version.malformed(
            "attestations of this version are not known here",
            expected=str(_VERSION),
            found=shown(version.value),
        )


def _check_count(what: str, node: Node, most: int, *, may_be_none: bool = False) -> None:
    count = len(node.sequence())
    if not count and not may_be_none:
        raise node.malformed(f"there are no {what}")
    if count > most:
        raise MetadataTooLarge(
            f"there are too many {what}",
            expected=f"at most {most}",
            found=str(count),
            place=node.place,
        )


def _bytes(node: Node, longest: int) -> str:
    """Return base64 in its one standard spelling."""
    data = decode_base64(node.string(longest=longest))
    if not data:
        raise node.malformed("this is not base64")
    return base64.b64encode(data).decode("ascii")


def _number(node: Node) -> str:
    """Return an integer, which may be spelled as a string, as one."""
    text = str(node.value) if type(node.value) is int else node.string()
    if not _INTEGER.fullmatch(text) or int(text) >= 1 << 63:
        raise node.malformed("this is no number", expected="digits", found=shown(node.value))
    return str(int(text))
