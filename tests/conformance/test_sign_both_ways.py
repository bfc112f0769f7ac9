"""What ``pip-intoto sign`` signs, the reference verifies, and the reverse."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from fixtures import gnupg, softhsm
from pip_intoto import gnupg as gpg
from pip_intoto.cli import main
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.keys import key_files, signing
from pip_intoto.maintainer.keys.signing import SIZES, KeyType

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject

KINDS = [(keytype, size) for keytype, sizes in SIZES.items() for size in sizes or (None,)]
OWNER, AUTHOR, BUILDER = signing.generate(), signing.generate(), signing.generate()

every_kind = pytest.mark.parametrize(
    ("keytype", "size"),
    [KINDS[0], *(pytest.param(*kind, marks=pytest.mark.matrix) for kind in KINDS[1:])],
    ids=[f"{keytype.value}-{size}" for keytype, size in KINDS],
)
forms = pytest.mark.parametrize("form", list(Envelope), ids=lambda form: form.value)
needs_gnupg = pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
needs_softhsm = pytest.mark.skipif(bool(softhsm.missing()), reason=softhsm.missing() or "it is")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, key in (("owner", OWNER), ("author", AUTHOR), ("builder", BUILDER)):
        key_files.write_pair(tmp_path / name, key)
    return tmp_path


def theirs(command: str, *arguments: str) -> int:
    """Run one of the reference's commands; its output is for those who read a failure."""
    script = f"import sys; from in_toto.in_toto_{command} import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    print(done.stdout, done.stderr)
    return done.returncode


def ours(*arguments: str) -> int:
    return main(["sign", *arguments])


def layout() -> JsonObject:
    return authoring.layout(
        expires=datetime.now(timezone.utc) + timedelta(days=30),
        keys=[AUTHOR, BUILDER],
        readme='quotes " and \\ and ü',
        steps=[
            authoring.step(
                "source",
                functionaries=[AUTHOR],
                expected_products=[["CREATE", "demo.py"], ["DISALLOW", "*"]],
            ),
            authoring.step(
                "build",
                functionaries=[BUILDER],
                expected_materials=[
                    ["MATCH", "demo.py", "WITH", "PRODUCTS", "FROM", "source"],
                    ["DISALLOW", "*"],
                ],
                expected_products=[["ALLOW", "demo.py"], ["DISALLOW", "*"]],
            ),
        ],
    )


def write(folder: Path, payload: JsonObject, form: Envelope, name: str = "root.layout") -> str:
    (folder / name).write_text(json.dumps(authoring.sign(payload, [], form)))
    return name


def signed_links(folder: Path, form: Envelope) -> None:
    """Record the chain's two steps with ``in-toto-run``, by our keys."""
    (folder / "demo.py").write_text("print('demo')\n")
    dsse = ["--use-dsse"] if form is Envelope.DSSE else []
    common = [*dsse, "--products", "demo.py", "-x"]
    assert theirs("run", "-n", "source", "--signing-key", "author.pem", *common) == 0
    common += ["--materials", "demo.py"]
    assert theirs("run", "-n", "build", "--signing-key", "builder.pem", *common) == 0


# --- layouts --------------------------------------------------------------------------------------


@every_kind
@forms
@pytest.mark.accepts("K2", "E2", "E5")
def test_K2_E2_E5_each_side_verifies_the_others_signature(
    keytype: KeyType, size: int | None, form: Envelope, folder: Path
) -> None:
    key_files.write_pair(folder / "key", signing.generate(keytype, size))
    path = write(folder, layout(), form)
    assert ours("-f", path, "-k", "key.pem") == 0
    assert theirs("sign", "-f", path, "-k", "key.pub", "--verify") == 0
    assert theirs("sign", "-f", path, "-k", "owner.pub", "--verify") == 1
    assert theirs("sign", "-f", path, "-k", "key.pem", "-o", "theirs.layout") == 0
    assert ours("-f", "theirs.layout", "-k", "key.pub", "--verify") == 0
    assert ours("-f", "theirs.layout", "-k", "owner.pub", "--verify") == 1


@forms
@pytest.mark.accepts("E6")
def test_E6_owners_sign_in_turns_with_either_tool_and_all_of_them_verify(
    form: Envelope, folder: Path
) -> None:
    for name in ("second", "third"):
        key_files.write_pair(folder / name, signing.generate(KeyType.ECDSA))
    path = write(folder, layout(), form)
    signed_links(folder, form)
    assert ours("-f", path, "-k", "owner.pem") == 0
    assert theirs("sign", "-f", path, "-k", "second.pem", "--append") == 0
    assert ours("-f", path, "-k", "third.pem", "--append") == 0
    keys = ["owner.pub", "second.pub", "third.pub"]
    assert len(documents.load(folder / path).keyids) == 3
    assert ours("-f", path, "--verify", "-k", *keys) == 0
    assert theirs("verify", "--layout", path, "--verification-keys", *keys) == 0
    assert main(["verify", "--layout", path, *(f"--layout-key={key}" for key in keys)]) == 0
    keys.append("builder.pub")
    assert theirs("verify", "--layout", path, "--verification-keys", *keys) == 1
    assert main(["verify", "--layout", path, *(f"--layout-key={key}" for key in keys)]) == 1


