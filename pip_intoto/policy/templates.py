"""What a policy's `require` amounts to: templates, and the layout that they are compiled to.

A requirement becomes a step that expects one kind of statement (ITE-10), by whom it names. The
layout has no owner: it holds as the policy does, and never expires. All its steps are about the
file in hand::

    the first step       the file is an artifact that a rule of the step's names
    each step after it   the file is there, and is the very one that the first step speaks of

Steps that are about something that was done come first, since others look at what they made. The
last step binds the file, as in every layout.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from pip_intoto.metadata.identities import listed
from pip_intoto.metadata.layout import ExpectedPredicate, Layout, Step
from pip_intoto.metadata.predicate_names import (
    CYCLONEDX,
    PROVENANCE,
    PROVENANCE_V02,
    PUBLISH,
    SPDX,
    SPDX_V2,
    SPDX_V23,
    TEST_RESULT,
    VSA,
)
from pip_intoto.metadata.predicates import transforms
from pip_intoto.metadata.rules import Allow, Create, Disallow, Match, Require
from pip_intoto.verification.patterns import escape
from pip_intoto.verification.roots import NEVER
from pip_intoto.verification.trust import OwnLayout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.metadata.strict_json import JsonValue
    from pip_intoto.policy.model import Requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A requirement that has a name: what it means, and which statements meet it."""

    name: str
    meaning: str
    predicate_type: str
    conditions: tuple[str, ...] = ()


TEMPLATES: Mapping[str, Template] = {
    template.name: template
    for template in (
        Template(
            name="publish",
            meaning="it was published to the index by whom you name (PEP 740)",
            predicate_type=PUBLISH,
        ),
        Template(
            name="slsa-build",
            meaning="it was built by whom you name, who says from what and how (SLSA provenance)",
            predicate_type=PROVENANCE,
        ),
        Template(
            name="slsa-build-v0.2",
            meaning="the same, as older builders say it",
            predicate_type=PROVENANCE_V02,
        ),
        Template(
            name="test-result",
            meaning="tests were run on it, and none failed",
            predicate_type=TEST_RESULT,
        ),
        Template(
            name="vsa",
            meaning="somebody verified it for you, and says that it passed (VSA)",
            predicate_type=VSA,
        ),
        Template(
            name="sbom-spdx",
            meaning="there is a list of what is in it (SPDX 3)",
            predicate_type=SPDX,
        ),
        Template(
            name="sbom-spdx-v2.3",
            meaning="the same in SPDX 2.3",
            predicate_type=SPDX_V23,
        ),
        Template(
            name="sbom-spdx-v2",
            meaning="the same in SPDX 2, as older tools say it",
            predicate_type=SPDX_V2,
        ),
        Template(
            name="sbom-cyclonedx",
            meaning="there is a list of what is in it (CycloneDX)",
            predicate_type=CYCLONEDX,
        ),
    )
}

#: Stands for the file's name in a layout that is written down: a parameter.
PARAMETER = "{filename}"
_README = (
    "Statements that must be there for a file. Written by `pip-intoto trust add --as-layout`;"
    " change it as you like, and check it with `pip-intoto layout lint`."
)


def compiled(requirements: Sequence[Requirement], filename: str, origin: str) -> OwnLayout:
    """The layout that holds for the file of this name. Its digest is the same for all files."""
    return OwnLayout(
        layout=_layout(requirements, filename, escape(filename)),
        origin=origin,
        sha256=sha256(written(requirements).encode()).hexdigest(),
    )


def written(requirements: Sequence[Requirement]) -> str:
    """The layout as JSON, with the parameter ``{filename}`` where the file's name belongs."""
    layout = _layout(requirements, PARAMETER, PARAMETER)
    keys: dict[str, JsonValue] = {
        **{keyid: _listed_key(key) for keyid, key in layout.keys.items()},
        **{keyid: {"keyid": keyid, **listed(who)} for keyid, who in layout.identities.items()},
    }
    content: dict[str, JsonValue] = {
        "_type": "layout",
        "expires": layout.expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "readme": layout.readme,
        "keys": keys,
        "steps": [_written_step(step) for step in layout.steps],
        "inspect": [],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _layout(requirements: Sequence[Requirement], name: str, pattern: str) -> Layout:
    ordered = sorted(requirements, key=lambda each: not transforms(each.predicate_type))
    first = ordered[0]
    return Layout(
        expires=NEVER,
        readme=_README,
        keys={keyid: key for each in ordered for keyid, key in each.keys.items()},
        identities={keyid: who for each in ordered for keyid, who in each.identities.items()},
        steps=tuple(
            _step(each, _named(each, pattern) if each is first else _same(name, pattern, first))
            for each in ordered
        ),
        inspections=(),
    )


def _named(requirement: Requirement, pattern: str) -> tuple[Rule, ...]:
    # What is consumed by name can be bound: of what was made, or of what a statement is about.
    if transforms(requirement.predicate_type):
        return (Create(pattern),)
    return (Allow(pattern),)


def _same(name: str, pattern: str, first: Requirement) -> tuple[Rule, ...]:
    return (
        Require(name),
        Match(
            pattern=pattern,
            destination="products" if transforms(first.predicate_type) else "materials",
            step=first.name,
        ),
        Disallow(pattern),
    )


def _step(requirement: Requirement, rules: tuple[Rule, ...]) -> Step:
    # ITE-10: informational predicates have materials, and no products.
    made = transforms(requirement.predicate_type)
    return Step(
        name=requirement.name,
        threshold=1,
        expected_materials=() if made else rules,
        expected_products=rules if made else (),
        pubkeys=(),
        expected_command=(),
        expected_predicates=(
            ExpectedPredicate(
                predicate_type=requirement.predicate_type,
                functionaries=(*requirement.keys, *requirement.identities),
                threshold=requirement.threshold,
                expected_attributes=requirement.conditions,
            ),
        ),
    )


def _written_step(step: Step) -> JsonValue:
    predicates: list[JsonValue] = []
    for each in step.expected_predicates:
        said: dict[str, JsonValue] = {
            "predicateType": each.predicate_type,
            "functionaries": list(each.functionaries),
            "threshold": each.threshold,
        }
        if each.expected_attributes:
            said["expectedAttributes"] = list(each.expected_attributes)
        predicates.append(said)
    return {
        "_type": "step",
        "name": step.name,
        "expected_materials": [list(rule.words) for rule in step.expected_materials],
        "expected_products": [list(rule.words) for rule in step.expected_products],
        "expected_predicates": predicates,
    }


def _listed_key(key: PublicKey) -> JsonValue:
    return {
        "keyid": key.keyid,
        "keytype": key.keytype,
        "scheme": key.scheme,
        "keyval": {"public": key.public},
    }
