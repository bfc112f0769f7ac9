"""Reading a policy: what it comes to, and what each mistake is told."""

from __future__ import annotations

import hashlib
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import PolicyInvalid, PolicyMissing
from pip_intoto.limits import DEFAULT, Limits
from pip_intoto.policy.file import load_policy, policy_in_force
from pip_intoto.policy.model import Beside, Folder, Template
from tests.unit.policy.folders import HEAD, pem, private_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from tests.unit.policy.folders import Folderful


DEMO = """
[[project]]
name = "demo"
layout-keys = ["alice", "bob"]
"""
EXCEPTION = """
[[exception]]
project = "legacy-tool"
reason = "upstream ships no layout before 2.0"
owner = "security@acme.example"
expires = 2027-03-31
"""


def wheel(name: str = "demo", version: str = "1.0", sha256: str | None = "ab" * 32) -> Distribution:
    return Distribution(
        name=name,
        version=version,
        filename=f"{name.replace('-', '_')}-{version}-py3-none-any.whl",
        kind=Kind.WHEEL,
        sha256=sha256,
    )


# --- what a policy says ---------------------------------------------------------------------


def test_the_smallest_policy_enforces_and_warns_of_unlisted_projects(folder: Folderful) -> None:
    policy = folder.load("version = 1\n")
    assert (policy.mode, policy.unlisted) == ("enforce", "warn")
    assert (policy.projects, policy.exceptions, policy.revoked) == ((), (), ())
    assert policy.files == (folder.policy,)


def test_every_key_of_the_contract_is_read(folder: Folderful) -> None:
    folder.write("layouts/demo.layout", b"{}")
    policy = folder.load(
        """
version = 1
mode = "warn"
unlisted = "deny"

[keys.alice]
public = "keys/alice.pub"
principal = "a"
[keys.alice-old]
public = "keys/bob.pub"
principal = "a"
[keys.carol]
public = "keys/carol.pub"

[[project]]
name = "demo"
layout-keys = ["alice", "alice-old", "carol"]
threshold = 2
index = "https://pypi.acme.example/simple/"
sources = ["beside", "https://m.example/{project}/{version}/{filename}.intoto.jsonl", "./local"]
layout = "layouts/demo.layout"
layout-sha256 = ["LAYOUT"]
binds = "build"
build = "never"
parameters = { VERSION = "{version}", FIXED = "x" }
parameters-in-sublayouts = true
inspections = [["python", "check.py"], ["true"]]

[[exception]]
project = "Legacy_Tool"
version = "<2"
sha256 = ["FILE"]
waives = ["layout-expired"]
reason = "why"
owner = "who"
expires = 2027-03-31

[[revoked]]
key = "keys/bob.pub"
reason = "laptop stolen"
""".replace("LAYOUT", "AB" * 32).replace("FILE", "cd" * 32)
    )
    assert (policy.mode, policy.unlisted) == ("warn", "deny")
    assert policy.keys["alice-old"].principal == "a"
    (rule,) = policy.projects
    assert [owner.principal for owner in rule.owners] == ["a", "a", "carol"]
    assert rule.threshold == 2
    assert rule.index == "https://pypi.acme.example/simple/"
    assert rule.sources == (
        Beside(),
        Template("https://m.example/{project}/{version}/{filename}.intoto.jsonl"),
        Folder(folder.path / "local"),
    )
    assert rule.layout is not None
    assert (rule.layout.path, rule.layout.content) == (folder.path / "layouts/demo.layout", b"{}")
    assert rule.layout_sha256 == ("ab" * 32,)
    assert (rule.binds, rule.build) == ("build", "never")
    assert rule.parameters_in_sublayouts
    assert rule.inspections == (("python", "check.py"), ("true",))
    assert rule.line == 15
    (exception,) = policy.exceptions
    assert (exception.project, str(exception.version)) == ("legacy-tool", "<2")
    assert exception.waives == ("layout-expired",)
    assert exception.expires == date(2027, 3, 31)
    (revoked,) = policy.revoked
    assert revoked.identity == policy.keys["alice-old"].identity
    trust = policy.trust_for(rule, wheel())
    assert trust.parameters_in_sublayouts
    assert trust.parameters == {"VERSION": "1.0", "FIXED": "x"}
    assert trust.revoked == {revoked.identity}
    assert trust.principals[policy.keys["carol"].identity] == "carol"
    assert trust.threshold == 2
    assert policy.files == (
        folder.policy,
        folder.path / "keys/alice.pub",
        folder.path / "keys/bob.pub",
        folder.path / "keys/carol.pub",
        folder.path / "layouts/demo.layout",
    )


