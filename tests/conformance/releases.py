"""A release as it lies on a disk, and ``pip-intoto verify`` as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fixtures.supply_chain import FAR_FUTURE
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.names import link_filename
from tests.integration.interpreters import ROOT
from tests.unit.verification import supply
from tests.unit.verification.supply import OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey


def layout(*steps: JsonObject, **changes: object) -> JsonObject:
    """Describe the chain of ``supply``, for clocks that cannot be set."""
    return supply.layout(*steps, **{"expires": FAR_FUTURE, **changes})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the command said: its exit status, and all that it wrote."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both streams."""
        return self.out + self.err

    @property
    def verdict(self) -> dict[str, Any]:
        """The only verdict of a report in JSON."""
        (verdict,) = json.loads(self.out)["verdicts"]
        found: dict[str, Any] = verdict
        return found

    @property
    def reason(self) -> str:
        """The reason code of the only verdict."""
        return str(self.verdict["reason"])


class Release:
    """Layout and links in ``links``, the product in ``product``, in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links = folder / "links"
        self.product = folder / "product"
        self.home = folder / "home"
        self.temporary = folder / "temporary"
        for each in (self.links, self.product, self.home, self.temporary):
            each.mkdir(parents=True)
        self.owner = folder / "owner.pub"
        self.owner.write_bytes(OWNER.public_pem())

    def put_layout(
        self, payload: JsonObject, *signers: SigningKey, envelope: Envelope = Envelope.DSSE
    ) -> Path:
        """Sign the root layout, by OWNER unless others are given."""
        signed = authoring.sign(payload, signers or (OWNER,), envelope)
        return self.write("links/root.layout", json.dumps(signed))

    def put(
        self,
        payload: JsonObject,
        *signers: SigningKey,
        name: str = "",
        envelope: Envelope = Envelope.DSSE,
    ) -> Path:
        """Sign a link or sublayout, and file it under the name that it should have."""
        name = name or link_filename(str(payload["name"]), signers[0].keyid)
        return self.write(f"links/{name}", json.dumps(authoring.sign(payload, signers, envelope)))

    def put_chain(
        self,
        *,
        root: JsonObject | None = None,
        tag: JsonObject | None = None,
        build: JsonObject | None = None,
    ) -> None:
        """Write the chain of ``supply``, some of it replaced."""
        self.put_layout(root or layout())
        self.put(tag or supply.tag_link(), supply.TAGGER)
        self.put(build or supply.build_link(), supply.BUILDER)

    def write(self, name: str, content: str | bytes) -> Path:
        """Write any file below the folder of the release."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def verify(self, *words: object, **variables: str) -> Answer:
        """Run ``pip-intoto verify`` with the layout, its key and the links."""
        return self.run(
            "--layout", self.links / "root.layout", "--layout-key", self.owner,
            "--link-dir", self.links, *words, **variables,
        )  # fmt: skip

    def reason(self, *words: object, **variables: str) -> str:
        """Verify, and give the reason code of the only verdict."""
        return self.verify("--format", "json", *words, **variables).reason

    def run(self, *words: object, **variables: str) -> Answer:
        """Run ``pip-intoto verify`` in the folder of the product."""
        environment: Mapping[str, str] = {
            "PATH": os.defpath,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hooks'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            **variables,
        }
        done = subprocess.run(
            [sys.executable, "-m", "pip_intoto", "verify", *map(str, words)],
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=self.product,
            env=environment,
        )
        return Answer(status=done.returncode, out=done.stdout, err=done.stderr)

    def files(self) -> dict[str, bytes]:
        """Give every file of the release's folder, its home and its temporary files included."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
