"""What ``pip-intoto enable`` baked in beside the gate: how to reach the verifier.

Nothing here comes from the environment or the working directory.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from pip_intoto_gate import limits

#: Beside the gate; its presence says that somebody ran ``pip-intoto enable`` here.
MARKER = "pip_intoto_gate.json"
#: What the wheel puts into the root of site-packages. `disable` removes the two that arm.
ARMING_FILES = ("pip_intoto_gate.pth", "pip_intoto_gate.start")
FILES = (*ARMING_FILES, "pip_intoto_boot.py", "pip_intoto_gate", MARKER)
#: How everything begins that Python would import instead of ``pip_intoto_boot.py``: a package, an
#: extension module, bytecode.
SHADOWS = (
    os.path.join("pip_intoto_boot", ""),
    "pip_intoto_boot.",
    os.path.join("__pycache__", "pip_intoto_boot."),
)


class Settings:
    """``enabled``, ``verifier`` (a command) and ``seconds`` of patience with it."""

    def __init__(self, *, enabled: bool, verifier: list[str], seconds: float) -> None:
        self.enabled = enabled
        self.verifier = verifier
        self.seconds = seconds


def marker_exists(site_packages: str) -> bool:
    """Whether somebody ran ``pip-intoto enable`` here."""
    return os.path.lexists(os.path.join(site_packages, MARKER))


def read(site_packages: str, context: dict[str, Any]) -> Settings:
    """The settings in ``site_packages``; a parent pip's ``context`` wins. Raises ValueError."""
    marker = os.path.join(site_packages, MARKER)
    baked: Any = {}
    enabled = marker_exists(site_packages)
    if enabled:
        try:
            with open(marker, encoding="utf-8") as file:
                baked = json.load(file)
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{marker}: {error}") from error
        if not isinstance(baked, dict):
            raise ValueError(f"{marker}: not a JSON object")
    verifier = context.get("verifier") or baked.get("verifier") or _beside(site_packages)
    seconds = context.get("seconds") or baked.get("seconds") or limits.VERIFIER_SECONDS
    if not (isinstance(verifier, list) and all(isinstance(word, str) for word in verifier)):
        raise ValueError(f"{marker}: `verifier` must be a list of words")
    if not isinstance(seconds, (int, float)) or seconds <= 0:
        raise ValueError(f"{marker}: `seconds` must be a positive number")
    return Settings(enabled=enabled, verifier=verifier, seconds=seconds)


def _beside(site_packages: str) -> list[str]:
    """The verifier of the package that was installed together with this gate."""
    entry = os.path.join("pip_intoto", "verifier", "__main__.py")
    root = site_packages
    if not os.path.exists(os.path.join(root, entry)):
        # An editable install: the package stands where hatchling's own .pth file says.
        editable = os.path.join(site_packages, "_editable_impl_pip_intoto.pth")
        if os.path.exists(editable):
            with open(editable, encoding="utf-8") as file:
                root = file.readline().strip()
    return [sys.executable, "-I", os.path.join(root, entry)]
