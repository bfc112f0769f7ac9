"""From the syntax tree of an expression to the function that it stands for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pip_intoto.metadata.node import shown
from pip_intoto.verification.cel import library
from pip_intoto.verification.cel.functions import FUNCTIONS, METHODS
from pip_intoto.verification.cel.library import subtree, token
from pip_intoto.verification.cel.macros import MACROS
from pip_intoto.verification.cel.terms import (
    VARIABLES,
    binary,
    call,
    choice,
    constant,
    elements,
    indexing,
    logic,
    members,
    selection,
    unary,
    variable,
)
from pip_intoto.verification.cel.texts import scan
from pip_intoto.verification.cel.values import BINARY, inverse, kind, negative
from pip_intoto.verification.cel.work import NotAnExpression, Undecided

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.verification.cel.library import Node, Token, Tree
    from pip_intoto.verification.cel.terms import Scope, Term
    from pip_intoto.verification.cel.work import Value, Work


def compiled(text: str, limits: Limits) -> Term:
    """The function that ``text`` stands for. Raises :class:`NotAnExpression`."""
    scan(text, limits)
    return _Compiler(limits).term(library.tree(text), 0, frozenset())


#: Rules of celpy's grammar that mean what stands in them, where that is one thing.
_PASSING = frozenset(
    {
        "expr",
        "conditionalor",
        "conditionaland",
        "relation",
        "addition",
        "multiplication",
        "unary",
        "member",
        "primary",
        "paren_expr",
    }
)


class _Compiler:
    """Makes a function of each node. ``bound`` are the variables of macros around it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def term(self, node: Node, depth: int, bound: frozenset[str]) -> Term:
        if depth > self._limits.condition_depth:
            raise NotAnExpression("too many operations inside each other")
        return self._of(_inside(node), depth + 1, bound)

    def _of(self, tree: Tree, depth: int, bound: frozenset[str]) -> Term:
        def below(index: int) -> Term:
            return self.term(tree.children[index], depth, bound)

        match tree.data:
            case "literal":
                return constant(_literal(token(tree, 0)))
            case "ident":
                return variable(token(tree, 0).value, bound)
            case "expr":
                return choice(below(0), below(1), below(2))
            case "conditionalor":
                return logic(below(0), below(1), deciding=True)
            case "conditionaland":
                return logic(below(0), below(1), deciding=False)
            case "relation" | "addition" | "multiplication":
                operation = subtree(tree.children[0])
                left = self.term(operation.children[0], depth, bound)
                return binary(BINARY[str(operation.data)], left, below(1))
            case "unary":
                negation = subtree(tree.children[0]).data == "unary_neg"
                return unary(negative if negation else inverse, below(1))
            case "member_dot":
                return selection(below(0), token(tree, 1).value, _path(tree, bound))
            case "member_index":
                return indexing(below(0), below(1), _path(tree, bound))
            case "member_dot_arg":
                return self._method(tree, depth, bound)
            case "ident_arg":
                return self._function(tree, depth, bound)
            case "list_lit":
                return elements(self._all_below(tree, depth, bound))
            case "map_lit":
                terms = self._all_below(tree, depth, bound)
                return members(terms[0::2], terms[1::2])
            case _:
                raise NotAnExpression("messages and names in packages are not supported")

    def _all_below(self, tree: Tree, depth: int, bound: frozenset[str]) -> list[Term]:
        """Every expression of the list that is the last child, if there is one."""
        last = tree.children[-1] if tree.children else None
        nodes = last.children if isinstance(last, library.SyntaxTree) else []
        return [self.term(node, depth, bound) for node in nodes]

    def _function(self, tree: Tree, depth: int, bound: frozenset[str]) -> Term:
        name = token(tree, 0).value
        if name == "has":
            return self._has(tree, depth, bound)
        arguments = self._all_below(tree, depth, bound)
        if name not in FUNCTIONS:
            raise NotAnExpression(f"there is no function {shown(name)}")
        return call(name, *FUNCTIONS[name], arguments)

    def _has(self, tree: Tree, depth: int, bound: frozenset[str]) -> Term:
        arguments = subtree(tree.children[-1]).children if len(tree.children) > 1 else []
        selection = _inside(arguments[0]) if len(arguments) == 1 else tree
        if selection.data != "member_dot":
            raise NotAnExpression("has(…) takes a selection such as predicate.result")
        container = self.term(selection.children[0], depth, bound)
        member = token(selection, 1).value

        def has(scope: Scope, work: Work) -> bool:
            work.spend()
            value = container(scope, work)
            if not isinstance(value, dict):
                raise Undecided(f"{kind(value)} has no members")
            return member in value

        return has

    def _method(self, tree: Tree, depth: int, bound: frozenset[str]) -> Term:
        name = token(tree, 1).value
        target = self.term(tree.children[0], depth, bound)
        written = subtree(tree.children[2]).children if len(tree.children) > 2 else []  # noqa: PLR2004
        if name in MACROS:
            macro, counts = MACROS[name]
            if len(written) not in counts:
                raise NotAnExpression(f"{name}(…) takes a variable and an expression")
            variable = _bound_name(written[0])
            inner = bound | {variable}
            return macro(target, variable, [self.term(one, depth, inner) for one in written[1:]])
        if name not in METHODS:
            raise NotAnExpression(f"there is no function {shown(name)}")
        arguments = [self.term(one, depth, bound) for one in written]
        return call(name, *METHODS[name], [target, *arguments])


def _inside(node: Node) -> Tree:
    tree = subtree(node)
    while len(tree.children) == 1 and tree.data in _PASSING:
        tree = subtree(tree.children[0])
    return tree


def _bound_name(node: Node) -> str:
    tree = _inside(node)
    if tree.data != "ident":
        raise NotAnExpression("the variable of a macro is a name")
    return str(token(tree, 0).value)


def _path(node: Node, bound: frozenset[str]) -> str:
    """Where in the document this is, or nothing where only evaluation can tell."""
    tree = _inside(node)
    if tree.data == "ident":
        name = str(token(tree, 0).value)
        return name if name in VARIABLES and name not in bound else ""
    if tree.data not in ("member_dot", "member_index"):
        return ""
    above = _path(tree.children[0], bound)
    if tree.data == "member_dot":
        return above and f"{above}.{token(tree, 1).value}"
    index = _inside(tree.children[1])
    return above and (f"{above}[{token(index, 0).value}]" if index.data == "literal" else "")


def _literal(word: Token) -> Value:
    try:
        value = library.literal(word)
    except (ValueError, OverflowError):
        value = math.inf
    if isinstance(value, float) and not math.isfinite(value):
        raise NotAnExpression(f"{shown(str(word))} is out of range")
    return value
