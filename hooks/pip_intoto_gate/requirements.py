"""What pip's requirement objects say, in the words of the protocol."""

from __future__ import annotations

import re
from typing import Any


def is_wheel(req: Any) -> bool:
    """Whether pip installs it as a wheel, be it one that was just built."""
    return bool(req.link.is_wheel) or str(req.local_file_path or "").endswith(".whl")


def name_of(req: Any) -> str:
    """The PEP 503 name of a requirement, "" while it has none."""
    return normalized(req.name or "")


def parse_filename(filename: str, name: str) -> tuple[str, str]:
    """Name and version, as far as the filename tells; the verifier looks closer.

    ``name`` is what pip looks for, "" when it does not know: an sdist's version may have a dash.
    """
    stem = re.sub(r"\.(whl|zip|tar|tgz|tbz|txz|tlz|tar\.\w+)$", "", filename)
    if filename.endswith(".whl"):
        found, _, rest = stem.partition("-")
        return normalized(found), rest.partition("-")[0]
    for position, character in enumerate(stem):
        if character == "-" and normalized(stem[:position]) == name:
            return name, stem[position + 1 :]
    found, _, version = stem.rpartition("-")
    return normalized(found), version


def normalized(name: str) -> str:
    """``name`` as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def page_of(comes_from: Any) -> str | None:
    """The index page or `--find-links` location that listed a link, if any did."""
    if comes_from is None:
        return None
    return str(getattr(comes_from, "url", comes_from))


def wanted_by(req: Any) -> str:
    """Why pip wants it: the requirement, and who asked for it."""
    try:
        # "demo>=1->app==2.1->-r requirements.txt (line 3)", innermost first.
        path = re.sub(r"://[^/@\s]*@", "://", str(req.from_path() or req))
        own, *others = path.split("->")
    except Exception:  # pip's own words are a kindness, never a reason to fail
        return str(req)
    return ", which is wanted by ".join(others) if others else f"the command line ({own})"
