"""What an expression may look like, before celpy's grammar gets to see it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.metadata.node import shown
from pip_intoto.verification.cel.work import NotAnExpression

if TYPE_CHECKING:
    from pip_intoto.limits import Limits

# celpy's patterns for string literals take exponential time where a quote is left open, and read
# some texts as two. What passes here has one reading only, and is read in linear time.
_TOKENS = re.compile(
    r"""[ \t\n\f\r]+ | //[^\n]*
    | (?P<text> [rRbB]?"(?:[^"\\\n]|\\[^\n])*" | [rRbB]?'(?:[^'\\\n]|\\[^\n])*' )
    | (?P<number> [0-9][0-9A-Za-z_.]* ) | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<opening> [(\[{] ) | (?P<closing> [)\]}] )
    | && | \|\| | [<>=!]= | [<>!?:,.+*/%-]""",
    re.VERBOSE,
)
_ESCAPES = re.compile(r"""\\(?:[abfnrtv"'\\]|[0-3][0-7]{2}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)""")
_SIMPLE_ESCAPE = 2
_SURROGATES = range(0xD800, 0xE000)
_NUMBER_TEXT = 32


def scan(text: str, limits: Limits) -> None:
    """Refuse what is too long, too deep, or not sure to be read in one way and linear time."""
    if len(text) > limits.text:
        raise NotAnExpression(f"longer than {limits.text} characters")
    position = depth = 0
    closed = -1
    while position < len(text):
        token = _TOKENS.match(text, position)
        if token is None:
            raise NotAnExpression(f"a syntax error in column {position + 1}")
        position = token.end()
        if token["opening"]:
            depth += 1
            if depth > limits.condition_depth:
                raise NotAnExpression("too many brackets inside each other")
        elif token["closing"]:
            depth -= 1
        elif token["number"] and len(token["number"]) > _NUMBER_TEXT:
            raise NotAnExpression(f"a number of more than {_NUMBER_TEXT} characters")
        elif token["text"]:
            if token.start() == closed:
                raise NotAnExpression("texts with three quotes are not supported")
            closed = token.end()
            _scan_text(token["text"])


def _scan_text(literal: str) -> None:
    if literal[0] in "rR":
        return
    for escape in _ESCAPES.finditer(literal):
        unknown = len(escape[0]) == _SIMPLE_ESCAPE and escape[0][1] not in "abfnrtv\"'\\"
        # A lone surrogate is no character, and bytes have no code points.
        surrogate = escape[0][1] == "u" and int(escape[0][2:] or "0", 16) in _SURROGATES
        if unknown or surrogate or (literal[0] in "bB" and escape[0][1] == "u"):
            raise NotAnExpression(f"the escape {shown(escape[0])} is not supported")
