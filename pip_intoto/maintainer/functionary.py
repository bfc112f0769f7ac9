"""Carrying out a step, and reporting it in a link that is signed.

In one go (`run`), or begun and finished in two (`record`), as the commands of in-toto do it: what
one of them begins, the other can finish.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.execution import execute
from pip_intoto.maintainer.listing import Selection
from pip_intoto.maintainer.progress import SILENT
from pip_intoto.maintainer.recording import digests_of
from pip_intoto.metadata.names import check_step_name
from pip_intoto.metadata.node import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.maintainer.authoring import Envelope, JsonObject
    from pip_intoto.maintainer.execution import Outcome
    from pip_intoto.maintainer.listing import Listing
    from pip_intoto.maintainer.progress import Progress
    from pip_intoto.maintainer.signing import Signer

Recorded = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a step: the link, where it lies, and how the command ended, if there was one.

    ``path`` is None when the command failed, and no link was written.
    """

    path: Path | None
    materials: int
    products: int
    size: int = 0
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Functionary:
    """Who carries out the step ``name``, and how its files are found.

    ``noticed`` is called with "materials" or "products", and what was found of them, before they
    are hashed.
    """

    name: str
    signer: Signer
    selection: Selection = field(default_factory=Selection)
    noticed: Callable[[str, Listing], None] = lambda _side, _listing: None
    progress: Progress = SILENT
    limits: Limits = LOCAL

    def __post_init__(self) -> None:
        check_step_name(Node(self.name, "--step-name"))

    def carry_out(
        self,
        command: Sequence[str],
        *,
        materials: Iterable[str],
        products: Iterable[str],
        directory: Path,
        form: Envelope,
        keep_streams: bool = False,
        seconds: float | None = None,
        even_failed: bool = False,
    ) -> Report:
        """Record, run ``command`` (nothing, if it is empty), record, and write the link.

        When the command fails, there is no link, unless ``even_failed``. Raises CommandError.
        """
        path = _prepared(directory) / authoring.link_name(self.name, self.signer.keyid)
        before = self._recorded("materials", materials)
        outcome = None
        if command:
            outcome = execute(
                command, keep_streams=keep_streams, seconds=seconds, limits=self.limits
            )
            if outcome.status != 0 and not even_failed:
                return Report(path=None, materials=len(before), products=0, outcome=outcome)
        after = self._recorded("products", products)
        link = authoring.link(
            self.name,
            materials=before,
            products=after,
            command=command,
            byproducts=_byproducts(outcome),
        )
        content = json.dumps(authoring.sign(link, [self.signer], form), indent=1).encode() + b"\n"
        files.replace(path, content)
        return Report(
            path=path,
            materials=len(before),
            products=len(after),
            size=len(content),
            outcome=outcome,
        )

    def _recorded(self, side: str, paths: Iterable[str]) -> Recorded:
        listing = self.selection.find(paths)
        self.noticed(side, listing)
        return digests_of(listing.files, label=f"recording {side}", progress=self.progress)


def _byproducts(outcome: Outcome | None) -> JsonObject:
    if outcome is None:
        return {}
    return {
        "stdout": outcome.stdout,
        "stderr": outcome.stderr,
        "return-value": outcome.status,
    }


def _prepared(directory: Path) -> Path:
    """The directory, which is made if need be: who waited for a command wants its link."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"{directory} cannot be made", found=str(error.strerror or error)
        ) from None
    return directory