def test_a_key_may_stand_in_the_policy_itself(folder: Folderful) -> None:
    policy = folder.load(f'version = 1\n[keys.alice]\npublic = """\n{pem("alice")}"""\n')
    beside = folder.load(HEAD)
    assert policy.keys["alice"].identity == beside.keys["alice"].identity
    assert policy.keys["alice"].path is None
    assert policy.files == (folder.policy,)


def test_rsa_and_ecdsa_keys_are_read(folder: Folderful) -> None:
    keys: dict[str, PublicKeyTypes] = {
        "rsa": rsa.generate_private_key(65537, 2048).public_key(),
        "ecdsa": ec.generate_private_key(ec.SECP384R1()).public_key(),
    }
    text = "version = 1\n"
    for name, key in keys.items():
        folder.write(
            f"{name}.pub", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        text += f'[keys.{name}]\npublic = "{name}.pub"\n'
    policy = folder.load(text)
    assert [policy.keys[name].key.keytype for name in keys] == ["rsa", "ecdsa"]


def test_the_digest_is_over_the_bytes_that_were_read(folder: Folderful) -> None:
    text = "version = 1 # ü\r\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert folder.load(text).sha256 == digest
    assert load_policy(folder.policy, sha256=digest).sha256 == digest


def test_another_digest_than_the_known_one_is_refused(folder: Folderful) -> None:
    folder.load("version = 1\n")
    with pytest.raises(PolicyInvalid, match="changed while pip was running") as caught:
        load_policy(folder.policy, sha256="0" * 64)
    assert caught.value.expected == "sha256 " + "0" * 64


def test_a_relative_path_is_relative_to_the_policy(
    folder: Folderful, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder.write("policy.toml", HEAD)
    monkeypatch.chdir(folder.path)
    assert load_policy(Path("policy.toml")).path == folder.policy
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load_policy(folder.policy).keys["alice"].path == folder.path / "keys/alice.pub"


def test_files_names_both_ends_of_a_link(folder: Folderful) -> None:
    (folder.path / "link.pub").symlink_to("keys/alice.pub")
    policy = folder.load('version = 1\n[keys.alice]\npublic = "link.pub"\n')
    assert policy.files == (
        folder.policy,
        folder.path / "link.pub",
        folder.path / "keys/alice.pub",
    )


# --- which rule -----------------------------------------------------------------------------


def rule(name: str) -> str:
    return f'[[project]]\nname = "{name}"\nlayout-keys = ["alice"]\n'


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("acme-core", "acme-core"),
        ("acme-core-x", "acme-core*"),
        ("acme-other", "acme-*"),
        ("acme", "*"),
        ("zebra", "*"),
    ],
)
def test_exact_beats_glob_and_the_longer_glob_the_shorter(
    folder: Folderful, name: str, expected: str
) -> None:
    rules = "".join(rule(name) for name in ("*", "acme-core*", "Acme.Core", "acme_*"))
    found = folder.load(HEAD + rules).rule_for(name)
    assert found is not None
    assert found.name == expected


def test_a_project_that_no_rule_names_has_none(folder: Folderful) -> None:
    assert folder.load(HEAD + rule("acme-*")).rule_for("acme") is None


def test_the_default_threshold_is_every_principal(folder: Folderful) -> None:
    assert folder.load(HEAD + DEMO).projects[0].threshold == 2
    one_principal = HEAD.replace('.pub"', '.pub"\nprincipal = "both"')
    assert folder.load(one_principal + DEMO).projects[0].threshold == 1


def test_layout_keys_of_several_projects_are_shared(folder: Folderful) -> None:
    policy = folder.load(
        HEAD
        + '[keys.carol]\npublic = "keys/carol.pub"\n'
        + DEMO
        + rule("other")
        + '[[project]]\nname = "own"\nlayout-keys = ["carol"]\n'
    )
    assert [found.shared_keys for found in policy.projects] == [True, True, False]


def test_layout_keys_of_a_glob_are_shared(folder: Folderful) -> None:
    assert folder.load(HEAD + rule("acme-*")).projects[0].shared_keys


def test_a_parameter_that_waits_for_the_digest_is_missing_until_then(folder: Folderful) -> None:
    policy = folder.load(HEAD + DEMO + 'parameters = { SUM = "{sha256}", V = "{version}" }\n')
    (found,) = policy.projects
    assert policy.trust_for(found, wheel(sha256=None)).parameters == {"V": "1.0"}
    assert policy.trust_for(found, wheel()).parameters == {"SUM": "ab" * 32, "V": "1.0"}


