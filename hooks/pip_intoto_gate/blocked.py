"""The error that stops pip, in pip's own form: framed, exit status 1, visible at ``-qqq``."""

from __future__ import annotations

import unicodedata

from pip._internal.exceptions import DiagnosticPipError, InstallationError
from pip._vendor.rich.text import Text

from pip_intoto_gate import limits

UNTOUCHED = "Nothing was installed."


class Blocked(DiagnosticPipError, InstallationError):
    """This install does not go on.

    Never a ``MetadataInvalid`` or ``MetadataInconsistent``: the resolver would answer those by
    trying an older version.
    """

    def __init__(
        self,
        reason: str,
        summary: str,
        expected: str = "",
        found: str = "",
        advice: str = "",
        why: str = "",
        note: str = UNTOUCHED,
    ) -> None:
        lines = [
            f"{label}: {printable(text)}"
            for label, text in (("expected", expected), ("found", found), ("wanted by", why))
            if text
        ]
        super().__init__(
            reference=reason,
            # Text, not str: pip reads square brackets in strings as markup.
            message=Text(printable(summary)),
            context=Text("\n".join(lines)) if lines else None,
            note_stmt=Text(note) if note else None,
            hint_stmt=Text(printable(advice)) if advice else None,
        )


def printable(text: object) -> str:
    """``text`` without what could drive a terminal or reorder a line."""
    shown = str(text)[: limits.SENTENCE]
    return "".join(
        character
        if character == "\n" or unicodedata.category(character)[0] != "C"
        else f"\\x{ord(character):02x}"
        for character in shown
    )
