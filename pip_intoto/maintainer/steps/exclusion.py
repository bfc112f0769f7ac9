"""Patterns of what is not recorded, with the meaning that they have in a ``.gitignore``.

So `in-toto-run` reads them too, with one difference: a pattern that cannot be read is an error.
There it leaves nothing out, and nobody hears of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What `in-toto-run` leaves out, unless it is told what to leave out.
USUAL = ("*.link*", ".git", "*.pyc", "*~")

#: The named group that takes part in a match when only a folder above was named.
_BELOW = "below"
#: A pattern stands for the path itself, and for everything below it.
_END = rf"(?:(?P<{_BELOW}>/)|\Z)"
_ONLY_BELOW = rf"(?P<{_BELOW}>/)"


class Exclusion:
    """Says of each path whether the patterns leave it out. Raises CommandError for bad ones."""

    def __init__(self, patterns: Iterable[str] = USUAL) -> None:
        read = [each for each in map(_read, patterns) if each is not None]
        #: (pattern, whether it leaves out rather than takes back in), the last one first.
        self._rules = [(re.compile(text, re.DOTALL), leaves) for text, leaves in reversed(read)]
        # Without a "!" among them one search decides, whichever pattern it is that fits.
        self._any: re.Pattern[str] | None = None
        if read and all(leaves for _, leaves in read):
            joined = "|".join(text.replace(f"?P<{_BELOW}>", "?:") for text, _ in read)
            self._any = re.compile(joined, re.DOTALL)

    def __call__(self, path: str) -> bool:
        """Whether ``path``, relative and with ``/``, is left out; folders above it count too."""
        if self._any is not None:
            return self._any.match(path) is not None
        below = None
        for pattern, leaves in self._rules:
            match = pattern.match(path)
            if match is None:
                continue
            # What names the path itself outweighs what names a folder above it.
            if match.lastgroup != _BELOW:
                return leaves
            below = leaves if below is None else below
        return bool(below)


def _read(pattern: str) -> tuple[str, bool] | None:
    """The regular expression for ``pattern``, and whether it leaves out; None for no pattern."""
    line = pattern if pattern.endswith("\\ ") else pattern.rstrip()
    if not line or line.startswith("#") or line == "/":
        return None
    leaves = not line.startswith("!")
    try:
        text = _expression(line if leaves else line[1:])
        re.compile(text)
    except (ValueError, re.error) as error:
        raise CommandError(
            "a pattern of --exclude cannot be read",
            expected="a pattern as in a .gitignore",
            found=f"{shown(pattern)}: {error}",
        ) from None
    return text, leaves


def _expression(pattern: str) -> str:
    is_folder = pattern.endswith("/")
    names = pattern.removeprefix("/").removesuffix("/").split("/")
    if "" in names:
        raise ValueError("a part of it is empty")
    if "/" not in pattern.removesuffix("/"):
        # A single name is meant wherever it stands; one with a slash in it, from the top.
        names.insert(0, "**")
    for index in range(len(names) - 1, 0, -1):
        if names[index] == names[index - 1] == "**":
            del names[index]
    if names == ["**"]:
        return f".*{_ONLY_BELOW}" if is_folder else "."
    end = _ONLY_BELOW if is_folder else _END
    if names[-1] == "**":
        names.pop()
        end = _ONLY_BELOW if is_folder else "/"
    text = ""
    for index, name in enumerate(names):
        if name == "**":
            text += "(?:/.+)?" if index else "(?:.+/)?"
            continue
        text += "/" if index and names[:index] != ["**"] else ""
        text += "[^/]+" if name == "*" else _segment(name)
    return text + end


_PIECE = re.compile(
    r"\\(?P<escaped>.)|(?P<stars>\*+)|(?P<one>\?)"
    r"|\[(?P<negated>[!^]?)(?P<members>\]?[^\]]*)\]|(?P<plain>[^\\\[])",
    re.DOTALL,
)


def _segment(segment: str) -> str:
    """The regular expression for what stands between two slashes."""
    text = ""
    position = 0
    while position < len(segment):
        piece = _PIECE.match(segment, position)
        if piece is None:
            raise ValueError(f"{segment[position]} opens something that does not end")
        position = piece.end()
        if piece["members"] is not None:
            members = re.sub(r"([\\\[&~|])", r"\\\1", piece["members"])
            text += f"[{'^' if piece['negated'] else ''}{_closed(members)}]"
        elif piece["stars"]:
            text += "[^/]*"
        elif piece["one"]:
            text += "[^/]"
        else:
            text += re.escape(piece["escaped"] or piece["plain"])
    return text


def _closed(members: str) -> str:
    """The members of a class; a bracket in front is one of them."""
    return "\\" + members if members.startswith("]") else members
