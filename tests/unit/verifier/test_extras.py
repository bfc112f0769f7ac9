"""What the extras bring is loaded where a document needs it, and nowhere else."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.shipped import write_bundle
from fixtures.supply_chain import SupplyChain
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import ROOT_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.maintainer.authoring import Document

ROOT = Path(__file__).parents[3]
#: What is installed by an extra → the module that may import it.
EXTRAS = {
    "celpy": "pip_intoto/verification/cel/library.py",
    "lark": "pip_intoto/verification/cel/library.py",
    "re2": "pip_intoto/verification/cel/library.py",
    "pypi_attestations": "pip_intoto/verifier/authenticating.py",
    "sigstore": "pip_intoto/verifier/authenticating.py",
    "sigstore_models": "pip_intoto/verifier/authenticating.py",
    "tuf": "pip_intoto/sources/tuf_client.py",
}
CHAIN = SupplyChain(project="demo")
WHEEL = wheel("demo")
_VERIFIED = """
import sys
sys.path[:0] = sys.argv[1:3]
import pip_intoto
import pip_intoto_gate.gate
verdict = pip_intoto.verify(sys.argv[3], policy=sys.argv[4])
print(verdict.reason)
print(*sys.modules)
"""


def _imported(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_each_is_imported_by_one_module() -> None:
    found = {
        (name, source.relative_to(ROOT).as_posix())
        for folder in ("pip_intoto", "hooks")
        for source in (ROOT / folder).rglob("*.py")
        for name in _imported(source)
        if name in EXTRAS
    }
    assert found <= set(EXTRAS.items())
    assert ("celpy", EXTRAS["celpy"]) in found


def _verified(folder: Path, documents: tuple[Document, ...]) -> tuple[str, set[str]]:
    """Verify the wheel in a process of its own; give the reason, and all modules it loaded."""
    file = folder / WHEEL.filename
    file.write_bytes(WHEEL.data)
    write_bundle(file, documents)
    policy = CHAIN.policy(folder / "policy")
    words = [str(ROOT), str(ROOT / "hooks"), str(file), str(policy)]
    done = subprocess.run(
        [sys.executable, "-c", _VERIFIED, *words], capture_output=True, text=True, check=True
    )
    reason, modules = done.stdout.splitlines()
    return reason, {name.partition(".")[0] for name in modules.split()}


def test_a_classic_layout_loads_none_of_them(tmp_path: Path) -> None:
    reason, modules = _verified(tmp_path, CHAIN.evidence(WHEEL))
    assert reason == "verified"
    assert modules.isdisjoint(EXTRAS)


def test_a_layout_with_a_condition_loads_what_reads_it_and_no_more(tmp_path: Path) -> None:
    pytest.importorskip("celpy")
    layout = CHAIN.layout()
    steps = layout["steps"]
    assert isinstance(steps, list)
    assert isinstance(steps[-1], dict)
    steps[-1]["expected_attributes"] = ["predicate.name == 'build'"]
    signed = authoring.sign(layout, CHAIN.owners, CHAIN.envelope)
    root = authoring.Document(signed, ROOT_LAYOUT)
    reason, modules = _verified(tmp_path, (root, *CHAIN.evidence(WHEEL)[1:]))
    assert reason == "verified"
    assert modules & set(EXTRAS) == {"celpy", "lark", "re2"}


_IMPORTED = """
import sys
sys.path[:0] = sys.argv[1:3]
import pip_intoto.verifier.service
import pip_intoto.verifier.judge
print(*sys.modules)
"""


def test_what_serves_attestations_is_not_imported_before_there_is_one() -> None:
    words = [str(ROOT), str(ROOT / "hooks")]
    done = subprocess.run(
        [sys.executable, "-I", "-c", _IMPORTED, *words], capture_output=True, text=True, check=True
    )
    late = {
        "pip_intoto.metadata.predicates",
        "pip_intoto.metadata.sigstore",
        "pip_intoto.policy.templates",
        "pip_intoto.sources.tuf",
        "pip_intoto.verification.attributes",
        "pip_intoto.verification.statements",
        "pip_intoto.verifier.authenticating",
        "pip_intoto.verifier.records",
    }
    assert late.isdisjoint(done.stdout.split())
