"""Names, patterns, rules and digests: few of each, so that they meet often."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

Artifacts: TypeAlias = "dict[str, dict[str, str]]"
Words: TypeAlias = "list[str]"

#: Plain names, nested ones, some that begin alike, and some that look like patterns.
NAMES = (
    "a", "b", "c", "A", "src/a", "src/b", "src/b.py", "src/sub/a", "src/sub/src/a", "srca", "src.a",
    "build/a", "build/lib/a", "build/src/a", "build/lib/b.py", "lib/a", ".hidden", "src/.hidden",
    "a b", "[a]", "src/[a]", "a*", "?", "^a", "!a", "-", "]", "{", "a\nb", "ü/é", "u\u0308", "a\\b",
    "src/a\\b", "https://host/a", "https://host/src/a", "\U0001f600", "s", "src/s", "sub/a",
)  # fmt: skip
PATTERNS = (
    "*", "?", "??", "*a", "a*", "*/*", "src/*", "src*", "*.py", "*/a", "src/?", "src/*/a", "[ab]",
    "[!a]", "[^a]", "[a-c]", "[c-a]", "[a", "[]a]", "[!]a]", "[[]a]", "[[]*", "*[*]", "[?]", "[a-]",
    "[-a]", "[a\\-c]", "src/[ab]*", "src[/]a", "*src*", "**", "*a*b*", "\\*", "a\\b", "*\n*", "",
    "[]", "[!]", "[a-c-e]", "[!a-c]", "[]-a]", "[--0]", "{a,b}", "build/*", "build/lib/*", "sub/*",
    "[\\]", "[^]", "[&&a]", "[~~]", "[||a]", "[a--b]", "a[", "[a]]", "[A-z]", "[Z-a]",
)  # fmt: skip
PREFIXES = (
    "src", "src/", "build", "build/", "build/src", "build/lib/", "s", "sr", "src/sub", "lib", "*",
    "s*", "", "/", "src//", "./src", "https:", "https:/", "https://", "a\\", "src\\sub", "nowhere",
)  # fmt: skip

names = st.sampled_from(NAMES)
patterns = st.sampled_from(PATTERNS) | names
prefixes = st.sampled_from(PREFIXES)
_ALPHABET = "ab/.*?[]!^-\\\nAé"
wild_patterns = st.text(_ALPHABET, max_size=8)
wild_names = st.text(_ALPHABET, max_size=6)


def digest(content: str) -> dict[str, str]:
    """Give the hash object of some content, as it usually is."""
    return {"sha256": hashlib.sha256(content.encode()).hexdigest()}


def odd_digests(content: str) -> tuple[dict[str, str], ...]:
    """Give hash objects of the same content that are not what it usually is."""
    data = content.encode()
    return (
        {"sha512": hashlib.sha512(data).hexdigest()},
        {"sha256": hashlib.sha256(data).hexdigest(), "sha512": hashlib.sha512(data).hexdigest()},
        {"sha256": hashlib.sha256(data).hexdigest(), "md5": "00" * 16},
        {"md5": "00" * 16},
        {},
    )


#: What rules begin with: mostly what consumes, since the first failure ends it all.
_KEYWORDS = (
    *["MATCH"] * 6, *["CREATE", "DELETE", "MODIFY", "ALLOW"] * 2, "DISALLOW", "REQUIRE",
    "match", "Create", "modify",
)  # fmt: skip
_SIDES = ("MATERIALS", "PRODUCTS", "PRODUCTS", "products")


@st.composite
def rules(draw: st.DrawFn, items: Sequence[str], there: Sequence[str] = ()) -> Words:
    """Draw one rule; MATCH refers to ``items``, and REQUIRE to names that are there, mostly."""
    keyword = draw(st.sampled_from(_KEYWORDS))
    if keyword == "REQUIRE":
        return [keyword, draw(st.sampled_from([*there, *there, *there, "a", "src/a"]))]
    if keyword == "DISALLOW":
        # What a literal names is rarely there, so that some of these do not fail.
        return [keyword, draw(names if draw(st.integers(0, 2)) else patterns)]
    rule = [keyword, draw(patterns)]
    if keyword.upper() != "MATCH":
        return rule
    where = draw(st.integers(0, 3))
    source = ["IN", draw(prefixes)] if where & 1 else []
    destination = ["IN", draw(prefixes)] if where & 2 else []
    item = draw(st.sampled_from([*items, *items, *items, "nowhere"]))
    return [*rule, *source, "WITH", draw(st.sampled_from(_SIDES)), *destination, "FROM", item]


@dataclass(frozen=True, slots=True)
class ItemCase:
    """One step, its rules, and what it and others report: materials and products by item."""

    reports: dict[str, tuple[Artifacts, Artifacts]]
    expected_materials: list[Words]
    expected_products: list[Words]

    @property
    def rules(self) -> list[Words]:
        """The rules of both sides."""
        return [*self.expected_materials, *self.expected_products]


#: The step whose rules are judged, and two others.
ITEM, OTHERS = "work", ("fetch", "later")
_contents = st.sampled_from("xxxyz")
#: What is left over at the end is forbidden, or some of it.
_endings: st.SearchStrategy[list[Words]] = st.sampled_from(
    [[["DISALLOW", "src/*"]], [["DISALLOW", "*"]], [["DISALLOW", "[!s]"]], [["DISALLOW", "a*"]], []]
)


@st.composite
def item_cases(draw: st.DrawFn) -> ItemCase:
    """Draw one step with rules that now and then consume something."""
    odd = draw(st.integers(0, 11)) == 0
    before = draw(st.dictionaries(names, _contents, min_size=2, max_size=9))
    # What follows is mostly what was there: some of it changed, some gone, some new.
    after = _worked_on(draw, before) | draw(st.dictionaries(names, _contents, max_size=3))
    other = _worked_on(draw, before) | draw(st.dictionaries(names, _contents, max_size=3))
    placed = draw(st.sampled_from(["", "", "src/", "build/"]))
    reports = {
        ITEM: (_report(draw, before, odd=odd), _report(draw, after, odd=odd)),
        OTHERS[0]: (
            _report(draw, before, odd=odd),
            _report(draw, {placed + name: content for name, content in other.items()}, odd=odd),
        ),
        OTHERS[1]: (_report(draw, after, odd=odd), _report(draw, {}, odd=odd)),
    }
    return ItemCase(
        reports,
        [
            *draw(st.lists(rules([ITEM, *OTHERS], sorted(before)), min_size=1, max_size=6)),
            *draw(_endings),
        ],
        [
            *draw(st.lists(rules([ITEM, *OTHERS], sorted(after)), min_size=2, max_size=6)),
            *draw(_endings),
        ],
    )


def _worked_on(draw: st.DrawFn, before: dict[str, str]) -> dict[str, str]:
    fates = {name: draw(st.integers(0, 5)) for name in before}
    return {
        name: content + "'" if fates[name] == 1 else content
        for name, content in before.items()
        if fates[name]
    }


def _report(draw: st.DrawFn, contents: dict[str, str], *, odd: bool) -> Artifacts:
    if not odd:
        return {name: digest(content) for name, content in contents.items()}
    return {
        name: draw(st.sampled_from([digest(content), *odd_digests(content)]))
        for name, content in contents.items()
    }
