"""What is said of files that an earlier run is to vouch for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from fixtures.distributions import wheel
from fixtures.keys import key
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.predicate_names import SVR
from pip_intoto.metadata.statement import STATEMENT, spelled_timestamp
from pip_intoto.metadata.verification_result import VERIFIED, VERIFIER
from pip_intoto.reports.lines import verdict_lines
from pip_intoto.verification.trust import Owner
from pip_intoto.verifier.by_result import Wanted, read
from tests.messages.situations import situation, steady

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
WHEEL = wheel("demo")
POLICY = "0" * 64
WANTED = Wanted(
    keys=(Owner(key("ci").public_key, "ci.pub"),),
    threshold=1,
    max_age=timedelta(days=30),
    policy_sha256=POLICY,
)


def told(
    *,
    about: str = WHEEL.filename,
    signer: SigningKey | None = None,
    made: datetime = NOW,
    wanted: Wanted = WANTED,
    trace: bool = False,
) -> str:
    statement: JsonObject = {
        "_type": STATEMENT,
        "subject": [{"name": about, "digest": {"sha256": WHEEL.sha256}}],
        "predicateType": SVR,
        "predicate": {
            "verifier": {"id": VERIFIER, "policies": [{"digest": {"sha256": POLICY}}]},
            "timeCreated": spelled_timestamp(made),
            "properties": [VERIFIED],
            "pipIntoto": {"version": "0.1.0"},
        },
    }
    signed = authoring.sign(statement, [signer or key("ci")])
    results = read(
        authoring.bundle([authoring.Document(signed)]),
        wanted,
        origin="result.intoto.jsonl",
        now=NOW,
    )
    verdict = results.verdict(
        Distribution(
            name=WHEEL.name,
            version=WHEEL.version,
            filename=WHEEL.filename,
            kind=Kind.WHEEL,
            sha256=WHEEL.sha256,
        )
    )
    return steady("\n".join(line.text for line in verdict_lines(verdict, trace=trace)), {})


@situation("verified.by-an-earlier-result")
def _(_: Path) -> str:
    return told(trace=True)


@situation("result-missing")
def _(_: Path) -> str:
    return told(about="demo-1.1-py3-none-any.whl")


@situation("result-signature-missing")
def _(_: Path) -> str:
    return told(signer=key("stranger"))


@situation("result-not-accepted")
def _(_: Path) -> str:
    return told(wanted=replace(WANTED, policy_sha256="1" * 64))


@situation("result-not-current")
def _(_: Path) -> str:
    return told(made=NOW - timedelta(days=31))


@situation("result-not-current.ahead")
def _(_: Path) -> str:
    return told(made=NOW + timedelta(days=1))
