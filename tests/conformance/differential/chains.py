"""Supply chains that hold, drawn: what is wrong with them is drawn afterwards."""

from __future__ import annotations

import glob
import json
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from tests.conformance.differential.drawing import NAMES, digest, odd_digests, rules
from tests.conformance.differential.engines import NOW
from tests.conformance.differential.papers import ROOT, Chain, Paper
from tests.conformance.differential.signing_keys import ed25519, functionaries, owners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.maintainer.authoring import JsonObject
    from tests.conformance.differential.drawing import Artifacts, Words
    from tests.conformance.differential.signing_keys import Key

FUTURE = NOW + timedelta(days=30)
_STEPS = ("fetch", "build", "pack", "check it", "ü", "f.etch")
_INNER = ("first", "second")
#: No name here is one that the two sides take for different things.
_PLAIN = tuple(name for name in NAMES if "\\" not in name and "//" not in name)
_END = ["DISALLOW", "*"]


@st.composite
def chains(draw: st.DrawFn, envelopes: Sequence[Envelope]) -> Chain:
    """Draw a supply chain of one to four steps, signed in one of ``envelopes`` each."""
    state: dict[str, str] = draw(
        st.dictionaries(st.sampled_from(_PLAIN), st.sampled_from("xyz"), min_size=1, max_size=5)
    )
    chain = Chain(papers=[], owners=list(draw(st.sampled_from(_OWNERS))))
    names = list(_STEPS[: draw(st.integers(1, 4))])
    _layout(draw, chain, ROOT, list(chain.owners), names, state, envelopes)
    if draw(st.integers(0, 9)) == 0:
        _inspection(draw, chain)
    return chain


_OWNERS = [owners()[:1], owners()[:1], owners()[1:2], owners()[:2], owners()[2:], owners()]


def _layout(
    draw: st.DrawFn,
    chain: Chain,
    path: str,
    signers: list[Key],
    names: Sequence[str],
    state: dict[str, str],
    envelopes: Sequence[Envelope],
) -> tuple[dict[str, str], dict[str, str]]:
    """Add a layout and its links; return what its first step had, and what its last one leaves."""
    paper = Paper(path=path, payload={}, signers=signers, envelope=draw(st.sampled_from(envelopes)))
    chain.papers.append(paper)
    folder = "" if path == ROOT else path.removesuffix(".link") + "/"
    keys: dict[str, Key] = {}
    steps: list[JsonObject] = []
    first, after = state, state
    odd = draw(st.integers(0, 24)) == 0
    for name in names:
        before = {each: content for each, content in after.items() if draw(st.integers(0, 7))}
        parties = draw(
            st.lists(st.sampled_from(functionaries()), min_size=1, max_size=3, unique=True)
        )
        signing = [party for party in parties if draw(st.integers(0, 3))] or parties[:1]
        threshold = draw(st.integers(1, len(signing)))
        keys |= {party.keyid: party for party in parties}
        is_delegated = path == ROOT and draw(st.integers(0, 9)) == 0
        previous, outcome = after, _worked_on(draw, before)
        if is_delegated:
            signing, threshold = signing[:1], 1
            below = f"{name}.{signing[0].keyid[:8]}.link"
            # Names of their own: a link of one sublayout would else count in another.
            inner = [f"{name}, {part}" for part in _INNER[: draw(st.integers(1, 2))]]
            before, outcome = _layout(draw, chain, below, signing, inner, before, envelopes)
        steps.append(
            authoring.step(
                name,
                # The signatures of keys that this layout does not need do not matter.
                functionaries=[],
                threshold=threshold,
                expected_materials=_materials_rules(draw, names, name, before, previous),
                expected_products=_products_rules(draw, names, name, outcome),
                expected_command=draw(st.sampled_from([[], ["make"], ["cmake"]])),
            )
            | {"pubkeys": [party.keyid for party in parties]}
        )
        if not is_delegated:
            link = authoring.link(
                name,
                materials=_report(draw, before, odd=odd),
                products=_report(draw, outcome, odd=odd),
                command=["make"],
                byproducts={"return-value": 0, "stdout": "ü\n\t\"'\\\x01"},
            )
            # Each of them writes a report of their own; what they say is the same.
            chain.papers += [
                Paper(
                    path=f"{folder}{name}.{party.keyid[:8]}.link",
                    payload=json.loads(json.dumps(link)),
                    signers=[party],
                    envelope=draw(st.sampled_from(envelopes)),
                )
                for party in signing
            ]
        if name == names[0]:
            first = before
        after = outcome
    listed = authoring.layout(expires=FUTURE, keys=[], steps=steps, readme="what is done here")
    paper.payload = listed | {"keys": {keyid: key.listed() for keyid, key in keys.items()}}
    return first, after


def _worked_on(draw: st.DrawFn, before: dict[str, str]) -> dict[str, str]:
    """Keep most of it, change some, make some."""
    after: dict[str, str] = {}
    for name, content in before.items():
        what = draw(st.integers(0, 7))
        if what:
            after[name] = content if what > 1 else content + "'"
    return after | dict.fromkeys(draw(st.lists(st.sampled_from(_PLAIN), max_size=2)), "new")


