"""The harnesses work, on their seeds and on what little changes make of them, without a fuzzer."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

import pytest

from pip_intoto.artifacts.archives import read_tar, read_wheel, read_zip
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import parse_bundle
from pip_intoto.metadata.envelope import read_payload
from pip_intoto.verifier.attempt import verify
from tests.fuzz.__main__ import NAMES, main
from tests.fuzz.harnesses import HARNESSES
from tests.fuzz.seeds import SEEDS

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.verifier.attempt import Attempt


def test_every_harness_has_seeds_and_they_differ() -> None:
    assert HARNESSES.keys() == SEEDS.keys()
    for seeds in SEEDS.values():
        made = list(seeds())
        assert len(made) == len(set(made)) > 2


@pytest.mark.parametrize("name", HARNESSES)
def test_a_harness_takes_its_seeds_and_what_becomes_of_them(name: str) -> None:
    chance = random.Random(5)
    taken = 0
    for seed in SEEDS[name]():
        HARNESSES[name](seed)
        HARNESSES[name](seed[: chance.randrange(len(seed))])
        for _ in range(20):
            changed = bytearray(seed)
            for _ in range(chance.randint(1, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            HARNESSES[name](bytes(changed))
            taken += 1
    assert taken


def test_signed_payloads_get_as_far_as_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the harness signs must be what the engine believes, or nothing would be fuzzed.
    attempts: list[Attempt] = []

    def watched(*args: object, **keywords: object) -> Attempt:
        attempts.append(verify(*args, **keywords))  # type: ignore[arg-type]
        return attempts[-1]

    monkeypatch.setattr("tests.fuzz.harnesses.verify", watched)
    for seed in SEEDS["payloads"]():
        HARNESSES["payloads"](seed)
    assert sum(attempt.verified is not None for attempt in attempts) >= len(attempts) - 2


def test_the_other_seeds_are_what_they_should_be() -> None:
    found = [parse_bundle(seed, origin="seed", limits=DEFAULT) for seed in SEEDS["bundles"]()]
    read = [
        read_payload(document.envelope, limits=DEFAULT)
        for bundle in found
        for document in bundle.documents
        if document.envelope.signatures
    ]
    assert len(read) > len(found)
    readers = {b"z": read_zip, b"w": read_wheel, b"t": read_tar, b"T": read_tar}
    for seed in SEEDS["archives"]():
        assert readers[seed[:1]](io.BytesIO(seed[1:]), limits=DEFAULT)


def test_an_input_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crashed = tmp_path / "crash-1"
    crashed.write_bytes(b"{")
    assert set(NAMES) == set(HARNESSES)
    monkeypatch.setattr("sys.argv", ["fuzz", "bundles", "--input", str(crashed)])
    assert main() == 0
    assert capsys.readouterr().out == "bundles: nothing happened\n"


def test_without_atheris_the_command_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("sys.argv", ["fuzz"])
    assert main() == 2
    assert "atheris is not installed" in capsys.readouterr().err
