"""A chart as an SVG image: one file that needs no other, without scripts, for light and dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape as xml_escape

from pip_intoto.drawing.arrangement import Size, Span, arrange, rows
from pip_intoto.drawing.lettering import MONO, break_at, broken, columns, cut
from pip_intoto.drawing.strokes import arrow
from pip_intoto.drawing.strokes import number as _n
from pip_intoto.maintainer.layouts.drawing.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pip_intoto.drawing.arrangement import Arrangement, Route, Spot
    from pip_intoto.maintainer.layouts.drawing.model import Chart, Edge, Fact, Node

#: Edges and the rows that they pass, together; what is over it is told in words.
_DRAWN = 1_500
#: Edges that end in one box.
_ENDING = 6

_MARGIN = 28.0
_PADDING = 14.0
_TITLE = 15.0
_TEXT = 12.0
_LINE = 17.0
#: How wide a character of a heading is at most, for one unit of the font's size.
_BOLD = 0.7
_BOX = 280.0
_LABEL_COLUMNS = 34
_HEAD = 30.0

_STYLE = """
.page{fill:#ffffff}.box{fill:#f6f8fa;stroke:#57606a;stroke-width:1.2}
.inspection{fill:#fff8e6;stroke:#9a6700;stroke-width:1.2;stroke-dasharray:6 3}
.file{fill:#dafbe1;stroke:#1a7f37;stroke-width:2}
.name{fill:#1f2328;font:bold 15px system-ui,"DejaVu Sans",sans-serif}
.kind{fill:#57606a;font:11px system-ui,"DejaVu Sans",sans-serif}
.text,.label{fill:#1f2328;font:12px ui-monospace,"DejaVu Sans Mono",monospace}
.word{fill:#57606a}.doubt{fill:#9a3412}.label{font-size:11px;fill:#0a3069}
.edge{fill:none;stroke:#57606a;stroke-width:1.4}.head{fill:#57606a}
.tag{fill:#ffffff;stroke:#d0d7de}
@media (prefers-color-scheme:dark){
.page{fill:#0d1117}.box{fill:#161b22;stroke:#8b949e}
.inspection{fill:#272115;stroke:#d29922}.file{fill:#12261e;stroke:#3fb950}
.name,.text{fill:#e6edf3}.kind,.word{fill:#9198a1}.doubt{fill:#f0883e}.label{fill:#a5d6ff}
.edge{stroke:#8b949e}.head{fill:#8b949e}.tag{fill:#0d1117;stroke:#30363d}
}
"""


def render(charts: Sequence[Chart]) -> str:
    """One image of all ``charts``, one below the other."""
    drawings = [_Drawing(_drawable(chart)) for chart in charts]
    width = max(drawing.width for drawing in drawings)
    parts = []
    y = 0.0
    for drawing in drawings:
        shift = (width - drawing.width) / 2
        parts.append(f'<g transform="translate({_n(shift)} {_n(y)})">')
        parts += drawing.parts()
        parts.append("</g>")
        y += drawing.height
    size = f'width="{_n(width)}" height="{_n(y)}"'
    titles = ", ".join(chart.title for chart in charts)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_n(width)} {_n(y)}">',
            f"<title>{escape(titles)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="page" {size}/>',
            *parts,
            "</svg>\n",
        ]
    )


#: XML 1.0, 2.2: what no document may have, however it is escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """``text`` for an element or an attribute, in characters that XML allows."""
    return xml_escape(_FORBIDDEN.sub("\ufffd", text), {'"': "&quot;", "'": "&apos;"})


def _drawable(chart: Chart) -> Chart:
    """The chart without edges that lead back, and without those that are too many to be seen."""
    forward = [edge for edge in chart.edges if edge.is_forward]
    spans = [Span(source=edge.source, target=edge.target) for edge in forward]
    row = rows(len(chart.nodes), spans)
    # The short ones first: they say most of how the chain hangs together.
    forward.sort(key=lambda edge: row[edge.target] - row[edge.source])
    room = _DRAWN
    ending: dict[int, int] = {}
    drawn = set()
    for edge in forward:
        length = row[edge.target] - row[edge.source]
        is_file = Kind.FILE in {chart.nodes[each].kind for each in (edge.source, edge.target)}
        if length <= room and (ending.get(edge.target, 0) < _ENDING or is_file):
            drawn.add(edge)
            room -= length
            ending[edge.target] = ending.get(edge.target, 0) + 1
    return chart.without(edge for edge in chart.edges if edge not in drawn)


class _Drawing:
    """One chart, and how large it is."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._facts = [[_wrapped_fact(fact) for fact in node.facts] for node in chart.nodes]
        self._labels = [_label(edge) for edge in chart.edges]
        sizes = [
            Size(
                width=_BOX,
                height=2 * _PADDING
                + _TITLE
                + _LINE * sum(len(lines) for lines in facts)
                + (4.0 if facts else 0.0),
            )
            for facts in self._facts
        ]
        spans = [
            Span(source=edge.source, target=edge.target, label=_label_size(lines))
            for edge, lines in zip(chart.edges, self._labels, strict=True)
        ]
        self._sizes = sizes
        self._arranged: Arrangement = arrange(sizes, spans)
        heading = max(
            columns(chart.title) * _TITLE * _BOLD, columns(chart.subtitle) * _TEXT * _BOLD
        )
        self.width = max(self._arranged.width, heading) + 2 * _MARGIN
        self.height = self._arranged.height + 2 * _MARGIN + _HEAD + _LINE

    def parts(self) -> Iterator[str]:
        left = _n(_MARGIN)
        for style, text, y in (("name", self._chart.title, 6), ("kind", self._chart.subtitle, 24)):
            yield (f'<text class="{style}" x="{left}" y="{_n(_MARGIN + y)}">{escape(text)}</text>')
        across = (self.width - self._arranged.width) / 2
        yield f'<g transform="translate({_n(across)} {_n(_MARGIN + _HEAD + _LINE)})">'
        for route in self._arranged.routes:
            yield from _line(route)
        for route, lines in zip(self._arranged.routes, self._labels, strict=True):
            if route.label is not None:
                yield from _tag(route.label, lines)
        for node, spot, size, facts in zip(
            self._chart.nodes, self._arranged.nodes, self._sizes, self._facts, strict=True
        ):
            yield from _box(node, spot, size, facts)
        yield "</g>"


def _box(
    node: Node, spot: Spot, size: Size, facts: Sequence[Sequence[tuple[str, str, bool]]]
) -> Iterator[str]:
    x, y = spot.x - size.width / 2, spot.y
    style = {Kind.STEP: "box", Kind.INSPECTION: "inspection", Kind.FILE: "file"}[node.kind]
    yield (
        f'<rect class="{style}" x="{_n(x)}" y="{_n(y)}" width="{_n(size.width)}"'
        f' height="{_n(size.height)}" rx="{8 if node.kind is not Kind.FILE else 2}"/>'
    )
    kind = "" if node.kind is Kind.FILE else node.kind.value
    room = size.width - 2 * _PADDING - len(kind) * 7.0
    name = cut(node.name, int(room / (_TITLE * _BOLD)))
    base = y + _PADDING + _TITLE - 3
    yield f'<text class="name" x="{_n(x + _PADDING)}" y="{_n(base)}">{escape(name)}</text>'
    if kind:
        yield (
            f'<text class="kind" x="{_n(x + size.width - _PADDING)}" y="{_n(base)}"'
            f' text-anchor="end">{kind}</text>'
        )
    base += 4
    for lines in facts:
        for word, text, is_doubt in lines:
            base += _LINE
            tone = "text doubt" if is_doubt else "text"
            head = f'<tspan class="{"doubt" if is_doubt else "word"}">{escape(word)} </tspan>'
            yield (
                f'<text class="{tone}" x="{_n(x + _PADDING)}" y="{_n(base)}" xml:space="preserve">'
                f"{head if word else ''}{escape(text)}</text>"
            )


def _line(route: Route) -> Iterator[str]:
    line, head = arrow(route)
    yield f'<path class="edge" d="{line}"/>'
    yield f'<path class="head" d="{head}"/>'


def _tag(spot: Spot, lines: Sequence[str]) -> Iterator[str]:
    size = _label_size(lines)
    if size is None:
        return
    x = spot.x - size.width / 2
    yield (
        f'<rect class="tag" x="{_n(x)}" y="{_n(spot.y)}" width="{_n(size.width)}"'
        f' height="{_n(size.height)}" rx="6"/>'
    )
    for number, line in enumerate(lines):
        yield (
            f'<text class="label" x="{_n(spot.x)}" y="{_n(spot.y + 14 + number * 14)}"'
            f' text-anchor="middle">{escape(line)}</text>'
        )


# --- texts ------------------------------------------------------------------------------------


def _label(edge: Edge) -> list[str]:
    return [line for item in edge.items for line in broken(item, _LABEL_COLUMNS)]


def _label_size(lines: Sequence[str]) -> Size | None:
    if not lines:
        return None
    widest = max(map(columns, lines))
    return Size(width=widest * 11.0 * MONO + 14.0, height=len(lines) * 14.0 + 6.0)


def _wrapped_fact(fact: Fact) -> list[tuple[str, str, bool]]:
    """A fact in lines: its word on the first, its items behind and below."""
    room = int((_BOX - 2 * _PADDING) / (_TEXT * MONO))
    lines: list[tuple[str, str, bool]] = []
    word, text = fact.label, ""
    for item in (
        each + ("," if number < len(fact.items) - 1 else "")
        for number, each in enumerate(fact.items)
    ):
        for part in item.split(" "):
            head = len(word) + 1 if word else 0
            if text.strip() and head + columns(text) + 1 + columns(part) > room:
                lines.append((word, text, fact.is_doubt))
                word, text, head = "", "  ", 0
            text = f"{text} {part}" if text.strip() else text + part
            while head + columns(text) > room:
                end = break_at(text, room - head)
                lines.append((word, text[:end], fact.is_doubt))
                word, text, head = "", "  " + text[end:], 0
    lines.append((word, text, fact.is_doubt))
    return lines
