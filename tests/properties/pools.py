"""Pools of evidence about demo 1.0, as Hypothesis draws them: real keys, real signatures.

A pool is a list of signed documents, good and bad ones side by side: layouts of several owners,
links that agree, disagree or can only half be compared, sublayouts, documents that are no in-toto
at all. :func:`judge` has the engine verify one, as the lines of a bundle.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from pip_intoto.errors import EvidenceError
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.bundle import parse_bundle
from pip_intoto.verdict import Outcome
from pip_intoto.verification.chain import verify
from tests.unit.verification.supply import (
    ALL_CREATED,
    BUILDER,
    EXPIRES,
    FROM_TAG,
    NOW,
    ONE_WHEEL,
    OTHER_BUILDER,
    OWNER,
    SECOND_OWNER,
    STRANGER,
    SUBJECT,
    TAGGER,
    THIRD_BUILDER,
    VENDOR,
    WHEEL,
    WHEEL_CONTENT,
    FakeInspector,
    build_link,
    build_step,
    digests,
    ident,
    layout,
    sha256,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.strict_json import JsonValue
    from pip_intoto.verification.trust import Trust

#: The properties hold within the caps, so these are out of reach.
WIDE = replace(DEFAULT, choices=100_000, documents=100_000)
KEYS = {
    key.keyid: key
    for key in (
        OWNER, SECOND_OWNER, TAGGER, BUILDER, OTHER_BUILDER, THIRD_BUILDER, VENDOR, STRANGER,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signed:
    """A document before it is spelled: its payload as JSON, who signs it, and in which form."""

    payload: str
    signers: tuple[str, ...]
    envelope: Envelope = Envelope.DSSE

    @property
    def content(self) -> JsonObject:
        """The envelope, afresh each time."""
        content: JsonObject = json.loads(_signed(self.payload, self.signers, self.envelope))
        return content

    @property
    def line(self) -> str:
        """The envelope as a line of a bundle."""
        return json.dumps(self.content)


@lru_cache(maxsize=4096)
def _signed(payload: str, signers: tuple[str, ...], envelope: Envelope) -> str:
    return json.dumps(
        authoring.sign(json.loads(payload), [KEYS[keyid] for keyid in signers], envelope)
    )


def signed(payload: JsonObject, *signers: SigningKey, envelope: Envelope = Envelope.DSSE) -> Signed:
    """Have ``signers`` sign ``payload``."""
    return Signed(json.dumps(payload), tuple(key.keyid for key in signers), envelope)


# --- what the documents say -------------------------------------------------------------------


def _sha512(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()


def _reports(text: str) -> list[dict[str, str]]:
    """Ways to report one file: they agree, or disagree, or cannot be compared."""
    both = digests(text) | {"sha512": _sha512(text)}
    return [
        digests(text),
        both,
        both | {"sha512": _sha512("something else")},
        {"sha512": _sha512(text)},
        digests("something else"),
    ]


sources = st.sampled_from(_reports("print('demo')")).map(
    lambda report: {"src/demo.py": report, "pyproject.toml": digests("[project]")}
)
wheels = st.sampled_from(_reports(WHEEL_CONTENT))
products = st.one_of(
    wheels.map(lambda report: {f"dist/{WHEEL}": report}),
    # Several files of the name, not always the same.
    st.tuples(wheels, wheels).map(
        lambda reports: {f"dist/{WHEEL}": reports[0], f"copy/{WHEEL}": reports[1]}
    ),
    st.just({"dist/demo-0.9-py3-none-any.whl": digests("another release")}),
)
envelopes = st.sampled_from(Envelope)


def _signers(*likely: SigningKey) -> st.SearchStrategy[tuple[SigningKey, ...]]:
    others = (STRANGER, OTHER_BUILDER, THIRD_BUILDER)
    return st.one_of(
        st.sampled_from(likely).map(lambda key: (key,)),
        st.lists(st.sampled_from((*likely, *others)), min_size=1, max_size=3, unique=True).map(
            tuple
        ),
    )


BUILDERS = (BUILDER, OTHER_BUILDER, THIRD_BUILDER)
BUILDER_IDS: list[JsonValue] = [key.keyid for key in BUILDERS]
SCOPED = [*ONE_WHEEL[:1], ["CREATE", "*/demo-1.0*.whl"], ["DISALLOW", "*"]]
LOOSE = [["ALLOW", "*"]]
UNCHANGED = [["MODIFY", "*.py"], *SCOPED]


@st.composite
def layouts(draw: st.DrawFn) -> Signed:
    """A root layout, which may ask for two builders, or for an inspection."""
    builders = draw(st.sampled_from([BUILDERS, BUILDERS[:1], BUILDERS[:2]]))
    threshold = draw(st.integers(1, min(2, len(builders))))
    build = build_step(
        pubkeys=[key.keyid for key in builders],
        threshold=threshold,
        expected_materials=draw(st.sampled_from([FROM_TAG, FROM_TAG, LOOSE])),
        expected_products=draw(st.sampled_from([ONE_WHEEL, SCOPED, LOOSE, UNCHANGED])),
    )
    inspections = []
    if draw(st.integers(0, 4)) == 0:
        rules = [["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "build"]]
        inspections.append(authoring.inspection("unpack", run=["true"], expected_materials=rules))
    value = layout(
        tag_step(),
        build,
        inspections=inspections,
        expires=draw(st.sampled_from([EXPIRES] * 4 + [EXPIRES + timedelta(days=9), NOW])),
    )
    signers = draw(
        st.sampled_from([(OWNER,)] * 4 + [(OWNER, SECOND_OWNER), (SECOND_OWNER,), (STRANGER,)])
    )
    return signed(value, *signers, envelope=draw(envelopes))


@st.composite
def tags(draw: st.DrawFn) -> Signed:
    """A link of the first step."""
    return signed(tag_link(draw(sources)), *draw(_signers(TAGGER)), envelope=draw(envelopes))


@st.composite
def builds(draw: st.DrawFn) -> Signed:
    """A link of the last step."""
    value = build_link(draw(products), draw(sources))
    return signed(value, *draw(_signers(*BUILDERS)), envelope=draw(envelopes))


@st.composite
def sublayouts(draw: st.DrawFn) -> Signed:
    """A layout that a builder signed in place of a link: the vendor builds."""
    value = layout(
        build_step(
            name="compile",
            pubkeys=[VENDOR.keyid],
            expected_materials=LOOSE,
            expected_products=draw(st.sampled_from([LOOSE, ALL_CREATED])),
        ),
        keys=[VENDOR],
        inspections=draw(st.sampled_from([[], [_LOOK], [_LOOK | {"run": ["true"]}]])),
        expires=draw(st.sampled_from([EXPIRES, EXPIRES, NOW - timedelta(days=1)])),
    )
    return signed(value, *draw(_signers(*BUILDERS)), envelope=draw(envelopes))


#: No command that is carried out here, so that a report may stand in for it (U5).
_LOOK = authoring.inspection(
    "look",
    run=["make", "check"],
    expected_materials=[
        ["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "compile"],
        ["DISALLOW", "*"],
    ],
)


@st.composite
def looks(draw: st.DrawFn) -> Signed:
    """What a builder says of an inspection of their sublayout."""
    value = authoring.link("look", materials={WHEEL: draw(wheels)})
    return signed(value, *draw(_signers(*BUILDERS)), envelope=draw(envelopes))


@st.composite
def compilations(draw: st.DrawFn) -> Signed:
    """A link of the sublayout's one step."""
    value = build_link(draw(products), draw(sources)) | {"name": "compile"}
    return signed(value, *draw(_signers(VENDOR)), envelope=draw(envelopes))


