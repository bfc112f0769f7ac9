"""How many cases each property is tried on."""

from __future__ import annotations

import os

from hypothesis import settings

#: `make fuzz` sets it, for as many times more cases, and others in every run.
TIMES = int(os.environ.get("PROPERTY_TIMES", "1"))


def tried_on(cases: int) -> settings:
    """Settings for a property: few cases and the same ones each time, unless asked otherwise."""
    return settings(max_examples=cases * TIMES, derandomize=TIMES == 1, deadline=None)
