"""A supply chain as a drawing: steps and inspections as boxes, what flows between, and the file.

Most chains of a run look alike: they have the same steps and differ in names and numbers. So what
is the same is drawn once, as a shape, and each drawing consists of a reference to its shape and of
its own texts. Names are the layouts' authors' to choose, and so is their number: texts are cut, and
a chain with a thousand steps is still a drawing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.drawing.arrangement import Size, Span, arrange, rows
from pip_intoto.drawing.lettering import MONO, broken, columns, cut
from pip_intoto.drawing.strokes import arrow
from pip_intoto.drawing.strokes import number as _n
from pip_intoto.metadata.predicate_names import as_filename
from pip_intoto.reports.page.texts import line
from pip_intoto.reports.wording import number
from pip_intoto.sources.addresses import printable
from pip_intoto.verdict import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pip_intoto.drawing.arrangement import Arrangement
    from pip_intoto.verdict import Station, SupplyChain, Verdict

#: Stations of a drawing; edges that end in one box, and in all, with the rows that they pass.
_STATIONS = 40
_ENDING = 5
_DRAWN = 200
#: Functionaries, and steps that are told in words.
_NAMED = 5
#: Lines of one text in a box.
_LINES = 4

_BOX = 272.0
_MARGIN = 2.0
_SHIFT = f"{_MARGIN:g} {_MARGIN:g}"
_LEFT = 38.0
_TOP = 25.0
_LINE = 17.0
_LETTER = 12.0
_TAG = 11.0
#: Drawings wider than that may not fit, and what scrolls has to be reached with a keyboard.
_NARROW = 300.0
_WIDE = ' tabindex="0" role="group" aria-label="Supply chain"'
_COLUMNS = int((_BOX - _LEFT - 12) / (_LETTER * MONO))

#: What a box says in its upper right corner; the room for it is not the name's.
_KINDS = {"step": 34.0, "inspection": 66.0, "file": 28.0}
_STATES = {Outcome.OK: "ok", Outcome.NOTE: "note", Outcome.FAIL: "fail"}
#: In a circle around the origin.
_MARKS = {"ok": "M-4 .5l3 3 5-6.5", "note": "M-4 0h8", "fail": "M-3.5-3.5l7 7m0-7l-7 7"}


@dataclass(frozen=True, slots=True)
class _Box:
    """A station or the file. Each of ``texts`` is a line: its class, and what it says."""

    kind: str
    state: str
    texts: tuple[tuple[str, str], ...]

    @property
    def size(self) -> Size:
        return Size(width=_BOX, height=_TOP + _LINE * (len(self.texts) - 1) + 13)


@dataclass(frozen=True, slots=True)
class _Flow:
    """An arrow from one box to a later one, and what it says of itself."""

    source: int
    target: int
    text: str = ""
    is_faint: bool = False
    is_main: bool = False

    @property
    def span(self) -> Span:
        return Span(source=self.source, target=self.target, label=self.size, is_main=self.is_main)

    @property
    def size(self) -> Size | None:
        if not self.text:
            return None
        # In steps, so that numbers of different lengths need no shapes of their own.
        wide = -(-columns(self.text) // 4) * 4
        return Size(width=wide * _TAG * MONO + 12, height=19.0)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What drawings have in common, and where their texts go."""

    name: str
    arranged: Arrangement


