"""All that is taken from celpy, its parser lark, and RE2: no other module imports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import lark
import re2
from celpy import celparser, celtypes, evaluation

from pip_intoto.verification.cel.work import NotAnExpression, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable

    from pip_intoto.verification.cel.work import Value

Tree: TypeAlias = "lark.Tree[lark.Token]"
Node: TypeAlias = "lark.Tree[lark.Token] | lark.Token"
Token = lark.Token
SyntaxTree = lark.Tree

Whole = celtypes.IntType
#: CEL's unsigned numbers, which JSON does not have.
Unsigned = celtypes.UintType
Timestamp = celtypes.TimestampType
Duration = celtypes.DurationType
#: Memory of one compiled pattern, and of what it takes to search with it.
_PATTERN_MEMORY = 256 * 1024


def tree(text: str) -> Tree:
    """The syntax tree of an expression. Raises :class:`NotAnExpression`."""
    try:
        # Its environment would raise the recursion limit of the whole process.
        return celparser.CELParser().parse(text)
    except celparser.CELParseError as error:
        raise NotAnExpression(f"a syntax error in column {error.column}") from None


def subtree(node: Node) -> Tree:
    """``node`` where the grammar has a tree."""
    if not isinstance(node, lark.Tree):
        raise NotAnExpression("a syntax error")
    return node


def token(parent: Tree, index: int) -> lark.Token:
    """The word at ``index`` below ``parent``."""
    node = parent.children[index]
    if not isinstance(node, lark.Token):
        raise NotAnExpression("a syntax error")
    return node


def literal(word: lark.Token) -> Value:
    """The value of a literal. Raises ``ValueError`` or ``OverflowError`` out of its range."""
    match word.type:
        case "BOOL_LIT":
            return word.value == "true"
        case "NULL_LIT":
            return None
        case "INT_LIT":
            return celtypes.IntType(word.value)
        case "UINT_LIT":
            return celtypes.UintType(word.value[:-1])
        case "FLOAT_LIT":
            return float(word.value)
        case "BYTES_LIT":
            return bytes(evaluation.celbytes(word))
        case _:
            return str(evaluation.celstr(word))


def calculated(function: Callable[..., Value], *values: Value) -> Value:
    """What one of celpy's functions makes of ``values``.

    Its whole numbers have 64 bits, and division truncates. Raises :class:`Undecided`.
    """
    try:
        made = function(*(celtypes.IntType(one) if type(one) is int else one for one in values))
    except (ValueError, OverflowError, ZeroDivisionError, TypeError, AttributeError):
        made = None
    if made is None or isinstance(made, evaluation.CELEvalError):
        raise Undecided("a value is out of range, or a division is by zero")
    return made


def function(name: str) -> Callable[..., Value]:
    """One of celpy's functions, by its name or operator: ``getHours``, ``_+_``."""
    return evaluation.base_functions[name]


def pattern(text: str) -> tuple[Callable[[str], bool], int]:
    """Whether a text has a match for this pattern, and how large its program is.

    RE2 takes time in proportion to the program times the text, and never more. Raises
    :class:`Undecided` for what is no pattern, or too large a one.
    """
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _PATTERN_MEMORY
    try:
        compiled = re2.compile(text, options)
    except re2.error:
        raise Undecided("a pattern is none, or too large") from None
    return lambda searched: compiled.search(searched) is not None, compiled.programsize
