"""What to look at when an install should have been blocked."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from tests.integration.standin import marker

if TYPE_CHECKING:
    from tests.integration.environments import Completed, Environment

#: pip's frame names the code, indented when a child pip said it; where pip's frames are out of
#: reach, the code stands in brackets.
_REASON = re.compile(r"^[ │]*error: ([a-z-]+)$|\[([a-z]+(?:-[a-z]+)+)\]$", re.MULTILINE)
_PIPS_OWN = {"subprocess-exited-with-error", "metadata-generation-failed"}


def reason(result: Completed) -> str:
    """Give the reason code of a pip that was stopped; "" when it was not by the gate."""
    codes = [found.group(1) or found.group(2) for found in _REASON.finditer(result.output)]
    return next((code for code in codes if code not in _PIPS_OWN), "")


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
