"""Types of predicates that are known by name. Short names are for people: decisions compare URIs.

That is to the letter (A4), so each version is a type of its own.
"""

from __future__ import annotations

import re

LINK = "https://in-toto.io/attestation/link/v0.3"
PROVENANCE = "https://slsa.dev/provenance/v1"
PROVENANCE_V02 = "https://slsa.dev/provenance/v0.2"
#: PyPI's own (PEP 740): its predicate says nothing, that it was published says the statement.
PUBLISH = "https://docs.pypi.org/attestations/publish/v1"
SVR = "https://in-toto.io/attestation/svr/v0.2"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
VSA = "https://slsa.dev/verification_summary/v1"
SPDX = "https://spdx.dev/Document/v3"
SPDX_V23 = "https://spdx.dev/Document/v2.3"
#: Of SPDX 2, before the type had a version.
SPDX_V2 = "https://spdx.dev/Document"
CYCLONEDX = "https://cyclonedx.org/bom"

#: What may be written in the place of a URI.
SHORT: dict[str, str] = {
    "test-result": TEST_RESULT,
    "vsa": VSA,
    "svr": SVR,
    "link": LINK,
    "slsa-provenance": PROVENANCE,
    "slsa-provenance-v0.2": PROVENANCE_V02,
    "publish": PUBLISH,
    "release": "https://in-toto.io/attestation/release/v0.1",
    "reference": "https://in-toto.io/attestation/reference/v0.1",
    "runtime-trace": "https://in-toto.io/attestation/runtime-trace/v0.1",
    "scai": "https://in-toto.io/attestation/scai/v0.3",
    "vulns": "https://in-toto.io/attestation/vulns/v0.2",
    "spdx": SPDX,
    "spdx-v2.3": SPDX_V23,
    "spdx-v2": SPDX_V2,
    "cyclonedx": CYCLONEDX,
}

_NAMES = {uri: name for name, uri in SHORT.items()}
_UNFIT = re.compile(r"[^A-Za-z0-9.]+")
_VERSION = re.compile(r"v?[0-9][0-9.]*")


def spelled(type_uri: str) -> str:
    """The short name of a predicate type, or its URI where there is none."""
    return _NAMES.get(type_uri, type_uri)


def as_filename(type_uri: str) -> str:
    """A short name for a predicate type, which may be part of a file's name: ``test-result``."""
    if type_uri in _NAMES:
        return _NAMES[type_uri]
    parts = [part for part in _UNFIT.sub("/", type_uri).split("/") if part.strip(".")]
    # What is behind the last slash is mostly a version.
    named = [part for part in parts[1:] if not _VERSION.fullmatch(part)]
    return (named or parts or ["statement"])[-1].strip(".")[:64]
