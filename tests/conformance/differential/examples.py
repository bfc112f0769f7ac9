"""One case for each known difference, so that the list says nothing that is not so (any more)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from tests.conformance.differential.chains import (
    BUILDER,
    OTHER_BUILDER,
    TAGGER,
    plain_chain,
)
from tests.conformance.differential.drawing import digest
from tests.conformance.differential.engines import NOW
from tests.conformance.differential.papers import ROOT, items, obj, steps
from tests.conformance.differential.signing_keys import ed25519, rsa_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue
    from tests.conformance.differential.papers import Case, Chain

_METABLOCK = Envelope.METABLOCK


def _signed_as(chain: Chain, change: Callable[[JsonObject], None], paper: int = 1) -> Case:
    """Change what one paper says before it is signed; the second is the link of ``tag``."""
    change(chain.papers[paper].payload)
    return chain.case()


def _layout(change: Callable[[JsonObject], None]) -> Case:
    return _signed_as(plain_chain(), change, 0)


def _link(change: Callable[[JsonObject], None]) -> Case:
    return _signed_as(plain_chain(), change)


def _afterwards(
    change: Callable[[JsonObject], None], envelope: Envelope = Envelope.DSSE, paper: int = 1
) -> Case:
    """Change a document that is signed already."""
    chain = plain_chain(envelope)
    chain.papers[paper].edits.append(change)
    return chain.case()


def _first_signature(content: JsonObject) -> JsonObject:
    return obj(items(content["signatures"])[0])


def _duplicate_members() -> Case:
    chain = plain_chain()
    chain.papers[1].byte_edits.append(
        lambda data: data.replace(b'"signatures"', b'"signatures": [], "signatures"')
    )
    return chain.case()


def _nested() -> JsonValue:
    value: JsonValue = {}
    for _ in range(70):
        value = {"in": value}
    return value


def _mixed_alphabets() -> Case:
    chain = plain_chain()
    # In base64, this is a series of "Pj4+", wherever it begins.
    chain.papers[1].payload["byproducts"] = {"stdout": ">" * 12}

    def mix(content: JsonObject) -> None:
        content["payload"] = str(content["payload"]).replace("+", "-", 1)

    chain.papers[1].edits.append(mix)
    return chain.case()


def _spaced_hex() -> Case:
    def space(content: JsonObject) -> None:
        signature = _first_signature(content)
        sig = str(signature["sig"])
        signature["sig"] = f"{sig[:2]} {sig[2:]}"

    return _afterwards(space, _METABLOCK)


def _two_keyids_of_a_key() -> Case:
    chain = plain_chain()
    inner = TAGGER.called("ab" * 32)
    obj(chain.root.payload["keys"])[TAGGER.keyid] = inner.listed()
    chain.papers[1].signers = [inner]
    return chain.case()


def _no_steps() -> Case:
    chain = plain_chain()
    chain.papers = chain.papers[:1]
    chain.root.payload["steps"] = []
    return chain.case()


def _step_name() -> Case:
    chain = plain_chain()
    obj(steps(chain.root.payload)[0])["name"] = "a/b"
    steps(chain.root.payload)[1]["expected_materials"] = []
    chain.papers[1].payload["name"] = "a/b"
    chain.papers[1].path = f"a/b.{TAGGER.keyid[:8]}.link"
    return chain.case()


def _rules_of_tag(*rules: list[JsonValue], **parameters: str) -> Case:
    chain = plain_chain()
    steps(chain.root.payload)[0]["expected_products"] = [*rules, ["DISALLOW", "*"]]
    chain.parameters = parameters
    return chain.case()


def _braces() -> Case:
    chain = plain_chain()
    obj(chain.papers[1].payload["products"])["{a}"] = {**digest("x")}
    steps(chain.root.payload)[0]["expected_products"] = [
        ["ALLOW", "src/*"],
        ["ALLOW", "{{a}}"],
        ["DISALLOW", "*"],
    ]
    chain.parameters = {"NAME": "value"}
    return chain.case()


def _inspection(run: list[str], materials: list[list[str]], work: dict[str, bytes]) -> Case:
    chain = plain_chain()
    chain.root.payload["inspect"] = [
        authoring.inspection("look", run=run, expected_materials=materials)
    ]
    chain.work = work
    return chain.case()


def _same_hint_twice() -> Case:
    def insert(content: JsonObject) -> None:
        bad = _first_signature(content) | {"sig": "00" * 64}
        items(content["signatures"]).insert(0, bad)

    return _afterwards(insert, _METABLOCK)


def _openpgp_signature() -> Case:
    def insert(content: JsonObject) -> None:
        odd: JsonObject = {"keyid": TAGGER.keyid, "signature": "00", "other_headers": "00"}
        items(content["signatures"]).insert(0, odd)

    return _afterwards(insert, _METABLOCK)


def _parameter_in_sublayout() -> Case:
    chain = plain_chain()
    layout, link = plain_chain().root.payload, chain.papers[1]
    # The sublayout has one step, of another name: it does what ``tag`` did.
    step = steps(layout)[0]
    step.update(name="inner", expected_products=[["ALLOW", "{NAME}"], ["ALLOW", "*"]])
    layout["steps"] = [step]
    chain.papers[1] = replace(link, payload=layout)
    below = link.path.removesuffix(".link")
    link.payload["name"], link.path = "inner", f"{below}/{link.path.replace('tag', 'inner')}"
    chain.papers.append(link)
    return chain.case()


def _no_signature(content: JsonObject) -> None:
    items(content["signatures"]).append("no signature")


def _unpadded(content: JsonObject) -> None:
    signature = _first_signature(content)
    signature["sig"] = str(signature["sig"]).rstrip("=")


def _without_keyid(content: JsonObject) -> None:
    del _first_signature(content)["keyid"]


def _nameless_key(layout: JsonObject) -> None:
    del obj(obj(layout["keys"])[TAGGER.keyid])["keyid"]


def _two_builders(change: Callable[[Chain], None], threshold: int = 1) -> Case:
    chain = plain_chain(builders=(BUILDER, OTHER_BUILDER), threshold=threshold)
    change(chain)
    return chain.case()


def _unreadable(chain: Chain) -> None:
    chain.papers[3].byte_edits.append(lambda _data: b"this is no link")


def _expired_sublayout(chain: Chain) -> None:
    when = NOW - timedelta(days=1)
    chain.papers[3].payload = authoring.layout(expires=when, keys=[], steps=[])


def _dissent() -> Case:
    chain = plain_chain(builders=(BUILDER, OTHER_BUILDER, ed25519(14)), threshold=2)
    obj(chain.papers[2].payload["products"])["dist/b.whl"] = {**digest("another")}
    return chain.case()


def _renamed(before: str, after: str) -> Case:
    chain = plain_chain()
    chain.file_edits.append(lambda files: files.update({after: files.pop(before)}))
    return chain.case()


def _set(**members: JsonValue) -> Callable[[JsonObject], None]:
    return lambda payload: payload.update(members)


def _set_in_step(**members: JsonValue) -> Callable[[JsonObject], None]:
    return lambda payload: steps(payload)[0].update(members)


def _without(member: str) -> Callable[[JsonObject], None]:
    def change(payload: JsonObject) -> None:
        del payload[member]

    return change


def _artifact(name: str, digests: dict[str, JsonValue]) -> Callable[[JsonObject], None]:
    return lambda payload: obj(payload["products"]).update({name: digests})


_NO_KEY: JsonObject = {
    "keyid": "ab" * 32,
    "keytype": "odd",
    "scheme": "odd",
    "keyval": {"public": ""},
}
_TAG = f"tag.{TAGGER.keyid[:8]}.link"

EXAMPLES: dict[str, Callable[[], Case]] = {
    "unsigned-members": lambda: _afterwards(
        lambda content: obj(content["signed"]).update({"added": "x"}), _METABLOCK
    ),
    "name-of-another-step": lambda: _link(_set(name="build")),
    "duplicate-members": _duplicate_members,
    "deep-nesting": lambda: _link(_set(byproducts=_nested())),
    "long-numbers": lambda: _link(_set(byproducts={"number": 10**20})),
    "mixed-alphabets": _mixed_alphabets,
    "spaced-hex": _spaced_hex,
    "two-keyids-of-a-key": _two_keyids_of_a_key,
    "short-rsa": lambda: plain_chain(builders=(rsa_key(bits=1024),)).case(),
    "key-counted-twice": lambda: plain_chain(
        builders=(BUILDER, BUILDER.called("cd" * 32)), threshold=2
    ).case(),
    "odd-keyid": lambda: plain_chain(builders=(BUILDER.called("abcd"),)).case(),
    "no-expiry": lambda: _layout(_without("expires")),
    "no-steps": _no_steps,
    "low-threshold": lambda: _layout(_set_in_step(threshold=0)),
    "wrong-type-of-step": lambda: _layout(_set_in_step(_type="inspection")),
    "step-name": _step_name,
    "extension": lambda: _layout(_set_in_step(expected_predicates=[{"predicateType": "x"}])),
    "command-of-no-words": lambda: _link(_set(command=[1])),
    "no-value": lambda: _rules_of_tag(["ALLOW", "{NAME}"], ["ALLOW", "*"]),
    "parameters-in-sublayout": _parameter_in_sublayout,
    "abnormal-artifact": lambda: _link(_artifact("src/../src/c", {**digest("c")})),
    "no-artifacts": lambda: _link(_without("materials")),
    "malformed-digest": lambda: _link(_artifact("src/c", {"sha256": "abc"})),
    "command-of-inspection": lambda: _inspection(["sh", "-c", "true"], [], {}),
    "overlooked-files": lambda: _inspection(["true"], [["DISALLOW", "*"]], {"evil.pyc": b"x"}),
    "widening-value": lambda: _rules_of_tag(["ALLOW", "{NAME}"], NAME="*"),
    "format-syntax": _braces,
    "unknown-members": lambda: _signed_as(plain_chain(_METABLOCK), _set(added="x")),
    "float": lambda: _link(_set(byproducts={"seconds": 1.5})),
    "padding": lambda: _afterwards(_unpadded),
    "wrong-hint": lambda: _afterwards(_without_keyid),
    "same-hint-twice": _same_hint_twice,
    "malformed-signature": lambda: _afterwards(_no_signature, _METABLOCK, paper=0),
    "openpgp-signature": _openpgp_signature,
    "no-keyid-in-key": lambda: _layout(_nameless_key),
    "unknown-key": lambda: _layout(
        lambda payload: obj(payload["keys"]).update({"ab" * 32: _NO_KEY})
    ),
    "expires-now": lambda: _layout(_set(expires=f"{NOW:%Y-%m-%dT%H:%M:%SZ}")),
    "readme-null": lambda: _layout(_set(readme=None)),
    "opaque-null": lambda: _link(_set(environment=None)),
    "place": lambda: _renamed(_TAG, "anything.link"),
    "root-elsewhere": lambda: _renamed(ROOT, "another.layout"),
    "dissent": _dissent,
    "unreadable-link": lambda: _two_builders(_unreadable),
    "failing-sublayout": lambda: _two_builders(_expired_sublayout),
}
