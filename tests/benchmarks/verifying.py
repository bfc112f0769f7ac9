"""Verification itself, beside the reference implementation in the same process."""

from __future__ import annotations

import functools
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from in_toto.models.metadata import Metadata
from in_toto.verifylib import in_toto_verify

from fixtures.keys import key
from fixtures.supply_chain import FAR_FUTURE
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.bundle import Document
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.keys import load_pem
from pip_intoto.verification.chain import verify
from pip_intoto.verification.trust import Owner, Trust
from tests.benchmarks.comparing import NONE, interleaved, timed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.comparing import Comparison
    from tests.benchmarks.places import Pair

#: (steps, artifacts in each of them, how often as many turns as installs)
_SIZES = ((3, 10, 10), (10, 1000, 2))


def compare(_pair: Pair, folder: Path, turns: int) -> Iterator[Comparison]:
    """Compare chains of several sizes, in both envelopes."""
    for envelope in Envelope:
        for steps, artifacts, often in _SIZES:
            place = folder / f"{envelope.value}-{steps}-{artifacts}"
            _write(place, steps, artifacts, envelope)
            yield interleaved(
                f"verification of {steps} steps with {artifacts} artifacts each, {envelope.value}",
                ("in-toto 3.1.0", timed(functools.partial(_reference, place))),
                ("pip-intoto", timed(functools.partial(_ours, place))),
                turns=often * turns,
                aim=NONE,
            )


def _write(folder: Path, steps: int, artifacts: int, envelope: Envelope) -> None:
    """Write a chain in which each step passes on what the one before it made."""
    folder.mkdir()
    functionary = key("functionary")
    names = [f"step-{number}" for number in range(steps)]
    passed_on = {
        f"src/package/module_{number:05}.py": {"sha256": f"{number:064x}"}
        for number in range(artifacts)
    }
    layout = authoring.layout(
        expires=FAR_FUTURE,
        keys=[functionary],
        steps=[
            authoring.step(
                name,
                functionaries=[functionary],
                expected_materials=[
                    *([["MATCH", "*", "WITH", "PRODUCTS", "FROM", before]] if before else []),
                    ["DISALLOW", "*"],
                ],
                expected_products=[["CREATE", "src/*"], ["ALLOW", "src/*"], ["DISALLOW", "*"]],
            )
            for before, name in zip(["", *names], names, strict=False)
        ],
    )
    _put(folder / authoring.ROOT_LAYOUT, authoring.sign(layout, [key("owner")], envelope))
    for number, name in enumerate(names):
        link = authoring.link(name, materials=passed_on if number else {}, products=passed_on)
        path = folder / authoring.link_name(name, functionary.keyid)
        _put(path, authoring.sign(link, [functionary], envelope))


def _put(path: Path, content: authoring.JsonObject) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _reference(folder: Path) -> None:
    layout = Metadata.load(str(folder / authoring.ROOT_LAYOUT))
    owner = key("owner")
    keys = {owner.keyid: authoring.key_object(owner)}
    in_toto_verify(layout, keys, link_dir_path=str(folder))


def _ours(folder: Path) -> None:
    documents = [
        Document(
            envelope=parse_envelope(path.read_bytes(), limits=DEFAULT),
            origin=path.name,
            hint=path.name,
        )
        for path in sorted(folder.iterdir())
    ]
    owner = Owner(key=load_pem(key("owner").public_pem()), principal="owner")
    trust = Trust(owners=(owner,), threshold=1)
    verify(documents, trust, None, None, now=datetime.now(timezone.utc))
