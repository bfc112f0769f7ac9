"""Where fuzzing begins: small inputs that reach far, made of the fixtures."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from typing import TYPE_CHECKING

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.make import cases
from pip_intoto.maintainer import authoring
from tests.fuzz import certificates
from tests.fuzz.harnesses import PACKAGER
from tests.unit.verification.supply import (
    BUILDER,
    EXPIRES,
    OTHER_BUILDER,
    TAGGER,
    VENDOR,
    build_link,
    build_step,
    layout,
    tag_link,
    tag_step,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue


def bundles() -> Iterator[bytes]:
    """Bundles of the stored chains, and each of their documents."""
    several = [authoring.bundle(case.documents) for case in cases()]
    alone = [authoring.bundle([document]) for case in cases() for document in case.documents]
    # Many chains have documents in common.
    yield from dict.fromkeys(filter(None, (*several, *alone)))
    yield b'{"payload": "", "payloadType": "", "signatures": [{"keyid": null, "sig": "A_-="}]}'
    yield rb'{"signed": {"\u00e9\ud83d\ude00": [-1, true, null, "\"\\\n\u0001"]}, "signatures": []}'


def payloads() -> Iterator[bytes]:
    """Chains that pass, with whatever a layout can ask for."""
    anybody = build_step(pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid, VENDOR.keyid])
    rules: list[JsonValue] = [
        ["MATCH", "*", "IN", "src", "WITH", "PRODUCTS", "IN", "src", "FROM", "tag"],
        ["MODIFY", "src/[!a-c]?.py"],
        ["DELETE", "*.tmp"],
        ["REQUIRE", "pyproject.toml"],
        ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "tag"],
        ["CREATE", "dist/demo-{version}*.whl"],
        ["DISALLOW", "*"],
    ]
    inspection = authoring.inspection(
        "unpack",
        run=["unzip", "demo.whl"],
        expected_materials=[
            ["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "build"],
            ["DISALLOW", "*"],
        ],
    )
    anything: list[JsonValue] = [["ALLOW", "*"]]
    fetch = build_step(
        name="fetch",
        pubkeys=[VENDOR.keyid],
        expected_materials=anything,
        expected_products=anything,
    )
    below = layout(fetch, keys=[VENDOR], expires=EXPIRES)
    links = [("t", tag_link()), ("b", build_link()), ("c", build_link())]
    yield _chain(("o", layout()), *links)
    two: JsonObject = {**anybody, "threshold": 2}
    ruled: JsonObject = {**anybody, "expected_products": rules}
    yield _chain(("oM", layout(tag_step(), two)), *links)
    yield _chain(("o", layout(tag_step(), ruled)), *links)
    yield _chain(("o", layout(inspections=[inspection])), ("tM", tag_link()), ("bM", build_link()))
    yield _chain(
        ("o", layout(tag_step(), anybody)),
        ("t", tag_link()),
        ("b", below),
        ("v", build_link() | {"name": "fetch"}),
    )
    yield _chain(("oM", _by_certificate()), ("t", tag_link()), ("xM", build_link()))
    packaged = build_step(pubkeys=[PACKAGER.keyid])
    keys = {TAGGER.keyid: authoring.key_object(TAGGER), PACKAGER.keyid: PACKAGER.described()}
    by_openpgp: JsonObject = {**layout(tag_step(), packaged), "keys": {**keys}}
    yield _chain(("o", by_openpgp), ("t", tag_link()), ("gM", build_link()))
    for payload in (layout(), build_link()):
        yield _chain(("otbM", payload))


def _by_certificate() -> JsonObject:
    anything: list[JsonValue] = ["*"]
    wanted: JsonObject = {
        "common_name": "builder",
        "dns_names": [],
        "emails": anything,
        "organizations": ["acme"],
        "roots": anything,
        "uris": anything,
    }
    return layout(
        tag_step(),
        build_step(pubkeys=[], cert_constraints=[wanted]),
        rootcas={"root": {"keyid": "root", "keyval": {"certificate": certificates.ROOT}}},
    )


def _chain(*documents: tuple[str, JsonObject]) -> bytes:
    return b"\n".join(f"{signers} {json.dumps(payload)}".encode() for signers, payload in documents)


def archives() -> Iterator[bytes]:
    """A wheel, as a wheel and as a zip; tars of the usual forms."""
    built = wheel("demo", modules={"demo/é.py": b"x = 1\n" * 9}, data={"data/etc/file": b""}).data
    yield b"w" + built
    yield b"z" + built
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        packed = _tar(form)
        yield b"t" + packed
        for compress in (gzip.compress, bz2.compress, lzma.compress):
            yield b"T" + compress(packed)


def _tar(form: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for path in ("demo-1.0/demo.py", "demo-1.0/" + "long/" * 30 + "name.py"):
            info = tarfile.TarInfo(path)
            info.size = 5
            archive.addfile(info, io.BytesIO(b"x = 1"))
    return packed.getvalue()


def policies() -> Iterator[bytes]:
    """Policies with everything in them, and keys."""
    pem = key("owner").public_pem()
    yield pem
    yield (
        b"""\
version = 1
mode = "warn"
unlisted = "deny"

[keys.alice]
public = '''
%s'''

[[project]]
name = "demo"
layout-keys = ["alice"]
threshold = 1
binds = "build"
parameters = { version = "{version}" }
sources = ["beside", "https://evidence.example/{project}/{filename}.intoto.jsonl", "./folder"]

[[exception]]
name = "demo"
version = "<2"
expires = 2030-01-01
owner = "bob"
reason = "not yet"

[[revoked]]
key = "alice"
reason = "lost"
"""
        % pem
    )
    for keyed in (TAGGER, BUILDER):
        yield keyed.public_pem()


#: What a fuzzer would take long to come across.
WORDS = (
    *("_type", "layout", "link", "step", "inspection", "name", "expires", "keys", "steps"),
    *("inspect", "threshold", "pubkeys", "expected_materials", "expected_products", "run"),
    *("expected_command", "materials", "products", "byproducts", "environment", "command"),
    *("keyid", "keytype", "scheme", "keyval", "public", "private", "ed25519", "rsa", "ecdsa"),
    *("rootcas", "cert_constraints", "subkeys", "validity_period", "creation_time", "method"),
    *("payload", "payloadType", "signatures", "sig", "signed", "cert", "other_headers"),
    *("MATCH", "IN", "WITH", "MATERIALS", "PRODUCTS", "FROM", "CREATE", "DELETE", "MODIFY"),
    *("ALLOW", "DISALLOW", "REQUIRE", "sha256", "sha512", "{version}", "[!a-c]", "../", "*"),
    *("-----BEGIN PUBLIC KEY-----", "PK\x01\x02", "PK\x03\x04", "PK\x05\x06", "ustar", " path="),
)

SEEDS: Mapping[str, Callable[[], Iterator[bytes]]] = {
    seeds.__name__: seeds for seeds in (bundles, payloads, archives, policies)
}
