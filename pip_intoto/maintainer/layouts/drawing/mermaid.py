"""A chart as a Mermaid flowchart, for pages that draw such texts (GitHub, GitLab, many wikis)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pip_intoto.maintainer.layouts.drawing.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pip_intoto.maintainer.layouts.drawing.model import Chart, Node

#: What may stand in a text as it is: words, and what stands between the letters of one.
_PLAIN = re.compile(r"[^\W_]|(?<=[^\W_])[._/-](?=[^\W_])| ")
#: Which node has which shape.
_SHAPES = {
    Kind.STEP: ("[", "]"),
    Kind.INSPECTION: ("([", "])"),
    Kind.FILE: ("[[", "]]"),
}
_INDENT = "    "
#: What Mermaid takes unless a page asks for more: characters, and edges.
_LONGEST = 50_000
_EDGES = 500


def render(charts: Sequence[Chart]) -> str:
    """A flowchart of all ``charts``; of several, each in a frame of its own.

    Of what is too much for Mermaid, the shorter edges are drawn, and if need be without words.
    """
    drawn = [_with_fewer_edges(chart, _EDGES // len(charts)) for chart in charts]
    full = _flowchart(drawn)
    return full if len(full) <= _LONGEST else _flowchart([_without_words(each) for each in drawn])


def _with_fewer_edges(chart: Chart, most: int) -> Chart:
    order = sorted(chart.edges, key=lambda edge: abs(edge.target - edge.source))
    return chart.without(order[most:])


def _without_words(chart: Chart) -> Chart:
    return replace(
        chart,
        nodes=tuple(replace(node, facts=()) for node in chart.nodes),
        edges=tuple(replace(edge, items=()) for edge in chart.edges),
    )


def _flowchart(charts: Sequence[Chart]) -> str:
    lines = ["flowchart TD"]
    for number, chart in enumerate(charts):
        if len(charts) == 1:
            lines += [_INDENT + line for line in _chart(chart, "n")]
        else:
            lines.append(f"{_INDENT}subgraph g{number} [{_quoted(chart.title, chart.subtitle)}]")
            lines += [_INDENT * 2 + line for line in _chart(chart, f"g{number}n")]
            lines.append(f"{_INDENT}end")
    return "\n".join(lines) + "\n"


def _chart(chart: Chart, prefix: str) -> Iterator[str]:
    for index, node in enumerate(chart.nodes):
        before, after = _SHAPES[node.kind]
        yield f"{prefix}{index}{before}{_quoted(*_lines(node))}{after}"
    for edge in chart.edges:
        # Against the order of the layout: dotted.
        arrow = "-->" if edge.is_forward else "-.->"
        label = f"|{_quoted(*edge.items)}|" if edge.items else ""
        yield f"{prefix}{edge.source} {arrow}{label} {prefix}{edge.target}"


def _lines(node: Node) -> tuple[str, ...]:
    kind = "" if node.kind is Kind.FILE else f"{node.kind.value} "
    return (f"{kind}{node.name}", *map(str, node.facts))


def _quoted(*lines: str) -> str:
    return '"' + "<br/>".join(map(escape, lines)) + '"'


def escape(text: str) -> str:
    """``text`` such that no reader of Mermaid finds anything but text in it.

    Letters and digits stand as they are, and dots, dashes and slashes between them. Everything else
    could be markup to Mermaid, Markdown or HTML, and becomes Mermaid's own entity.
    """
    made = []
    position = 0
    while position < len(text):
        if _PLAIN.match(text, position):
            made.append(text[position])
        else:
            made.append(f"#{ord(text[position])};")
        position += 1
    return "".join(made)
