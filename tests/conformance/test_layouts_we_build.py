"""A layout that is built from a source is one for the reference implementation as well."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.keys import key
from pip_intoto.cli import main
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.names import link_filename

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = {"sha256": "ab" * 32}
OTHER = {"sha256": "cd" * 32}
WHEEL = "demo-1.0-py3-none-any.whl"
OWNERS = ("alice", "bob")

SOURCE = """\
version = 1
project = "demo"
expires = "30 days"
envelope = "{envelope}"
readme = 'quotes " and \\ and ü'

[owners]
keys = ["alice", "bob"]

[keys.alice]
public = "keys/alice.pub"

[keys.bob]
public = "keys/bob.pub"

[keys.ben]
public = "keys/ben.pub"

[keys.carl]
public = "keys/carl.pub"

[keys.dora]
public = "keys/dora.pub"

[[step]]
name = "source"
functionaries = ["ben"]
materials = ["DISALLOW *"]
products = ["REQUIRE pyproject.toml", "CREATE 'my docs/*'", "CREATE *.py", "CREATE pyproject.toml",
    "DISALLOW *"]

[[step]]
name = "build"
functionaries = ["carl", "dora"]
threshold = 2
command = ["python", "-m", "build"]
materials = ["MATCH * IN src WITH PRODUCTS IN src FROM source", "MATCH * WITH PRODUCTS FROM source",
    "DISALLOW *"]
products = ["CREATE demo-*.whl", "DISALLOW *"]
"""


@pytest.fixture(params=list(Envelope), ids=lambda form: form.value)
def chain(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory with a layout that two owners signed, each in turn, and its links."""
    monkeypatch.chdir(tmp_path)
    envelope: Envelope = request.param
    (tmp_path / "supply-chain.toml").write_text(
        SOURCE.format(envelope=envelope.value), encoding="utf-8"
    )
    (tmp_path / "keys").mkdir()
    for name in (*OWNERS, "ben", "carl", "dora"):
        (tmp_path / "keys" / f"{name}.pub").write_bytes(key(name).public_pem())
        (tmp_path / "keys" / f"{name}.pem").write_bytes(key(name).private_pem())
    assert main(["layout", "build", "--signing-key", "keys/alice.pem"]) == 0
    assert main(["layout", "status", "root.layout"]) == 1
    assert main(["sign", "-f", "root.layout", "-a", "-k", "keys/bob.pem"]) == 0
    assert main(["layout", "status", "root.layout"]) == 0
    files = dict.fromkeys(("my docs/a.txt", "src/demo.py", "pyproject.toml"), DIGEST)
    write_link(tmp_path, envelope, "ben", authoring.link("source", products=files))
    for name in ("carl", "dora"):
        built = authoring.link("build", materials=files, products={WHEEL: DIGEST})
        write_link(tmp_path, envelope, name, built)
    return tmp_path


def write_link(folder: Path, form: Envelope, name: str, link: authoring.JsonObject) -> None:
    path = folder / link_filename(str(link["name"]), key(name).keyid)
    path.write_text(json.dumps(authoring.sign(link, [key(name)], form)), encoding="utf-8")


def reference_verifies(folder: Path, owners: tuple[str, ...] = OWNERS) -> bool:
    script = "import sys; from in_toto.in_toto_verify import main; sys.exit(main())"
    keys = [f"keys/{name}.pub" for name in owners]
    words = ["--layout", "root.layout", "--verification-keys", *keys, "--link-dir", "."]
    command = [sys.executable, "-W", "ignore", "-c", script, *words]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode == 0


def test_the_reference_verifies_a_layout_of_several_owners(chain: Path) -> None:
    assert reference_verifies(chain)
    # And takes the signature of nobody else.
    assert not reference_verifies(chain, ("alice", "ben"))


def test_the_reference_holds_links_against_its_rules(chain: Path) -> None:
    form = Envelope.DSSE if "payload" in (chain / "root.layout").read_text() else Envelope.METABLOCK
    more = authoring.link("source", products={"pyproject.toml": DIGEST, "evil": OTHER})
    write_link(chain, form, "ben", more)
    assert not reference_verifies(chain)


def test_the_reference_counts_to_its_threshold(chain: Path) -> None:
    (chain / link_filename("build", key("dora").keyid)).unlink()
    assert not reference_verifies(chain)
