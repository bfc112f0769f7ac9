"""Where the boxes of a drawing go: in rows, so that arrows lead down and seldom cross.

Rows follow the edges. What an edge says of itself gets a row of its own above its end, and where an
edge passes other rows it is kept a place there; then nothing lies on top of anything else. In each
row the order is that of the neighbours above and below, and the places are those nearest to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Nodes side by side; more go to the next row.
_IN_A_ROW = 5
_SWEEPS = 12
#: Until nothing moves any more that anybody would see.
_SETTLINGS = 60
#: Between two things side by side, and between two rows.
_BESIDE = 28.0
_BETWEEN = 26.0
#: What an edge takes of a row that it passes.
_PASSING = 6.0
#: How much more an edge that passes rows wants to be straight than a box to be in the middle.
_STRAIGHT = 8.0
#: How much more what a main edge joins wants to be where it is than all else.
_MAIN = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large something is."""

    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An edge from one node to a later one, and how large its label is, if it has one.

    One that ``is_main`` is straight, at the cost of the others; of those that begin in one node,
    one should be, and of those that end there as well.
    """

    source: int
    target: int
    label: Size | None = None
    is_main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where something is: the middle of its upper side."""

    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way of an edge: pairs of points that it runs straight between, and its label."""

    stops: tuple[tuple[Spot, Spot], ...]
    label: Spot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Where nodes and edges go, in the order in which they were given."""

    width: float
    height: float
    nodes: tuple[Spot, ...]
    routes: tuple[Route, ...]


@dataclass(slots=True, eq=False)
class _Cell:
    """Something that takes room in a row: a node, a label, or an edge that passes."""

    row: int
    width: float
    height: float
    x: float = 0.0
    is_way: bool = False
    is_main: bool = False
    above: list[_Cell] = field(default_factory=list, repr=False)
    below: list[_Cell] = field(default_factory=list, repr=False)


def rows(nodes: int, spans: Sequence[Span]) -> list[int]:
    """The row of each node: below all that it has an edge from."""
    row = [0] * nodes
    taken: dict[int, int] = {}
    for node in range(nodes):
        # Edges lead to later nodes only: those before have their rows.
        place = max((row[span.source] + 1 for span in spans if span.target == node), default=0)
        while taken.get(place, 0) >= _IN_A_ROW:
            place += 1
        taken[place] = taken.get(place, 0) + 1
        row[node] = place
    return row


def arrange(sizes: Sequence[Size], spans: Sequence[Span]) -> Arrangement:
    """Find places for all. Each of ``spans`` leads from a node to a later one."""
    # Labels stand in the odd rows.
    row = [2 * each for each in rows(len(sizes), spans)]
    nodes = [_Cell(row[index], size.width, size.height) for index, size in enumerate(sizes)]
    cells = list(nodes)
    ways: list[list[_Cell]] = []
    for span in spans:
        way = []
        for place in range(row[span.source] + 1, row[span.target]):
            is_label = span.label is not None and place == row[span.target] - 1
            size = span.label if is_label and span.label else Size(width=_PASSING, height=0.0)
            way.append(_Cell(place, size.width, size.height, is_way=True, is_main=span.is_main))
        for one, other in zip([nodes[span.source], *way], [*way, nodes[span.target]], strict=True):
            one.below.append(other)
            other.above.append(one)
        cells += way
        ways.append(way)
    layers: list[list[_Cell]] = [[] for _ in range(max(row, default=0) + 1)]
    for cell in cells:
        layers[cell.row].append(cell)
    _order(layers)
    _place(layers)
    tops = _tops(layers)
    left = min((cell.x - cell.width / 2 for cell in cells), default=0.0)
    for cell in cells:
        cell.x -= left
    return Arrangement(
        width=max((cell.x + cell.width / 2 for cell in cells), default=0.0),
        height=max((tops[cell.row] + cell.height for cell in cells), default=0.0),
        nodes=tuple(_spot(cell, tops) for cell in nodes),
        routes=tuple(
            _route(span, nodes, way, tops, layers) for span, way in zip(spans, ways, strict=True)
        ),
    )


def _order(layers: Sequence[list[_Cell]]) -> None:
    """Bring each row into the order of its neighbours, downwards and upwards in turn."""
    _number(layers)
    best = _crossings(layers)
    kept = [list(layer) for layer in layers]
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            middles = {
                id(cell): sum(other.x for other in near) / len(near) if near else cell.x
                for cell in layer
                for near in (cell.above if down else cell.below,)
            }
            layer.sort(key=lambda cell: middles[id(cell)])
            for place, cell in enumerate(layer):
                cell.x = float(place)
        found = _crossings(layers)
        if found < best:
            best, kept = found, [list(layer) for layer in layers]
    for layer, order in zip(layers, kept, strict=True):
        layer[:] = order
    _number(layers)


def _number(layers: Sequence[list[_Cell]]) -> None:
    for layer in layers:
        for place, cell in enumerate(layer):
            cell.x = float(place)


def _crossings(layers: Sequence[list[_Cell]]) -> int:
    """How many pairs of edges cross."""
    count = 0
    for layer in layers:
        ends = [other.x for cell in layer for other in sorted(cell.below, key=lambda each: each.x)]
        count += sum(later < end for place, end in enumerate(ends) for later in ends[place + 1 :])
    return count


