"""How a layout source spells comments, texts, rules and the command lines in its comments."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pip_intoto.metadata.rules import Rule

_WIDTH = 96
_BARE = re.compile(r"[A-Za-z0-9_-]+")
#: Characters with which a shell would take words apart otherwise than at spaces.
_QUOTING = re.compile(r"[\\'\"#]")


def said(why: str, rules: Sequence[Rule]) -> list[str]:
    """Rules of an array under a comment that says why they are there; nothing without rules."""
    return [*comment(why), *listed(rules)] if rules else []


def rules(name: str, rules: Sequence[Rule]) -> list[str]:
    """An array of rules: on one line if there is room, else one rule a line."""
    whole = f"{name} = [{', '.join(_rule(rule) for rule in rules)}]"
    if len(whole) <= _WIDTH:
        return [whole]
    return [f"{name} = [", *indented(listed(rules)), "]"]


def listed(rules: Iterable[Rule]) -> list[str]:
    """Rules of an array, one a line."""
    return [f"{_rule(rule)}," for rule in rules]


def _rule(rule: Rule) -> str:
    """A text, or a list of words where splitting the text would give others."""
    words = list(rule.words)
    line = " ".join(words)
    plain = line.isprintable() and line.split() == words and not _QUOTING.search(line)
    return text(line) if plain else array(words)


def indented(lines: Iterable[str]) -> list[str]:
    """Lines between the brackets of an array."""
    return [f"    {line}" for line in lines]


def array(words: Iterable[str]) -> str:
    """An array of texts, on one line."""
    return f"[{', '.join(text(word) for word in words)}]"


def text(value: str) -> str:
    """A basic string: TOML's are JSON's, but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else text(name)


def comment(text: str) -> list[str]:
    """A comment of as many lines as it takes."""
    lines = textwrap.wrap(_one_line(text), _WIDTH - 2, break_on_hyphens=False)
    return [f"# {line}" for line in lines]


def comment_lines(lines: Iterable[str]) -> list[str]:
    """Lines of a command in a comment, broken where they are."""
    return [f"#     {_one_line(line)}" for line in lines]


def command_lines(words: Sequence[str]) -> list[str]:
    """A command line, broken as shells allow."""
    lines: list[str] = []
    for part in _parts(words):
        if lines and len(lines[-1]) + len(part) < _WIDTH - 8:
            lines[-1] += f" {part}"
        else:
            lines.append(f"    {part}" if lines else part)
    *broken, last = lines
    return [*(f"{line} \\" for line in broken), last]


def _parts(words: Sequence[str]) -> Iterator[str]:
    """Where a command line may be broken: before options, and in what is very long anywhere."""
    part: list[str] = []
    for index, word in enumerate(words):
        starts = word.startswith("-") and "--" not in words[:index]
        if part and (starts or len(" ".join([*part, word])) > _WIDTH - 12):
            yield " ".join(part)
            part = []
        part.append(shlex.quote(word))
    yield " ".join(part)


def _one_line(text: str) -> str:
    """What could end a comment is no part of it."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
