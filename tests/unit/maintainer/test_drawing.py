"""Layouts as drawings: what is drawn, that it is all there, and that no name breaks out of it."""

from __future__ import annotations

import re
import time
import unicodedata
from itertools import combinations
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.keys import key
from pip_intoto.drawing.arrangement import Size, Span, arrange
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.layouts.drawing import mermaid, svg, text
from pip_intoto.maintainer.layouts.drawing.model import Kind, chart_of
from pip_intoto.maintainer.layouts.layouts_in import Found
from pip_intoto.metadata.keys import identity
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.policy.publishers import parse_publisher
from tests.unit.verification.supply import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey
    from pip_intoto.maintainer.layouts.drawing.model import Chart

BEN, CAROL, DAVE = key("ben"), key("carol"), key("dave")
HOSTILE = (
    'a"]; click n0 call alert(1)',
    "<script>alert(1)<script>",
    "`<b>` **bold** end",
    "#quot;&lt;&#60;",
    "subgraph end %% comment",
    "\u202edesrever",
    "漢字" * 40,
    "x" * 200,
    "e\u0301" * 50,
    "1. list",
)


def rules(*texts: str) -> list[list[str]]:
    return [each.split() for each in texts]


def step(
    name: str,
    materials: Sequence[str] = (),
    products: Sequence[str] = (),
    functionaries: Sequence[SigningKey] = (BEN,),
    threshold: int = 1,
) -> JsonObject:
    return authoring.step(
        name,
        functionaries=functionaries,
        threshold=threshold,
        expected_materials=rules(*materials),
        expected_products=rules(*products),
    )


def chart(
    *steps: JsonObject, inspections: Sequence[JsonObject] = (), names: dict[str, str] | None = None
) -> Chart:
    payload = authoring.layout(
        expires=NOW, keys=[BEN, CAROL, DAVE], steps=steps, inspections=inspections
    )
    layout = parse_layout(Node(payload), LOCAL)
    return chart_of(Found(layout=layout, origin="root.layout", names=names or {}), now=NOW)


SOURCE = step("source", ["DISALLOW *"], ["CREATE src/*", "DISALLOW *"])
BUILD = step(
    "build",
    ["MATCH src/* WITH PRODUCTS FROM source", "DISALLOW *"],
    ["CREATE demo-*.whl", "DISALLOW *"],
    [CAROL, DAVE],
    2,
)
UNPACK = authoring.inspection(
    "wheel",
    run=["unzip", "demo-*.whl"],
    expected_materials=rules("MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"),
    expected_products=rules(
        "MATCH demo-*.whl WITH PRODUCTS FROM build",
        "MATCH demo/* IN wheel WITH PRODUCTS IN src FROM source",
        "DISALLOW *",
    ),
)


def demo() -> Chart:
    names = {identity(each.public_key): name for each, name in ((CAROL, "carol"), (DAVE, "dave"))}
    return chart(SOURCE, BUILD, inspections=[UNPACK], names=names)


def hostile() -> Chart:
    return chart(
        *(step(name, ["ALLOW *"], [f"CREATE {name.replace(' ', '_')}"]) for name in HOSTILE),
        step("last", [], [f"MATCH {HOSTILE[0].replace(' ', '_')} WITH PRODUCTS FROM last"]),
        inspections=[authoring.inspection("look", run=list(HOSTILE))],
    )


# --- the model --------------------------------------------------------------------------------


def test_steps_the_file_and_inspections_are_nodes_and_match_rules_are_edges() -> None:
    drawn = demo()
    assert [(node.kind, node.name) for node in drawn.nodes] == [
        (Kind.STEP, "source"),
        (Kind.STEP, "build"),
        (Kind.FILE, "the installed file"),
        (Kind.INSPECTION, "wheel"),
    ]
    assert {(edge.source, edge.target): edge.items for edge in drawn.edges} == {
        (0, 1): ("src/*",),
        (1, 2): ("demo-*.whl",),
        (0, 3): ("src/demo/* as wheel/demo/*",),
        (2, 3): (),
    }
    assert [str(fact) for fact in drawn.nodes[1].facts] == [
        "by 2 of carol, dave",
        "creates demo-*.whl",
    ]


