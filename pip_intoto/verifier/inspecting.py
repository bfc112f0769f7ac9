"""The inspector for one distribution: its private copy, and nothing else, is looked into."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import ArtifactDigestMismatch, InspectionFailed
from pip_intoto.verification.inspections import Nothing, about, recognise
from pip_intoto.verification.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.layout import Inspection
    from pip_intoto.verification.inspections import Inspector
    from pip_intoto.verification.trust import Trust

#: Brings the file, and gives its path. Raises SourceUnreachable and ArtifactDigestMismatch.
Obtain: TypeAlias = "Callable[[], Path]"


def inspector_for(
    distribution: Distribution, trust: Trust, *, obtain: Obtain | None = None, limits: Limits
) -> Inspector | None:
    """Give the inspector; None where the file is not at hand, and nothing brings it."""
    if distribution.sha256 is None or (distribution.path is None and obtain is None):
        return None
    return _SameBytes(
        distribution.path, obtain, distribution.filename, distribution.sha256, trust, limits
    )


class _SameBytes:
    """Inspects a file that must have a certain digest: a verdict is about a digest."""

    def __init__(
        self,
        path: Path | None,
        obtain: Obtain | None,
        filename: str,
        sha256: str,
        trust: Trust,
        limits: Limits,
    ) -> None:
        self._path = path
        self._obtain = obtain
        self._filename = filename
        self._sha256 = sha256
        self._trust = trust
        self._limits = limits
        self._inspector: Inspector | None = None

    def concerns(self, inspection: Inspection) -> bool:
        """Tell whether the inspection is about this file."""
        return about(inspection, self._filename)

    def inspect(self, inspection: Inspection) -> Record:
        """Inspect; raises ArtifactDigestMismatch when the file is another by now.

        Raises SourceUnreachable when it has to be brought, and that fails.
        """
        native = recognise(inspection.run)
        if isinstance(native, Nothing) and self._path is None:
            # Of the file, this wants to know what is known already: nobody has to fetch it.
            artifacts = {self._filename: {"sha256": self._sha256}}
            return Record(materials=artifacts, products=artifacts)
        # Imported here for start-up time: few layouts have inspections.
        from pip_intoto.artifacts.hashing import sha256_file
        from pip_intoto.artifacts.inspector import FileInspector

        path = self._at_hand()
        if self._inspector is None:
            self._inspector = FileInspector(
                path,
                self._filename,
                allowed_commands=self._trust.allowed_commands,
                run_all=self._trust.run_all_inspections,
                limits=self._limits,
            )
        if native is None:
            # A command acts on what it is given, so the question comes before it runs.
            try:
                self._check(sha256_file(path))
            except OSError as error:
                raise InspectionFailed(
                    "The file to inspect cannot be read", found=str(error.strerror or error)
                ) from error
        record = self._inspector.inspect(inspection)
        # The record was made from the bytes that were read, and nothing was done with it yet.
        self._check(record.materials.get(self._filename, {}).get("sha256", "nothing"))
        return record

    def _at_hand(self) -> Path:
        if self._path is None:
            assert self._obtain is not None  # noqa: S101 - else there would be no inspector
            self._path = self._obtain()
        return self._path

    def _check(self, sha256: str) -> None:
        if sha256 != self._sha256:
            raise ArtifactDigestMismatch(
                "The file to inspect is not the one that the verdict is about",
                expected=f"sha256 {self._sha256}",
                found=f"sha256 {sha256}",
            )
