"""Verdicts on files whose layout asks for statements (ITE-10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.maintainer import authoring
from pip_intoto.policy.file import load_policy
from pip_intoto.verifier.judge import judge
from tests.messages.judged import (
    CHAIN,
    GOOD,
    NOW,
    WHEEL,
    build_rules,
    distribution,
    judged,
    told,
    with_layout,
)
from tests.messages.situations import situation
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject

TESTED = "https://in-toto.io/attestation/test-result/v0.1"


def _told(
    folder: Path,
    *,
    kind: str = TESTED,
    result: str = "PASSED",
    files: Mapping[str, str] | None = None,
) -> str:
    """Give the verdict where the last step is a test of the file, and its builder states this."""
    expected: JsonObject = {
        "predicateType": TESTED,
        "functionaries": [CHAIN.builder.keyid],
        "threshold": 1,
    }
    layout = build_rules(
        [],
        name="test",
        pubkeys=[],
        expected_materials=[["ALLOW", "demo-*"], ["DISALLOW", "*"]],
        expected_predicates=[expected],
    )
    subjects = {WHEEL.filename: WHEEL.sha256} if files is None else files
    statement: JsonObject = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": hexes}} for name, hexes in subjects.items()
        ],
        "predicateType": kind,
        "predicate": {"result": result, "configuration": []},
    }
    signed = authoring.sign(statement, [CHAIN.builder])
    stated = authoring.Document(signed, "test.json")
    return told(folder, judged(folder, with_layout(layout, GOOD[1], stated)))


@situation("attestation-missing")
def _(folder: Path) -> str:
    policy = folder / "policy.toml"
    policy.write_text(
        'version = 1\n\n[identities.demo]\npublisher = "github:acme/demo:release.yml"\n\n'
        '[[project]]\nname = "demo"\nrequire = ["publish", "slsa-build"]\nidentities = ["demo"]\n',
        encoding="utf-8",
    )
    policy.chmod(0o600)
    return told(folder, Repository().run(judge(distribution(), load_policy(policy), now=NOW)))


@situation("predicate-missing")
def _(folder: Path) -> str:
    return _told(folder, kind="https://example.com/licences/v1")


@situation("predicate-negative")
def _(folder: Path) -> str:
    return _told(folder, result="FAILED")


@situation("statement-for-another-file")
def _(folder: Path) -> str:
    return _told(folder, files={"demo-1.1-py3-none-any.whl": WHEEL.sha256})


@situation("statement-for-another-project")
def _(folder: Path) -> str:
    return _told(folder, files={"other-1.0-py3-none-any.whl": "ab" * 32})
