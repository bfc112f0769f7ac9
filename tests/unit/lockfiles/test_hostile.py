"""Whatever the bytes are: a lock, or an error that says where."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import locks
from pip_intoto.errors import LockfileInvalid
from pip_intoto.lockfiles import pdm, pipfile, poetry, pylock, requirements, uv
from tests.unit.lockfiles.test_pylock import TOP
from tests.unit.lockfiles.test_pylock import TWO as PYLOCK
from tests.unit.lockfiles.trees import FOLDER, LINUX, Memory, sha256

REQUIREMENTS = f"""\
# -*- coding: utf-8 -*-
--index-url https://${{USER}}@h/simple --no-binary :all:
-r other.txt
-c other.txt
demo[a,b]==1.0 ; python_version >= '3' \\
    --hash=sha256:{sha256("1")} \\
    --hash=sha512:00
x @ https://h/x-1.0-py3-none-any.whl#sha256={sha256("2")}
git+https://h/y.git@abc#egg=y
-e ./folder[extra]
./dist/z-1.0.tar.gz
https://h/w.zip
"""


def written(tool: str) -> str:
    """The lock that a real tool wrote."""
    return (locks.LOCKS / tool / locks.TOOLS[tool].writes).read_text("utf-8")


SAMPLES = {
    "pylock.toml": (pylock, PYLOCK),
    "requirements.txt": (requirements, REQUIREMENTS),
    "uv.lock": (uv, written("uv-forked")),
    "poetry.lock": (poetry, written("poetry-forked")),
    "pdm.lock": (pdm, written("pdm")),
    "Pipfile.lock": (pipfile, written("pipenv")),
}
#: What stands in the files, and what may not.
WORDS = st.sampled_from(
    [
        *re.findall(r"[\w.-]+|\W", "".join(text for _, text in SAMPLES.values())),
        *(
            "\0",
            "\x1b",
            "é",
            "\u2028",
            '"""',
            "[[",
            "]]",
            "=\n",
            "9" * 30,
            "9" * 5_000,
            "1e999",
            "${A}",
            "; ",
        ),
        *("(", "/" * 9),
    ]
)


def read(name: str, content: bytes) -> None:
    reader, _ = SAMPLES[name]
    tree = Memory(other__txt="demo==1.0\nx\n").add({name: content})
    for interpreter in (None, LINUX):
        error: LockfileInvalid | None = None
        try:
            lock = reader.read(FOLDER / name, tree, interpreter)
        except LockfileInvalid as raised:
            error = raised
        else:
            assert all(each.name and each.place.line > 0 for each in lock.locked)
        if error is not None:
            assert re.search(r":\d+$|\.toml$", error.place), error
            assert f"{error.message}{error.found}{error.expected}".isprintable()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_truncation_of_a_lock_is_a_lock_or_an_error(name: str) -> None:
    content = SAMPLES[name][1].encode()
    for end in range(0, len(content), 3):
        read(name, content[:end])


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_changed_lock_is_a_lock_or_an_error(name: str, data: st.DataObject) -> None:
    text = SAMPLES[name][1]
    for word in data.draw(st.lists(WORDS, min_size=1, max_size=4)):
        start = data.draw(st.integers(0, len(text)))
        text = text[:start] + word + text[start + data.draw(st.integers(0, 12)) :]
    read(name, text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", SAMPLES)
@given(
    content=st.binary(max_size=200)
    | st.lists(WORDS, max_size=40).map(lambda all_: "".join(all_).encode())
)
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_a_lock_or_an_error(name: str, content: bytes) -> None:
    read(name, content)


@given(
    value=st.recursive(
        st.sampled_from(
            [
                '""',
                '"x"',
                "1",
                "-1",
                "1.5",
                "true",
                "2024-01-01",
                "nan",
                '"(("',
                '"1.0"',
                '"\\u0000"',
            ]
        ),
        lambda inner: (
            st.lists(inner, max_size=2).map(lambda all_: f"[{', '.join(all_)}]")
            | inner.map(lambda one: f"{{sha256 = {one}, url = {one}, path = {one}}}")
        ),
        max_leaves=4,
    ),
    key=st.sampled_from(
        [
            *("name", "version", "marker", "requires-python", "dependencies", "index", "wheels"),
            *("sdist", "archive", "directory", "vcs", "attestation-identities", "tool", "unknown"),
        ]
    ),
)
@settings(max_examples=150, deadline=None)
def test_a_value_of_any_type_anywhere_is_a_lock_or_an_error(value: str, key: str) -> None:
    lines = {"name": '"demo"', "directory": "{path = '.'}", key: value}
    body = "\n".join(f"{each} = {text}" for each, text in lines.items())
    read("pylock.toml", f"{TOP}[[packages]]\n{body}\n".encode())
    read("pylock.toml", f"{TOP}packages = []\n{key} = {value}\n".encode())


@pytest.mark.matrix
@pytest.mark.parametrize("name", SAMPLES)
def test_thousands_of_changed_bytes_are_locks_or_errors(name: str) -> None:
    chance = random.Random(5)
    for _ in range(4_000):
        content = bytearray(SAMPLES[name][1].encode())
        for _ in range(chance.randint(1, 8)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        read(name, bytes(content))