def test_without_inspections_the_last_step_makes_the_file() -> None:
    drawn = chart(SOURCE, BUILD)
    assert [(edge.source, edge.target) for edge in drawn.edges] == [(0, 1), (1, 2)]
    assert "step build" in str(drawn.nodes[2].facts[0])


def test_what_may_be_a_mistake_is_marked() -> None:
    drawn = chart(step("build", ["MATCH * WITH PRODUCTS FROM gone"], ["CREATE *"], [BEN], 2))
    doubts = [str(fact) for fact in drawn.nodes[0].facts if fact.is_doubt]
    assert doubts == [
        "by 2 of key " + BEN.keyid[:8],
        "matches what is not there: gone",
        "is open to any materials and products",
    ]


def test_a_rule_about_a_later_step_leads_back() -> None:
    early = step("source", ["MATCH * WITH MATERIALS FROM build", "DISALLOW *"], ["DISALLOW *"])
    (back, *_) = chart(early, BUILD).edges
    assert (back.is_forward, back.items) == (False, ("the materials *",))
    shown = "\n".join(line.text for line in text.render(chart(early, BUILD), width=80))
    assert "takes the materials * from build, which comes later" in shown
    assert "-.->" in mermaid.render([chart(early, BUILD)])
    assert "which comes" in svg.render([chart(early, BUILD)])


# --- the terminal -----------------------------------------------------------------------------


DRAWN = f"""\
root.layout
2 steps, 1 inspection, expires 2026-11-21
     ┌─ step source ───────────────────────────────────────┐
 ┌───┤ by key {BEN.keyid[:8]}                                     │
 │   │ creates src/*                                       │
 │   └─────────────────────────────────────────────────────┘
 │   ┌─ step build ────────────────────────────────────────┐
 ├──▶│ takes src/* from source                             │
┌┼───┤ by 2 of carol, dave                                 │
││   │ creates demo-*.whl                                  │
││   └─────────────────────────────────────────────────────┘
││   ╔═ the installed file ════════════════════════════════╗
└┼──▶║ demo-*.whl from build                               ║
┌┼───╢ is tied to the chain by inspection wheel            ║
││   ╚═════════════════════════════════════════════════════╝
││   ╭─ inspection wheel ──────────────────────────────────╮
│└──▶│ takes src/demo/* as wheel/demo/* from source        │
└───▶│ looks at the file                                   │
     │ runs unzip demo-*.whl                               │
     ╰─────────────────────────────────────────────────────╯"""


def test_the_drawing_for_the_terminal() -> None:
    assert "\n".join(line.text for line in text.render(demo(), width=60)) == DRAWN


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "no-such-encoding"])
def test_where_lines_cannot_be_written_ascii_has_to_do(encoding: str) -> None:
    assert not text.has_lines(encoding)
    if encoding != "no-such-encoding":
        lines = [line.text for line in text.render(hostile(), width=70, encoding=encoding)]
        assert "\n".join(lines).encode(encoding)
        assert len({len(line) for line in lines[2:]}) == 1


def columns(line: str) -> int:
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in line
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_line_fits_and_every_box_closes_whatever_the_names(width: int) -> None:
    for drawn in (demo(), hostile()):
        lines = [line.text for line in text.render(drawn, width=width)][2:]
        assert len({columns(line) for line in lines}) == 1
        assert columns(lines[0]) <= min(width, 100)
        assert all(line.isprintable() for line in lines)


# --- Mermaid ----------------------------------------------------------------------------------

_STATEMENT = re.compile(
    r"""\ +(?:
    n\d+(?:\[|\(\[|\[\[)"(?P<node>[^"]*)"(?:\]|\]\)|\]\])
    | n\d+\ -\.?->(?:\|"(?P<edge>[^"]*)"\|)?\ n\d+
    )""",
    re.VERBOSE,
)


def test_the_drawing_for_mermaid() -> None:
    assert mermaid.render([chart(SOURCE)]) == (
        "flowchart TD\n"
        f'    n0["step source<br/>by key {BEN.keyid[:8]}<br/>creates src#47;#42;"]\n'
        '    n1[["the installed file<br/>is tied to the chain by step source"]]\n'
        '    n0 -->|"src#47;#42;"| n1\n'
    )


