"""Links of `pip-intoto run`, `record` and `match-products`, and those of in-toto's own commands.

Over the same files both record the same; what one begins, the other finishes; and either side
verifies the signatures of the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attr
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from in_toto.exceptions import PrefixError
from in_toto.models.metadata import Metadata
from in_toto.runlib import record_artifacts_as_dict
from securesystemslib.signer import SSlibKey

from fixtures import gnupg
from pip_intoto.errors import CommandError
from pip_intoto.maintainer import documents
from pip_intoto.maintainer.keys import signing
from pip_intoto.maintainer.keys.signing import KeyType
from pip_intoto.maintainer.steps.exclusion import USUAL, Exclusion
from pip_intoto.maintainer.steps.listing import Selection
from pip_intoto.maintainer.steps.recording import digests_of
from pip_intoto.verification.signatures import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey

#: Those that in-toto reads.
_TYPES = [KeyType.ED25519, KeyType.ECDSA, KeyType.RSA]
_KEYS = {keytype: signing.generate(keytype) for keytype in _TYPES}
_OWN = Path(__file__).parents[2]

key_types = pytest.mark.parametrize("key", _KEYS.values(), ids=[kind.value for kind in _TYPES])
envelopes = pytest.mark.parametrize("envelope", [(), ("--use-dsse",)], ids=["metablock", "dsse"])
posix = pytest.mark.skipif(os.name != "posix", reason="a shell and links as POSIX has them")


# --- the same files, in the same process -------------------------------------------------------

names = st.sampled_from(["a", "b", "c.py", "d.pyc", "e~", ".git", "x.link", ".hidden", "é", "a b"])
trees = st.sets(st.lists(names, min_size=1, max_size=3).map("/".join), max_size=8)
arguments = st.lists(st.sampled_from([".", "a", "./b", "c.py", "a/../b", "a/b/", "file:a", "é"]))
excludes = st.lists(
    st.sampled_from(["*.py", "a", "/a", "a/b", "b/", "**/c.py", "a/**", "!a/b", "[a-b]", "*"]),
    max_size=3,
)
prefixes = st.lists(st.sampled_from(["a/", "b/", "a/b/", "a", "c", "é/"]), max_size=2, unique=True)


def plant(folder: Path, files: set[str], links: dict[str, str]) -> None:
    for name in files:
        path = folder / name
        if any(parent.is_file() for parent in path.parents) or path.is_dir():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    for name, target in links.items():
        if not (folder / name).exists():
            (folder / name).symlink_to(target)


def theirs(
    paths: list[str], exclude: list[str], base: Path, strip: list[str]
) -> dict[str, dict[str, str]] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return cast(
                "dict[str, dict[str, str]]",
                record_artifacts_as_dict(
                    paths,
                    exclude_patterns=exclude,
                    base_path=str(base),
                    follow_symlink_dirs=True,
                    lstrip_paths=strip,
                ),
            )
    except PrefixError:
        return None


def ours(
    paths: list[str], exclude: list[str], base: Path, strip: list[str]
) -> dict[str, dict[str, str]] | None:
    try:
        selection = Selection(
            base=str(base),
            strip=tuple(strip),
            exclusion=Exclusion(exclude or USUAL),
            all_files=True,
        )
        return digests_of(selection.find(paths).files)
    except CommandError as error:
        # Nobody verifies a link with an empty or an absolute name, and theirs has one then.
        assume("no link may hold" not in error.message)
        return None


@posix
@settings(deadline=None)
@given(trees, arguments, excludes, prefixes)
@example({"a/b"}, ["a", "a"], [], ["c"])
@example({"a/b", "b"}, ["a", "b"], [], ["a/"])
def test_the_same_files_have_the_same_names_and_digests(
    tmp_path_factory: pytest.TempPathFactory,
    files: set[str],
    paths: list[str],
    exclude: list[str],
    strip: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    plant(folder, files, {"to-a": "a", "to-file": "c.py"})
    # What is named, and is not there, is an error here.
    paths = [path for path in paths if (folder / path.removeprefix("file:")).exists()]
    # Prefixes are not looked at there when there is nothing to record.
    assume(paths)
    here, there = ours(paths, exclude, folder, strip), theirs(paths, exclude, folder, strip)
    if there is None and here is not None:
        # With prefixes, nothing may be named twice there, not even the same file.
        assert strip
        there = {}
        for path in paths:
            there |= theirs([path], exclude, folder, strip) or {}
    assert here == there


# --- the same commands, in processes of their own ----------------------------------------------


def key_file(folder: Path, key: SigningKey) -> str:
    path = folder / "key.pem"
    path.write_bytes(key.private_pem())
    return str(path)


def run(folder: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_OWN), str(_OWN / "hooks")])}
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


def their_command(name: str) -> list[str]:
    script = f"import sys; from in_toto.in_toto_{name} import main; sys.exit(main())"
    return [sys.executable, "-W", "ignore", "-c", script]


def our_command(name: str) -> list[str]:
    return [sys.executable, "-m", "pip_intoto", name]


def signed(path: Path) -> JsonObject:
    """What was signed; whoever did, by either envelope."""
    return cast("JsonObject", attr.asdict(Metadata.load(str(path)).get_payload()))


def verify_both_ways(path: Path, key: SigningKey) -> None:
    public = SSlibKey.from_crypto(key.private.public_key())
    described = {"keyid": public.keyid, **public.to_dict()}
    Metadata.load(str(path)).verify_signature(described)
    document, _ = documents.load_link(path)
    assert Keyring([key.public_key]).signings(document.envelope)


def tree(folder: Path) -> Path:
    plant(folder, {"src/a.py", "src/deep/b.py", "src/c.pyc", "README", "docs/d~"}, {})
    return folder


@posix
@key_types
@envelopes
def test_run_writes_the_link_that_in_toto_run_writes(
    tmp_path: Path, key: SigningKey, envelope: tuple[str, ...]
) -> None:
    path = key_file(tmp_path, key)
    links = []
    for side, command in (("theirs", their_command("run")), ("ours", our_command("run"))):
        folder = tree(tmp_path / side)
        (folder / "links").mkdir()
        arguments = [
            *("-n", "build", "--signing-key", path, "-d", "links", "-s", *envelope),
            *("-m", "src", "README", "-p", "dist", "src", "--lstrip-paths", "dist/"),
            *("--exclude", "deep", "*.link", "--", "sh", "-c"),
            "mkdir dist; echo wheel > dist/demo.whl; echo out; printf 'a\\r\\nb\\rc' >&2",
        ]
        result = run(folder, [*command, *arguments])
        assert result.returncode == 0, result.stderr
        assert result.stdout == "out\n"
        (link,) = (folder / "links").iterdir()
        verify_both_ways(link, key)
        links.append((link.name, signed(link)))
    assert links[0] == links[1]
    name, content = links[0]
    assert name == f"build.{key.keyid[:8]}.link"
    assert sorted(cast("JsonObject", content["products"])) == ["demo.whl", "src/a.py", "src/c.pyc"]
    assert content["byproducts"] == {"stdout": "out\n", "stderr": "a\nb\nc", "return-value": 0}


@posix
@envelopes
def test_a_step_without_a_command_is_the_same(tmp_path: Path, envelope: tuple[str, ...]) -> None:
    key = _KEYS[KeyType.ED25519]
    path = key_file(tmp_path, key)
    contents = []
    for side, command in (("theirs", their_command("run")), ("ours", our_command("run"))):
        folder = tree(tmp_path / side)
        base = ["--base-path", str(folder)]
        elsewhere = tmp_path / f"{side}-links"
        elsewhere.mkdir()
        arguments = ["-n", "review", "--signing-key", path, "-x", *envelope, "-m", ".", *base]
        assert run(elsewhere, [*command, *arguments]).returncode == 0
        contents.append(signed(elsewhere / f"review.{key.keyid[:8]}.link"))
    assert contents[0] == contents[1]
    assert (contents[0]["command"], contents[0]["byproducts"]) == ([], {})


@posix
@key_types
@envelopes
@pytest.mark.parametrize("begins", ["theirs", "ours"])
def test_what_one_side_begins_the_other_finishes(
    tmp_path: Path, key: SigningKey, envelope: tuple[str, ...], begins: str
) -> None:
    path = key_file(tmp_path, key)
    folder = tree(tmp_path / "work")
    commands = [their_command("record"), our_command("record")]
    if begins == "ours":
        commands.reverse()
    start, stop = commands
    common = ["-n", "edit", "--signing-key", path]
    begun = run(folder, [*start, "start", *common, *envelope, "-m", "src"])
    assert begun.returncode == 0, begun.stderr
    unfinished = folder / f".edit.{key.keyid[:8]}.link-unfinished"
    verify_both_ways(unfinished, key)
    before = signed(unfinished)
    (folder / "src" / "a.py").write_text("changed")
    finished = run(folder, [*stop, "stop", *common, "-p", "src"])
    assert finished.returncode == 0, finished.stderr
    assert not unfinished.exists()
    link = folder / f"edit.{key.keyid[:8]}.link"
    verify_both_ways(link, key)
    assert ("payload" in json.loads(link.read_bytes())) == bool(envelope)
    after = signed(link)
    assert after["materials"] == before["materials"]
    assert sorted(cast("JsonObject", after["products"])) == ["src/a.py", "src/deep/b.py"]
    assert after["products"] != after["materials"]


@posix
def test_finished_links_of_both_sides_are_the_same(tmp_path: Path) -> None:
    path = key_file(tmp_path, _KEYS[KeyType.ED25519])
    contents = []
    for side, command in (("theirs", their_command("record")), ("ours", our_command("record"))):
        folder = tree(tmp_path / side)
        common = ["-n", "edit", "--signing-key", path]
        assert run(folder, [*command, "start", *common, "-m", "src"]).returncode == 0
        (folder / "src" / "new.py").touch()
        assert run(folder, [*command, "stop", *common, "-p", "src"]).returncode == 0
        contents.append(signed(next(folder.glob("edit.*.link"))))
    assert contents[0] == contents[1]


@posix
@pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
@pytest.mark.parametrize("subkey", [False, True], ids=["master", "subkey"])
@pytest.mark.parametrize("begins", ["theirs", "ours"])
def test_K6_what_one_side_begins_with_gnupg_the_other_finishes(
    tmp_path: Path, begins: str, *, subkey: bool
) -> None:
    folder = tree(tmp_path / "work")
    commands = [their_command("record"), our_command("record")]
    if begins == "ours":
        commands.reverse()
    start, stop = commands
    with gnupg.keyring() as ring:
        master = ring.key("author", "rsa2048")
        signer = ring.subkey(master, "rsa2048") if subkey else master
        # (With an id, its `stop` names the link after the master, though a subkey has signed.)
        common = ["-n", "edit", "--gpg-home", str(ring.home), "--gpg"]
        assert run(folder, [*start, "start", *common, "-m", "src"]).returncode == 0
        assert (folder / f".edit.{signer[:8]}.link-unfinished").exists()
        finished = run(folder, [*stop, "stop", *common, "-p", "src"])
        assert finished.returncode == 0, finished.stderr
    (link,) = folder.glob("edit.*.link")
    assert link.name == f"edit.{signer[:8]}.link"
    assert signed(link)["materials"] == signed(link)["products"]


def _change(folder: Path) -> None:
    (folder / "src" / "a.py").write_text("changed")


def _remove(folder: Path) -> None:
    (folder / "src" / "a.py").unlink()


def _add(folder: Path) -> None:
    (folder / "src" / "new.py").touch()


@posix
@envelopes
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "all 2 files are products of"),
        (_change, "digests differ: a.py"),
        (_remove, "only in products: a.py"),
        (_add, "not in products: new.py"),
    ],
    ids=["same", "change", "remove", "add"],
)
def test_both_sides_find_the_same_differences(
    tmp_path: Path,
    envelope: tuple[str, ...],
    change: Callable[[Path], None] | None,
    said: str,
) -> None:
    key = _KEYS[KeyType.ED25519]
    path = key_file(tmp_path, key)
    folder = tree(tmp_path / "work")
    strip = ["--lstrip-paths", "src/"]
    recording = ["-n", "s", "--signing-key", path, *envelope, "-p", "src", *strip, "-x"]
    assert run(folder, [*our_command("run"), *recording]).returncode == 0
    if change is not None:
        change(folder)
    arguments = ["-l", f"s.{key.keyid[:8]}.link", "-p", "src", *strip]
    there = run(folder, [*their_command("match_products"), *arguments])
    here = run(folder, [*our_command("match-products"), *arguments])
    if not envelope:
        # (It cannot read DSSE envelopes: it asks them for what only a Metablock has.)
        assert here.returncode == there.returncode
    assert here.returncode == (0 if change is None else 1)
    assert said in here.stdout