_BROKEN: list[JsonObject] = [
    {"_type": "link", "name": "build", "materials": {"../x": {}}, "products": {}},
    {"_type": "layout"},
    layout(tag_step(threshold=0)),
    layout(build_step(expected_predicates=["x"])),
    {"_type": "link", "name": "no step", "materials": {}, "products": {}},
]


@st.composite
def broken(draw: st.DrawFn) -> Signed:
    """A document that cannot count, although somebody signed it."""
    signers = draw(_signers(BUILDER, OWNER, TAGGER))
    return signed(draw(st.sampled_from(_BROKEN)), *signers, envelope=draw(envelopes))


@st.composite
def pools(draw: st.DrawFn) -> list[Signed]:
    """A pool, about one in three of which is enough."""
    good = [
        signed(layout(tag_step(), build_step(pubkeys=BUILDER_IDS)), OWNER),
        signed(tag_link(), TAGGER),
        signed(build_link(), BUILDER),
    ]
    kept = [document for document in good if draw(st.integers(0, 3))]
    return [
        *kept,
        *draw(st.lists(layouts(), max_size=2)),
        *draw(st.lists(tags(), max_size=2)),
        *draw(st.lists(builds(), max_size=4)),
        *draw(st.lists(sublayouts(), max_size=1)),
        *draw(st.lists(compilations(), max_size=2)),
        *draw(st.lists(looks(), max_size=2)),
        *draw(st.lists(broken(), max_size=2)),
    ]


