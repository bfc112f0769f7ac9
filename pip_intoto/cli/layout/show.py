"""``pip-intoto layout show``: the chain as a drawing."""

from __future__ import annotations

import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.cli.terminal import Terminal
from pip_intoto.maintainer.layouts.drawing import mermaid, svg, text
from pip_intoto.maintainer.layouts.drawing.model import chart_of
from pip_intoto.maintainer.layouts.layout_source import DEFAULT_NAME
from pip_intoto.maintainer.layouts.layouts_in import layouts_in
from pip_intoto.reports.lines import Tone, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pip_intoto.maintainer.layouts.drawing.model import Chart
    from pip_intoto.maintainer.layouts.drawing.text import Drawn

HELP = "draw the chain: in the terminal, for a page in Mermaid, or as an image"
EXAMPLES = f"""
  # {DEFAULT_NAME} as it stands, with the names of its keys
  pip-intoto layout show

  # a layout, or what is in a bundle, sublayouts included
  pip-intoto layout show root.layout
  pip-intoto layout show dist-evidence/demo-1.0-py3-none-any.whl.intoto.jsonl

  # for the project's pages
  pip-intoto layout show --format mermaid -o chain.mmd
  pip-intoto layout show root.layout --format svg -o chain.svg
"""

#: For files, which have no width of their own.
_WIDTH = 80


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``layout show``."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=Path,
        default=Path(DEFAULT_NAME),
        help="a layout, a layout source, a bundle, or a directory of evidence"
        f" (default: {DEFAULT_NAME})",
    )
    parser.add_argument(
        "--format", choices=("text", "mermaid", "svg"), default="text", help="default: text"
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the drawing here")


def run(args: argparse.Namespace) -> int:
    """Draw. Raises the errors of this package."""
    terminal = Terminal.of(args)
    now = datetime.now(timezone.utc)
    charts = [chart_of(found, now=now) for found in layouts_in(args.file, now=now)]
    if args.output is None and args.format == "text":
        width = shutil.get_terminal_size((_WIDTH, 24)).columns
        for line in _lines(charts, width, sys.stdout.encoding or "ascii"):
            tone = Tone.TITLE if line.is_title else Tone.DOUBT if line.is_doubt else Tone.PLAIN
            terminal.report(line.text, tone)
        return 0
    if args.format == "text":
        drawing = "".join(f"{printable(line.text)}\n" for line in _lines(charts, _WIDTH, "utf-8"))
    else:
        drawing = (mermaid if args.format == "mermaid" else svg).render(charts)
    if args.output is None:
        sys.stdout.write(drawing)
    else:
        files.replace(args.output, drawing.encode("utf-8"))
    return 0


def _lines(charts: Sequence[Chart], width: int, encoding: str) -> list[Drawn]:
    lines: list[Drawn] = []
    for chart in charts:
        if lines:
            lines.append(text.Drawn(""))
        lines += text.render(chart, width=width, encoding=encoding)
    return lines
