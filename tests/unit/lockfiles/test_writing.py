"""Who vouches for a package, written into a lock that is otherwise left as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pip_intoto.errors import CommandError, LockfileInvalid
from pip_intoto.lockfiles import pylock
from pip_intoto.lockfiles.locked import Recorded
from pip_intoto.lockfiles.writing import Vouched, lines_of, rewritten
from pip_intoto.metadata.identities import GITHUB, Identity
from tests.unit.lockfiles.trees import FOLDER, Memory, sha256

PATH = FOLDER / "pylock.toml"
WORKFLOW = Identity(keyid="", issuer=GITHUB, repository="acme/demo", workflow="release.yml")
ALICE = Identity(keyid="", issuer="https://id.example", subject='alice "a"@acme.example')
VOUCHED = Vouched(
    attested_by=(WORKFLOW,),
    recorded=Recorded(version="1.0", identities=(WORKFLOW, ALICE), layout_keys=("ab" * 32,)),
)
ONE = sha256("1")
LOCK = f"""\
# made by hand
lock-version = "1.0"
created-by = "a test"

[[packages]]  # the first
name = "demo"
version = "1.0"
wheels = [
    {{ url = "https://files.example/demo-1.0-py3-none-any.whl", hashes = {{sha256 = "{ONE}"}} }},
]
# the end of it

# about the other
[[packages]]
name = "other"
version = "2.0"
[packages.sdist]
url = "https://files.example/other-2.0.tar.gz"
hashes = {{sha256 = "{sha256("2")}"}}
[packages.tool.somebody]
says = "hello"

[tool.somebody]
else = true
"""
WRITTEN = f"""
[[packages.attestation-identities]]
kind = "GitHub"
repository = "acme/demo"
workflow = "release.yml"

[packages.tool.pip-intoto]
version = "1.0"
identities = [
    {{ issuer = "{GITHUB}", repository = "acme/demo", workflow = "release.yml" }},
    {{ issuer = "https://id.example", subject = "alice \\"a\\"@acme.example" }},
]
layout-keys = ["{"ab" * 32}"]
"""


def write(text: str, **vouched: Vouched) -> str:
    positions = {"demo": 0, "other": 1}
    new = {positions[name]: each for name, each in vouched.items()}
    return rewritten(text.encode(), PATH, new).decode()


def says(text: str) -> list[Vouched]:
    lock = pylock.read(PATH, Memory(pylock__toml=text), None)
    return [Vouched(attested_by=each.attested_by, recorded=each.recorded) for each in lock.locked]


def test_what_is_written_is_read_and_all_else_stays() -> None:
    text = write(LOCK, demo=VOUCHED)
    assert says(text) == [VOUCHED, Vouched()]
    assert WRITTEN in text
    assert text.replace(WRITTEN, "") == LOCK


def test_it_goes_behind_the_tables_that_a_package_has_and_before_the_next() -> None:
    text = write(LOCK, demo=VOUCHED, other=VOUCHED)
    assert says(text) == [VOUCHED, VOUCHED]
    assert text.replace(WRITTEN, "") == LOCK
    assert text.index('says = "hello"') < text.rindex("[packages.tool.pip-intoto]")
    assert text.rindex("layout-keys") < text.index("[tool.somebody]")


def test_writing_it_again_changes_nothing() -> None:
    text = write(LOCK, demo=VOUCHED, other=VOUCHED)
    assert write(text, demo=VOUCHED, other=VOUCHED) == text
    assert write(text) == text


def test_what_it_said_before_gives_way() -> None:
    text = write(LOCK, demo=VOUCHED, other=VOUCHED)
    assert VOUCHED.recorded is not None
    newer = replace(VOUCHED, recorded=replace(VOUCHED.recorded, version="1.1"))
    changed = write(text, demo=newer)
    assert says(changed) == [newer, VOUCHED]
    assert changed.count("[packages.tool.pip-intoto]") == 2
    assert write(changed, demo=VOUCHED) == text
    assert write(text, demo=Vouched(), other=Vouched()) == LOCK


def test_other_spellings_of_the_same_give_way_as_well() -> None:
    text = LOCK.replace(
        'name = "demo"\n',
        'name = "demo"\nattestation-identities = [{kind = "Google", email = "a@acme.example"}]\n'
        'tool.pip-intoto.version = "0.1"\n',
    )
    assert write(text, demo=VOUCHED) == write(LOCK, demo=VOUCHED)


def test_ends_of_lines_stay_as_they_are() -> None:
    text = write(LOCK.replace("\n", "\r\n"), demo=VOUCHED, other=VOUCHED)
    assert text.count("\n") == text.count("\r\n")
    assert text.replace("\r\n", "\n") == write(LOCK, demo=VOUCHED, other=VOUCHED)


def test_a_file_without_a_last_newline_gets_one() -> None:
    text = LOCK[: LOCK.index("[packages.tool.somebody]")].rstrip("\n")
    assert says(write(text, other=VOUCHED)) == [Vouched(), VOUCHED]


@pytest.mark.parametrize(
    "text",
    [
        'lock-version = "1.0"\npackages = [{name = "demo", version = "1.0"}]\n',
        LOCK.replace('name = "demo"\n', 'name = "demo"\ntool = {other = 1}\n'),
        'lock-version = "1.0"\n',
    ],
)
def test_what_cannot_be_changed_as_text_is_left_alone(text: str) -> None:
    with pytest.raises((CommandError, LockfileInvalid)) as caught:
        write(text, demo=VOUCHED)
    assert caught.value.advice


def test_packages_are_known_by_their_lines() -> None:
    assert lines_of(LOCK.encode(), PATH) == {5: 0, 14: 1}


def test_packages_that_share_a_line_cannot_be_told_apart() -> None:
    with pytest.raises(CommandError):
        lines_of(b'packages = [{name = "demo"}, {name = "other"}]\n', PATH)
