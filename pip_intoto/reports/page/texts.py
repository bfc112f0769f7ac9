"""Text of others as HTML: visible, escaped, on one line or several, and bounded."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from pip_intoto.sources.addresses import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Items of a list that are shown.
_LISTED = 200


def line(text: str, at_most: int = 1_000) -> str:
    """``text`` as HTML on one line; control characters and direction marks are spelled out.

    NUL and lone surrogates, which no document may have, are among them.
    """
    return escape(printable(text, at_most))


def lines(text: str) -> str:
    """``text`` as HTML; ends of lines stay."""
    return "\n".join(line(each) for each in text.split("\n")[:_LISTED])


def prose(text: str) -> str:
    """A text of this project's own pages as HTML: code and stress as Markdown has them."""
    code = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"(?<!\*)\*([^*<>]+)\*(?!\*)", r"<em>\1</em>", code)


def items(texts: Sequence[str], tag: str = "li") -> str:
    """The first of ``texts``, which are HTML, each in an element; then how many more there are."""
    shown = [f"<{tag}>{text}</{tag}>" for text in texts[:_LISTED]]
    if len(texts) > _LISTED:
        shown.append(f"<{tag}>and {len(texts) - _LISTED:,} more</{tag}>")
    return "".join(shown)
