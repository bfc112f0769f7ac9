"""Who tells messages: these modules register their situations when they are imported."""

from __future__ import annotations

from tests.messages import (  # noqa: F401
    commanded,
    conditioned,
    identified,
    judged,
    locked,
    pinned,
    piped,
    repositories,
    stated,
    surveyed,
    vouched,
)
