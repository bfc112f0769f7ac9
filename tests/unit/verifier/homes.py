"""An environment with projects in it, put there as pip does, and as the gate notes it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import zipfile
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fixtures.distributions import wheel
from fixtures.shipped import write_bundle
from fixtures.supply_chain import SupplyChain
from pip_intoto.environments import Environment
from pip_intoto.policy.file import load_policy
from pip_intoto.verifier.batch import Batch
from pip_intoto.verifier.finding_links import FoundFiles
from pip_intoto.verifier.inventory import Inventory
from pip_intoto.verifier.judging_installed import check_installed, wheels_among
from pip_intoto_gate import records
from pip_intoto_gate.cases import Case

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.account import Checked
    from pip_intoto.policy.model import Policy
    from pip_intoto.verifier.installed import Installed
    from pip_intoto.verifier.inventory import Files

CHAIN = SupplyChain(project="demo")
DEMO = wheel(
    "demo", modules={"demo/__init__.py": b"A = 1\n", "demo/sub/b.py": b"B = 1\n", "alone.py": b"\n"}
)


class Home:
    """An environment with projects, put there as pip does it, and as the gate notes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = folder / "venv"
        self.site = self.prefix / "lib" / "site-packages"
        self.site.mkdir(parents=True)
        self.wheelhouse = folder / "wheelhouse"
        self.wheelhouse.mkdir()

    def install(
        self,
        built: Built = DEMO,
        *,
        installer: str = "pip",
        record: bool = True,
        source: Built | None = None,
        status: str = "verified",
        evidence: bool = True,
    ) -> Path:
        """Install a wheel, and give its .dist-info."""
        with zipfile.ZipFile(io.BytesIO(built.data)) as archive:
            archive.extractall(self.site)
            (listing,) = [name for name in archive.namelist() if name.endswith("/RECORD")]
        info = self.site / os.path.dirname(listing)  # noqa: PTH120
        if installer:
            data = f"{installer}\n".encode()
            (info / "INSTALLER").write_bytes(data)
            with (info / "RECORD").open("a", newline="") as file:
                csv.writer(file).writerow([f"{info.name}/INSTALLER", digest_of(data), len(data)])
        path = (source or built).write(self.wheelhouse)
        if evidence:
            write_bundle(path, CHAIN.evidence(source or built))
        if record:
            announced = {
                "name": built.name,
                "kind": "sdist" if source else "wheel",
                "filename": path.name,
                "url": path.as_uri(),
                "index": None,
                "requested": True,
            }
            case = Case(1, announced, "")
            case.sha256 = (source or built).sha256
            case.verdict = {"status": status, "reason": status, "action": "pass"}
            scheme = SimpleNamespace(purelib=str(self.site), platlib=str(self.site))
            policy = {"sha256": "0" * 64, "mode": "enforce"}
            said = records.content(case, built.filename, built.sha256, policy)
            records.leave(built.name, built.version, scheme, said)
        return info

    def environment(self) -> Environment:
        """Describe it as its interpreter would."""
        return Environment(
            python=self.prefix / "bin" / "python",
            version=(3, 11, 0),
            prefix=self.prefix,
            site_packages=self.site,
            is_read=True,
            pip="26.3",
            pip_directory=None,
            places=(self.site, self.site),
        )

    def inventory(self) -> Inventory:
        return Inventory(self.environment())

    def demo(self) -> Installed:
        (found,) = self.inventory().projects
        return found

    def files(self) -> Files:
        """What became of the files of the only project, or of demo."""
        inventory = self.inventory()
        (found,) = [project for project in inventory.projects if project.name == "demo"]
        return inventory.check_files(found)

    def policy(self, *, head: str = "", tail: str = "") -> Policy:
        path = CHAIN.policy(self.folder / "policy", head=head)
        path.write_text(path.read_text("utf-8") + tail, encoding="utf-8")
        return load_policy(path)

    def checked(self, *, head: str = "", tail: str = "", find_links: Path | None = None) -> Checked:
        """Judge the only project."""
        policy = self.policy(head=head, tail=tail)
        wheels = wheels_among(FoundFiles([find_links] if find_links else []))
        (found,) = check_installed(self.inventory(), policy, Batch(policy).check, wheels=wheels)
        return found


def digest_of(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def fit(info: Path) -> None:
    """Rewrite RECORD to what lies there now."""
    rows = []
    for path in sorted(info.parent.rglob("*")):
        if path.is_file() and path.name != "RECORD":
            data = path.read_bytes()
            rows.append([path.relative_to(info.parent).as_posix(), digest_of(data), len(data)])
    with (info / "RECORD").open("w", newline="") as file:
        csv.writer(file).writerows([*rows, [f"{info.name}/RECORD", "", ""]])