def test_parameters_are_spelled_as_in_the_filename(folder: Folderful) -> None:
    policy = folder.load(
        HEAD + rule("my-demo") + 'parameters = { A = "{distribution}/{version}-{project}" }\n'
    )
    sdist = Distribution(
        name="my-demo", version="1.0", filename="My.Demo-1.0.0.tar.gz", kind=Kind.SDIST
    )
    assert policy.trust_for(policy.projects[0], sdist).parameters == {"A": "My.Demo/1.0.0-my-demo"}


# --- exceptions -----------------------------------------------------------------------------

TODAY = date(2027, 3, 31)


@pytest.mark.parametrize(
    ("version", "covered"),
    [
        ("1.9", True),
        ("1.9rc1", True),
        ("2.0.dev1", False),
        ("2.0", False),
        ("not a version", False),
    ],
)
def test_an_exception_covers_versions_prereleases_included(
    folder: Folderful, version: str, *, covered: bool
) -> None:
    policy = folder.load("version = 1\n" + EXCEPTION + 'version = "<2"\n')
    found = policy.exception_for(wheel("legacy-tool", version), TODAY)
    assert (found is not None) is covered


@pytest.mark.parametrize("version", [",", " , ,"])
def test_an_exception_for_no_version_is_not_one_for_all(folder: Folderful, version: str) -> None:
    with pytest.raises(PolicyInvalid, match="not a version specifier"):
        folder.load("version = 1\n" + EXCEPTION + f'version = "{version}"\n')


def test_an_exception_holds_up_to_its_last_day(folder: Folderful) -> None:
    policy = folder.load("version = 1\n" + EXCEPTION)
    file = wheel("legacy-tool")
    assert policy.exception_for(file, date(2027, 3, 31)) is not None
    assert policy.exception_for(file, date(2027, 4, 1)) is None
    assert policy.expired_exception_for(file, date(2027, 4, 1)) is not None
    assert policy.exception_for(wheel("other"), TODAY) is None


def test_an_exception_for_digests_covers_no_other_file(folder: Folderful) -> None:
    policy = folder.load("version = 1\n" + EXCEPTION + f'sha256 = ["{"ab" * 32}"]\n')
    assert policy.exception_for(wheel("legacy-tool"), TODAY) is not None
    assert policy.exception_for(wheel("legacy-tool", sha256="cd" * 32), TODAY) is None
    assert policy.exception_for(wheel("legacy-tool", sha256=None), TODAY) is None


def test_what_waives_everything_comes_before_what_waives_a_part(folder: Folderful) -> None:
    policy = folder.load("version = 1\n" + EXCEPTION + 'waives = ["layout-expired"]\n' + EXCEPTION)
    found = policy.exception_for(wheel("legacy-tool"), TODAY)
    assert found is not None
    assert found.waives == ()


# --- who may write it -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["policy.toml", "keys/alice.pub", "demo.layout"])
def test_a_file_that_others_may_write_is_refused(folder: Folderful, name: str) -> None:
    folder.write("demo.layout", "{}")
    folder.load(HEAD + DEMO + 'layout = "demo.layout"\n')
    (folder.path / name).chmod(0o666)
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(folder.policy)
    assert caught.value.message.startswith("others may write the ")
    assert caught.value.found == f"{folder.path / name} may be written by everybody (mode 0666)"


def test_a_policy_in_a_directory_that_others_may_write_is_refused(folder: Folderful) -> None:
    folder.load("version = 1\n")
    folder.path.chmod(0o777)
    with pytest.raises(PolicyInvalid, match="others may write the policy"):
        load_policy(folder.policy)


# --- files that cannot be read --------------------------------------------------------------


def test_no_file_is_a_missing_policy(folder: Folderful) -> None:
    with pytest.raises(PolicyMissing, match="there is no policy at"):
        load_policy(folder.path / "absent.toml")


def test_a_directory_is_no_policy(folder: Folderful) -> None:
    with pytest.raises(PolicyInvalid, match="is not a file"):
        load_policy(folder.path / "keys")


def test_a_named_pipe_is_no_policy_and_hangs_nothing(folder: Folderful) -> None:
    os.mkfifo(folder.policy, 0o600)
    with pytest.raises(PolicyInvalid, match="is not a file"):
        load_policy(folder.policy)


