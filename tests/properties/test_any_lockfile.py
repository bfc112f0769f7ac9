"""Whatever becomes of a lock, it is read, or refused with its name and a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from fixtures import locks
from pip_intoto.errors import LockfileInvalid
from pip_intoto.lockfiles import pdm, pipfile, poetry, uv
from tests.properties.thoroughness import tried_on
from tests.unit.lockfiles.trees import FOLDER, LINUX, Memory

if TYPE_CHECKING:
    from pip_intoto.lockfiles.locked import Interpreter, Lock, Reader

READERS: dict[str, Reader] = {
    "uv.lock": uv,
    "poetry.lock": poetry,
    "pdm.lock": pdm,
    "Pipfile.lock": pipfile,
}
SEEDS = [
    (tool.writes, (locks.LOCKS / name / tool.writes).read_text("utf-8"))
    for name, tool in sorted(locks.TOOLS.items())
    if tool.writes in READERS
]
#: What stands in a lock may be exchanged for this.
VALUES = ["1", "true", '""', '"x"', '"\\u0000"', "[]", "[[]]", "{}", '{"a": 1}', '{ a = "b" }', "."]
_WORD = re.compile(r'"[^"\n]*"|\w+|\[\[?|\]\]?|[{}=:,]')


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, str]:
    """A lock with a few of its words changed, doubled, or dropped, or without its end."""
    name, text = draw(st.sampled_from(SEEDS))
    words = list(_WORD.finditer(text))
    chosen = draw(st.lists(st.sampled_from(words), max_size=4, unique_by=lambda word: word.start()))
    for word in sorted(chosen, key=lambda word: -word.start()):
        other = st.sampled_from(words).map(lambda each: each[0])
        new = draw(st.one_of(st.sampled_from(["", word[0] * 2, *VALUES]), other))
        text = text[: word.start()] + new + text[word.end() :]
    if draw(st.integers(0, 9)) == 0:
        text = text[: draw(st.integers(0, len(text)))]
    return name, text


def attempt(name: str, text: str, interpreter: Interpreter | None) -> Lock | LockfileInvalid:
    try:
        return READERS[name].read(FOLDER / name, Memory().add({name: text}), interpreter)
    except LockfileInvalid as error:
        return error


@tried_on(300)
@given(damaged())
def test_a_damaged_lock_is_read_or_refused_with_a_line(lock: tuple[str, str]) -> None:
    name, text = lock
    everything, here = attempt(name, text, None), attempt(name, text, LINUX)
    if isinstance(everything, LockfileInvalid):
        assert isinstance(here, LockfileInvalid)
        place = re.fullmatch(rf"{FOLDER}/{re.escape(name)}:(\d+)", everything.place)
        assert place is not None, everything.place
        assert 1 <= int(place[1]) <= text.count("\n") + 1
        return
    # Nothing is lost: what is not installed here is left out for a reason.
    assert not isinstance(here, LockfileInvalid), here
    assert titles(here) == titles(everything)
    assert all(each.why for each in here.left_out)


def titles(lock: Lock) -> set[tuple[str, str]]:
    """Every project that a lock has, installed or not."""
    installed = {(each.name, each.version) for each in lock.locked}
    return installed | {(each.name, each.version) for each in lock.left_out}
