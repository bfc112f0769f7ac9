"""One HTML file that needs no other: style and script within it, and nothing else may run.

The content security policy names both by their hashes. A script that somebody smuggled into a name
would have to survive the escaping first; then the browser refuses it.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from pip_intoto.reports.page import palette

_FOLDER = files("pip_intoto.reports.page")


def document(*, title: str, body: str) -> str:
    """The whole file; ``title`` and ``body`` are HTML."""
    style = palette.rules() + _FOLDER.joinpath("style.css").read_text("utf-8")
    script = _FOLDER.joinpath("script.js").read_text("utf-8")
    allowed = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " base-uri 'none'; form-action 'none'"
    )
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n<script>{script}</script>\n"
        f"</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