class Drawings:
    """The drawings of a page, and the shapes that they share."""

    def __init__(self) -> None:
        self._shapes: dict[object, _Shape] = {}
        self._drawn: list[str] = []

    def draw(self, verdict: Verdict, chain: SupplyChain) -> str:
        """The drawing of one verdict's chain, in an element that scrolls if it is too wide."""
        boxes, flows = _boxes(verdict, chain)
        shape = self._shape(boxes, flows)
        width = shape.arranged.width + 2 * _MARGIN
        height = shape.arranged.height + 2 * _MARGIN
        wide = _WIDE if width > _NARROW else ""
        parts = [
            f'<div class="scroll"{wide}>',
            f'<svg class="chain" width="{_n(width)}" height="{_n(height)}">',
            f'<use href="#{shape.name}"/>',
        ]
        for box, spot in zip(boxes, shape.arranged.nodes, strict=True):
            x = _n(spot.x - _BOX / 2 + _LEFT + _MARGIN)
            (_, name), *rest = box.texts
            texts = [f'<tspan class="n">{line(name)}</tspan>']
            for style, text in rest:
                tone = f' class="{style}"' if style else ""
                texts.append(f'<tspan{tone} x="{x}" dy="{_n(_LINE)}">{line(text)}</tspan>')
            parts.append(f'<text x="{x}" y="{_n(spot.y + _TOP + _MARGIN)}">{"".join(texts)}</text>')
        for flow, route in zip(flows, shape.arranged.routes, strict=True):
            if route.label is not None:
                x, y = _n(route.label.x + _MARGIN), _n(route.label.y + 13.5 + _MARGIN)
                parts.append(f'<text class="g" x="{x}" y="{y}">{line(flow.text)}</text>')
        return "".join(parts) + "</svg></div>"

    def shapes(self) -> str:
        """What the drawings refer to; to be put on the page once."""
        if not self._drawn:
            return ""
        return (
            '<svg class="shapes" width="0" height="0" aria-hidden="true"><defs>'
            + "".join(self._drawn)
            + "</defs></svg>\n"
        )

    def _shape(self, boxes: Sequence[_Box], flows: Sequence[_Flow]) -> _Shape:
        look = (
            tuple((box.kind, box.state, len(box.texts)) for box in boxes),
            tuple((flow.span, flow.is_faint) for flow in flows),
        )
        known = self._shapes.get(look)
        if known is None:
            arranged = arrange([box.size for box in boxes], [flow.span for flow in flows])
            known = _Shape(f"shape{len(self._shapes)}", arranged)
            self._shapes[look] = known
            self._drawn.append(
                f'<g id="{known.name}" aria-hidden="true" transform="translate({_SHIFT})">'
                + "".join(_strokes(boxes, flows, arranged))
                + "</g>"
            )
        return known


def _strokes(boxes: Sequence[_Box], flows: Sequence[_Flow], arranged: Arrangement) -> Iterator[str]:
    for flow, route in zip(flows, arranged.routes, strict=True):
        path, head = arrow(route)
        faint = " faint" if flow.is_faint else ""
        yield f'<path class="edge{faint}" d="{path}"/><path class="head{faint}" d="{head}"/>'
    for flow, route in zip(flows, arranged.routes, strict=True):
        if route.label is not None and flow.size is not None:
            x = _n(route.label.x - flow.size.width / 2)
            yield (
                f'<rect class="tag" x="{x}" y="{_n(route.label.y)}"'
                f' width="{_n(flow.size.width)}" height="{_n(flow.size.height)}" rx="9.5"/>'
            )
    for box, spot in zip(boxes, arranged.nodes, strict=True):
        left, top = spot.x - _BOX / 2, spot.y
        yield (
            f'<rect class="box {box.kind} {box.state}" x="{_n(left)}" y="{_n(top)}"'
            f' width="{_n(_BOX)}" height="{_n(box.size.height)}" rx="7"/>'
        )
        mark = f"translate({_n(left + 20)} {_n(top + _TOP - 4.5)})"
        yield (
            f'<g class="mark {box.state}" transform="{mark}">'
            f'<circle r="8.5"/><path d="{_MARKS[box.state]}"/></g>'
        )
        yield f'<text class="k" x="{_n(left + _BOX - 12)}" y="{_n(top + _TOP)}">{box.kind}</text>'


# --- what a drawing consists of -------------------------------------------------------------------


def _boxes(verdict: Verdict, chain: SupplyChain) -> tuple[list[_Box], list[_Flow]]:
    stations = _shown(chain.stations)
    index: dict[str, int] = {}
    for at, station in enumerate(stations):
        index.setdefault(station.name, at)
    drawn, told = _feeds(stations, index)
    boxes = [_station(station, told[at]) for at, station in enumerate(stations)]
    # What comes last before a station is most of what it works on.
    latest = {target: max(one for one, other in drawn if other == target) for _, target in drawn}
    flows = [
        _Flow(
            source,
            target,
            "" if stations[source].products is None else _products(stations[source]),
            is_faint=stations[source].outcome is not Outcome.OK
            or stations[target].outcome is Outcome.NOTE,
            is_main=source == latest[target],
        )
        for source, target in drawn
    ]
    left_out = len(chain.stations) - len(stations)
    boxes.append(_file(verdict, chain, left_out))
    flows += _to_file(chain, stations, drawn)
    return boxes, flows


def _shown(stations: Sequence[Station]) -> list[Station]:
    """All, or where they are too many those that went wrong and the first of the others."""
    if len(stations) <= _STATIONS:
        return list(stations)
    by_need = sorted(
        range(len(stations)), key=lambda at: (stations[at].outcome is not Outcome.FAIL, at)
    )
    return [stations[at] for at in sorted(by_need[:_STATIONS])]


