"""A chart for the terminal: boxes one below the other, and rails on their left.

A rail leaves the box of a step and has an arrow to each box that takes something of it. What is
taken is said where the arrow ends, so that nothing is lost where there is no room for a rail.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.maintainer.layouts.drawing.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pip_intoto.maintainer.layouts.drawing.model import Chart, Edge, Node

#: Rails side by side; the sources of further ones are only named.
_RAILS = 8
#: Arrows that end at one box; where there are more, those from afar are told in words.
_ENDING = 10
_NARROWEST = 28
_WIDEST = 100


@dataclass(frozen=True, slots=True)
class Drawn:
    """One line of a drawing; ``is_title`` and ``is_doubt`` say how it may be coloured."""

    text: str
    is_title: bool = False
    is_doubt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signs:
    """What lines are drawn with; corners of a box clockwise, then its sides."""

    step: str
    inspection: str
    file: str
    rail: str
    across: str
    crossing: str
    begin: str
    branch: str
    end: str
    arrow: str
    out: Mapping[Kind, str]

    def box(self, kind: Kind) -> str:
        return {Kind.STEP: self.step, Kind.INSPECTION: self.inspection, Kind.FILE: self.file}[kind]


_LINES = _Signs(
    step="┌┐┘└─│",
    inspection="╭╮╯╰─│",
    file="╔╗╝╚═║",
    rail="│",
    across="─",
    crossing="┼",
    begin="┌",
    branch="├",
    end="└",
    arrow="▶",
    out={Kind.STEP: "┤", Kind.INSPECTION: "┤", Kind.FILE: "╢"},
)
_ASCII = _Signs(
    step="++++-|",
    inspection="....-:",
    file="####=#",
    rail="|",
    across="-",
    crossing="+",
    begin="+",
    branch="+",
    end="+",
    arrow=">",
    out={Kind.STEP: "+", Kind.INSPECTION: "+", Kind.FILE: "#"},
)


def has_lines(encoding: str) -> bool:
    """Whether lines and arrows can be written in ``encoding``; if not, ASCII has to do."""
    boxes = _LINES.step + _LINES.inspection + _LINES.file
    signs = boxes + _LINES.crossing + _LINES.branch + _LINES.arrow + "".join(_LINES.out.values())
    try:
        signs.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def render(chart: Chart, *, width: int, encoding: str = "utf-8") -> tuple[Drawn, ...]:
    """Draw ``chart`` for a terminal of ``width`` columns, in what ``encoding`` can write."""
    nearest: dict[int, list[Edge]] = {}
    for edge in sorted(chart.edges, key=lambda each: abs(each.target - each.source)):
        nearest.setdefault(edge.target, []).append(edge)
    far = [edge for edges in nearest.values() for edge in edges[_ENDING:]]
    return tuple(_Drawing(chart.without(far), width, encoding).draw())


class _Drawing:
    def __init__(self, chart: Chart, width: int, encoding: str) -> None:
        self._chart = chart
        self._encoding = encoding
        self._signs = _LINES if has_lines(encoding) else _ASCII
        self._rails = _rails(chart.edges)
        self._columns = max(self._rails.values(), default=-1) + 1
        # A rail needs its column, and two more lead to the box with an arrow.
        gutter = self._columns + 3 if self._columns else 0
        self._inner = max(min(width, _WIDEST) - gutter - 4, _NARROWEST)
        #: Which source runs in which column right now.
        self._running: dict[int, int] = {}

    def draw(self) -> Iterator[Drawn]:
        yield Drawn(self._written(self._chart.title), is_title=True)
        yield Drawn(self._written(self._chart.subtitle))
        for index, node in enumerate(self._chart.nodes):
            yield from self._box(index, node)

    def _box(self, index: int, node: Node) -> Iterator[Drawn]:
        top_left, top_right, bottom_right, bottom_left, flat, side = (*self._signs.box(node.kind),)
        name = node.name if node.kind is Kind.FILE else f"{node.kind.value} {node.name}"
        name = _fitting(self._written(name), self._inner - 2)
        rest = flat * (self._inner - _columns(name) - 1)
        yield Drawn(f"{self._passing()}{top_left}{flat} {name} {rest}{top_right}", is_title=True)
        for edge in self._edges_to(index):
            arrow = self._entering(edge)
            for line in self._wrapped(self._taken(node, edge)):
                yield self._row(arrow or self._passing(), side, line)
                arrow = ""
        leaving = self._leaving(index)
        facts = [(str(fact), fact.is_doubt) for fact in node.facts]
        for text, is_doubt in facts or [("", False)][: bool(leaving)]:
            for line in self._wrapped(text):
                left = self._signs.out[node.kind] if leaving else side
                yield self._row(leaving or self._passing(), left, line, side, is_doubt=is_doubt)
                leaving = ""
        yield Drawn(f"{self._passing()}{bottom_left}{flat * (self._inner + 2)}{bottom_right}")

    def _taken(self, node: Node, edge: Edge) -> str:
        if node.kind is not Kind.FILE:
            return str(self._chart.told(edge))
        # The file takes nothing: it is what comes out.
        return f"{', '.join(edge.items) or 'a product'} from {self._chart.nodes[edge.source].name}"

    def _wrapped(self, text: str) -> Iterator[str]:
        return _wrapped(self._written(text), self._inner)

    def _written(self, text: str) -> str:
        """``text`` as it comes out, which is what has to fit."""
        made = text if self._signs is _LINES else text.replace("…", "...")
        return made.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _row(
        self, gutter: str, left: str, text: str, right: str = "", *, is_doubt: bool = False
    ) -> Drawn:
        padding = " " * (self._inner - _columns(text))
        return Drawn(f"{gutter}{left} {text}{padding} {right or left}", is_doubt=is_doubt)

    # --- rails ------------------------------------------------------------------------------

    def _edges_to(self, index: int) -> list[Edge]:
        return [edge for edge in self._chart.edges if edge.target == index]

    def _passing(self) -> str:
        """The rails beside a line where nothing happens."""
        if not self._columns:
            return ""
        return self._gutter() + "   "

    def _gutter(self, turning: int | None = None, sign: str = "") -> str:
        """The rails; from column ``turning`` on, which shows ``sign``, a line goes to the box."""
        running = set(self._running.values())
        made = ""
        for column in range(self._columns):
            if column == turning:
                made += sign
            elif turning is not None and column > turning:
                made += self._signs.crossing if column in running else self._signs.across
            else:
                made += self._signs.rail if column in running else " "
        return made

    def _entering(self, edge: Edge) -> str:
        column = self._running.get(edge.source)
        if column is None or not edge.is_forward:
            return ""
        is_last = all(
            other.target <= edge.target
            for other in self._chart.edges
            if other.source == edge.source and other.is_forward
        )
        sign = self._signs.end if is_last else self._signs.branch
        made = self._gutter(column, sign) + self._signs.across * 2 + self._signs.arrow
        if is_last:
            del self._running[edge.source]
        return made

    def _leaving(self, index: int) -> str:
        column = self._rails.get(index)
        if column is None:
            return ""
        made = self._gutter(column, self._signs.begin) + self._signs.across * 3
        self._running[index] = column
        return made


def _rails(edges: Sequence[Edge]) -> dict[int, int]:
    """The column of each source's rail, 0 for the leftmost; sources without one are absent."""
    ends: dict[int, int] = {}
    for edge in edges:
        if edge.is_forward:
            ends[edge.source] = max(ends.get(edge.source, 0), edge.target)
    places: dict[int, int] = {}
    taken: dict[int, int] = {}
    for source in sorted(ends):
        # Nearest to the boxes first; a rail that ends where this one begins has made room.
        free = next((place for place in range(_RAILS) if taken.get(place, -1) <= source), None)
        if free is not None:
            places[source] = free
            taken[free] = ends[source]
    most = max(places.values(), default=0)
    return {source: most - place for source, place in places.items()}


# --- texts ------------------------------------------------------------------------------------


def _columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    return sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fitting(text: str, columns: int) -> str:
    if _columns(text) <= columns:
        return text
    made = ""
    for character in text:
        if _columns(made) + _width(character) > columns - 1:
            break
        made += character
    return made + "~"


def _wrapped(text: str, columns: int) -> Iterator[str]:
    """``text`` in lines of at most so many columns, broken between words where that works."""
    line = ""
    for word in text.split(" "):
        if line and _columns(line) + 1 + _columns(word) > columns:
            yield line
            line = "  "
        rest = f"{line} {word}" if line.strip() else line + word
        while _columns(rest) > columns:
            count = 1
            while _columns(rest[: count + 1]) <= columns:
                count += 1
            yield rest[:count]
            rest = "  " + rest[count:]
        line = rest
    yield line
