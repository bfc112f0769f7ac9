"""The colours of the page, for light and dark, and what goes with each status.

Every pair of a text and what it stands on differs enough to be read: a test computes it.
"""

from __future__ import annotations

from pip_intoto.verdict import Status

LIGHT = {
    "page": "#f7f7f5",
    "card": "#ffffff",
    "sunk": "#f3f4f3",
    "ink": "#1a1e23",
    "muted": "#59626d",
    "line": "#dcdfe3",
    "edge": "#7b8591",
    "accent": "#1d5bb8",
    "verified": "#1b6e3c",
    "verified-tint": "#e7f3ea",
    "exempt": "#175c8c",
    "exempt-tint": "#e5f0f8",
    "unlisted": "#555e68",
    "unlisted-tint": "#eceef1",
    "missing": "#875000",
    "missing-tint": "#fbf0db",
    "unreachable": "#6a3fa0",
    "unreachable-tint": "#f1ebf9",
    "invalid": "#b0241c",
    "invalid-tint": "#fce9e7",
    "unverifiable": "#665744",
    "unverifiable-tint": "#f2ede6",
}

DARK = {
    "page": "#0f1215",
    "card": "#171b20",
    "sunk": "#1d2228",
    "ink": "#e6e9ed",
    "muted": "#9ba5b1",
    "line": "#2c333b",
    "edge": "#7d8895",
    "accent": "#82b4ff",
    "verified": "#74cf92",
    "verified-tint": "#15291c",
    "exempt": "#7fbbea",
    "exempt-tint": "#132737",
    "unlisted": "#aab4bf",
    "unlisted-tint": "#252b32",
    "missing": "#eab55c",
    "missing-tint": "#2d2412",
    "unreachable": "#c2a5f2",
    "unreachable-tint": "#271e38",
    "invalid": "#ff958b",
    "invalid-tint": "#391a18",
    "unverifiable": "#cbbba6",
    "unverifiable-tint": "#2b261f",
}

#: What must be looked at first comes first.
ORDER = (
    Status.INVALID,
    Status.UNVERIFIABLE,
    Status.MISSING,
    Status.UNREACHABLE,
    Status.UNLISTED,
    Status.EXEMPT,
    Status.VERIFIED,
)

#: A sign for each status: colour is never all that tells them apart.
SIGNS = {
    Status.VERIFIED: "✓",
    Status.EXEMPT: "◇",
    Status.UNLISTED: "–",  # noqa: RUF001 - the sign for nothing
    Status.MISSING: "?",
    Status.UNREACHABLE: "≁",
    Status.INVALID: "✕",
    Status.UNVERIFIABLE: "○",
}

MEANINGS = {
    Status.VERIFIED: "The evidence satisfies the layout, and the layout binds this file.",
    Status.EXEMPT: "An exception of the policy covers it.",
    Status.UNLISTED: "No rule of the policy names the project.",
    Status.MISSING: "Every source answered, and none has evidence.",
    Status.UNREACHABLE: "A source could not be asked; this says nothing about the evidence.",
    Status.INVALID: "Evidence is there, and fails.",
    Status.UNVERIFIABLE: "There is no file that evidence could be about.",
}


def rules() -> str:
    """The style sheet's part about colours and signs."""
    light, dark = _variables(LIGHT), _variables(DARK)
    each = "".join(
        f".{status.value}{{--tone:var(--{status.value});--tint:var(--{status.value}-tint)}}"
        # The second text is what a screen reader says: nothing, for the word follows.
        f'.{status.value} .sign::before{{content:"{sign}";content:"{sign}" / ""}}'
        for status, sign in SIGNS.items()
    )
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark)"
        f"{{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n{each}\n"
    )


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())
