"""Evidence in a directory on this machine that the policy names.

It may hold, for many distributions, what would lie beside each of them, attestations included; or,
for one project, the plain directory of layout and links that the in-toto tools write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.sources.beside import beside_file
from pip_intoto.sources.finding import is_plain
from pip_intoto.sources.local import LocalDirectory
from pip_intoto.sources.pep740 import LocalAttestations

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.sources.finding import Place


def places(folder: Path, filename: str, limits: Limits) -> tuple[Place, ...]:
    """Where to look for the evidence of ``filename``."""
    flat = LocalDirectory(folder, limits)
    if not is_plain(filename) or "/" in filename:
        return (flat,)
    attestations = LocalAttestations(folder / filename, limits, by_chance=True)
    return (*beside_file(folder / filename, limits), attestations, flat)
