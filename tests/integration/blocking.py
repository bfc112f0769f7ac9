"""What to look at when an install should have been blocked."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from tests.integration.standin import marker

if TYPE_CHECKING:
    from tests.integration.environments import Completed, Environment

#: pip's frame names the code; where pip's frames are out of reach, it stands in brackets.
_REASON = re.compile(r"error: ([a-z]+(?:-[a-z]+)+)$|\[([a-z]+(?:-[a-z]+)+)\]$", re.MULTILINE)


def reason(result: Completed) -> str:
    """Give the reason code of a pip that was stopped; "" when it was not by the gate."""
    found = _REASON.search(result.output)
    return (found.group(1) or found.group(2)) if found else ""


def changes(environment: Environment) -> frozenset[str]:
    """Give every path that was added to the environment, what the test put there apart."""
    return environment.added() - {str(marker(environment).relative_to(environment.root))}


def restore(environment: Environment) -> None:
    """Remove whatever was added, what tests put there included."""
    for name in sorted(environment.added(), reverse=True):
        path = environment.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def outcome(environment: Environment, result: Completed) -> tuple[int, str, frozenset[str]]:
    """Give exit status, reason code, and what was added: compare with :func:`blocked`."""
    return result.status, reason(result), changes(environment)


def blocked(code: str) -> tuple[int, str, frozenset[str]]:
    """Give the outcome of an install that was stopped for this reason before anything happened."""
    return 1, code, frozenset()
