"""What is said of entries of locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fixtures.supply_chain import SupplyChain
from pip_intoto.policy.file import load_policy
from pip_intoto.reports.lines import verdict_lines
from pip_intoto.sources.fetching import Response
from pip_intoto.verifier.batch import Batch
from tests.messages.situations import situation, steady
from tests.unit.sources.repository import Repository
from tests.unit.verifier.locks import INDEX, LINUX, digest_of, entry, file_of
from tests.unit.verifier.test_selecting import NEXT, PURE, SOURCE, WINDOWS, page

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.verifier.wanted import InLock

PAGE = INDEX + "demo/"


def told(folder: Path, wanted: InLock, repository: Repository) -> str:
    policy = load_policy(SupplyChain(project="demo").policy(folder))
    batch = Batch(policy, fetch=repository.fetch_many, index_url=INDEX, interpreter=LINUX)
    (checked,) = batch.check([wanted])
    lines = verdict_lines(checked.verdict, place=checked.place)
    text = "\n".join(line.text for line in lines)
    return steady(text, {str(folder): "/etc/pip-intoto"})


@situation("release-missing")
def _(folder: Path) -> str:
    return told(folder, entry(digest_of(PURE)), Repository())


@situation("release-missing.other-files")
def _(folder: Path) -> str:
    repository = Repository({PAGE: page(SOURCE, PURE.tampered(), NEXT)})
    return told(folder, entry(digest_of(PURE)), repository)


@situation("release-missing.no-file-fits")
def _(folder: Path) -> str:
    return told(folder, entry(file_of(WINDOWS)), Repository())


@situation("source-unreachable.of-an-index")
def _(folder: Path) -> str:
    return told(folder, entry(digest_of(PURE)), Repository(answers={PAGE: Response(500)}))


@situation("unverifiable.no-version")
def _(folder: Path) -> str:
    return told(folder, entry(version=""), Repository())