def test_no_name_breaks_out_of_mermaid() -> None:
    head, *lines = mermaid.render([hostile()]).splitlines()
    assert head == "flowchart TD"
    for line in lines:
        matched = _STATEMENT.fullmatch(line)
        assert matched is not None, line
        label = (matched["node"] or matched["edge"] or "").replace("<br/>", "")
        assert not re.search(r"[<>\[\](){}|`*~\"';\\&]|(?<!\w)_|_(?!\w)", _entities_gone(label))


def _entities_gone(label: str) -> str:
    return re.sub(r"#\d+;", "", label)


@given(st.text())
def test_what_mermaid_is_given_can_be_read_back(name: str) -> None:
    escaped = mermaid.escape(name)
    assert re.sub(r"#(\d+);", lambda found: chr(int(found[1])), escaped) == name


def test_several_layouts_are_framed_apart() -> None:
    drawn = mermaid.render([chart(SOURCE), chart(SOURCE)])
    assert drawn.count("subgraph g") == drawn.count("    end\n") == 2


# --- SVG --------------------------------------------------------------------------------------


def elements(image: str) -> list[ET.Element]:
    return list(ET.fromstring(image).iter())  # noqa: S314 - made here


def test_the_image_is_one_file_without_scripts_and_references() -> None:
    for drawn in (demo(), hostile()):
        image = svg.render([drawn])
        tags = {each.tag.partition("}")[2] for each in elements(image)}
        assert tags == {"svg", "title", "style", "rect", "g", "text", "tspan", "path"}
        assert not re.search(r"url\(|@import|<!|<\?", image)
        assert all(
            not name.startswith("on") and "href" not in name
            for each in elements(image)
            for name in each.attrib
        )


def test_names_are_text_in_the_image() -> None:
    shown = "".join("".join(each.itertext()) for each in elements(svg.render([hostile()])))
    assert "<script>alert(1)" in shown
    assert 'a"]; click' in shown
    assert svg.escape("\x00\x1b\ud800\uffff") == "\ufffd" * 4


def test_the_image_is_made_for_light_and_dark() -> None:
    image = svg.render([demo()])
    assert "prefers-color-scheme:dark" in image
    assert 'class="page"' in image


SIZES = st.builds(Size, width=st.just(100.0), height=st.sampled_from([20.0, 60.0]))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[Span]]:
    sizes = draw(st.lists(SIZES, min_size=1, max_size=12))
    pairs = list(combinations(range(len(sizes)), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=20)) if pairs else []
    label = Size(width=40.0, height=14.0)
    return sizes, [
        Span(
            source=source,
            target=target,
            label=draw(st.sampled_from([None, label])),
            is_main=draw(st.booleans()),
        )
        for source, target in chosen
    ]


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_boxes_and_labels_never_overlap_and_edges_lead_down(
    graph: tuple[list[Size], list[Span]],
) -> None:
    sizes, spans = graph
    made = arrange(sizes, spans)
    boxes = list(zip(made.nodes, sizes, strict=True))
    boxes += [
        (route.label, span.label)
        for route, span in zip(made.routes, spans, strict=True)
        if route.label is not None and span.label is not None
    ]
    assert sum(span.label is not None for span in spans) == len(boxes) - len(sizes)
    for (one, one_size), (other, other_size) in combinations(boxes, 2):
        apart = abs(one.x - other.x) - (one_size.width + other_size.width) / 2
        above = one.y + one_size.height <= other.y or other.y + other_size.height <= one.y
        assert above or apart > -1e-6
    for spot, size in boxes:
        assert size.width / 2 - 1e-6 <= spot.x <= made.width - size.width / 2 + 1e-6
        assert 0 <= spot.y <= made.height - size.height + 1e-6
    for route in made.routes:
        heights = [point.y for stop in route.stops for point in stop]
        assert heights == sorted(heights)


# --- large layouts ----------------------------------------------------------------------------


