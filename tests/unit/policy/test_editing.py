"""Editing a policy: comments and order stay, and nothing is half-written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pip_intoto.errors import CommandError, PolicyInvalid
from pip_intoto.policy.editing import STARTING_POLICY, open_draft
from pip_intoto.policy.file import load_policy

if TYPE_CHECKING:
    from pip_intoto.policy.editing import Draft


def pem(name: str) -> bytes:
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    directory = tmp_path / "downloads"
    directory.mkdir()
    for name in ("alice", "bob"):
        (directory / f"{name}.pub").write_bytes(pem(name))
    return directory


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "config/policy.toml"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    path.chmod(0o644)
    return path


def with_demo(draft: Draft, key: Path, name: str = "demo") -> Draft:
    offered = draft.offered_key(str(key))
    added = offered.known.name if offered.known is not None else offered.name
    return draft.with_key(offered).with_project(name, [added])


COMMENTED = """\
# our policy
version = 1          # keep

mode = "warn"

# people
[keys.alice]         # the boss
public = "keys/alice.pub"

# the first
# project
[[project]]
name = "one"
layout-keys = ["alice"]
[project.parameters]
V = "{version}"      # literal

# the second

[[project]]
name = "two"         # two
layout-keys = ["alice"]

# nothing more
"""


@pytest.fixture
def commented(policy: Path) -> Path:
    write(policy.parent / "keys/alice.pub", pem("alice").decode())
    return write(policy, COMMENTED)


# --- adding ---------------------------------------------------------------------------------


def test_the_first_project_makes_a_policy_with_its_key_beside_it(policy: Path, keys: Path) -> None:
    with_demo(open_draft(policy), keys / "alice.pub").write()
    assert policy.read_text() == STARTING_POLICY + (
        '\n[keys.alice]\npublic = "keys/alice.pub"\n'
        '\n[[project]]\nname = "demo"\nlayout-keys = ["alice"]\n'
    )
    assert (policy.parent / "keys/alice.pub").read_bytes() == pem("alice")
    assert load_policy(policy).rule_for("demo") is not None


def test_what_is_written_is_closed_to_others_whatever_the_umask_says(
    policy: Path, keys: Path
) -> None:
    before = os.umask(0)
    try:
        with_demo(open_draft(policy), keys / "alice.pub").write()
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in (policy, *policy.parent.glob("**/*"))}
    modes[policy.parent] = policy.parent.stat().st_mode & 0o777
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o755}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o644}


def test_a_key_and_a_project_go_behind_their_likes_and_nothing_else_moves(
    commented: Path, keys: Path
) -> None:
    with_demo(open_draft(commented), keys / "bob.pub").write()
    assert commented.read_text() == COMMENTED.replace(
        'public = "keys/alice.pub"\n',
        'public = "keys/alice.pub"\n\n[keys.bob]\npublic = "keys/bob.pub"\n',
    ).replace(
        "# nothing more",
        '[[project]]\nname = "demo"\nlayout-keys = ["bob"]\n\n# nothing more',
    )


def test_a_project_is_written_with_all_that_was_said(policy: Path, keys: Path) -> None:
    draft = open_draft(policy)
    for name in ("alice", "bob"):
        draft = draft.with_key(draft.offered_key(str(keys / f"{name}.pub")))
    draft = draft.with_project(
        "Acme_*",
        ["alice", "bob"],
        threshold=1,
        index="https://pypi.acme.example/simple/",
        sources=["beside", "https://m.example/{project}/{filename}"],
    )
    assert draft.text.endswith(
        """
