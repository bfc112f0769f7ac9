"""A small supply chain for the tests of this package: real keys, real signatures, no files.

``tag`` reports the sources, ``build`` turns them into a wheel; owner signs the layout.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.keys.signing import SigningKey
from pip_intoto.metadata.bundle import Document
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.keys import PublicKey, identity
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.rules import parse_rule
from pip_intoto.verification.binding import Subject
from pip_intoto.verification.chain import verify
from pip_intoto.verification.record import Record
from pip_intoto.verification.trust import Owner, Trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.layout import Inspection
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.verification.chain import Verified
    from pip_intoto.verification.inspections import Inspector

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
EXPIRES = NOW + timedelta(days=30)


def signing_key(seed: int) -> SigningKey:
    """Make a key of nobody: everybody can work out its secret."""
    return SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


OWNER = signing_key(1)
SECOND_OWNER = signing_key(2)
TAGGER = signing_key(3)
BUILDER = signing_key(4)
OTHER_BUILDER = signing_key(5)
THIRD_BUILDER = signing_key(6)
VENDOR = signing_key(7)
STRANGER = signing_key(8)


def public(key: SigningKey, keyid: str | None = None) -> PublicKey:
    """Give the public part."""
    return PublicKey(
        keyid=key.keyid if keyid is None else keyid,
        keytype=key.keytype,
        scheme=key.scheme,
        public=key.public,
    )


def ident(key: SigningKey) -> str:
    """Give what tells the key from others."""
    return identity(public(key))


def sha256(text: str) -> str:
    """Hash some text."""
    return hashlib.sha256(text.encode()).hexdigest()


def digests(text: str) -> dict[str, str]:
    """Give the hash object of some text."""
    return {"sha256": sha256(text)}


WHEEL = "demo-1.0-py3-none-any.whl"
WHEEL_CONTENT = "the wheel of demo 1.0"
SUBJECT = Subject(
    project="demo",
    distribution="demo",
    version="1.0",
    filename=WHEEL,
    sha256=sha256(WHEEL_CONTENT),
)
SOURCES = {"src/demo.py": digests("print('demo')"), "pyproject.toml": digests("[project]")}
PRODUCTS = {f"dist/{WHEEL}": digests(WHEEL_CONTENT)}

ALL_CREATED = [["CREATE", "*"], ["DISALLOW", "*"]]
FROM_TAG = [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "tag"], ["DISALLOW", "*"]]
ONE_WHEEL = [
    ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "tag"],
    ["CREATE", "dist/demo-1.0*.whl"],
    ["DISALLOW", "*"],
]


def tag_step(**changes: object) -> JsonObject:
    """Describe the first step."""
    step = authoring.step(
        "tag",
        functionaries=[TAGGER],
        expected_materials=[["DISALLOW", "*"]],
        expected_products=ALL_CREATED,
    )
    return step | changes  # type: ignore[return-value]


def build_step(**changes: object) -> JsonObject:
    """Describe the last step."""
    step = authoring.step(
        "build",
        functionaries=[BUILDER],
        expected_materials=FROM_TAG,
        expected_products=ONE_WHEEL,
    )
    return step | changes  # type: ignore[return-value]


def layout(
    *steps: JsonObject,
    keys: Iterable[SigningKey] = (
        TAGGER,
        BUILDER,
        OTHER_BUILDER,
        THIRD_BUILDER,
        VENDOR,
    ),
    inspections: Iterable[JsonObject] = (),
    expires: datetime = EXPIRES,
    **changes: object,
) -> JsonObject:
    """Describe the chain, with ``tag`` and ``build`` unless other steps are given."""
    value = authoring.layout(
        expires=expires,
        keys=keys,
        steps=steps or (tag_step(), build_step()),
        inspections=inspections,
    )
    return value | changes  # type: ignore[return-value]


def tag_link(products: Mapping[str, Mapping[str, str]] = SOURCES, **changes: object) -> JsonObject:
    """Report the first step."""
    return authoring.link("tag", products=products) | changes  # type: ignore[return-value]


def build_link(
    products: Mapping[str, Mapping[str, str]] = PRODUCTS,
    materials: Mapping[str, Mapping[str, str]] = SOURCES,
    **changes: object,
) -> JsonObject:
    """Report the last step; the sources are still there afterwards."""
    link = authoring.link("build", materials=materials, products={**materials, **products})
    return link | changes  # type: ignore[return-value]


def document(
    payload: JsonObject,
    *signers: SigningKey,
    envelope: Envelope = Envelope.DSSE,
    hint: str = "",
    origin: str = "evidence",
) -> Document:
    """Sign a payload, and read it back as it would arrive."""
    return as_document(authoring.sign(payload, signers, envelope), hint=hint, origin=origin)


def as_document(content: JsonObject, *, hint: str = "", origin: str = "evidence") -> Document:
    """Give a signed document as it would arrive."""
    data = json.dumps(content).encode()
    return Document(envelope=parse_envelope(data, limits=DEFAULT), origin=origin, hint=hint)


def chain(
    *,
    root: JsonObject | None = None,
    tag: JsonObject | None = None,
    build: JsonObject | None = None,
    envelope: Envelope = Envelope.DSSE,
) -> list[Document]:
    """Give the whole evidence of demo 1.0, some of it replaced."""
    return [
        document(root or layout(), OWNER, envelope=envelope, hint="root.layout", origin="root"),
        document(tag or tag_link(), TAGGER, envelope=envelope, origin="tag link"),
        document(build or build_link(), BUILDER, envelope=envelope, origin="build link"),
    ]


def trust(*owners: SigningKey, threshold: int | None = None, **changes: object) -> Trust:
    """Trust OWNER, or others, each a principal of its own."""
    keys = owners or (OWNER,)
    return Trust(
        owners=tuple(Owner(public(key), f"owner {key.keyid[:4]}") for key in keys),
        threshold=len(keys) if threshold is None else threshold,
        **changes,  # type: ignore[arg-type]
    )


def check(
    documents: Sequence[Document],
    *,
    trusted: Trust | None = None,
    subject: Subject | None = SUBJECT,
    inspector: Inspector | None = None,
    now: datetime = NOW,
    limits: Limits = DEFAULT,
) -> Verified:
    """Verify, for the file demo 1.0 unless told otherwise."""
    return verify(documents, trusted or trust(), subject, inspector, now=now, limits=limits)


def passes(
    documents: Sequence[Document],
    *,
    trusted: Trust | None = None,
    subject: Subject | None = SUBJECT,
    inspector: Inspector | None = None,
    now: datetime = NOW,
    limits: Limits = DEFAULT,
) -> bool:
    """Verify, and tell that it worked; what went wrong is raised."""
    verified = check(
        documents, trusted=trusted, subject=subject, inspector=inspector, now=now, limits=limits
    )
    return bool(verified.links)


class FakeInspector:
    """Finds what it is told, and remembers what it was asked."""

    def __init__(
        self,
        products: Mapping[str, Mapping[str, str]] | None = None,
        materials: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.materials = {WHEEL: digests(WHEEL_CONTENT)} if materials is None else materials
        self.products = self.materials if products is None else products
        self.asked: list[str] = []
        #: Names of inspections that are about something else.
        self.unconcerned: set[str] = set()

    def concerns(self, inspection: Inspection) -> bool:
        return inspection.name not in self.unconcerned

    def inspect(self, inspection: Inspection) -> Record:
        self.asked.append(inspection.name)
        return Record(materials=self.materials, products=self.products)


def rules(*texts: str) -> tuple[Rule, ...]:
    """Parse rules from their words."""
    return tuple(parse_rule(Node(list(text.split()))) for text in texts)