trusts = st.sampled_from(
    [
        trust(OWNER),
        trust(OWNER, revoked=frozenset({ident(OTHER_BUILDER)})),
        trust(OWNER, SECOND_OWNER, threshold=1),
        trust(OWNER, SECOND_OWNER),
        trust(OWNER, principals={ident(BUILDER): "acme", ident(THIRD_BUILDER): "acme"}),
        trust(OWNER, shared_keys=True),
    ]
)


# --- what the engine says ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict with every document called by what is signed in it.

    Lines of a bundle move, and the sha256 of a document changes with its spelling; what the
    signatures cover stays. ``notes`` are what did not decide anything.
    """

    reason: str
    message: tuple[str, ...] = ()
    layout: str = ""
    signed_by: tuple[str, ...] = ()
    links: frozenset[str] = frozenset()
    functionaries: tuple[str, ...] = ()
    binding: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the file would be installed."""
        return self.reason == "verified"

    @property
    def verdict(self) -> Judged:
        """All that was decided: without notes, and of a block only the reason code."""
        return replace(self, notes=(), message=())


def judge(lines: Sequence[str], trusted: Trust) -> Judged:
    """Verify a bundle for the wheel of demo 1.0."""
    data = "\n".join(lines).encode()
    documents = parse_bundle(data, origin="pool", limits=WIDE).documents
    names = {document.origin: _content(document) for document in documents}

    def anonymous(text: str) -> str:
        return re.sub(r"pool#line \d+", lambda found: names[found[0]], text)

    try:
        found = verify(documents, trusted, SUBJECT, FakeInspector(), now=NOW, limits=WIDE)
    except EvidenceError as error:
        said = (error.message, error.expected, error.found, error.place, error.advice)
        return Judged(reason=error.code, message=tuple(map(anonymous, said)))
    called = {document.envelope.sha256: _content(document) for document in documents}
    bound = found.binding
    assert bound is not None
    return Judged(
        reason="verified",
        layout=called[found.layout_sha256],
        signed_by=found.signed_by,
        links=frozenset(called[each] for each in found.links),
        functionaries=found.functionaries,
        binding=(bound.place, bound.artifact, str(bound.rule), *bound.notes),
        trace=tuple(
            anonymous(f"{entry.what}: {entry.detail}")
            for entry in found.trace
            if entry.outcome is not Outcome.NOTE
        ),
        notes=tuple(
            anonymous(f"{entry.what}: {entry.detail}")
            for entry in found.trace
            if entry.outcome is Outcome.NOTE
        ),
    )


def _content(document: Document) -> str:
    return f"<{sha256(document.envelope.signed.hex())[:12]}>"