def test_a_policy_over_the_limit_is_refused(folder: Folderful) -> None:
    folder.write("policy.toml", "version = 1\n" + "#" * 100)
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(folder.policy, limits=Limits(policy_bytes=100))
    assert (caught.value.expected, caught.value.found) == ("at most 100 bytes", "112 bytes")


def test_a_key_over_the_limit_is_refused(folder: Folderful) -> None:
    folder.write("keys/alice.pub", b"#" * (DEFAULT.key_bytes + 1))
    assert folder.refuse(HEAD).message.startswith("the key file is too large: ")


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b'version = 1\nmode = "\xff"\n', 2, "the policy is not UTF-8 text"),
        (b"\xef\xbb\xbfversion = 1\n", 1, "the policy begins with a byte order mark"),
        (b"version = 1\n\nmode =\n", 3, "this is not TOML: "),
        (b'version = 1\nmode = "warn', 2, "this is not TOML: "),
        (b"version = " + b"1" * 5_000, 1, "this is not TOML: "),
        (
            b"version = 1\nversion = 1\n",
            2,
            "this is not TOML: ",
        ),
    ],
)
def test_what_is_no_toml_is_told_the_line(
    folder: Folderful, content: bytes, line: int, message: str
) -> None:
    folder.write("policy.toml", content)
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(folder.policy)
    assert caught.value.place == f"{folder.policy}:{line}"
    assert caught.value.message.startswith(message)
    # The line is in front already.
    assert "line" not in caught.value.message


def test_brackets_without_end_are_refused_and_crash_nothing(folder: Folderful) -> None:
    error = folder.refuse("version = 1\nx = " + "[" * 50_000)
    assert "nested too deeply" in error.message or "not TOML" in error.message


# --- mistakes, and what each is told --------------------------------------------------------

KNOWN_AT_TOP = (
    "version, mode, unlisted, keys, identities, sigstore, tuf, project, exception, revoked"
)
KNOWN_IN_PROJECT = (
    "name, layout-keys, threshold, require, identities, index, sources, layout, layout-sha256,"
    " binds, build, parameters, parameters-in-sublayouts, inspections"
)

