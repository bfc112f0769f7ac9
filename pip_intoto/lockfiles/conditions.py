"""Whether what a lock says holds for an interpreter: environment markers, and Python versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.lockfiles.parts import MEANINGLESS

if TYPE_CHECKING:
    from pip_intoto.lockfiles.documents import Entry
    from pip_intoto.lockfiles.locked import Interpreter

_TEXT = r"(?:\"[^\"]*\"|'[^']*')"
#: A comparison with an extra, either way round; or any other text, which is stepped over.
_EXTRA = re.compile(
    rf"\bextra\s*(?:==|!=|not\s+in\b|in\b)\s*{_TEXT}|{_TEXT}\s*(?:==|!=)\s*extra\b|({_TEXT})"
)
#: Holds everywhere.
_TRUE = "os_name != ''"


class Conditions:
    """Conditions of one lock. Without an interpreter all of them hold, and are checked for form.

    Every extra and every group counts as asked for: a marker holds when some choice of extras
    makes it hold.
    """

    def __init__(self, interpreter: Interpreter | None) -> None:
        self._markers = None if interpreter is None else dict(interpreter.markers)
        self._known: dict[str, bool] = {}

    @property
    def python(self) -> str:
        """The full version of the interpreter's Python; empty without one."""
        return "" if self._markers is None else self._markers.get("python_full_version", "")

    def hold(self, marker: Entry | None) -> bool:
        """Tell whether a marker holds; what is absent does. Raises LockfileInvalid."""
        if marker is None:
            return True
        text = marker.text()
        if text not in self._known:
            self._known[text] = self._evaluated(text, marker)
        return self._known[text]

    def _evaluated(self, text: str, entry: Entry) -> bool:
        # Takes a while to import, and only locks need it.
        from packaging.markers import Marker

        # Markers know "and" and "or" only: a comparison that is taken to hold can make the whole
        # hold, and never the other way round.
        asked = _EXTRA.sub(lambda match: match[1] or _TRUE, text)
        try:
            marker = Marker(asked)
            return self._markers is None or marker.evaluate({**self._markers})
        except MEANINGLESS:
            raise entry.error(
                "this is not an environment marker",
                expected="a marker such as python_version >= '3.10'",
                found=text[:100],
            ) from None

    def allow_python(self, versions: Entry | None) -> bool:
        """Tell whether this Python is among *versions*; what is absent allows all."""
        return versions is None or self.allows_python(versions.text())

    def allows_python(self, versions: str) -> bool:
        """Tell whether this Python is among ``>=3.9,<4``, or one of several such, with ``||``.

        What is written in another way than PEP 440 has (``^3.9``) leaves nothing out.
        """
        if not self.python:
            return True
        return any(self._is_in(part.strip()) for part in versions.split("||"))

    def _is_in(self, versions: str) -> bool:
        if versions in {"", "*"}:
            return True
        # Takes a while to import, and only locks need it.
        from packaging.specifiers import SpecifierSet

        try:
            return SpecifierSet(versions).contains(self.python, prereleases=True)
        except ValueError:  # InvalidSpecifier is one, and so is a number of 5,000 digits
            return True
