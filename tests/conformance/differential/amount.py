"""How many cases there are: some in every run of the tests, many in `make conformance`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    from collections.abc import Callable

#: In all, over patterns, rules and chains; `make conformance` asks for more.
CASES = int(os.environ.get("DIFFERENTIAL_CASES", "1000"))


def share(hundredths: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a test have so many hundredths of all cases; together they make up about a hundred.

    The few are the same in every run; the many are others each time, and those that fail are
    printed in a form that can be repeated.
    """
    few = "DIFFERENTIAL_CASES" not in os.environ
    return settings(
        max_examples=max(1, CASES * hundredths // 100),
        deadline=None,
        derandomize=few,
        database=None,
        print_blob=True,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
