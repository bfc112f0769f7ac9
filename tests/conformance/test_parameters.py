"""Parameters, here and in in-toto 3.1.0 (Q1 to Q4)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from in_toto.models.metadata import Metadata
from in_toto.verifylib import in_toto_verify

from pip_intoto.errors import EvidenceError, LayoutFeatureUnsupported, RuleViolated
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import link_filename
from tests.unit.verification.supply import (
    BUILDER,
    FROM_TAG,
    OWNER,
    TAGGER,
    as_document,
    build_link,
    build_step,
    check,
    layout,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(timezone.utc).replace(microsecond=0)


def both(
    pattern: str, parameters: dict[str, str], tmp_path: Path
) -> tuple[bool, type[EvidenceError] | None]:
    """Tell whether the reference accepts a wheel by ``pattern``, and how this engine refuses it."""
    rules = [FROM_TAG[0], ["CREATE", pattern], ["DISALLOW", "*"]]
    root = layout(tag_step(), build_step(expected_products=rules), expires=NOW + timedelta(days=1))
    contents = {
        "root.layout": authoring.sign(root, [OWNER]),
        link_filename("tag", TAGGER.keyid): authoring.sign(tag_link(), [TAGGER]),
        link_filename("build", BUILDER.keyid): authoring.sign(build_link(), [BUILDER]),
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content))
    try:
        in_toto_verify(
            Metadata.load(str(tmp_path / "root.layout")),
            {OWNER.keyid: dict(authoring.key_object(OWNER))},
            link_dir_path=str(tmp_path),
            substitution_parameters=parameters,
            persist_inspection_links=False,
        )
        accepted = True
    except Exception:  # noqa: BLE001 - whatever the oracle says is the answer
        accepted = False
    documents = [as_document(content) for content in contents.values()]
    try:
        check(documents, trusted=trust(parameters=parameters), now=NOW)
    except EvidenceError as error:
        return accepted, type(error)
    return accepted, None


@pytest.mark.accepts("Q1", "Q2")
def test_Q1_Q2_both_fill_in_values(tmp_path: Path) -> None:
    assert both("dist/demo-{V}-*", {"V": "1.0"}, tmp_path) == (True, None)
    assert both("dist/{P-1}-{V_2}-*", {"V_2": "1.0", "P-1": "demo"}, tmp_path) == (True, None)


@pytest.mark.rejects("Q2")
def test_Q2_both_want_a_value(tmp_path: Path) -> None:
    missing = both("dist/demo-{V}-*", {"W": "1.0"}, tmp_path)
    assert missing == (False, LayoutFeatureUnsupported)


@pytest.mark.rejects("Q3")
@pytest.mark.parametrize("value", ["*", "1.?", "[0-9].0", "1*", "[!x]*"])
def test_Q3_there_a_value_widens_the_rule(value: str, tmp_path: Path) -> None:
    assert both("dist/demo-{V}-*", {"V": value}, tmp_path) == (True, RuleViolated)


@pytest.mark.rejects("Q3")
def test_Q3_there_a_value_between_brackets_is_a_range(tmp_path: Path) -> None:
    refused = both("dist/[{V}]*", {"V": "a-z"}, tmp_path)
    assert refused == (True, LayoutFeatureUnsupported)


@pytest.mark.rejects("Q4")
@pytest.mark.parametrize("field", ["{V!s}", "{V:}", "{V:.3}"])
def test_Q4_there_a_field_is_formatted(field: str, tmp_path: Path) -> None:
    # Here it is text, as it stands, and no wheel is called so.
    assert both(f"dist/demo-{field}-*", {"V": "1.0"}, tmp_path) == (True, RuleViolated)


@pytest.mark.rejects("Q4")
def test_Q4_there_an_attribute_is_reached(tmp_path: Path) -> None:
    # The documentation of `str`, cut to nothing, becomes part of the pattern.
    refused = both("dist/*{V.__class__.__doc__:.0}*", {"V": "1.0"}, tmp_path)
    assert refused == (True, RuleViolated)