[[project]]
name = "acme-*"
layout-keys = ["alice", "bob"]
threshold = 1
index = "https://pypi.acme.example/simple/"
sources = ["beside", "https://m.example/{project}/{filename}"]
"""
    )


def test_a_key_that_is_there_is_not_copied_again(commented: Path, keys: Path) -> None:
    draft = open_draft(commented)
    other_name = keys / "boss.pem"
    other_name.write_bytes(pem("alice"))
    offered = draft.offered_key(str(other_name))
    assert offered.known is not None
    assert offered.known.name == "alice"
    assert draft.with_key(offered) is draft


def test_a_key_beside_the_policy_is_named_and_not_copied(policy: Path) -> None:
    key = write(policy.parent / "trusted/carol.pem", pem("carol").decode())
    draft = with_demo(open_draft(policy), key)
    assert 'public = "trusted/carol.pem"' in draft.text
    assert draft.unwritten == {}


def test_a_key_may_go_into_the_policy_itself(policy: Path, keys: Path) -> None:
    draft = open_draft(policy)
    offered = draft.offered_key(str(keys / "alice.pub"))
    draft = draft.with_key(offered, inline=True)
    draft.write()
    assert load_policy(policy).keys["alice"].identity == offered.identity
    assert not (policy.parent / "keys").exists()


def test_a_key_can_be_given_a_name(policy: Path, keys: Path) -> None:
    draft = open_draft(policy)
    offered = draft.offered_key(f"boss={keys / 'alice.pub'}")
    assert offered.name == "boss"
    assert draft.with_key(offered).unwritten == {policy.parent / "keys/boss.pub": pem("alice")}


def test_windows_newlines_stay(policy: Path, keys: Path) -> None:
    write(policy, 'version = 1\r\nmode = "warn"')
    draft = with_demo(open_draft(policy), keys / "alice.pub")
    assert draft.text == (
        'version = 1\r\nmode = "warn"\r\n'
        '\r\n[keys.alice]\r\npublic = "keys/alice.pub"\r\n'
        '\r\n[[project]]\r\nname = "demo"\r\nlayout-keys = ["alice"]\r\n'
    )


def test_keys_written_with_dots_do_not_swallow_what_follows(policy: Path, keys: Path) -> None:
    write(policy.parent / "keys/alice.pub", pem("alice").decode())
    write(policy, 'version = 1\nkeys.alice.public = "keys/alice.pub"\nmode = "warn"\n')
    draft = with_demo(open_draft(policy), keys / "bob.pub")
    assert draft.policy.mode == "warn"
    assert set(draft.policy.keys) == {"alice", "bob"}


# --- refusing -------------------------------------------------------------------------------


def test_a_project_that_is_there_is_refused(commented: Path) -> None:
    with pytest.raises(CommandError) as caught:
        open_draft(commented).with_project("ONE", ["alice"])
    assert caught.value.message == "the policy already has a [[project]] one, on line 12"
    assert "pip-intoto trust remove one" in caught.value.advice


def test_another_key_of_the_same_name_is_refused(commented: Path, keys: Path) -> None:
    (keys / "alice.pub").write_bytes(pem("mallory"))
    draft = open_draft(commented)
    with pytest.raises(CommandError) as caught:
        draft.with_key(draft.offered_key(str(keys / "alice.pub")))
    assert caught.value.message == "the policy already has another key named alice"
    assert caught.value.advice.startswith("Give this one a name of its own: --key NAME=")
    assert caught.value.expected != caught.value.found


def test_a_key_file_that_is_there_is_not_overwritten(policy: Path, keys: Path) -> None:
    write(policy.parent / "keys/alice.pub", "something else")
    draft = open_draft(policy)
    with pytest.raises(CommandError, match="is there, and holds something else"):
        draft.with_key(draft.offered_key(str(keys / "alice.pub")))


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----"])
def test_what_is_no_public_key_is_refused(policy: Path, keys: Path, content: bytes) -> None:
    (keys / "alice.pub").write_bytes(content)
    with pytest.raises(CommandError, match="cannot be used"):
        open_draft(policy).offered_key(str(keys / "alice.pub"))


def test_a_private_key_is_refused_with_the_way_to_the_public_one(policy: Path, keys: Path) -> None:
    (keys / "alice.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----")
    with pytest.raises(CommandError) as caught:
        open_draft(policy).offered_key(str(keys / "alice.pem"))
    assert caught.value.found == "a private key"
    assert "openssl pkey -in alice.pem -pubout" in caught.value.advice


def test_a_public_key_that_cannot_be_used_needs_another_one(policy: Path, keys: Path) -> None:
    (keys / "alice.pub").write_bytes(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")
    with pytest.raises(CommandError) as caught:
        open_draft(policy).offered_key(str(keys / "alice.pub"))
    assert caught.value.advice == "Ask its owner for another key."


def test_an_absent_key_file_is_refused(policy: Path, keys: Path) -> None:
    with pytest.raises(CommandError, match="there is no key file"):
        open_draft(policy).offered_key(str(keys / "absent.pub"))


def test_a_rule_that_cannot_be_is_refused_without_a_line_that_nobody_has_seen(
    commented: Path,
) -> None:
    with pytest.raises(CommandError) as caught:
        open_draft(commented).with_project("three", ["alice"], threshold=2)
    assert caught.value.place == ""
    assert caught.value.message == "the threshold of [[project]] three cannot be 2"


def test_a_name_with_a_version_is_refused_as_it_was_typed(commented: Path) -> None:
    with pytest.raises(CommandError, match=r"demo-pkg==1\.0"):
        open_draft(commented).with_project("demo-pkg==1.0", ["alice"])


@pytest.mark.parametrize("name", ['x"\nmode = "warn', "x\ny", "", "a b"])
def test_no_name_gets_out_of_its_string(commented: Path, name: str) -> None:
    with pytest.raises(CommandError):
        open_draft(commented).with_project(name, ["alice"])


def test_inline_tables_are_left_to_the_person_who_wrote_them(policy: Path, keys: Path) -> None:
    write(policy.parent / "keys/alice.pub", pem("alice").decode())
    write(policy, 'version = 1\nkeys = { alice = { public = "keys/alice.pub" } }\n')
    draft = open_draft(policy)
    with pytest.raises(CommandError, match="cannot be edited here") as caught:
        draft.with_key(draft.offered_key(str(keys / "bob.pub")))
    assert caught.value.advice == ('Add this by hand:\n[keys.bob]\npublic = "keys/bob.pub"\n')


def test_a_policy_with_a_mistake_is_not_edited(policy: Path) -> None:
    write(policy, "version = 1\nmoed = 1\n")
    with pytest.raises(PolicyInvalid, match="unknown key `moed`"):
        open_draft(policy)


# --- removing -------------------------------------------------------------------------------


def test_removing_takes_the_project_its_subtables_and_the_comment_right_above(
    commented: Path,
) -> None:
    open_draft(commented).without_project("one").write()
    start = COMMENTED.index("# the first")
    end = COMMENTED.index("# the second")
    assert commented.read_text() == COMMENTED[:start] + COMMENTED[end:]


def test_removing_the_last_project_leaves_the_comments_that_stand_apart(commented: Path) -> None:
    draft = open_draft(commented).without_project("two")
    start = COMMENTED.index('[[project]]\nname = "two"')
    assert draft.text == COMMENTED[:start] + "# nothing more\n"


def test_adding_and_removing_gives_the_same_text_back(commented: Path) -> None:
    draft = open_draft(commented).with_project("three", ["alice"]).without_project("three")
    assert draft.text == COMMENTED
    assert not draft.changed


def test_a_project_in_two_stretches_is_removed_from_both(policy: Path) -> None:
    write(policy.parent / "keys/alice.pub", pem("alice").decode())
    write(
        policy,
        'version = 1\n[[project]]\nname = "one"\nlayout-keys = ["alice"]\n'
        '[keys.alice]\npublic = "keys/alice.pub"\n[project.parameters]\nV = "1"\n',
    )
    draft = open_draft(policy).without_project("one")
    assert draft.text == 'version = 1\n[keys.alice]\npublic = "keys/alice.pub"\n'


def test_removing_what_is_not_there_names_what_is(commented: Path) -> None:
    with pytest.raises(CommandError) as caught:
        open_draft(commented).without_project("three")
    assert caught.value.message == "the policy has no [[project]] three"
    assert caught.value.expected == "one, two"


def test_a_project_of_an_inline_array_is_not_removed(policy: Path) -> None:
    write(policy.parent / "keys/alice.pub", pem("alice").decode())
    write(
        policy,
        'version = 1\nproject = [{ name = "one", layout-keys = ["alice"] }]\n'
        '[keys.alice]\npublic = "keys/alice.pub"\n',
    )
    with pytest.raises(CommandError, match="cannot be edited here"):
        open_draft(policy).without_project("one")


# --- revoking -------------------------------------------------------------------------------


def test_a_key_of_the_policy_is_revoked_by_its_file(commented: Path, keys: Path) -> None:
    draft = open_draft(commented)
    draft = draft.with_revoked(draft.offered_key(str(keys / "alice.pub")), "laptop stolen")
    assert draft.text == COMMENTED + (
        '\n[[revoked]]\nkey = "keys/alice.pub"\nreason = "laptop stolen"\n'
    )
    assert draft.unwritten == {}


def test_a_foreign_key_is_copied_when_it_is_revoked(commented: Path, keys: Path) -> None:
    draft = open_draft(commented)
    offered = draft.offered_key(str(keys / "bob.pub"))
    draft.with_revoked(offered, "why").write()
    (revoked,) = load_policy(commented).revoked
    assert revoked.identity == offered.identity
    copy = commented.parent / f"keys/revoked-{offered.identity[:16]}.pub"
    assert copy.read_bytes() == pem("bob")


def test_a_key_is_revoked_once(commented: Path) -> None:
    draft = open_draft(commented)
    draft = draft.with_revoked(draft.offered_key("alice"), "laptop stolen")
    with pytest.raises(CommandError, match=r"already revoked, on line 26: laptop stolen"):
        draft.with_revoked(draft.offered_key("alice"), "again")


# --- the disk -------------------------------------------------------------------------------


def test_a_change_in_the_meantime_is_not_overwritten(commented: Path) -> None:
    draft = open_draft(commented).with_project("three", ["alice"])
    write(commented, "version = 1\n")
    with pytest.raises(CommandError, match="changed in the meantime"):
        draft.write()
    assert commented.read_text() == "version = 1\n"


def test_a_directory_that_others_may_write_is_refused_before_anything_is_written(
    policy: Path, keys: Path
) -> None:
    policy.parent.mkdir()
    policy.parent.chmod(0o777)
    draft = with_demo(open_draft(policy), keys / "alice.pub")
    with pytest.raises(CommandError, match="others may write"):
        draft.write()
    assert not policy.exists()
    assert list(policy.parent.glob("keys/*")) == []


def test_a_write_that_fails_leaves_nothing_behind(
    policy: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = with_demo(open_draft(policy), keys / "alice.pub")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(policy))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CommandError, match="cannot be written: No space left on device"):
        draft.write()
    assert [path.name for path in policy.parent.rglob("*")] == ["keys"]


def test_a_linked_policy_stays_a_link(commented: Path) -> None:
    link = commented.with_name("link.toml")
    link.symlink_to(commented)
    open_draft(link).with_project("three", ["alice"]).write()
    assert link.is_symlink()
    assert load_policy(commented).rule_for("three") is not None


def test_the_mode_of_the_file_stays(commented: Path) -> None:
    commented.chmod(0o600)
    open_draft(commented).with_project("three", ["alice"]).write()
    assert commented.stat().st_mode & 0o777 == 0o600