#: text, line, message, expected, found, advice
MISTAKES = [
    # the top
    ("", 1, "the policy lacks `version`", "", "", "Write `version = 1` at the top."),
    (
        "version = 2",
        1,
        "this policy is written for a later pip-intoto",
        "version = 1",
        "version = 2",
        "Upgrade pip-intoto.",
    ),
    (
        'version = "1"',
        1,
        '`version` cannot be "1"',
        "version = 1",
        'version = "1"',
        "Write `version = 1`.",
    ),
    (
        "version = true",
        1,
        "`version` cannot be true",
        "version = 1",
        "version = true",
        "Write `version = 1`.",
    ),
    (
        'version = 1\nmode = "enforced"',
        2,
        '`mode` cannot be "enforced"',
        "enforce | warn",
        "",
        'Did you mean "enforce"?',
    ),
    (
        "version = 1\nunlisted = false",
        2,
        "`unlisted` cannot be false",
        "allow | warn | deny",
        "",
        None,
    ),
    (
        'version = 1\n\nmoed = "warn"',
        3,
        "unknown key `moed` in the policy",
        KNOWN_AT_TOP,
        "moed",
        "Did you mean `mode`?",
    ),
    (
        'version = 1\n[[projects]]\nname = "x"',
        2,
        "unknown key `projects` in the policy",
        KNOWN_AT_TOP,
        "projects",
        "Did you mean `project`?",
    ),
    (
        'version = 1\n[[project]]\nname = "demo"\nlayout_keys = ["a"]',
        4,
        "unknown key `layout_keys` in [[project]]",
        KNOWN_IN_PROJECT,
        "layout_keys",
        "Did you mean `layout-keys`?",
    ),
    (
        'version = 1\n[[project]]\nname = "demo"\nunlisted = "deny"',
        4,
        "unknown key `unlisted` in [[project]]",
        KNOWN_IN_PROJECT,
        "unlisted",
        "`unlisted` belongs at the top of the file, before the first [table].",
    ),
    (
        "version = 1\nthreshold = 1",
        2,
        "unknown key `threshold` in the policy",
        KNOWN_AT_TOP,
        "threshold",
        "`threshold` belongs in a [[project]].",
    ),
    (
        "version = 1\nzzzzz = 1",
        2,
        "unknown key `zzzzz` in the policy",
        KNOWN_AT_TOP,
        "zzzzz",
        "Remove it.",
    ),
    (
        "version = 1\npins = []",
        2,
        "`pins` in the policy is reserved for a later version of pip-intoto",
        "",
        "",
        "Remove it: this version would not heed it.",
    ),
    (
        HEAD + DEMO + "require = 1",
        10,
        "`require` must be an array of templates and tables",
        "an array of templates and tables",
        "1",
        None,
    ),
    (
        'version = 1\n[project]\nname = "demo"',
        2,
        "`project` must be an array of tables",
        "",
        "",
        "Write [[project]] with two brackets: there can be several projects.",
    ),
    (
        'version = 1\nproject = "demo"',
        2,
        "`project` must be an array of tables",
        "an array of tables",
        '"demo"',
        "Write [[project]] on a line of its own.",
    ),
    # keys
    (
        'version = 1\n[keys]\nalice = "keys/alice.pub"',
        3,
        "`alice` must be a table",
        "a table",
        '"keys/alice.pub"',
        'Write [keys.alice] and below it public = "…".',
    ),
    (
        'version = 1\n[keys]\npublic = "keys/alice.pub"',
        3,
        "`public` must be a table",
        "a table",
        '"keys/alice.pub"',
        'Give the key a name: [keys.alice] and below it public = "…".',
    ),
    (
        "version = 1\n[keys.alice]\n",
        2,
        "[keys.alice] lacks `public`",
        "",
        "",
        "Name the file of the public key, or put the PEM in.",
    ),
    (
        'version = 1\n[keys.alice]\npublic = "keys/absent.pub"',
        3,
        "the key file is not there",
        "a file at {folder}/keys/absent.pub",
        "",
        "Correct the path; it is relative to the policy file.",
    ),
    (
        'version = 1\n[keys.alice]\npublic = "keys"',
        3,
        "the key file is not a file: {folder}/keys",
        "",
        "",
        None,
    ),
    (
        'version = 1\n[keys.alice]\npublic = "policy.toml"',
        3,
        "{folder}/policy.toml cannot be used: this is not one public key in PEM form",
        None,
        None,
        None,
    ),
    (
        'version = 1\n[keys.alice]\npublic = "private.pem"',
        3,
        "{folder}/private.pem is a private key",
        "a public key",
        "",
        "Take it out of here, and name the public key that belongs to it.",
    ),
    (
        'version = 1\n[keys.small]\npublic = "small.pub"',
        3,
        "{folder}/small.pub cannot be used: this RSA key is too weak",
        None,
        "1024 bits",
        None,
    ),
    (
        HEAD + '[keys.again]\npublic = "keys/alice.pub"\n',
        6,
        "[keys.again] is the same key as [keys.alice] on line 2, with another principal",
        "",
        "",
        "Remove one of them, or give both the same principal.",
    ),
    # projects
    (
        HEAD + '[[project]]\nlayout-keys = ["alice"]',
        6,
        "[[project]] lacks `name`",
        "",
        "",
        'Write name = "demo".',
    ),
    (
        HEAD + '[[project]]\nname = "demo"',
        6,
        "[[project]] demo lacks `layout-keys`",
        "",
        "",
        (
            "Name the keys of [keys] that sign the project's layouts; or say what you `require`:"
            ' require = ["publish"].'
        ),
    ),
    (
        HEAD + '[[project]]\nname = "a*b"\nlayout-keys = ["alice"]',
        7,
        '"a*b" is not a pattern that can be used',
        'one "*", at the end: "acme-*"',
        "",
        None,
    ),
    (
        HEAD + '[[project]]\nname = "demo[extra]"\nlayout-keys = ["alice"]',
        7,
        '"demo[extra]" is not the name of a project',
        "letters, digits, and - _ . between them",
        "",
        None,
    ),
    (
        # The Kelvin sign, whose lower case is a k.
        HEAD + '[[project]]\nname = "\N{KELVIN SIGN}eras"\nlayout-keys = ["alice"]',
        7,
        '"\N{KELVIN SIGN}eras" is not the name of a project',
        "letters, digits, and - _ . between them",
        "",
        None,
    ),
    (
        HEAD + rule("my-demo") + rule("My_Demo"),
        9,
        "there is already a [[project]] my-demo, on line 6",
        "",
        "",
        "Merge the two, or remove one.",
    ),
    (
        HEAD + '[[project]]\nname = "demo"\nlayout-keys = ["alice",\n  "alcie"]',
        9,
        "[[project]] demo names the key `alcie`, which [keys] does not have",
        "alice, bob",
        "alcie",
        "Did you mean `alice`?",
    ),
    (
        HEAD + '[[project]]\nname = "demo"\nlayout-keys = ["alice", "alice"]',
        8,
        "[[project]] demo names the key `alice` twice",
        "",
        "",
        None,
    ),
    (
        HEAD + '[[project]]\nname = "demo"\nlayout-keys = "alice"',
        8,
        "`layout-keys` must be an array of names of keys and identities",
        "an array of names of keys and identities",
        '"alice"',
        'Write layout-keys = ["alice"].',
    ),
    (
        HEAD + '[[project]]\nname = "demo"\nlayout-keys = []',
        8,
        "`layout-keys` is an empty array",
        "",
        "",
        "Fill it in, or remove the key.",
    ),
    (
        HEAD + DEMO + "threshold = 3",
        10,
        "the threshold of [[project]] demo cannot be 3",
        "1 to 2, as many as principals",
        "3",
        None,
    ),
    (
        HEAD + DEMO + "threshold = 0",
        10,
        "the threshold of [[project]] demo cannot be 0",
        "1 to 2, as many as principals",
        "0",
        None,
    ),
    (
        HEAD.replace('.pub"', '.pub"\nprincipal = "both"') + DEMO + "threshold = 2",
        12,
        "the threshold of [[project]] demo cannot be 2",
        "1",
        "2",
        "Keys of one principal count once.",
    ),
    (
        HEAD + DEMO + "threshold = true",
        10,
        "`threshold` must be an integer",
        "an integer",
        "true",
        None,
    ),
    (
        HEAD + DEMO + 'index = "pypi.acme.example/simple"',
        10,
        '"pypi.acme.example/simple" is not a URL that can be used',
        "https://…, http://… or file://…",
        "",
        None,
    ),
    (
        HEAD + DEMO + 'index = "https:///simple"',
        10,
        '"https:///simple" names no host',
        "",
        "",
        None,
    ),
    (
        HEAD + DEMO + 'index = "https://me:secret@pypi.acme.example/simple/"',
        10,
        "`index` has a user name or password in it",
        "the URL without credentials",
        "",
        "Credentials belong in pip's configuration, netrc or a keyring.",
    ),
    (
        HEAD + DEMO + 'index = "https://pypi.acme.example/simple/?x=1"',
        10,
        "`index` has a query or a fragment",
        "the URL up to there",
        "",
        None,
    ),
    (
        HEAD + DEMO + 'index = "https://pypi.acme.example/a/%2E./simple/"',
        10,
        '"https://pypi.acme.example/a/%2E./simple/" has "." or ".." in its path',
        "",
        "",
        None,
    ),
    (
        HEAD + DEMO + 'sources = ["besides"]',
        10,
        '"besides" is not a source',
        (
            '"beside", "pep740", a URL with placeholders, "tuf:NAME", or a directory such as'
            ' "./evidence"'
        ),
        "",
        'Did you mean "beside"?',
    ),
    (
        HEAD + DEMO + 'sources = ["wheelhouse"]',
        10,
        '"wheelhouse" is not a source',
        (
            '"beside", "pep740", a URL with placeholders, "tuf:NAME", or a directory such as'
            ' "./evidence"'
        ),
        "",
        'Write "./wheelhouse" for a directory.',
    ),
    (
        HEAD + DEMO + 'sources = ["https://{project}.example/x"]',
        10,
        "a placeholder stands in the scheme or host of a URL",
        "placeholders in the path or query only",
        "https://{project}.example/x",
        "Otherwise the name of a project would decide who is asked.",
    ),
    (
        HEAD + DEMO + 'sources = ["https://m.example/{file}.intoto.jsonl"]',
        10,
        "unknown placeholder {file}",
        "{project}, {distribution}, {version}, {filename}, {sha256}",
        "https://m.example/{file}.intoto.jsonl",
        "Did you mean {filename}?",
    ),
    (
        HEAD + DEMO + 'sources = ["https://m.example/{project.__class__}"]',
        10,
        "unknown placeholder {project.__class__}",
        "{project}, {distribution}, {version}, {filename}, {sha256}",
        "https://m.example/{project.__class__}",
        None,
    ),
    (
        HEAD + DEMO + 'sources = ["https://m.example/{project"]',
        10,
        "a brace stands alone",
        "{name}",
        "https://m.example/{project",
        None,
    ),
    (
        HEAD + DEMO + 'sources = ["file:///srv/{project}"]',
        10,
        '"file:///srv/{project}" is not a URL that can be fetched',
        "https://host/…{project}… or http://…",
        "",
        "Write a directory as a path, not as a URL.",
    ),
    (
        HEAD + DEMO + 'sources = ["https://m.example/{project}#{sha256}"]',
        10,
        "a URL template has a fragment, which is never sent",
        "",
        "https://m.example/{project}#{sha256}",
        None,
    ),
    (
        HEAD + DEMO + 'sources = ["beside", "beside"]',
        10,
        "the source beside is named twice",
        "",
        "",
        None,
    ),
    (
        HEAD + DEMO + 'layout = "absent.layout"',
        10,
        "the layout is not there",
        "a file at {folder}/absent.layout",
        "",
        "Correct the path; it is relative to the policy file.",
    ),
    (
        HEAD + DEMO + 'layout-sha256 = ["abc"]',
        10,
        '"abc" is not a sha256 digest',
        "64 hexadecimal digits",
        "3 characters",
        None,
    ),
    (
        HEAD + DEMO + 'build = "always"',
        10,
        '`build` cannot be "always"',
        "verified | any | never",
        "",
        None,
    ),
    (
        HEAD + DEMO + "parameters = { VERSION = 1 }",
        10,
        "`VERSION` must be a string",
        "a string",
        "1",
        None,
    ),
    (
        HEAD + DEMO + 'parameters = { "A.B" = "x" }',
        10,
        '"A.B" cannot be the name of a parameter',
        "letters, digits, _ and -",
        "",
        None,
    ),
    (
        HEAD + DEMO + 'parameters = { VERSION = "{versoin}" }',
        10,
        "unknown placeholder {versoin}",
        "{project}, {distribution}, {version}, {filename}, {sha256}",
        "{versoin}",
        "Did you mean {version}?",
    ),
    (
        HEAD + DEMO + 'parameters-in-sublayouts = "yes"',
        10,
        "`parameters-in-sublayouts` must be true or false",
        "true or false",
        '"yes"',
        None,
    ),
    (
        HEAD + DEMO + "parameters-in-sublayout = true",
        10,
        "unknown key `parameters-in-sublayout` in [[project]]",
        KNOWN_IN_PROJECT,
        "parameters-in-sublayout",
        "Did you mean `parameters-in-sublayouts`?",
    ),
    (
        HEAD + DEMO + 'inspections = ["python check.py"]',
        10,
        "a command in `inspections` must be an array of its words",
        "",
        "",
        'Write ["python", "check.py"]: no shell takes it apart.',
    ),
    (
        HEAD + DEMO + 'inspections = [["python", 3]]',
        10,
        "`inspections` must be a string",
        "a string",
        "3",
        None,
    ),
    (
        HEAD + DEMO + 'inspections = [["", "x"]]',
        10,
        "a command in `inspections` begins with an empty word",
        "",
        "",
        None,
    ),
    (HEAD + DEMO + 'binds = ""', 10, "`binds` is empty", "", "", "Fill it in, or remove the key."),
    (
        HEAD + DEMO + 'binds = "a\\nb"',
        10,
        "`binds` has line breaks or control characters in it",
        "",
        "",
        None,
    ),
    # exceptions
    *(
        (
            "version = 1\n" + "\n".join(line for line in EXCEPTION.split("\n") if key not in line),
            3,
            f"[[exception]] lacks `{key}`",
            "",
            "",
            advice,
        )
        for key, advice in (
            ("project", "Name the project that it is for."),
            ("reason", "Say why, for those who read it next year."),
            ("owner", "Say who answers for it."),
            ("expires", "Give the last day on which it holds: 2027-03-31."),
        )
    ),
    (
        "version = 1\n" + EXCEPTION.replace("legacy-tool", "legacy-*"),
        4,
        'an exception is for one project, not for "legacy-*"',
        "",
        "",
        "Write one [[exception]] a project.",
    ),
    (
        "version = 1\n" + EXCEPTION + 'version = "1.0"',
        8,
        '"1.0" is not a version specifier',
        'such as "==1.4.2", "<2" or ">=1.0,<1.5"',
        "",
        'Write "==1.0".',
    ),
    (
        "version = 1\n" + EXCEPTION + "version = 1.0",
        8,
        "`version` must be a string",
        "a string",
        "1.0",
        None,
    ),
    (
        "version = 1\n" + EXCEPTION + 'waives = ["layout-expires"]',
        8,
        "an exception cannot waive `layout-expires`",
        None,
        "layout-expires",
        "Did you mean `layout-expired`?",
    ),
    *(
        (
            "version = 1\n" + EXCEPTION + f'waives = ["{code}"]',
            8,
            f"an exception cannot waive `{code}`",
            None,
            code,
            None,
        )
        for code in (
            "index-mismatch",
            "artifact-digest-mismatch",
            "metadata-mismatch",
            "would-overwrite-gate",
            "policy-invalid",
            # Nothing could be verified any more: that is an exception without `waives`.
            "rule-violated",
            "key-revoked",
        )
    ),
    (
        "version = 1\n" + EXCEPTION.replace("2027-03-31", '"2027-03-31"'),
        7,
        "`expires` must be a date",
        "a date",
        '"2027-03-31"',
        "Write 2027-03-31 without quotes.",
    ),
    (
        "version = 1\n" + EXCEPTION.replace("2027-03-31", "2027-03-31T10:00:00Z"),
        7,
        "`expires` must be a date",
        "a date",
        "a date with a time",
        "Write a date such as 2027-03-31.",
    ),
    # revocations
    (
        'version = 1\n[[revoked]]\nreason = "stolen"',
        2,
        "[[revoked]] lacks `key`",
        "",
        "",
        (
            "Name the file of the public key, or put the PEM in; or name an `identity` or a"
            " `publisher`."
        ),
    ),
    (
        'version = 1\n[[revoked]]\nkey = "keys/alice.pub"',
        2,
        "[[revoked]] lacks `reason`",
        "",
        "",
        "Say what happened to the key.",
    ),
]


