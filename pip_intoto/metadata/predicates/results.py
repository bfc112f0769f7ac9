"""Results: statements that say whether something passed.

A5: what a verifier ignores must never make it allow what it would else deny. A result that failed
is no evidence that something holds, whatever the layout forgot to ask of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.metadata.node import shown
from pip_intoto.metadata.predicates.attested import resources
from pip_intoto.metadata.statement import parse_timestamp
from pip_intoto.metadata.verification_result import parse_result

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.statement import Statement


def failure_of_summary(statement: Statement, limits: Limits) -> str:
    """What a SLSA verification summary says that failed; empty when it passed."""
    predicate = statement.predicate
    predicate.member("verifier").member("id").string(longest=limits.text)
    predicate.member("resourceUri").string(longest=limits.text)
    predicate.member("policy").mapping()
    verified = predicate.optional("timeVerified")
    if verified is not None:
        parse_timestamp(verified)
    result = _one_of(predicate.member("verificationResult"), ("PASSED", "FAILED"))
    levels = predicate.member("verifiedLevels").strings(longest=limits.text)
    if result == "FAILED" or "FAILED" in levels:
        return "the verification that it sums up FAILED"
    return ""


def failure_of_verification(statement: Statement, limits: Limits) -> str:
    """What a simple verification result does not say: any property."""
    result = parse_result(statement, limits)
    return "" if result.properties else "it says that no property was verified"


def failure_of_test(statement: Statement, limits: Limits) -> str:
    """What a test result says that failed; empty when it passed, with warnings or without."""
    result = _one_of(statement.predicate.member("result"), ("PASSED", "WARNED", "FAILED"))
    configuration = statement.predicate.member("configuration")
    resources(configuration, limits)
    return "the test FAILED" if result == "FAILED" else ""


def _one_of(node: Node, words: tuple[str, ...]) -> str:
    if node.string() not in words:
        raise node.malformed(
            "this is no such result", expected=" or ".join(words), found=shown(node.value)
        )
    return node.string()
