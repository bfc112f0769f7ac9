"""Whatever stands in a policy file, it is read or refused with a line; nothing else happens."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.errors import PolicyInvalid
from pip_intoto.policy import vocabulary
from pip_intoto.policy.file import parse_policy

Toml: TypeAlias = str | int | float | dt.date | dt.time | list["Toml"] | dict[str, "Toml"]

WORDS = sorted(
    {
        *vocabulary.TOP,
        *vocabulary.KEY,
        *vocabulary.PROJECT,
        *vocabulary.EXCEPTION,
        *vocabulary.REVOKED,
        *vocabulary.RESERVED,
    }
)
KEY = """
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAErg6qRLpo0XxZP7BYK/sUC/S9gBDh/kBGgO8PtuW5U4=
-----END PUBLIC KEY-----
"""


def spelled(value: Toml) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {spelled(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spelled(element) for element in value) + "]"
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return json.dumps(value)


TEXTS = st.one_of(
    st.sampled_from(
        [
            "alice",
            "demo",
            "acme-*",
            "beside",
            "./x",
            "https://h/{project}",
            "https://h]/[",
            "{",
            "<2",
            "enforce",
            "verified",
            "layout-expired",
            "ab" * 32,
            KEY,
            "-----BEGIN",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
)
VALUES: st.SearchStrategy[Toml] = st.recursive(
    st.one_of(
        TEXTS,
        st.integers(-(2**40), 2**40),
        st.booleans(),
        st.dates(dt.date(1000, 1, 1)),
        st.times(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda values: st.one_of(
        st.lists(values, max_size=3),
        st.dictionaries(st.sampled_from(WORDS) | TEXTS, values, max_size=4),
    ),
    max_leaves=8,
)
#: Values that are often nearly right.
LIKELY: st.SearchStrategy[Toml] = st.one_of(
    VALUES,
    st.lists(TEXTS, max_size=3).map(lambda texts: [*texts]),
    st.lists(st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6), max_size=2).map(
        lambda tables: [*tables]
    ),
)


@given(st.dictionaries(st.sampled_from(WORDS[:]), LIKELY, max_size=6), st.booleans())
def test_every_document_is_read_or_refused_with_its_line(
    document: dict[str, Toml],
    right: bool,
) -> None:
    if right:
        document = {"version": 1, **document}
    text = "".join(f"{key} = {spelled(value)}\n" for key, value in document.items())
    path = Path("/nonexistent/policy.toml")
    refused: PolicyInvalid | None = None
    try:
        policy = parse_policy(text.encode(), path)
    except PolicyInvalid as error:
        refused = error
    else:
        assert policy.path == path
    if refused is not None:
        assert re.fullmatch(r"/nonexistent/policy\.toml:[1-9]\d*", refused.place)
        assert refused.message
        assert int(refused.place.rpartition(":")[2]) <= max(1, text.count("\n"))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(PolicyInvalid):
        parse_policy(b"version = 2\n" + content, Path("/nonexistent/policy.toml"))
