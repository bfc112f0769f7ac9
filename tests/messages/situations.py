"""How a situation is told, and how its message is made to read the same on every machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path(__file__).parent

#: Codes that nothing gives yet, and why.
LATER: Mapping[str, str] = {}

#: Every situation, by name: the code, or the code and what is special about the case. Given an
#: empty folder, it gives the message.
SITUATIONS: dict[str, Callable[[Path], str]] = {}


def situation(name: str) -> Callable[[Callable[[Path], str]], Callable[[Path], str]]:
    """Register a function as the situation *name*: ``link-missing`` or ``link-missing.held``."""

    def register(tell: Callable[[Path], str]) -> Callable[[Path], str]:
        assert name not in SITUATIONS, name
        SITUATIONS[name] = tell
        return tell

    return register


def code_of(name: str) -> str:
    """Give the reason code that a situation is about."""
    return name.partition(".")[0]


def snapshot(name: str) -> Path:
    """Tell where the message of a situation is kept."""
    return FOLDER / f"{name}.txt"


def kept() -> set[str]:
    """Give the names of all messages that are kept."""
    return {path.name.removesuffix(".txt") for path in FOLDER.glob("*.txt")}


def steady(text: str, words: Mapping[str, str]) -> str:
    """Replace what differs from run to run: *words* are what to say instead, longest first."""
    for volatile in sorted(words, key=len, reverse=True):
        text = text.replace(volatile, words[volatile])
    text = re.sub(r"python3\.\d+", "python3.x", text)
    text = re.sub(r"pip-target-\w+", "pip-target-xxxxxxxx", text)
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"