@needs_softhsm
@forms
def test_the_reference_verifies_what_a_hardware_module_signed(
    form: Envelope, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = softhsm.module()
    for name, value in module.variables.items():
        monkeypatch.setenv(name, value)
    for number, name in ((softhsm.P256, "second"), (softhsm.P384, "third")):
        assert main(["keygen", name, "--from", module.uri(number)]) == 0
    path = write(folder, layout(), form)
    signed_links(folder, form)
    uris = [module.uri(softhsm.P256), f"{module.uri(softhsm.P384)}#public=third.pub"]
    assert ours("-f", path, "-k", "owner.pem", *uris, "-P", softhsm.PIN) == 0
    keys = ["owner.pub", "second.pub", "third.pub"]
    assert theirs("verify", "--layout", path, "--verification-keys", *keys) == 0


# --- links ----------------------------------------------------------------------------------------


@forms
@pytest.mark.accepts("N1")
def test_N1_both_sides_call_a_link_the_same(form: Envelope, folder: Path) -> None:
    path = write(folder, authoring.link("build"), form, "unsigned.link")
    name = f"build.{BUILDER.keyid[:8]}.link"
    assert ours("-f", path, "-k", "builder.pem") == 0
    assert theirs("sign", "-f", name, "-k", "builder.pub", "--verify") == 0
    (folder / name).unlink()
    assert theirs("sign", "-f", path, "-k", "builder.pem") == 0
    assert ours("-f", name, "-k", "builder.pub", "--verify") == 0


@pytest.mark.parametrize("options", [["-k", "owner.pem", "author.pem"], ["-k", "owner.pem", "-a"]])
def test_neither_side_signs_a_link_twice(options: list[str], folder: Path) -> None:
    path = write(folder, authoring.link("build"), Envelope.DSSE, "unsigned.link")
    assert (ours("-f", path, *options), theirs("sign", "-f", path, *options)) == (2, 2)


def test_the_reference_opens_the_encrypted_keys_that_keygen_makes(folder: Path) -> None:
    assert main(["keygen", "safe", "-P", "hunter2"]) == 0
    (folder / "demo.py").write_text("print('demo')\n")
    command = ["run", "-n", "source", "--signing-key", "safe.pem", "-p", "demo.py", "-x"]
    assert theirs(*command, "-P", "hunter3") == 1
    assert theirs(*command, "-P", "hunter2") == 0
    (link,) = folder.glob("source.*.link")
    assert ours("-f", link.name, "-k", "safe.pub", "--verify") == 0


# --- GnuPG ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=gnupg.ALGORITHMS)
def ring(request: pytest.FixtureRequest) -> Iterator[tuple[gnupg.Keyring, str]]:
    """Give a keyring with one key, and its id."""
    with gnupg.keyring() as ring:
        yield ring, ring.key("owner", request.param, expires="1y")


@needs_gnupg
@pytest.mark.accepts("K6")
def test_K6_each_side_verifies_what_the_other_signed_with_gnupg(
    ring: tuple[gnupg.Keyring, str], folder: Path
) -> None:
    """In a Metablock: the reference neither makes nor verifies such signatures in DSSE."""
    keyring, keyid = ring
    home = ["--gpg-home", str(keyring.home)]
    path = write(folder, layout(), Envelope.METABLOCK)
    assert ours("-f", path, "--gpg", keyid, *home) == 0
    assert theirs("sign", "-f", path, "--gpg", keyid, *home, "--verify") == 0
    signed_links(folder, Envelope.METABLOCK)
    assert theirs("verify", "--layout", path, "--gpg", keyid, *home) == 0
    assert theirs("sign", "-f", path, "--gpg", keyid, *home, "-o", "theirs.layout") == 0
    assert ours("-f", "theirs.layout", "--gpg", keyid, *home, "--verify") == 0
    # With a key in a file besides.
    assert ours("-f", path, "-k", "owner.pem", "--append") == 0
    assert ours("-f", path, "-k", "owner.pub", "-g", keyid, *home, "--verify") == 0
    assert theirs("verify", "--layout", path, "--gpg", keyid, *home) == 0


@needs_gnupg
@pytest.mark.accepts("K6", "N1")
def test_K6_N1_a_link_is_named_after_the_key_of_gnupgs_that_signed(
    ring: tuple[gnupg.Keyring, str], folder: Path
) -> None:
    keyring, keyid = ring
    home = ["--gpg-home", str(keyring.home)]
    path = write(folder, authoring.link("build"), Envelope.METABLOCK, "unsigned.link")
    name = f"build.{keyid[:8]}.link"
    assert ours("-f", path, "--gpg", *home) == 0
    assert theirs("sign", "-f", name, "--gpg", keyid, *home, "--verify") == 0
    (folder / name).unlink()
    assert theirs("sign", "-f", path, "--gpg", *home) == 0
    assert ours("-f", name, "--gpg", keyid, *home, "--verify") == 0
    assert gpg.public_key(keyid, str(keyring.home)).keyid == keyid
