"""Types of predicates as maintainers write them: by their URI, or in short."""

from __future__ import annotations

from pip_intoto.errors import CommandError
from pip_intoto.metadata.predicate_names import SHORT
from pip_intoto.policy.vocabulary import nearest


def predicate_type(text: str) -> str:
    """The URI of a predicate type that somebody named by it, or in short.

    Raises CommandError for what is neither.
    """
    if text in SHORT:
        return SHORT[text]
    # A4: "The TypeURI is represented as a case sensitive string": it is taken as it is.
    if ":" in text and text.isprintable() and " " not in text:
        return text
    near = nearest(text, SHORT)
    raise CommandError(
        f'"{text}" is no type of predicate' if text.isprintable() else "this is no predicate type",
        expected=f"a URI, or one of {', '.join(SHORT)}",
        advice=f"Did you mean {near}?" if near else "",
    )
