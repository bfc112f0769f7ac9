"""The grammar of artifact rules (in-toto specification, section 4.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.node import Node

_Side: TypeAlias = Literal["materials", "products"]


@dataclass(frozen=True, slots=True)
class _PatternRule:
    """A keyword and a glob pattern."""

    KEYWORD: ClassVar[str]

    pattern: str

    @property
    def words(self) -> tuple[str, ...]:
        """The rule as the layout's list form has it, keywords in capitals."""
        return (self.KEYWORD, self.pattern)

    def __str__(self) -> str:
        return " ".join(self.words)


class Create(_PatternRule):
    """CREATE: products that were no materials."""

    __slots__ = ()
    KEYWORD = "CREATE"


class Delete(_PatternRule):
    """DELETE: materials that are no products."""

    __slots__ = ()
    KEYWORD = "DELETE"


class Modify(_PatternRule):
    """MODIFY: on both sides, with other digests."""

    __slots__ = ()
    KEYWORD = "MODIFY"


class Allow(_PatternRule):
    """ALLOW: whatever the pattern matches."""

    __slots__ = ()
    KEYWORD = "ALLOW"


class Disallow(_PatternRule):
    """DISALLOW: fails when the pattern matches an artifact that is still queued."""

    __slots__ = ()
    KEYWORD = "DISALLOW"


@dataclass(frozen=True, slots=True)
class Require:
    """REQUIRE: fails unless an artifact of exactly this name is still queued."""

    KEYWORD: ClassVar[str] = "REQUIRE"

    name: str

    @property
    def words(self) -> tuple[str, ...]:
        """The rule as the layout's list form has it, keywords in capitals."""
        return (self.KEYWORD, self.name)

    def __str__(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """MATCH: equal to an artifact of another step; the prefixes are as written, "" for none."""

    KEYWORD: ClassVar[str] = "MATCH"

    pattern: str
    source_prefix: str = ""
    destination: _Side
    destination_prefix: str = ""
    step: str

    @property
    def words(self) -> tuple[str, ...]:
        """The rule as the layout's list form has it, keywords in capitals."""
        source = ("IN", self.source_prefix) if self.source_prefix else ()
        destination = ("IN", self.destination_prefix) if self.destination_prefix else ()
        return (
            self.KEYWORD,
            self.pattern,
            *source,
            "WITH",
            self.destination.upper(),
            *destination,
            "FROM",
            self.step,
        )

    def __str__(self) -> str:
        return " ".join(self.words)


Rule: TypeAlias = Create | Delete | Modify | Allow | Disallow | Require | Match

_OF_TWO_WORDS = {rule.KEYWORD: rule for rule in (Create, Delete, Modify, Allow, Disallow, Require)}
_SIDES: dict[str, _Side] = {"MATERIALS": "materials", "PRODUCTS": "products"}
#: R12: the forms of MATCH, told apart by their number of words; lower case stands for a value.
_MATCH_FORMS = (
    ("MATCH", "pattern", "WITH", "side", "FROM", "step"),
    ("MATCH", "pattern", "IN", "source", "WITH", "side", "FROM", "step"),
    ("MATCH", "pattern", "WITH", "side", "IN", "destination", "FROM", "step"),
    ("MATCH", "pattern", "IN", "source", "WITH", "side", "IN", "destination", "FROM", "step"),
)


def parse_rule(node: Node, limits: Limits = DEFAULT) -> Rule:
    """One rule in its list form; keywords may be in any case.

    Raises :class:`pip_intoto.errors.MetadataMalformed` for anything outside the grammar, and
    for words of more than ``limits.text`` characters.
    """
    words = node.strings(longest=limits.text)
    keyword = _keyword(words[0]) if words else ""
    # R12: "{MATERIALS|PRODUCTS}", each form of exactly so many words.
    if keyword in _OF_TWO_WORDS and len(words) == 2:  # noqa: PLR2004 - keyword and value
        return _OF_TWO_WORDS[keyword](words[1])
    if keyword == "MATCH":
        for form in _MATCH_FORMS:
            values = _values(words, form)
            if values is not None:
                return Match(
                    pattern=values["pattern"],
                    source_prefix=values.get("source", ""),
                    destination=_SIDES[_keyword(values["side"])],
                    destination_prefix=values.get("destination", ""),
                    step=values["step"],
                )
    raise node.malformed(
        "this is no artifact rule",
        expected=(
            "CREATE, DELETE, MODIFY, ALLOW, DISALLOW or REQUIRE and one word; or MATCH <pattern>"
            " [IN <prefix>] WITH MATERIALS|PRODUCTS [IN <prefix>] FROM <step>"
        ),
        found=shown(" ".join(words)),
    )


def _values(words: tuple[str, ...], form: tuple[str, ...]) -> dict[str, str] | None:
    """The values in ``words`` by their names in ``form``, or None when the form does not fit."""
    if len(words) != len(form):
        return None
    values: dict[str, str] = {}
    for word, slot in zip(words, form, strict=True):
        if slot.islower():
            values[slot] = word
        elif _keyword(word) != slot:
            return None
    return values if _keyword(values["side"]) in _SIDES else None


def _keyword(word: str) -> str:
    """The word in capitals; "" when it has other letters than A to Z, which may become these."""
    return word.upper() if word.isascii() else ""
