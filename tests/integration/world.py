"""One project on an index or a disk, with good evidence or bad, and a pip that wants it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from fixtures.supply_chain import SupplyChain, write_policy
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import BUNDLE_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.distributions import Built
    from tests.integration.environments import Completed, Environment
    from tests.integration.loopback import Index


class Evidence(Enum):
    """What lies beside the files, and the reason that a blocked install gives."""

    GOOD = "verified"
    #: Nothing at all.
    STRIPPED = "layout-missing"
    #: Everything, for a file of the same name with other content.
    FOREIGN = "artifact-digest-mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a scenario is made of. The policy lists every project of ``listed``, and no other."""

    environment: Environment
    index: Index
    folder: Path
    evidence: Evidence
    listed: tuple[str, ...] = ("demo", "helper")
    #: Where the scenario puts things, when not into the environment.
    out: list[Path] = field(default_factory=list)

    @property
    def mark(self) -> Path:
        """The file that exists once code of the project ran."""
        return self.folder / "code-ran"

    def bundle(self, built: Built, evidence: Evidence | None = None) -> bytes:
        """Give what lies beside *built*; empty for nothing."""
        evidence = evidence or self.evidence
        if evidence is Evidence.STRIPPED:
            return b""
        about = built if evidence is Evidence.GOOD else built.tampered()
        return authoring.bundle(SupplyChain(project=built.name).evidence(about))

    def serve(
        self, built: Built, *, metadata: bool = True, evidence: Evidence | None = None
    ) -> str:
        """Put the file on the index, and give its URL."""
        self.index.add(built, metadata=metadata)
        bundle = self.bundle(built, evidence)
        if bundle:
            self.index.put_evidence(built, bundle)
        return self.index.url(built)

    def place(self, built: Built) -> Path:
        """Put the file into a folder, and give its path."""
        folder = self.folder / "wheelhouse"
        folder.mkdir(exist_ok=True)
        path = built.write(folder)
        bundle = self.bundle(built)
        if bundle:
            path.with_name(path.name + BUNDLE_SUFFIX).write_bytes(bundle)
        return path

    def elsewhere(self, name: str) -> Path:
        """Give a folder for ``--target``, ``--dest`` and the like."""
        path = self.folder / name
        path.mkdir()
        self.out.append(path)
        return path

    def policy(self) -> Path:
        """Write the policy."""
        chains = [SupplyChain(project=name) for name in self.listed]
        return write_policy(self.folder / "policy", chains, head='unlisted = "deny"')

    def pip(self, *arguments: str | Path, **variables: str) -> Completed:
        """Run pip with the policy in force."""
        return self.environment.pip(
            *arguments, index=self.index, policy=self.policy(), variables=variables
        )

    def landed(self) -> set[str]:
        """Give everything that appeared in the environment or in a folder of this world."""
        found = set(self.environment.added())
        for folder in self.out:
            found.update(str(path.relative_to(folder)) for path in folder.rglob("*"))
        return found
