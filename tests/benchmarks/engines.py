"""One verification by each engine, and the floor below them; or in a process of its own.

``python -m tests.benchmarks.engines ENGINE FOLDER`` verifies once and prints the seconds that it
took and the most memory that the process ever had, in bytes.
"""

from __future__ import annotations

import base64
import json
import resource
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.keys import key
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.bundle import Document
from pip_intoto.metadata.envelope import parse_envelope, pre_authentication_encoding
from pip_intoto.metadata.keys import load_pem
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.verification.chain import verify
from pip_intoto.verification.trust import Owner, Trust
from tests.benchmarks.chains import FUNCTIONARY, OWNER
from tests.integration.interpreters import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

_STATUS = Path("/proc/self/status")


def reference(folder: Path) -> None:
    """Verify as ``in-toto-verify`` does."""
    # Imported here, so that the memory of the other engines is without it.
    from in_toto.models.metadata import Metadata
    from in_toto.verifylib import in_toto_verify

    layout = Metadata.load(str(folder / ROOT_LAYOUT))
    owner = key(OWNER)
    keys = {owner.keyid: authoring.key_object(owner)}
    in_toto_verify(layout, keys, link_dir_path=str(folder))


def ours(folder: Path) -> None:
    """Verify as ``pip-intoto verify --layout`` does."""
    documents = [
        Document(
            envelope=parse_envelope(path.read_bytes(), limits=LOCAL),
            origin=path.name,
            hint=path.name,
        )
        for path in _documents(folder)
    ]
    owner = Owner(key=load_pem(key(OWNER).public_pem()), principal=OWNER)
    trust = Trust(owners=(owner,), threshold=1)
    verify(documents, trust, None, None, now=datetime.now(timezone.utc), limits=LOCAL)


def floor(folder: Path) -> None:
    """Read, parse, restore what was signed, and check one signature of each document.

    Nothing is checked or kept that an engine would: none can be faster, written as these are.
    """
    # A document that is not the functionary's is the owner's.
    publics = [key(name).private.public_key() for name in (FUNCTIONARY, OWNER)]
    for path in _documents(folder):
        content = json.loads(path.read_bytes())
        signature = content["signatures"][0]
        if "payload" in content:
            body = base64.b64decode(content["payload"])
            json.loads(body)
            signed = pre_authentication_encoding(content["payloadType"], body)
            value = base64.b64decode(signature["sig"])
        else:
            text = json.dumps(
                content["signed"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
            )
            signed = text.encode("utf-8")
            value = bytes.fromhex(signature["sig"])
        public = publics[path.name == ROOT_LAYOUT]
        public.verify(value, signed)  # type: ignore[call-arg]


ENGINES: dict[str, Callable[[Path], None]] = {
    "reference": reference,
    "ours": ours,
    "floor": floor,
}


def apart(engine: str, folder: Path) -> tuple[float, int]:
    """Give the seconds and the bytes of one verification in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.engines", engine, folder],
        check=True,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    seconds, peak = result.stdout.split()
    return float(seconds), int(peak)


def _documents(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in {".link", ".layout"})


def _peak() -> int:
    # The kernel's figure for a child begins with what its parent had; this one does not.
    if _STATUS.exists():
        lines = _STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _main() -> None:
    engine, folder = sys.argv[1:]
    if engine == "reference":
        # What is imported is not what is measured.
        import in_toto.verifylib  # noqa: F401
    started = time.perf_counter()
    ENGINES[engine](Path(folder))
    print(time.perf_counter() - started, _peak())


if __name__ == "__main__":
    _main()