@pytest.mark.parametrize(
    ("text", "line", "message", "expected", "found", "advice"),
    MISTAKES,
    ids=[str(mistake[2]) for mistake in MISTAKES],
)
def test_a_mistake_is_told_with_its_line_and_what_to_write(
    folder: Folderful,
    text: str,
    line: int,
    message: str,
    expected: str | None,
    found: str | None,
    advice: str | None,
) -> None:
    folder.write(
        "private.pem",
        private_key("x").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    folder.write("small.pub", SMALL_RSA_KEY)
    error = folder.refuse(text)
    assert error.message == message.replace("{folder}", str(folder.path))
    assert error.place == f"{folder.policy}:{line}"
    # None stands for what another module says, or for what every such error says.
    if expected is not None:
        assert error.expected == expected.replace("{folder}", str(folder.path))
    if found is not None:
        assert error.found == found
    if advice is None:
        assert error.advice
    else:
        assert error.advice == (advice or PolicyInvalid.advice)


#: 1024 bits
SMALL_RSA_KEY = """\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC5rThkuFTs89iMB2l63i7KYzQH
NePGqAhK71cZdbEj6mWOlMQUcHomlypUL0P0ht58UIUbUXfwaP7XkGXwVfY2MclU
+KhE3Th/QDJ+lvC6dpoT99xQSX/guBDkznGoGdZhFqQRDuhs8JiuUjbRGDlp+6hh
t0jRX3UUImqO2bywcwIDAQAB
-----END PUBLIC KEY-----
"""


# --- which one is in force ------------------------------------------------------------------


@pytest.fixture
def environment(folder: Folderful, monkeypatch: pytest.MonkeyPatch) -> Folderful:
    """A home and a prefix in which nothing is."""
    if Path("/etc/pip-intoto/policy.toml").exists():
        pytest.skip("this machine has a policy of its own")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("sys.prefix", str(folder.path / "venv"))
    monkeypatch.setenv("HOME", str(folder.path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("INTOTO_POLICY", raising=False)
    return folder


def test_where_no_policy_is_none_is_in_force(environment: Folderful) -> None:
    assert environment.path.exists()
    assert policy_in_force() is None


def test_the_variables_policy_is_in_force(
    environment: Folderful, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = environment.write("named.toml", "version = 1\n")
    monkeypatch.setenv("INTOTO_POLICY", str(path))
    assert policy_in_force() == path


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        (
            "absent.toml",
            PolicyMissing,
            "no policy can be read: $INTOTO_POLICY names {path}, which does not exist",
        ),
        (
            "keys",
            PolicyInvalid,
            "no policy can be read: $INTOTO_POLICY names {path}, which is not a file",
        ),
    ],
)
def test_a_variable_that_names_no_policy_is_an_error(
    environment: Folderful,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: type[PolicyInvalid | PolicyMissing],
    message: str,
) -> None:
    path = environment.path / name
    monkeypatch.setenv("INTOTO_POLICY", str(path))
    with pytest.raises(kind) as caught:
        policy_in_force()
    assert caught.value.message == message.format(path=path)