def test_fifty_steps_and_a_thousand_rules_are_summarised() -> None:
    steps = [
        step(
            f"step-{number}",
            [
                f"MATCH {each}-* WITH PRODUCTS FROM step-{max(number - 1 - each % 7, 0)}"
                for each in range(10)
            ],
            [f"CREATE file-{each}" for each in range(10)],
        )
        for number in range(50)
    ]
    drawn = chart(*steps)
    lines = text.render(drawn, width=100)
    assert "and 5 more" in "\n".join(line.text for line in lines)
    assert len(lines) < 50 * 16
    began = time.monotonic()
    image = svg.render([drawn])
    assert time.monotonic() - began < 10
    assert len(image) < 400_000


def test_a_layout_that_is_nothing_but_edges_is_drawn_all_the_same() -> None:
    steps = [
        step(f"s{number}", [f"MATCH * WITH PRODUCTS FROM s{each}" for each in range(number)])
        for number in range(120)
    ]
    drawn = chart(*steps)
    image = svg.render([drawn])
    # What is too much to be drawn is told in words.
    assert "more from" in image
    assert 120 * 4 < len(text.render(drawn, width=80)) < 120 * 30
    # Pages refuse larger ones.
    flowchart = mermaid.render([drawn])
    assert len(flowchart) <= 50_000
    assert flowchart.count("-->") == 500


def test_a_main_edge_is_straight_whatever_flows_beside_it() -> None:
    sizes = [Size(width=100.0, height=20.0)] * 4
    label = Size(width=40.0, height=14.0)
    main = [Span(source=at, target=at + 1, label=label, is_main=True) for at in range(3)]
    made = arrange(sizes, [*main, Span(source=0, target=3), Span(source=0, target=2, label=label)])
    assert [spot.x for spot in made.nodes] == pytest.approx([made.nodes[0].x] * 4, abs=0.1)
    for route in made.routes[:3]:
        ways = [spot.x for stop in route.stops for spot in stop]
        assert ways == pytest.approx([made.nodes[0].x] * len(ways), abs=0.1)


# --- statements -------------------------------------------------------------------------------


def stated(name: str, predicate_type: str, *who: str, **changes: object) -> JsonObject:
    predicate = authoring.predicate(predicate_type, functionaries=who)
    return authoring.step(name, functionaries=(), expected_predicates=[predicate | changes])  # type: ignore[list-item]


def test_statements_are_drawn_with_who_makes_them_and_on_what_conditions() -> None:
    workflow = authoring.identity_object(
        parse_publisher("github:acme/demo:release.yml@refs/heads/x")
    )
    keyid = str(workflow["keyid"])
    built = stated("build", "https://slsa.dev/provenance/v1", keyid, expectedAttributes=["1 == 1"])
    tested = stated(
        "test", "https://in-toto.io/attestation/test-result/v0.1", CAROL.keyid, DAVE.keyid
    )
    payload = authoring.layout(expires=NOW, keys=[CAROL, DAVE], steps=[SOURCE, built, tested])
    payload["keys"] = {**payload["keys"], keyid: workflow}  # type: ignore[dict-item]
    found = Found(layout=parse_layout(Node(payload), LOCAL), origin="root.layout")
    _, build, test, _ = chart_of(found, now=NOW).nodes
    assert [str(fact) for fact in build.facts] == [
        "slsa-provenance by github:acme/demo:release.yml (refs/heads/x)",
        "if 1 == 1",
        "is open to any materials and products",
    ]
    carol, dave = (f"key {each.keyid[:8]}" for each in (CAROL, DAVE))
    # What only says something of what is there has no products that could be open.
    assert [str(fact) for fact in test.facts] == [
        f"test-result by 1 of {carol}, {dave}",
        "is open to any materials",
    ]
    assert not build.facts[0].is_doubt


def test_a_statement_that_nobody_can_make_is_a_doubt() -> None:
    drawn = chart(stated("build", "https://acme.example/Built/v1", threshold=2))
    fact = drawn.nodes[0].facts[0]
    assert (str(fact), fact.is_doubt) == ("https://acme.example/Built/v1 by 2 of nobody", True)
