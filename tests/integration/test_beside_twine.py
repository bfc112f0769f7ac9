"""Evidence lies beside ``dist``, and twine finds nothing there that it does not know."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from fixtures.keys import key
from fixtures.supply_chain import SupplyChain
from pip_intoto.cli import main
from pip_intoto.metadata.names import ROOT_LAYOUT
from tests.integration.releases import environment_with, needs_registry
from tests.integration.test_reference_evidence import WHEEL

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.registry


def twine_checks(folder: Path) -> subprocess.CompletedProcess[str]:
    """Look at all that lies in ``dist``, as people type it before an upload."""
    python = environment_with("twine") / "python"
    words = ["sh", "-c", f"'{python}' -m twine --no-color check dist/*"]
    return subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)


def test_bundles_are_no_trouble_to_twine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_registry()
    monkeypatch.chdir(tmp_path)
    for folder in ("dist", "links"):
        (tmp_path / folder).mkdir()
    WHEEL.write(tmp_path / "dist")
    (tmp_path / "owner.pub").write_bytes(key("owner").public_pem())
    for document in SupplyChain(project="demo").evidence(WHEEL):
        where = tmp_path if document.name == ROOT_LAYOUT else tmp_path / "links"
        (where / document.name).write_text(json.dumps(document.content), encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "dist").iterdir()}
    file = f"dist/{WHEEL.filename}"
    assert main(["bundle", file]) == 0
    assert main(["bundle", file, "--directory"]) == 0
    assert main(["check", file, "--key", "owner.pub"]) == 0
    assert main(["index", "dist", "-o", "public"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "dist").iterdir()} == before
    done = twine_checks(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout
    # Why they lie elsewhere: this is what would become of a release.
    assert main(["bundle", file, "-o", "dist"]) == 0
    refused = twine_checks(tmp_path)
    assert refused.returncode != 0
    assert "intoto.jsonl" in refused.stdout + refused.stderr