def _place(layers: Sequence[list[_Cell]]) -> None:
    """Give each cell the place nearest to its neighbours that leaves room for those beside it."""
    for layer in layers:
        x = 0.0
        for cell in layer:
            cell.x = x + cell.width / 2
            x += cell.width + _BESIDE
        for cell in layer:
            cell.x -= (x - _BESIDE) / 2
    for sweep in range(_SETTLINGS):
        both = sweep >= _SETTLINGS // 2
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            wanted = [
                _middle(cell, [*cell.above, *cell.below])
                if both
                else _middle(cell, cell.above if down else cell.below)
                for cell in layer
            ]
            _settle(layer, wanted)
    if any(cell.is_main for layer in layers for cell in layer):
        _straighten(layers)


def _straighten(layers: Sequence[list[_Cell]]) -> None:
    """Bring what a main edge joins below what it begins in; the others make room."""
    for layer in layers:
        wanted = []
        for cell in layer:
            above = [each for each in cell.above if cell.is_main or each.is_main]
            wanted.append(above[0].x if above else cell.x)
        _settle(layer, wanted)
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 else reversed(layers):
            wanted = [
                cell.x if _weight(cell) == _MAIN else _middle(cell, [*cell.above, *cell.below])
                for cell in layer
            ]
            _settle(layer, wanted)


def _weight(cell: _Cell) -> float:
    """How little a cell makes room for others."""
    if cell.is_main or any(each.is_main for each in (*cell.above, *cell.below)):
        return _MAIN
    return _STRAIGHT if cell.is_way else 1.0


def _middle(cell: _Cell, near: Sequence[_Cell]) -> float:
    """Where ``cell`` is drawn to by its neighbours."""
    pulls = [
        _STRAIGHT if (cell.is_way and other.is_way) or cell.is_main or other.is_main else 1.0
        for other in near
    ]
    if not near:
        return cell.x
    return sum(other.x * pull for other, pull in zip(near, pulls, strict=True)) / sum(pulls)


def _settle(layer: Sequence[_Cell], wanted: Sequence[float]) -> None:
    """Move the cells of one row as near to ``wanted`` as their order and widths allow.

    The least squares are found by pooling: neighbours that would overlap move as one block.
    """
    if not layer:
        return
    #: Where a block begins, how heavy it is, and the sum of weighted wishes for its beginning.
    blocks: list[tuple[int, float, float]] = []
    offsets = [0.0]
    for one, other in pairwise(layer):
        offsets.append(offsets[-1] + (one.width + other.width) / 2 + _BESIDE)
    for place, cell in enumerate(layer):
        weight = _weight(cell)
        blocks.append((place, weight, weight * (wanted[place] - offsets[place])))
        while len(blocks) > 1 and blocks[-2][2] / blocks[-2][1] > blocks[-1][2] / blocks[-1][1]:
            _, weight, wish = blocks.pop()
            begin, other_weight, other_wish = blocks.pop()
            blocks.append((begin, weight + other_weight, wish + other_wish))
    ends = [block[0] for block in blocks[1:]] + [len(layer)]
    for (begin, weight, wish), end in zip(blocks, ends, strict=True):
        for place in range(begin, end):
            layer[place].x = wish / weight + offsets[place]


def _tops(layers: Sequence[list[_Cell]]) -> list[float]:
    tops = []
    y = 0.0
    for layer in layers:
        tops.append(y)
        y += max((cell.height for cell in layer), default=0.0) + _BETWEEN
    return tops


def _spot(cell: _Cell, tops: Sequence[float]) -> Spot:
    return Spot(x=cell.x, y=tops[cell.row])


def _route(
    span: Span,
    nodes: Sequence[_Cell],
    way: Sequence[_Cell],
    tops: Sequence[float],
    layers: Sequence[list[_Cell]],
) -> Route:
    source, target = nodes[span.source], nodes[span.target]
    begin = Spot(x=_port(source, source.below, way[0] if way else target), y=0.0)
    end = Spot(x=_port(target, target.above, way[-1] if way else source), y=tops[target.row])
    bottom = tops[source.row] + source.height
    stops = [(Spot(x=begin.x, y=bottom), Spot(x=begin.x, y=bottom))]
    label = None
    for cell in way:
        top = tops[cell.row]
        low = top + (cell.height or max(each.height for each in layers[cell.row]))
        stops.append((Spot(x=cell.x, y=top), Spot(x=cell.x, y=low)))
        if cell.height:
            label = Spot(x=cell.x, y=top)
    stops.append((end, end))
    return Route(stops=tuple(stops), label=label)


def _port(node: _Cell, others: Sequence[_Cell], other: _Cell) -> float:
    """Where on the side of ``node`` the edge from or to ``other`` begins: side by side.

    A main edge begins in the middle.
    """
    order = sorted(others, key=lambda each: each.x)
    step = min(22.0, node.width / (len(order) + 1))
    place = next(index for index, each in enumerate(order) if each is other)
    main = (index for index, each in enumerate(order) if each.is_main)
    return node.x + (place - next(main, (len(order) - 1) / 2)) * step
