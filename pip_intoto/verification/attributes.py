"""Conditions on what statements and links say (ITE-11): expressions in CEL.

The library that evaluates them is imported here, when the first condition is met, and nowhere
else.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pip_intoto.errors import (
    AttributeMissing,
    AttributesUnsupported,
    AttributeUnusable,
    AttributeViolated,
)
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.strict_json import JsonValue


def check(
    expressions: Sequence[str],
    statement_like: Mapping[str, JsonValue],
    *,
    place: str,
    limits: Limits,
) -> None:
    """Every one of ``expressions`` evaluates to true over ``statement_like``.

    The members of ``statement_like`` are the variables: ``type``, ``subject``, ``predicateType``
    and ``predicate``. ``place`` is where the list of expressions stands in the layout.

    Raises :class:`pip_intoto.errors.AttributeViolated` when one evaluates to false,
    :class:`pip_intoto.errors.AttributeMissing` when it asks for something that is not there,
    :class:`pip_intoto.errors.AttributeUnusable` when it cannot be evaluated or is no truth value,
    and :class:`pip_intoto.errors.AttributesUnsupported` without the library.
    """
    del limits
    if not expressions:
        return
    try:
        import celpy  # start-up: most layouts have no conditions
        from celpy import adapter, celparser, celtypes, evaluation
    except ImportError:
        raise AttributesUnsupported(
            "the layout has conditions, and nothing is installed that evaluates them",
            place=place,
        ) from None
    logging.getLogger("celpy").setLevel(logging.CRITICAL)
    environment = celpy.Environment()
    variables = {name: adapter.json_to_cel(value) for name, value in statement_like.items()}
    for number, expression in enumerate(expressions):
        where = f"{place}[{number}]"
        try:
            program = environment.program(environment.compile(expression))
            result = program.evaluate(variables)
        except evaluation.CELEvalError as error:
            kind = AttributeMissing if KeyError in error.args else AttributeUnusable
            raise kind(
                "a condition cannot be evaluated", found=shown(expression), place=where
            ) from None
        except celparser.CELParseError:
            raise AttributeUnusable(
                "a condition is not CEL", found=shown(expression), place=where
            ) from None
        if not isinstance(result, celtypes.BoolType):
            raise AttributeUnusable(
                "a condition is neither true nor false", found=shown(expression), place=where
            )
        if not result:
            raise AttributeViolated(
                "a condition does not hold", expected=shown(expression), place=where
            )