def _report(draw: st.DrawFn, contents: dict[str, str], *, odd: bool) -> Artifacts:
    if not odd:
        return {name: digest(content) for name, content in contents.items()}
    return {
        name: draw(st.sampled_from([digest(content), digest(content), *odd_digests(content)]))
        for name, content in contents.items()
    }


def _materials_rules(
    draw: st.DrawFn,
    names: Sequence[str],
    name: str,
    before: dict[str, str],
    previous: dict[str, str],
) -> list[Words]:
    leading = _leading(draw, names, before)
    if draw(st.integers(0, 3)) == 0:
        return leading
    at = names.index(name)
    covering = [["MATCH", "*", "WITH", "PRODUCTS", "FROM", names[at - 1]]]
    if not at or any(before[each] != previous.get(each) for each in before):
        covering = [["ALLOW", glob.escape(each)] for each in before]
    return [*leading, *_most_of(draw, covering), _END]


def _products_rules(
    draw: st.DrawFn, names: Sequence[str], name: str, outcome: dict[str, str]
) -> list[Words]:
    leading = _leading(draw, names, outcome)
    if draw(st.integers(0, 3)) == 0:
        return leading
    covering = [["MATCH", "*", "WITH", "MATERIALS", "FROM", name], ["MODIFY", "*"], ["CREATE", "*"]]
    return [*leading, *_most_of(draw, covering), _END]


def _leading(draw: st.DrawFn, names: Sequence[str], there: dict[str, str]) -> list[Words]:
    """Draw rules that come first: most of them only consume."""
    leading: list[Words] = []
    if there and draw(st.integers(0, 4)) == 0:
        leading.append(["REQUIRE", draw(st.sampled_from(sorted(there)))])
    drawn = draw(st.lists(rules(names), max_size=3))
    may_fail = draw(st.integers(0, 7)) == 0
    kept = [each for each in drawn if may_fail or each[0] not in {"DISALLOW", "REQUIRE"}]
    # Backslashes and slashes in prefixes are looked at where only rules are judged.
    return leading + [each for each in kept if not any("\\" in word for word in each)]


def _most_of(draw: st.DrawFn, covering: list[Words]) -> list[Words]:
    """Leave one of the rules out, now and then."""
    if covering and draw(st.integers(0, 15)) == 0:
        return covering[1:]
    return covering


def _inspection(draw: st.DrawFn, chain: Chain) -> None:
    contents = draw(st.dictionaries(st.sampled_from(["a", "src/a", "b.txt"]), st.just(b"x")))
    chain.work = dict(contents)
    name = "look"
    chain.root.payload["inspect"] = [
        authoring.inspection(
            name,
            run=["true"],
            expected_materials=_materials_rules(
                draw, [name], name, dict.fromkeys(contents, ""), {}
            ),
            expected_products=_products_rules(draw, [name], name, {}),
        )
    ]


# --- one that is always the same --------------------------------------------------------------

TAGGER, BUILDER, OTHER_BUILDER = ed25519(11), ed25519(12), ed25519(13)
OWNER = ed25519(1)
SOURCES = {"src/a": digest("a"), "src/b": digest("b")}
PRODUCTS = {"dist/a.whl": digest("wheel")}


def plain_chain(
    envelope: Envelope = Envelope.DSSE,
    *,
    threshold: int = 1,
    builders: Sequence[Key] = (BUILDER,),
) -> Chain:
    """Return a chain of two steps that holds for both sides."""
    layout = authoring.layout(
        expires=FUTURE,
        keys=[],
        readme="two steps",
        steps=[
            authoring.step("tag", functionaries=[], expected_products=[["CREATE", "src/*"], _END])
            | {"pubkeys": [TAGGER.keyid]},
            authoring.step(
                "build",
                functionaries=[],
                threshold=threshold,
                expected_materials=[["MATCH", "*", "WITH", "PRODUCTS", "FROM", "tag"], _END],
                expected_products=[["CREATE", "dist/*.whl"], ["ALLOW", "src/*"], _END],
            )
            | {"pubkeys": [key.keyid for key in builders]},
        ],
    )
    layout["keys"] = {key.keyid: key.listed() for key in (TAGGER, *builders)}
    papers = [
        Paper(path=ROOT, payload=layout, signers=[OWNER], envelope=envelope),
        Paper(
            path=f"tag.{TAGGER.keyid[:8]}.link",
            payload=authoring.link("tag", products=SOURCES),
            signers=[TAGGER],
            envelope=envelope,
        ),
    ]
    papers += [
        Paper(
            path=f"build.{key.keyid[:8]}.link",
            payload=authoring.link("build", materials=SOURCES, products=SOURCES | PRODUCTS),
            signers=[key],
            envelope=envelope,
        )
        for key in builders
    ]
    return Chain(papers=papers, owners=[OWNER])