def _feeds(
    stations: Sequence[Station], index: dict[str, int]
) -> tuple[list[tuple[int, int]], list[list[str]]]:
    """The pairs that an arrow joins, and for each station the feeds that words have to tell."""
    pairs: list[tuple[int, int]] = []
    told: list[list[str]] = [[] for _ in stations]
    for target, station in enumerate(stations):
        for name in dict.fromkeys(station.feeds):
            source = index.get(name)
            if source is not None and source < target:
                pairs.append((source, target))
            elif source != target:
                told[target].append(name)
    row = rows(len(stations), [Span(source=source, target=target) for source, target in pairs])
    # The short ones first: they say most of how the chain hangs together.
    room = _DRAWN
    ending = [0] * len(stations)
    drawn = []
    for source, target in sorted(pairs, key=lambda pair: row[pair[1]] - row[pair[0]]):
        length = row[target] - row[source]
        if length <= room and ending[target] < _ENDING:
            drawn.append((source, target))
            room -= length
            ending[target] += 1
        else:
            told[target].append(stations[source].name)
    return drawn, told


def _station(station: Station, told: Sequence[str]) -> _Box:
    kind = "inspection" if station.is_inspection else "step"
    texts = list(_name(station.name, kind))
    if not station.is_inspection:
        count = len(station.functionaries)
        who = f": {_listed(station.functionaries)}" if count else ""
        tone = "w" if count < station.wanted else ""
        texts += _wrapped(f"{count} of {station.wanted}{who}", tone)
        if station.predicates:
            kinds = [as_filename(each) for each in station.predicates]
            texts += _wrapped(f"states {_listed(kinds)}", "q")
    counts = []
    if station.materials is not None:
        counts.append(number(station.materials, "material"))
    if station.products is not None:
        counts.append(_products(station))
    if counts:
        texts.append(("q", f"{' → '.join(counts)}"))
    if told:
        texts += _wrapped(f"takes from {_listed(told)}", "q")
    if station.outcome is Outcome.FAIL:
        texts += _wrapped(": ".join(filter(None, ("broke here", station.detail))), "w")
    elif station.detail or station.outcome is Outcome.NOTE:
        texts += _wrapped(station.detail or "not looked at", "q")
    return _Box(kind, _STATES[station.outcome], tuple(texts))


def _file(verdict: Verdict, chain: SupplyChain, left_out: int) -> _Box:
    filename = verdict.distribution.filename or verdict.distribution.name
    texts = list(_name(filename, "file"))
    holds = verdict.status in {Status.VERIFIED, Status.EXEMPT}
    if chain.binding or verdict.status is Status.VERIFIED:
        texts += _wrapped(f"found in {chain.binding}", "q") if chain.binding else []
        state = "ok" if holds else "note"
    elif all(station.outcome is Outcome.OK for station in chain.stations):
        texts += _wrapped(f"broke here: {verdict.reason}", "w")
        state = "fail"
    else:
        texts.append(("q", "the chain does not reach it"))
        state = "note"
    if left_out:
        texts.append(("q", f"{number(left_out, 'station')} more, not drawn"))
    return _Box("file", state, tuple(texts))


def _to_file(
    chain: SupplyChain, stations: Sequence[Station], drawn: Sequence[tuple[int, int]]
) -> Iterator[_Flow]:
    """What made the file, and which inspections looked into it on the way."""
    file = len(stations)
    steps = [at for at, station in enumerate(stations) if not station.is_inspection]
    named = [at for at in steps if chain.binding.startswith(f"step {stations[at].name}, ")]
    inspected = {source for source, target in drawn if stations[target].is_inspection}
    makers = {at for at in named or steps[-1:] if at not in inspected}
    ends = [at for at, station in enumerate(stations) if station.is_inspection or at in makers]
    for at in ends:
        is_faint = not chain.binding or stations[at].outcome is not Outcome.OK
        yield _Flow(at, file, is_faint=is_faint, is_main=at == ends[0])


# --- texts ------------------------------------------------------------------------------------


def _products(station: Station) -> str:
    return number(station.products or 0, "product")


def _name(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """A name on two lines at most; the first leaves room for the kind."""
    shown = printable(text, 200) or "(no name)"
    room = int((_BOX - _LEFT - 20 - _KINDS[kind]) / (_LETTER * 1.09 * MONO))
    first, *rest = broken(shown, room)
    yield "n", first
    if rest:
        yield "n", cut(shown[len(first) :].lstrip(" "), room)


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(printable(name, 80) for name in names[:_NAMED])
    return listed + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _wrapped(text: str, style: str) -> list[tuple[str, str]]:
    found = list(broken(printable(text, 600), _COLUMNS))
    if len(found) > _LINES:
        found[_LINES - 1 :] = [cut(found[_LINES - 1], _COLUMNS - 1) + "…"]
    return [(style, each) for each in found]
