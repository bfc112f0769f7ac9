"""The chains that are verified: written as in-toto writes them, by a key that nobody keeps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fixtures.keys import key
from fixtures.supply_chain import FAR_FUTURE
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.names import ROOT_LAYOUT, link_filename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pip_intoto.maintainer.authoring import Artifacts, Rule

OWNER = "owner"
FUNCTIONARY = "functionary"
#: The file with the owner's public key, in the directory of the chain.
OWNER_FILE = "owner.pub"
_FOLDERS = 20
#: A step changes one artifact of so many.
_CHANGED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a chain is, and what its rules are like.

    ``materials`` and ``products`` write the rules of a step from the names of the step before it
    ("" for the first one) and of the artifacts.
    """

    steps: int
    artifacts: int
    materials: Callable[[str, Iterable[str]], list[Rule]]
    products: Callable[[str, Iterable[str]], list[Rule]]
    envelope: Envelope = Envelope.METABLOCK


def by_patterns(before: str, _names: Iterable[str]) -> list[Rule]:
    """Take everything as the step before left it."""
    return [*_from(before), ["DISALLOW", "*"]]


def changed_by_patterns(before: str, _names: Iterable[str]) -> list[Rule]:
    """Make the artifacts, or change some of them and leave the others alone."""
    return [*_from(before), ["MODIFY", "*"], ["CREATE", "*"], ["DISALLOW", "*"]]


def by_name(before: str, names: Iterable[str]) -> list[Rule]:
    """Speak of each artifact in a rule of its own."""
    rules: list[Rule] = []
    if before:
        rules += [["MATCH", name, "WITH", "PRODUCTS", "FROM", before] for name in names]
    return [*rules, ["DISALLOW", "*"]]


def changed_by_name(before: str, names: Iterable[str]) -> list[Rule]:
    """Speak of each artifact in a rule of its own."""
    rules: list[Rule] = [["ALLOW" if before else "CREATE", name] for name in names]
    return [*rules, ["DISALLOW", "*"]]


def by_folder(before: str, _names: Iterable[str]) -> list[Rule]:
    """Take each folder as the step before left it."""
    rules: list[Rule] = []
    if before:
        rules += [
            ["MATCH", "*", "IN", folder, "WITH", "PRODUCTS", "IN", folder, "FROM", before]
            for folder in map(_folder, range(_FOLDERS))
        ]
    return [*rules, ["DISALLOW", "*"]]


def write(folder: Path, shape: Shape) -> None:
    """Write a chain in which each step changes some of what the one before it made."""
    folder.mkdir()
    owner, functionary = key(OWNER), key(FUNCTIONARY)
    (folder / OWNER_FILE).write_bytes(owner.public_pem())
    artifacts = [
        f"{_folder(number % _FOLDERS)}/module_{number:06}.py" for number in range(shape.artifacts)
    ]
    names = [f"step-{number}" for number in range(shape.steps)]
    layout = authoring.layout(
        expires=FAR_FUTURE,
        keys=[functionary],
        steps=[
            authoring.step(
                name,
                functionaries=[functionary],
                expected_materials=shape.materials(before, artifacts),
                expected_products=shape.products(before, artifacts),
            )
            for before, name in zip(["", *names], names, strict=False)
        ],
    )
    _put(folder / ROOT_LAYOUT, authoring.sign(layout, [owner], shape.envelope))
    materials: Artifacts = {}
    for number, name in enumerate(names):
        products = {
            artifact: materials[artifact]
            if number and (index + number) % _CHANGED
            else {"sha256": hashlib.sha256(f"{artifact} {number}".encode()).hexdigest()}
            for index, artifact in enumerate(artifacts)
        }
        link = authoring.link(name, materials=materials, products=products)
        path = folder / link_filename(name, functionary.keyid)
        _put(path, authoring.sign(link, [functionary], shape.envelope))
        materials = products


def _from(before: str) -> list[Rule]:
    return [["MATCH", "*", "WITH", "PRODUCTS", "FROM", before]] if before else []


def _folder(number: int) -> str:
    return f"src/package_{number:02}"


def _put(path: Path, content: authoring.JsonObject) -> None:
    # As the reference dumps it.
    path.write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
