"""What is fuzzed: each harness takes any bytes, and raises nothing unless there is a bug.

Whatever the bytes are, the engine may only answer, or raise an error of its own.
"""

from __future__ import annotations

import base64
import io
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.distributions import sdist, wheel
from fixtures.openpgp import OpenPGPKey
from pip_intoto.artifacts.archives import read_tar, read_wheel, read_zip
from pip_intoto.artifacts.comparing import Form, compare
from pip_intoto.errors import (
    ArchiveAmbiguous,
    MetadataMalformed,
    MetadataTooLarge,
    PolicyInvalid,
    UnusableKey,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import canonical, strict_json
from pip_intoto.metadata.bundle import parse_bundle
from pip_intoto.metadata.envelope import (
    PAYLOAD_TYPE,
    parse_envelope,
    pre_authentication_encoding,
    read_payload,
)
from pip_intoto.metadata.keys import identity, load_public
from pip_intoto.policy.file import parse_policy
from pip_intoto.verifier.attempt import verify
from tests.fuzz import certificates
from tests.unit.verification.supply import (
    BUILDER,
    NOW,
    OTHER_BUILDER,
    OWNER,
    STRANGER,
    SUBJECT,
    TAGGER,
    VENDOR,
    FakeInspector,
    ident,
    trust,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue

#: Large archives are only slow here.
_SMALL = replace(DEFAULT, archive_bytes=16 * 1024 * 1024, archive_members=1_000)
_TRUST = trust(
    OWNER,
    parameters={"version": "1.0"},
    principals={ident(BUILDER): "acme", ident(VENDOR): "acme"},
)
#: Who signs a payload, by the letters in front of it; a capital M makes a Metablock of it.
SIGNERS = {"o": OWNER, "t": TAGGER, "b": BUILDER, "c": OTHER_BUILDER, "v": VENDOR}
CERTIFIED = "x"
OPENPGP = "g"
METABLOCK = "M"
PACKAGER = OpenPGPKey(name="packager", subkeys=(OpenPGPKey(name="below packager"),))


def bundles(data: bytes) -> None:
    """JSON, the canonical form of it, envelopes, bundles; nothing in them is signed."""
    with suppress(MetadataMalformed, MetadataTooLarge):
        value = strict_json.parse(data, limits=DEFAULT)
        assert value == json.loads(data)
        canonical.encode(value)
    with suppress(MetadataMalformed, MetadataTooLarge):
        # Payloads are read before any signature is asked for: more than the verifier does.
        read_payload(parse_envelope(data, limits=DEFAULT), limits=DEFAULT)
    _judge(data)


def payloads(data: bytes) -> None:
    """Layouts and links with valid signatures, so that they are read, and rules are applied.

    Each line is a payload behind the letters of its signers: ``o {"_type": "layout", …``.
    """
    lines = []
    for line in data.split(b"\n"):
        letters, _, payload = line.partition(b" ")
        with suppress(MetadataMalformed, MetadataTooLarge):
            lines.append(_sign(payload, letters.decode("latin-1")))
    _judge("\n".join(map(json.dumps, lines)).encode())


def _sign(payload: bytes, who: str) -> JsonObject:
    value: JsonValue = None
    if METABLOCK in who:
        value = strict_json.parse(payload, limits=DEFAULT)
    if isinstance(value, dict):
        return {"signed": value, "signatures": _signatures(who, canonical.encode(value), bytes.hex)}
    signed = pre_authentication_encoding(PAYLOAD_TYPE, payload)
    return {
        "payload": _base64(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": _signatures(who, signed, _base64),
    }


def _signatures(who: str, signed: bytes, encode: Callable[[bytes], str]) -> list[JsonValue]:
    entries: list[JsonValue] = [
        {"keyid": key.keyid, "sig": encode(key.sign(signed))}
        for letter, key in SIGNERS.items()
        if letter in who
    ]
    if CERTIFIED in who:
        entries.append({"sig": encode(STRANGER.sign(signed)), "cert": certificates.BUILDER})
    if OPENPGP in who:
        entry = PACKAGER.sign(signed)
        entries.append({**entry, "sig": encode(bytes.fromhex(str(entry.pop("signature"))))})
    return entries


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _judge(data: bytes) -> None:
    with suppress(MetadataMalformed, MetadataTooLarge):
        documents = parse_bundle(data, origin="fuzz", limits=DEFAULT).documents
        verify(documents, _TRUST, SUBJECT, FakeInspector(), now=NOW, limits=DEFAULT)


def archives(data: bytes) -> None:
    """Archives: a zip, a wheel or a tar, as the first byte says; read, and compared with another.

    For a tar the checksums of its headers are put right, unless the byte is a capital.
    """
    kind, content = data[:1], data[1:]
    form, read = _ARCHIVES.get(kind, (Form.TAR, read_tar))
    if form is Form.TAR and kind != b"T":
        content = _summed(content)
    with suppress(ArchiveAmbiguous, MetadataTooLarge):
        read(io.BytesIO(content), limits=_SMALL)
    with suppress(ArchiveAmbiguous, MetadataTooLarge):
        compare(io.BytesIO(content), io.BytesIO(_ANOTHER[form]), form, limits=_SMALL)


_ARCHIVES = {b"z": (Form.ZIP, read_zip), b"w": (Form.WHEEL, read_wheel)}
_ANOTHER = {
    Form.ZIP: wheel("demo").data,
    Form.WHEEL: wheel("demo").data,
    Form.TAR: sdist("demo", runs=Path("ran")).data,
}


def _summed(content: bytes) -> bytes:
    """Write the right checksum into whatever looks like the header of a tar."""
    blocks = [bytearray(content[at : at + 512]) for at in range(0, len(content), 512)]
    for block in blocks:
        if len(block) == 512 and block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
    return b"".join(blocks)


def policies(data: bytes) -> None:
    """Policy files, and keys in PEM or JSON."""
    with suppress(UnusableKey):
        identity(load_public(data, limits=DEFAULT))
    with suppress(PolicyInvalid):
        parse_policy(data, Path(__file__).absolute().with_name("policy.toml"))


HARNESSES: Mapping[str, Callable[[bytes], None]] = {
    harness.__name__: harness for harness in (bundles, payloads, archives, policies)
}
