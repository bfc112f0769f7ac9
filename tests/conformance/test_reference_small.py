"""Small chains, verified here and by in-toto 3.1.0: the same verdicts on artifact rules.

The reference is the oracle for what its rules consume. Where this project knowingly differs
(digests that cannot be compared, prefixes and names that are not normal), the chains stay clear
of the difference, or the test says so.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from in_toto.exceptions import (
    RuleVerificationError,
    SignatureVerificationError,
    ThresholdVerificationError,
)
from in_toto.models.metadata import Metadata
from in_toto.verifylib import in_toto_verify

from pip_intoto.errors import (
    EvidenceInvalid,
    LayoutSignatureMissing,
    LinksDisagree,
    LinkThresholdUnmet,
    RuleViolated,
)
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.names import link_filename
from tests.unit.verification.supply import (
    BUILDER,
    OTHER_BUILDER,
    OWNER,
    TAGGER,
    check,
    digests,
    document,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey

NOW = datetime.now(timezone.utc).replace(microsecond=0)
Artifacts = dict[str, dict[str, str]]


def files(**content: str) -> Artifacts:
    """Names with ``_`` for ``/``."""
    return {name.replace("_", "/"): digests(text) for name, text in content.items()}


BEFORE = files(src_a="a", src_b="b", keep="k", gone="g", src_sub_c="c")
AFTER = files(src_a="a", src_b="changed", keep="k", new="n", src_sub_c="c", build_lib_a="a")
SOURCE = files(src_a="a", src_b="b", keep="other", build_src_a="a", a="a", sub_c="c", b="b")


class Chain:
    """Two steps, written once and verified twice."""

    def __init__(
        self,
        materials: list[list[str]],
        products: list[list[str]],
        *,
        threshold: int = 1,
        signers: tuple[SigningKey, ...] = (BUILDER,),
        after: tuple[Artifacts, ...] = (AFTER,),
    ) -> None:
        steps = [
            authoring.step("fetch", functionaries=[TAGGER]),
            authoring.step(
                "work",
                functionaries=[BUILDER, OTHER_BUILDER],
                threshold=threshold,
                expected_materials=materials,
                expected_products=products,
            ),
        ]
        self.layout = authoring.layout(
            expires=NOW + timedelta(days=1), keys=[TAGGER, BUILDER, OTHER_BUILDER], steps=steps
        )
        self.links: list[tuple[SigningKey, JsonObject]] = [
            (TAGGER, authoring.link("fetch", materials=SOURCE, products=SOURCE))
        ]
        for signer, products_found in zip(signers, after, strict=True):
            link = authoring.link("work", materials=BEFORE, products=products_found)
            self.links.append((signer, link))

    def here(self, envelope: Envelope, owner: SigningKey = OWNER) -> type[Exception] | None:
        documents = [document(self.layout, owner, envelope=envelope)]
        documents += [document(link, signer, envelope=envelope) for signer, link in self.links]
        try:
            check(documents, subject=None, now=NOW)
        except EvidenceInvalid as error:
            return type(error)
        return None

    def reference(
        self, envelope: Envelope, directory: Path, owner: SigningKey = OWNER
    ) -> type[Exception] | None:
        root = directory / "root.layout"
        root.write_text(json.dumps(authoring.sign(self.layout, [owner], envelope)))
        for signer, link in self.links:
            path = directory / link_filename(str(link["name"]), signer.keyid)
            path.write_text(json.dumps(authoring.sign(link, [signer], envelope)))
        try:
            in_toto_verify(
                Metadata.load(str(root)),
                {OWNER.keyid: dict(authoring.key_object(OWNER))},
                link_dir_path=str(directory),
                persist_inspection_links=False,
            )
        except Exception as error:  # noqa: BLE001 - whatever the oracle says is the answer
            return type(error)
        return None


END = [["DISALLOW", "*"]]
REST = [["ALLOW", "*"]]

MATERIAL_RULES = [
    [],
    END,
    [["ALLOW", "*"], *END],
    [["ALLOW", "src/*"], *END],
    [["ALLOW", "src/*"], ["ALLOW", "[kg]*"], *END],
    [["DISALLOW", "absent*"], *REST],
    [["DISALLOW", "*.py"]],
    [["DISALLOW", "src/?"]],
    [["REQUIRE", "keep"]],
    [["REQUIRE", "absent"]],
    [["REQUIRE", "k*"]],
    [["ALLOW", "keep"], ["REQUIRE", "keep"]],
    [["DELETE", "gone"], ["ALLOW", "keep"], ["ALLOW", "src*"], *END],
    [["DELETE", "keep"], ["DISALLOW", "keep"]],
    [["DELETE", "*"], ["DISALLOW", "gone"]],
    [["DELETE", "*"], ["DISALLOW", "keep"]],
    [["CREATE", "*"], *END],
    [["MODIFY", "src/b"], ["DISALLOW", "src/b"]],
    [["MODIFY", "src/*"], ["DISALLOW", "src/a"]],
    [["MODIFY", "*"], ["ALLOW", "src/a"], ["DISALLOW", "src/?"]],
    [["MATCH", "src/a", "WITH", "PRODUCTS", "FROM", "fetch"], ["DISALLOW", "src/a"]],
    [["MATCH", "src/*", "WITH", "PRODUCTS", "FROM", "fetch"], ["DISALLOW", "src/?"]],
    [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "fetch"], ["DISALLOW", "src/sub/*"]],
    [["MATCH", "keep", "WITH", "PRODUCTS", "FROM", "fetch"], ["DISALLOW", "keep"]],
    [["MATCH", "*", "WITH", "MATERIALS", "FROM", "fetch"], ["DISALLOW", "src/?"]],
    [["MATCH", "*", "IN", "src", "WITH", "PRODUCTS", "FROM", "fetch"], ["DISALLOW", "src/*"]],
    [["MATCH", "*", "IN", "src/", "WITH", "PRODUCTS", "FROM", "fetch"], ["DISALLOW", "src/?"]],
    [["MATCH", "*", "IN", "sr", "WITH", "PRODUCTS", "FROM", "fetch"], ["DISALLOW", "src/*"]],
    [["MATCH", "*", "IN", "s*", "WITH", "PRODUCTS", "FROM", "fetch"], ["DISALLOW", "src/*"]],
    [["MATCH", "a", "IN", "src", "WITH", "PRODUCTS", "IN", "build/src", "FROM", "fetch"],
     ["DISALLOW", "src/a"]],
    [["MATCH", "src/*", "WITH", "PRODUCTS", "IN", "build", "FROM", "fetch"],
     ["DISALLOW", "src/a"]],
    [["MATCH", "src/*", "WITH", "PRODUCTS", "IN", "build", "FROM", "fetch"],
     ["DISALLOW", "src/b"]],
    [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "nowhere"]],
    [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "nowhere"], *END],
    [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "work"], ["DISALLOW", "keep"]],
    [["MATCH", "*", "WITH", "PRODUCTS", "FROM", "work"], ["DISALLOW", "src/b"]],
    [["match", "*", "with", "materials", "from", "work"], ["disallow", "*"]],
]  # fmt: skip

PRODUCT_RULES = [
    [],
    END,
    [["CREATE", "new"], ["DISALLOW", "new"]],
    [["CREATE", "keep"], ["DISALLOW", "keep"]],
    [["CREATE", "*"], ["DISALLOW", "new"]],
    [["CREATE", "*"], ["DISALLOW", "keep"]],
    [["CREATE", "n*"], ["CREATE", "build/*"], ["ALLOW", "src/*"], ["ALLOW", "keep"], *END],
    [["DELETE", "*"], *END],
    [["MODIFY", "src/?"], ["DISALLOW", "src/b"]],
    [["MODIFY", "new"], ["DISALLOW", "new"]],
    [["MATCH", "*", "WITH", "MATERIALS", "FROM", "work"], ["MODIFY", "*"], ["CREATE", "*"], *END],
    [["MATCH", "*", "WITH", "MATERIALS", "FROM", "work"], ["CREATE", "*"], *END],
    [["MATCH", "*", "IN", "build/lib", "WITH", "PRODUCTS", "IN", "src", "FROM", "fetch"],
     ["DISALLOW", "build/*"]],
    [["MATCH", "*", "IN", "build", "WITH", "PRODUCTS", "IN", "src", "FROM", "fetch"],
     ["DISALLOW", "build/*"]],
    [["REQUIRE", "new"], ["CREATE", "*"], ["REQUIRE", "new"]],
    [["REQUIRE", "build/lib/a"]],
]  # fmt: skip


def agree(chain: Chain, envelope: Envelope, directory: Path) -> type[Exception] | None:
    """Return what both say; the kinds of errors correspond."""
    theirs, ours = chain.reference(envelope, directory), chain.here(envelope)
    corresponding: dict[type[Exception] | None, set[type[Exception] | None]] = {
        None: {None},
        RuleVerificationError: {RuleViolated},
        ThresholdVerificationError: {LinkThresholdUnmet},
    }
    assert theirs in corresponding, theirs
    assert ours in corresponding[theirs], (theirs, ours)
    return ours


@pytest.mark.parametrize("envelope", list(Envelope))
@pytest.mark.parametrize("rules", MATERIAL_RULES, ids=str)
def test_R_rules_on_materials(rules: list[list[str]], envelope: Envelope, tmp_path: Path) -> None:
    result = agree(Chain(rules, []), envelope, tmp_path)
    assert result in {None, RuleViolated}


@pytest.mark.parametrize("envelope", list(Envelope))
@pytest.mark.parametrize("rules", PRODUCT_RULES, ids=str)
def test_R_rules_on_products(rules: list[list[str]], envelope: Envelope, tmp_path: Path) -> None:
    result = agree(Chain([], rules), envelope, tmp_path)
    assert result in {None, RuleViolated}


def test_both_kinds_of_answers_are_among_them(tmp_path: Path) -> None:
    answers = set()
    for index, rules in enumerate(MATERIAL_RULES):
        directory = tmp_path / str(index)
        directory.mkdir()
        answers.add(agree(Chain(rules, []), Envelope.DSSE, directory))
    assert answers == {None, RuleViolated}


@pytest.mark.accepts("T1")
@pytest.mark.parametrize("envelope", list(Envelope))
def test_T1_two_functionaries_who_agree(envelope: Envelope, tmp_path: Path) -> None:
    chain = Chain([], [], threshold=2, signers=(BUILDER, OTHER_BUILDER), after=(AFTER, AFTER))
    assert agree(chain, envelope, tmp_path) is None


@pytest.mark.rejects("T2")
@pytest.mark.parametrize("envelope", list(Envelope))
def test_T2_two_functionaries_who_disagree(envelope: Envelope, tmp_path: Path) -> None:
    chain = Chain(
        [], [], threshold=2, signers=(BUILDER, OTHER_BUILDER), after=(AFTER, files(new="evil"))
    )
    # The reference has one class for both; here disagreement is told from absence.
    assert chain.reference(envelope, tmp_path) is ThresholdVerificationError
    assert chain.here(envelope) is LinksDisagree


@pytest.mark.rejects("V1")
@pytest.mark.parametrize("envelope", list(Envelope))
def test_V1_a_layout_that_a_stranger_signed(envelope: Envelope, tmp_path: Path) -> None:
    chain = Chain([], [])
    assert agree(chain, envelope, tmp_path) is None
    assert chain.reference(envelope, tmp_path, TAGGER) is SignatureVerificationError
    assert chain.here(envelope, TAGGER) is LayoutSignatureMissing
