"""Every reason code has its message, it is the one that is kept, and it reads well.

After a change: ``python -m tests.messages --write``, and read what changed.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.interpreters import Unavailable
from tests.messages import (
    judged,
    piped,
    tellers,  # noqa: F401 - they register what they tell
)
from tests.messages.situations import FOLDER, LATER, SITUATIONS, code_of, kept, snapshot

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path


def reason_codes() -> AbstractSet[str]:
    """Give every code that there is, as the reference documentation counts them."""
    path = FOLDER.parents[1] / "docs" / "check.py"
    spec = importlib.util.spec_from_file_location("docs_check_of_codes", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    codes: set[str] = module.reason_codes()
    return codes


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_the_message_is_the_one_that_is_kept(name: str, tmp_path: Path) -> None:
    try:
        message = SITUATIONS[name](tmp_path)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert message == snapshot(name).read_text("utf-8")


def test_no_code_is_without_a_message_and_no_message_without_a_code() -> None:
    told = {code_of(name) for name in SITUATIONS}
    assert told.isdisjoint(LATER)
    assert told | set(LATER) == reason_codes()


def test_no_message_is_kept_that_nothing_gives() -> None:
    assert kept() == set(SITUATIONS)


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_a_message_says_its_code(name: str) -> None:
    code = code_of(name)
    message = snapshot(name).read_text("utf-8")
    shapes = (
        f"error: {code}\n",
        f"[{code}]",
        f": {code}\n",
        f": {code}, warn\n",
        f": {code}, block\n",
    )
    assert any(shape in message for shape in shapes)


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_a_message_reads_well(name: str) -> None:
    message = snapshot(name).read_text("utf-8")
    assert not re.search(r"\b([A-Za-z]+) \1\b", message), "a doubled word"
    assert not re.search(r"\.\.(?!\.)(?<!\.\.\.)|[;:,]\s*[.;:,]|\.;| [,.;:](?:\s|$)", message)
    assert not re.search(r"b'|\b(None|True|False)\b|object at 0x|<class|\[Errno", message), "repr"
    assert not re.search(r"\b1 (materials|products|documents|lines|links)\b", message)
    assert not re.search(r"(?<!/home/you)/tmp", message), "a path of this machine"


@pytest.mark.parametrize("name", sorted(name for name in SITUATIONS if "." not in name))
def test_what_stops_pip_says_what_to_do_next(name: str) -> None:
    message = snapshot(name).read_text("utf-8")
    if message.startswith("error: ") and "\n× " in message:
        hint = re.search(r"^hint: (.*)\Z|^hint: (.*)\n", message, re.MULTILINE)
        assert hint is not None
        assert re.search(r"^note: Nothing was installed\.", message, re.MULTILINE)
        summary = re.search(r"^× (.*)$", message, re.MULTILINE)
        assert summary is not None
        assert summary[1].endswith(".")


@pytest.mark.parametrize("name", ["layout-missing", "source-unreachable", "artifact-not-bound"])
def test_missing_unreachable_and_invalid_are_not_mixed(name: str) -> None:
    words = {
        "layout-missing": "there is no evidence",
        "source-unreachable": "could not be fetched",
        "artifact-not-bound": "the evidence is not about",
    }
    message = snapshot(name).read_text("utf-8")
    assert [other for other, said in words.items() if said in message] == [name]


def test_a_real_pip_prints_what_is_drawn_here(tmp_path: Path) -> None:
    with piped.desk(tmp_path) as here:
        here.index.add(piped.WHEEL)
        text = here.install("demo", policy=here.policy())
    drawn = (
        snapshot("layout-missing").read_text("utf-8").replace(judged.WHY, "the command line (demo)")
    )
    drawn = drawn.replace("https://files.example/", "https://index.example/files/")
    assert text == drawn + "pip-intoto: 0 verified, 1 missing\n"


def test_the_messages_are_shown_by_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.messages", "layout-expired"],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=FOLDER.parents[1],
        env={"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    kept_text = snapshot("layout-expired").read_text("utf-8")
    assert done.stdout == f"--- layout-expired\n{kept_text}\n"
