"""Verdicts on files whose evidence is in a TUF repository."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from unittest.mock import patch

from fixtures.keys import key
from fixtures.tufrepository import TufRepository
from pip_intoto.maintainer import authoring
from pip_intoto.policy.file import load_policy
from pip_intoto.sources.fetching import Response
from pip_intoto.verifier.judge import judge
from tests.messages.judged import CHAIN, WHEEL, distribution, told
from tests.messages.situations import situation
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.verdict import Verdict

BASE = "https://tuf.acme.example/"
FILE = f"demo/{WHEEL.filename}"
OWNER = "keys/alice.pub"


def _made() -> TufRepository:
    repository = TufRepository()
    repository.add(OWNER, key("owner").public_pem())
    names = []
    for document in CHAIN.evidence(WHEEL):
        name = f"demo/{document.name}"
        lists = [OWNER] if name.endswith(".layout") else None
        repository.add(name, authoring.written(document.content), in_toto=lists)
        names.append(name)
    repository.add(FILE, WHEEL.data, in_toto=names)
    repository.publish()
    return repository


def _told(
    folder: Path,
    repository: TufRepository,
    *states: Mapping[str, bytes],
    built: Built = WHEEL,
    answers: Mapping[str, Response] | None = None,
) -> str:
    """Give the last verdict, where the repository shows one state after the other."""
    (folder / "root.json").write_bytes(repository.trusted)
    path = folder / "policy.toml"
    path.write_text(
        f"""version = 1
[tuf.acme]
root = "root.json"
metadata = "{BASE}metadata/"
targets = "{BASE}targets/"
[[project]]
name = "demo"
layout-keys = ["tuf:acme"]
sources = ["tuf:acme"]
""",
        "utf-8",
    )

    def verdict(files: Mapping[str, bytes]) -> Verdict:
        served = {BASE + name: content for name, content in files.items()}
        server = Repository(served, dict(answers or {}))
        return server.run(judge(distribution(built), load_policy(path)))

    with patch.dict("os.environ", {"XDG_STATE_HOME": str(folder / "state")}):
        *_, last = [verdict(files) for files in states or [repository.files]]
    return told(folder, last)


@situation("tuf-invalid")
def _(folder: Path) -> str:
    repository = _made()
    forged = _made().files["metadata/timestamp.json"]
    return _told(folder, repository, {**repository.files, "metadata/timestamp.json": forged})


@situation("tuf-invalid.endless")
def _(folder: Path) -> str:
    repository = _made()
    endless = {**repository.files, "metadata/timestamp.json": b" " * 100_000}
    return _told(folder, repository, endless)


@situation("tuf-expired")
def _(folder: Path) -> str:
    repository = _made()
    repository.timestamp.expires = datetime(2020, 1, 1, tzinfo=timezone.utc)
    repository.publish()
    return _told(folder, repository)


@situation("tuf-rollback")
def _(folder: Path) -> str:
    repository = _made()
    old = dict(repository.files)
    repository.publish()
    return _told(folder, repository, repository.files, old)


@situation("tuf-unavailable")
def _(folder: Path) -> str:
    # As where the extra is not installed.
    with patch.dict(sys.modules, {"pip_intoto.sources.tuf_client": None}):
        return _told(folder, _made())


@situation("artifact-digest-mismatch.in-a-repository")
def _(folder: Path) -> str:
    return _told(folder, _made(), built=WHEEL.tampered())


@situation("layout-signature-missing.no-keys-given")
def _(folder: Path) -> str:
    repository = _made()
    repository.drop(OWNER)
    repository.publish()
    return _told(folder, repository)


@situation("source-unreachable.of-a-repository")
def _(folder: Path) -> str:
    answers = {f"{BASE}metadata/timestamp.json": Response(503)}
    return _told(folder, _made(), answers=answers)
