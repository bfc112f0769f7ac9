"""``pip-intoto layout build``, ``lint`` and ``status``: from a source to a signed layout."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import pytest

from fixtures.keys import key
from fixtures.openpgp import CREATED, OpenPGPKey
from fixtures.openpgp import sign as sign_with_openpgp
from pip_intoto.cli import main
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.documents import load_layout
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.layout_source import load_source
from pip_intoto.metadata.names import link_filename
from tests.unit.maintainer.sources import GOOD, NOW, SOURCE, WHEEL, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TWO_OWNERS = GOOD.replace('keys = ["alice"]', 'keys = ["alice", "bob"]').replace(
    "[keys.ben]", '[keys.bob]\npublic = "keys/bob.pub"\n\n[keys.ben]'
)
NAMES = ("alice", "bob", "ben", "carl")
Run: TypeAlias = "Callable[..., tuple[int, str, str]]"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory with a source, which is the working directory, and everybody's keys."""
    write(tmp_path, GOOD, *NAMES)
    for name in NAMES:
        (tmp_path / "keys" / f"{name}.pem").write_bytes(key(name).private_pem())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `pip-intoto layout …`; give its exit status, its report, and what else it said."""

    def run(*words: str) -> tuple[int, str, str]:
        status = main(["layout", *words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


# --- build ------------------------------------------------------------------------------------


def test_build_makes_a_signed_layout(project: Path, run: Run) -> None:
    status, out, err = run("build", "--signing-key", "keys/alice.pem")
    assert (status, out) == (0, "")
    assert "Wrote root.layout: 2 steps" in err
    assert "Signed by alice; 1 of 1 needed." in err
    document, layout = load_layout(project / "root.layout")
    assert document.form is Envelope.DSSE
    assert document.keyids == (key("alice").keyid,)
    assert [step.name for step in layout.steps] == ["source", "build"]


def test_build_without_a_key_says_how_to_sign(project: Path, run: Run) -> None:
    status, _, err = run("build", "-o", "demo.layout")
    assert status == 0
    assert load_layout(project / "demo.layout")[0].keyids == ()
    command = "pip-intoto sign -f demo.layout -a -k keys/alice.pem"
    assert command in err
    # And so it is.
    assert main(shlex.split(command)[1:]) == 0
    assert run("status", "demo.layout")[0] == 0


def test_build_signs_in_the_envelope_that_the_source_says(project: Path, run: Run) -> None:
    write(project, GOOD.replace("[owners]", 'envelope = "metablock"\n[owners]'), *NAMES)
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    assert load_layout(project / "root.layout")[0].form is Envelope.METABLOCK
    assert run("status", "root.layout")[0] == 0


def test_build_makes_nothing_of_what_lint_calls_an_error(project: Path, run: Run) -> None:
    write(project, GOOD.replace('"CREATE demo-*.whl", "DISALLOW *"', '"CREATE demo-*.whl"'), *NAMES)
    status, out, err = run("build", "--signing-key", "keys/alice.pem")
    assert status == 1
    assert "error [open-rules] products supply-chain.toml:27" in out
    assert "Nothing was written" in err
    assert not (project / "root.layout").exists()
    assert run("build", "--signing-key", "keys/alice.pem", "--force")[0] == 0
    assert (project / "root.layout").exists()


def test_build_points_to_warnings_and_goes_on(project: Path, run: Run) -> None:
    write(project, GOOD.replace("1 year", "9 days"), *NAMES)
    status, out, err = run("build")
    assert (status, out) == (0, "")
    assert "`pip-intoto layout lint supply-chain.toml` has 1 more to say." in err


def test_a_stranger_cannot_sign(project: Path, run: Run) -> None:
    status, _, err = run("build", "--signing-key", "keys/carl.pem")
    assert status == 2
    assert f"the key {key('carl').keyid[:8]} is no owner's" in err
    assert not (project / "root.layout").exists()
    assert run("build", "--signing-key", "keys/carl.pem", "--force")[0] == 0


def test_build_again_says_that_only_the_expiry_changed(project: Path, run: Run) -> None:
    payload, _ = compile_layout(load_source(project / "supply-chain.toml"), now=NOW)
    old = authoring.sign(payload | {"expires": "2026-12-31T00:00:00Z"}, [key("alice")])
    (project / "root.layout").write_text(json.dumps(old))
    status, _, err = run("build", "--signing-key", "keys/alice.pem")
    assert status == 0
    assert "nothing changed but the expiry" in err
    assert "1 signature of the old one fell away" in err


def test_build_again_says_that_it_changed(project: Path, run: Run) -> None:
    assert run("build")[0] == 0
    write(project, GOOD.replace("CREATE src/*", "CREATE lib/*"), *NAMES)
    assert "Wrote root.layout: it changed. Valid until" in run("build")[2]


def test_build_again_keeps_signatures_of_what_stays_the_same(project: Path, run: Run) -> None:
    write(project, TWO_OWNERS.replace('"1 year"', "2027-06-30"), *NAMES)
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    status, _, err = run("build", "--signing-key", "keys/bob.pem")
    assert status == 0
    assert "root.layout said so already, and until 2027-06-30; its signatures stay." in err
    assert "Signed by alice, bob; 2 of 2 needed." in err
    assert run("status", "root.layout")[0] == 0


@pytest.mark.parametrize("content", ["something else", json.dumps(
    authoring.sign(authoring.link("build"), [key("ben")])
)], ids=["text", "link"])  # fmt: skip
def test_build_replaces_nothing_but_layouts(project: Path, run: Run, content: str) -> None:
    (project / "root.layout").write_text(content)
    status, _, err = run("build", "--signing-key", "keys/alice.pem")
    assert status == 2
    assert "root.layout is there, and is no layout" in err
    assert (project / "root.layout").read_text() == content


def test_a_key_that_cannot_be_used_leaves_what_was_there(project: Path, run: Run) -> None:
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    before = (project / "root.layout").read_bytes()
    assert run("build", "--signing-key", "keys/nobody.pem")[0] == 2
    assert (project / "root.layout").read_bytes() == before


def test_without_a_source_there_is_nothing_to_build(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run("build")
    assert status == 2
    assert "supply-chain.toml cannot be read" in err
    assert "`pip-intoto init` writes" in err


# --- status -----------------------------------------------------------------------------------


def test_owners_sign_one_after_another(project: Path, run: Run) -> None:
    write(project, TWO_OWNERS, *NAMES)
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    status, out, _ = run("status", "root.layout")
    assert status == 1
    assert f"alice, key {key('alice').keyid[:8]}: signed" in out
    assert f"bob, key {key('bob').keyid[:8]}: not signed" in out
    assert "root.layout: 1 of 2 needed" in out
    assert "1 owner still to sign" in out
    commands = [line.strip() for line in out.splitlines() if "pip-intoto sign" in line]
    assert commands == ["pip-intoto sign -f root.layout -a -k keys/bob.pem"]
    assert main(shlex.split(commands[0])[1:]) == 0
    status, out, _ = run("status", "root.layout")
    assert (status, "still to sign" in out) == (0, False)
    assert "root.layout: 2 of 2 needed" in out
    assert run("status") == run("status", "root.layout")


def test_a_document_that_is_signed_elsewhere_counts(project: Path, run: Run) -> None:
    write(project, TWO_OWNERS, *NAMES)
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    document, _ = load_layout(project / "root.layout")
    document.signed_by([key("bob")], keep=True).write(project / "root.layout")
    assert run("status", "root.layout")[0] == 0


def test_a_claim_is_no_signature(project: Path, run: Run) -> None:
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    path = project / "root.layout"
    content = json.loads(path.read_text())
    content["signatures"][0]["sig"] = "AAAA" * 21
    path.write_text(json.dumps(content))
    status, out, _ = run("status", "root.layout")
    assert status == 1
    assert "a signature that is not good" in out
    assert "0 of 1 needed" in out


def test_strangers_are_named(project: Path, run: Run) -> None:
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    document, _ = load_layout(project / "root.layout")
    document.signed_by([key("carl")], keep=True).write(project / "root.layout")
    status, out, _ = run("status", "root.layout")
    assert status == 0
    assert f"key {key('carl').keyid[:8]}: signed, and is no owner" in out


def test_owners_may_be_named_without_a_source(project: Path, run: Run) -> None:
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    (project / "supply-chain.toml").unlink()
    both = ("--owner", "keys/alice.pub", "--owner", "robert=keys/bob.pub")
    status, out, _ = run("status", "root.layout", *both)
    assert status == 1
    assert "robert, key" in out
    assert run("status", "root.layout", *both, "--threshold", "1")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--owner", "keys/alice.pub", "--source", "supply-chain.toml"), "named twice"),
        (("--threshold", "1"), "nobody says whose threshold this is"),
        (("--owner", "keys/alice.pub", "--threshold", "2"), "2 of 1 owner cannot sign"),
        (("--owner", "keys/alice.pem"), "cannot be used as a public key"),
    ],
)
def test_owners_that_cannot_be_are_refused(
    project: Path, run: Run, words: tuple[str, ...], message: str
) -> None:
    assert run("build")[0] == 0
    status, out, err = run("status", "root.layout", *words)
    assert (status, out) == (2, "")
    assert message in err
    assert project.is_dir()


def test_without_a_source_nobody_says_who_is_to_sign(project: Path, run: Run) -> None:
    assert run("build")[0] == 0
    (project / "supply-chain.toml").unlink()
    status, _, err = run("status", "root.layout")
    assert status == 2
    assert "nobody says who is to sign" in err


def test_a_source_that_says_something_else_now_is_noticed(project: Path, run: Run) -> None:
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    assert "describes another layout" not in run("status", "root.layout")[2]
    write(project, GOOD.replace("CREATE src/*", "CREATE lib/*"), *NAMES)
    status, _, err = run("status", "root.layout")
    assert status == 0
    assert "pip-intoto layout diff root.layout supply-chain.toml" in err


def test_an_expired_layout_is_not_complete(project: Path, run: Run) -> None:
    write(project, GOOD.replace('"1 year"', "2024-01-01"), *NAMES)
    assert run("build", "--force", "--signing-key", "keys/alice.pem")[0] == 0
    status, out, _ = run("status", "root.layout")
    assert status == 1
    assert "expired on 2024-01-01" in out


def test_keys_of_one_owner_count_once(project: Path, run: Run) -> None:
    text = TWO_OWNERS.replace('bob.pub"', 'bob.pub"\nprincipal = "alice"')
    carols = text.replace('keys = ["alice", "bob"]', 'keys = ["alice", "bob", "ben"]')
    write(project, carols, *NAMES)
    signers = ("--signing-key", "keys/alice.pem", "--signing-key", "keys/bob.pem")
    assert run("build", *signers)[0] == 0
    status, out, _ = run("status", "root.layout")
    assert (status, "1 of 2 needed" in out) == (1, True)
    assert "-k keys/ben.pem" in out


def test_nobody_is_asked_to_sign_whose_other_key_has_signed(project: Path, run: Run) -> None:
    text = TWO_OWNERS.replace('bob.pub"', 'bob.pub"\nprincipal = "alice"')
    write(project, text.replace('"alice", "bob"]', '"alice", "bob", "ben"]'), *NAMES)
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    out = run("status", "root.layout")[1]
    assert "-k keys/ben.pem" in out
    assert "-k keys/bob.pem" not in out


def test_K6_an_openpgp_key_that_is_over_does_not_count(project: Path, run: Run) -> None:
    pgp = OpenPGPKey(name="pgp", validity=3600)
    (project / "keys" / "pgp.json").write_text(json.dumps(pgp.described()))
    write(project, GOOD.replace("keys/alice.pub", "keys/pgp.json"), *NAMES)
    payload, _ = compile_layout(load_source(project / "supply-chain.toml"), now=NOW)
    (project / "root.layout").write_text(json.dumps(sign_with_openpgp(payload, [pgp])))
    status, out, _ = run("status", "root.layout")
    assert status == 1
    assert "signed, and does not count: the key expired on" in out
    always = replace(pgp, validity=0)
    (project / "keys" / "pgp.json").write_text(json.dumps(always.described()))
    assert run("status", "root.layout")[0] == 0
    assert always.created == CREATED


def test_status_as_json(project: Path, run: Run) -> None:
    write(project, TWO_OWNERS, *NAMES)
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    status, out, _ = run("status", "root.layout", "--format", "json")
    said = json.loads(out)
    assert (status, said["schema"], said["exit-status"]) == (1, 1, 1)
    assert (said["threshold"], said["signed"]) == (2, 1)
    assert [(each["name"], each["signed"]) for each in said["owners"]] == [
        ("alice", True),
        ("bob", False),
    ]


# --- lint -------------------------------------------------------------------------------------

BAD = GOOD.replace('"CREATE demo-*.whl", "DISALLOW *"', '"CREATE demo-*.whl"').replace(
    "1 year", "9 days"
)


def test_lint_reports_by_item_with_lines_and_counts(project: Path, run: Run) -> None:
    path = write(project, BAD, *NAMES)
    status, out, _ = run("lint")
    assert status == 1
    lines = out.splitlines()
    assert lines[0] == "the whole chain"
    assert "step build" in lines
    assert f"supply-chain.toml: {1} error, 1 warning, 0 notes" == lines[-1]
    place = next(line for line in lines if "[open-rules]" in line).rpartition(":")[2]
    assert "CREATE demo-*.whl" in path.read_text().splitlines()[int(place) - 1]


def test_lint_of_a_rule_names_its_own_line(project: Path, run: Run) -> None:
    path = write(project, GOOD.replace('CREATE src/*"', 'CREATE src/*", "CREATE src/a"'), *NAMES)
    status, out, _ = run("lint", str(path))
    assert status == 0
    place = next(line for line in out.splitlines() if "[unreachable-rule]" in line)
    assert "CREATE src/a" in path.read_text().splitlines()[int(place.rpartition(":")[2]) - 1]


def test_lint_is_content_with_a_good_source(project: Path, run: Run) -> None:
    assert run("lint") == (0, "supply-chain.toml: 0 errors, 0 warnings, 0 notes\n", "")
    assert project.is_dir()


def test_lint_as_json(project: Path, run: Run) -> None:
    write(project, BAD, *NAMES)
    status, out, _ = run("lint", "--format", "json")
    said = json.loads(out)
    assert (status, said["schema"], said["exit-status"]) == (1, 1, 1)
    assert said["counts"] == {"error": 1, "warning": 1, "note": 0}
    first, second = said["findings"]
    assert (first["code"], first["place"], first["line"]) == ("expires-soon", "layout", None)
    assert (second["code"], second["path"]) == ("open-rules", "steps[1].expected_products")


def test_lint_of_a_layout_needs_no_source(project: Path, run: Run) -> None:
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    assert run("lint", "root.layout")[0] == 0
    status, out, _ = run("lint", "root.layout", "--project", "other", "--owner", "keys/ben.pub")
    assert status == 1
    assert "[inspection-of-other-file]" in out
    assert "[owner-is-functionary]" in out
    assert project.is_dir()


def test_lint_of_a_source_knows_its_project(project: Path, run: Run) -> None:
    status, _, err = run("lint", "--project", "other")
    assert (status, project.is_dir()) == (2, True)
    assert "the layout source is for the project demo" in err
    assert run("lint", "--project", "Demo")[0] == 0


def _links(project: Path) -> dict[str, authoring.JsonObject]:
    source = authoring.link("source", products={"setup.py": {"sha256": "0" * 64}})
    return {
        link_filename("source", key("ben").keyid): authoring.sign(source, [key("ben")]),
        "root.layout": json.loads((project / "root.layout").read_text()),
    }


@pytest.mark.parametrize("form", ["directory", "bundle", "link"])
def test_lint_holds_the_rules_against_links(project: Path, run: Run, form: str) -> None:
    assert run("build", "--signing-key", "keys/alice.pem")[0] == 0
    links = _links(project)
    folder = project / "links"
    folder.mkdir()
    for name, content in links.items():
        (folder / name).write_text(json.dumps(content))
    bundle = project / "demo.intoto.jsonl"
    bundle.write_text("".join(json.dumps(content) + "\n" for content in links.values()))
    where = {"directory": folder, "bundle": bundle, "link": folder / next(iter(links))}[form]
    status, out, _ = run("lint", "--links", str(where))
    assert status == 0
    assert "[links-break-rule]" in out
    assert "setup.py" in out


def test_what_cannot_be_read_among_links_is_left_out(project: Path, run: Run) -> None:
    assert run("build")[0] == 0
    folder = project / "links"
    folder.mkdir()
    for name, content in _links(project).items():
        (folder / name).write_text(json.dumps(content))
    (folder / "bad.link").write_text(json.dumps({"signed": {"_type": "link"}, "signatures": []}))
    status, out, err = run("lint", "--links", "links")
    assert (status, "[links-break-rule]" in out) == (0, True)
    assert "bad.link is left out" in err


def test_lint_needs_links_where_it_is_told_of_them(project: Path, run: Run) -> None:
    assert run("build")[0] == 0
    status, _, err = run("lint", "--links", "root.layout")
    assert (status, project.is_dir()) == (2, True)
    assert "there are no links in root.layout" in err


def test_lint_tells_the_mistakes_of_a_source(project: Path, run: Run) -> None:
    write(project, GOOD.replace(SOURCE, "").replace(WHEEL, "[[stepp]]\n"), *NAMES)
    status, out, err = run("lint")
    assert (status, out) == (2, "")
    assert "Did you mean `step`?" in err


def test_names_in_a_report_drive_no_terminal(project: Path, run: Run) -> None:
    payload, _ = compile_layout(load_source(project / "supply-chain.toml"), now=NOW)
    text = json.dumps(payload).replace("CREATE", "ALLOW").replace("pyproject.toml", "\\u001b[2J*")
    (project / "odd.layout").write_text(
        json.dumps({"signed": json.loads(text.replace("DISALLOW", "REQUIRE")), "signatures": []})
    )
    status, out, _ = run("lint", "odd.layout", "--project", "demo")
    assert status == 1
    assert "\x1b" not in out
