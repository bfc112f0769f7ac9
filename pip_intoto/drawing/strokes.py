"""Lines of a drawing as SVG's path data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pip_intoto.drawing.arrangement import Route


def arrow(route: Route) -> tuple[str, str]:
    """The line of an edge and its head, as the values of two ``d`` attributes."""
    (begin, _), *rest = route.stops
    path = f"M{number(begin.x)} {number(begin.y)}"
    last = begin
    for top, low in rest:
        # The arrow's head takes the last few units.
        y = top.y if top is not rest[-1][0] else top.y - 6
        middle = number((last.y + y) / 2)
        path += f"C{number(last.x)} {middle} {number(top.x)} {middle} {number(top.x)} {number(y)}"
        if low.y > top.y:
            path += f"V{number(low.y)}"
        last = low
    return path, f"M{number(last.x)} {number(last.y)}l-4.5 -8h9z"


def number(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")
