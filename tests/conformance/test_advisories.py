"""One test for every advisory about in-toto and its relatives that a verifier can be free of.

Each says in a sentence what the attack was, shows that the honest evidence passes, and then
mounts the attack on ``pip-intoto verify``, a process of its own on real files.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import PAST, SupplyChain
from pip_intoto.artifacts.inspector import FileInspector
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Document, Envelope
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.layout import Inspection
from pip_intoto.metadata.names import ROOT_LAYOUT
from tests.conformance.releases import Release, layout
from tests.integration.loopback import Index
from tests.unit.verification.supply import (
    BUILDER,
    FROM_TAG,
    OTHER_BUILDER,
    OWNER,
    PRODUCTS,
    SOURCES,
    TAGGER,
    WHEEL,
    WHEEL_CONTENT,
    build_link,
    build_step,
    digests,
    tag_link,
    tag_step,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """Give a folder for a release, with the wheel in it."""
    made = Release(tmp_path)
    made.write(f"product/{WHEEL}", WHEEL_CONTENT)
    return made


def test_GHSA_wc64_c5rv_32pf_CVE_2023_32076_configuration_from_the_working_directory(
    release: Release,
) -> None:
    """A file ``.in_totorc`` in the working directory, or variables, told what not to record.

    Whoever could write there hid files from ``DISALLOW *``.
    """
    seen = [
        ["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "build"],
        ["ALLOW", ".in_totorc"],
        ["ALLOW", "*.toml"],
        ["DISALLOW", "*"],
    ]
    look = authoring.inspection("look", run=["true"], expected_products=seen)
    release.put_chain(root=layout(inspections=[look]))
    assert release.reason() == "verified"
    release.write("product/evil.pyc", "evil")
    hide = "[in-toto settings]\nARTIFACT_EXCLUDE_PATTERNS = *\nARTIFACT_BASE_PATH = /\n"
    for place in ("product", "links", "home", "home/.config/in_toto"):
        release.write(f"{place}/.in_totorc", hide)
        release.write(f"{place}/config", hide)
    (release.product / "config").unlink()
    variables = {
        "IN_TOTO_ARTIFACT_EXCLUDE_PATTERNS": "*",
        "in_toto_ARTIFACT_EXCLUDE_PATTERNS": "*",
        "IN_TOTO_ARTIFACT_BASE_PATH": "/",
    }
    answer = release.verify(**variables)
    assert answer.status == 1
    assert "'evil.pyc'" in answer.out
    # Nor is a policy of our own taken from there.
    for name in ("policy.toml", "pip-intoto.toml", ".pip-intoto.toml"):
        release.write(f"product/{name}", 'version = 1\nunlisted = "allow"\n')
    answer = release.run(WHEEL, XDG_CONFIG_HOME=str(release.home))
    assert answer.status == 2
    assert "verified" not in answer.out


def test_GHSA_p86f_xmg6_9q4x_functionaries_do_not_check_their_materials(
    release: Release, tmp_path: Path
) -> None:
    """Files were changed between two steps; an honest functionary built from them, and signed.

    Nothing of such a release may be unpacked or run before the rules have been checked.
    """
    mark = tmp_path / "ran"
    command = [sys.executable, "-c", f"open({str(mark)!r}, 'w')"]
    use = authoring.inspection("use", run=command)
    release.put_chain(root=layout(inspections=[use]))
    assert release.reason("--run-inspections", WHEEL) == "verified"
    assert mark.exists()
    mark.unlink()
    changed = {**SOURCES, "src/demo.py": digests("import evil")}
    release.put(build_link(materials=changed), BUILDER)
    assert release.reason("--run-inspections", WHEEL) == "rule-violated"
    assert not mark.exists()


def test_GHSA_wqrg_wjp9_wqfq_metadata_of_files_is_not_recorded(release: Release) -> None:
    """Links know content and not permissions: a file that became executable looks the same.

    Of a distribution, the archive itself is what must match, and it holds the permissions.
    """

    def archive(mode: int) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as written:
            member = zipfile.ZipInfo("demo.py", (2020, 1, 1, 0, 0, 0))
            member.external_attr = mode << 16
            written.writestr(member, "print('demo')")
        return stream.getvalue()

    name = "demo-1.0.zip"
    path = release.write(f"product/{name}", archive(0o100644))
    record = FileInspector(path, name).inspect(unzip(name))
    products = {f"dist/{name}": dict(record.materials[name])}
    step = build_step(expected_products=[FROM_TAG[0], ["CREATE", "dist/demo-1.0*"]])
    release.put_chain(root=layout(tag_step(), step), build=build_link(products))
    assert release.reason(name) == "verified"
    release.write(f"product/{name}", archive(0o104755))
    unpacked = FileInspector(path, name).inspect(unzip(name)).products
    assert unpacked["demo.py"] == record.products["demo.py"], "content alone does not tell them"
    assert release.reason(name) == "artifact-digest-mismatch"


def unzip(name: str) -> Inspection:
    return Inspection(name="look", expected_materials=(), expected_products=(), run=("unzip", name))


def test_GHSA_73jv_h86v_c2vh_an_old_layout_is_replayed_until_it_expires(release: Release) -> None:
    """The owner replaced a layout, since a functionary's key was stolen; the old one still counts.

    The thief serves the old layout with links of their own. A pin or a revocation ends that at
    once, expiry in the end.
    """
    stolen, evil = key("stolen"), wheel("demo").tampered()
    old = SupplyChain(project="demo", builder=stolen)
    new = SupplyChain(project="demo")
    genuine = wheel("demo")

    def judge(chain: SupplyChain, policy: Path) -> str:
        file = evil if chain.builder is stolen else genuine
        path = file.write(release.product)
        release.write(f"product/{path.name}.intoto.jsonl", chain.bundle(file))
        return release.run("--format", "json", "--policy", policy, path.name).reason

    trusting = new.policy(release.folder / "trusting")
    assert judge(new, trusting) == "verified"
    assert judge(old, trusting) == "verified", "which is the attack"

    line = new.bundle(genuine).splitlines()[0]
    pin = parse_envelope(line, limits=DEFAULT).sha256
    pinned = new.policy(release.folder / "pinned", rule=f'layout-sha256 = ["{pin}"]')
    assert judge(new, pinned) == "verified"
    assert judge(old, pinned) == "layout-not-for-project"

    revoking = new.policy(release.folder / "revoking")
    (revoking.parent / "keys" / "stolen.pub").write_bytes(stolen.public_pem())
    with revoking.open("a") as stream:
        stream.write('[[revoked]]\nkey = "keys/stolen.pub"\nreason = "laptop stolen"\n')
    assert judge(new, revoking) == "verified"
    assert judge(old, revoking) == "key-revoked"

    expired = SupplyChain(project="demo", builder=stolen, expires=PAST)
    assert judge(expired, trusting) == "layout-expired"


def test_GHSA_6q78_j78h_pqm2_links_are_used_again(release: Release) -> None:
    """Links name neither their layout nor their run, so those of another release were served.

    A parameter binds the rules to the version, the link's name to the step, the digest to the
    file.
    """
    rules = [FROM_TAG[0], ["CREATE", "dist/demo-{VERSION}-*"], ["DISALLOW", "*"]]
    root = layout(tag_step(), build_step(expected_products=rules))
    parameters = release.write("parameters.json", json.dumps({"VERSION": "1.0"}))
    release.put_chain(root=root)
    honest = release.verify("--parameters", parameters, "--format", "json", WHEEL)
    assert honest.reason == "verified"

    older = "demo-0.9-py3-none-any.whl"
    release.write(f"product/{older}", "demo 0.9, with a hole")
    reused = build_link({f"dist/{older}": digests("demo 0.9, with a hole")})
    release.put(reused, BUILDER)
    assert release.reason("--parameters", parameters, older) == "rule-violated"
    assert release.reason("--parameters", parameters, WHEEL) == "rule-violated"
    # The older file under the newer name, with either link.
    release.write(f"product/{WHEEL}", "demo 0.9, with a hole")
    release.put(build_link(), BUILDER)
    assert release.reason("--parameters", parameters, WHEEL) == "artifact-digest-mismatch"

    # The link of one step for another, which the same functionary may sign.
    release.write(f"product/{WHEEL}", WHEEL_CONTENT)
    both = layout(tag_step(pubkeys=[BUILDER.keyid]), build_step(expected_materials=[]))
    release.put_layout(both)
    release.put(tag_link(), BUILDER)
    assert release.reason(WHEEL) == "verified"
    release.put(tag_link(PRODUCTS), BUILDER, name=f"build.{BUILDER.keyid[:8]}.link")
    assert release.reason(WHEEL) == "link-missing"


@pytest.mark.rejects("P9")
def test_GHSA_vrxp_mg9f_hwf3_CVE_2021_41087_a_path_in_another_spelling(
    release: Release,
) -> None:
    """``dir/../foo`` is ``foo``, and ``DISALLOW foo`` did not see it."""
    rules = [["DISALLOW", "foo"], ["DISALLOW", "dir/foo"], ["ALLOW", "*"]]
    root = layout(tag_step(), build_step(expected_products=[["REQUIRE", f"dist/{WHEEL}"], *rules]))
    release.put_chain(root=root, build=build_link({**PRODUCTS, "dir/fool": digests("x")}))
    assert release.reason(WHEEL) == "verified"
    release.put(build_link({**PRODUCTS, "foo": digests("x")}), BUILDER)
    assert release.reason(WHEEL) == "rule-violated"
    for name in ("dir/../foo", "./foo", "dir//../foo", "/foo", "foo/", "foo/.", "dir\\..\\foo"):
        release.put(build_link({**PRODUCTS, name: digests("x")}), BUILDER)
        assert release.reason(WHEEL) == "metadata-malformed"


@pytest.mark.rejects("P2")
@pytest.mark.parametrize(
    ("rules", "artifact"),
    [
        # [!d] is everything but d: read as a set of "!" and "d", it would let "evil" pass.
        ([["DISALLOW", "[!d]*"], ["ALLOW", "*"]], "evil"),
        # [^d] is "^" and "d": read as everything but d, it would let "evil" pass.
        ([["ALLOW", "[^d]*"], ["DISALLOW", "*"]], "evil"),
        ([["DISALLOW", "[^e]*"], ["ALLOW", "*"]], "^evil"),
    ],
)
def test_GHSA_pmwq_pjrm_6p5r_negated_sets_were_read_differently(
    release: Release, rules: list[list[str]], artifact: str
) -> None:
    """``[!a]`` and ``[^a]`` meant something else to Go than to everybody else."""
    step = build_step(expected_products=[FROM_TAG[0], *rules])
    release.put_chain(root=layout(tag_step(), step))
    assert release.reason(WHEEL) == "verified"
    release.put(build_link({**PRODUCTS, artifact: digests("evil")}), BUILDER)
    answer = release.verify(WHEEL)
    assert answer.status == 1
    assert f"made '{artifact}'" in answer.out


@pytest.mark.parametrize("envelope", list(Envelope))
def test_GHSA_72c7_4g63_hpw5_no_signature_was_a_good_one(
    release: Release, envelope: Envelope
) -> None:
    """Where there was no signature to check, the check succeeded."""

    def put(unsigned: str) -> None:
        for payload, name, signer in (
            (layout(), "root.layout", OWNER),
            (tag_link(), f"tag.{TAGGER.keyid[:8]}.link", TAGGER),
            (build_link(), f"build.{BUILDER.keyid[:8]}.link", BUILDER),
        ):
            content = authoring.sign(payload, [signer], envelope)
            if name.startswith(unsigned or "-"):
                content["signatures"] = []
            release.write(f"links/{name}", json.dumps(content))

    put("")
    assert release.reason(WHEEL) == "verified"
    for unsigned, reason in (
        ("root", "layout-signature-missing"),
        ("tag", "link-threshold-unmet"),
        ("build", "link-threshold-unmet"),
    ):
        put(unsigned)
        assert release.reason(WHEEL) == reason
    # And nothing at all to verify is no success either.
    put("")
    for link in release.links.glob("*.link"):
        link.unlink()
    assert release.reason(WHEEL) == "link-missing"
    no_keys = release.run("--layout", release.links / "root.layout", WHEEL)
    assert no_keys.status == 2
    assert release.run().status == 2
    # A signature without bytes, with a made-up keyid, or of nothing.
    put("")
    for signature in ({"keyid": BUILDER.keyid, "sig": ""}, {"sig": "AAAA"}, {}):
        content = authoring.sign(build_link(), [], envelope)
        content["signatures"] = [signature]  # type: ignore[list-item]
        release.write(f"links/build.{BUILDER.keyid[:8]}.link", json.dumps(content))
        assert release.verify(WHEEL).status == 1


@pytest.mark.rejects("T1", "T3")
def test_GHSA_pwqf_9h7j_7mv8_one_key_under_two_keyids_reached_a_threshold(
    release: Release,
) -> None:
    """TUF's reference counted keyids: one key that was listed twice signed for two."""
    twin = "e" * 64
    step = build_step(threshold=2, pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid, twin])
    root = layout(tag_step(), step)
    keys = dict(root["keys"])  # type: ignore[arg-type]
    keys[twin] = {**authoring.key_object(BUILDER), "keyid": twin}
    release.put_chain(root={**root, "keys": keys})
    release.put(build_link(), OTHER_BUILDER)
    assert release.reason(WHEEL) == "verified"
    (release.links / f"build.{OTHER_BUILDER.keyid[:8]}.link").unlink()
    renamed = authoring.sign(build_link(command=["again"]), [BUILDER])
    renamed["signatures"][0]["keyid"] = twin  # type: ignore[index, call-overload]
    release.write(f"links/build.{twin[:8]}.link", json.dumps(renamed))
    assert release.reason(WHEEL) == "link-threshold-unmet"
    # The owners of the layout: one key in two files is one key, and a second must sign.
    copy = release.write("copy.pub", release.owner.read_bytes())
    other = release.write("other.pub", OTHER_BUILDER.public_pem())
    release.put_chain()
    assert release.reason("--layout-key", copy, WHEEL) == "verified"
    answer = release.verify("--layout-key", copy, "--layout-key", other, "--format", "json", WHEEL)
    assert answer.reason == "layout-signature-missing"


@pytest.mark.rejects("T1", "T3")
@pytest.mark.parametrize("envelope", list(Envelope))
def test_GHSA_5q2r_92f9_4m49_one_signature_given_twice_reached_a_threshold(
    release: Release, envelope: Envelope
) -> None:
    """AWS's tough counted signatures: the same one twice was worth two."""
    step = build_step(threshold=2, pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid, BUILDER.keyid])
    release.put_chain(root=layout(tag_step(), step))
    name = f"build.{BUILDER.keyid[:8]}.link"
    release.put(build_link(), BUILDER, OTHER_BUILDER, name=name, envelope=envelope)
    assert release.reason(WHEEL) == "verified"
    content = authoring.sign(build_link(), [BUILDER, BUILDER], envelope)
    release.write(f"links/{name}", json.dumps(content))
    # The same once more, in another file, and under another name.
    release.write("links/build.00000000.link", json.dumps(content, indent=1))
    content["signatures"][1]["keyid"] = OTHER_BUILDER.keyid  # type: ignore[index, call-overload]
    release.write(f"links/build.{OTHER_BUILDER.keyid[:8]}.link", json.dumps(content))
    assert release.reason(WHEEL) == "link-threshold-unmet"


@pytest.mark.rejects("N3")
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "..\\evil"])
@pytest.mark.parametrize("what", ["step", "inspection"])
def test_GHSA_jqc5_w2xx_5vq4_names_in_metadata_led_out_of_the_folder(
    release: Release, name: str, what: str
) -> None:
    """go-tuf made a path of the name of a role, and so wrote where the metadata said."""
    release.put_chain()
    assert release.reason(WHEEL) == "verified"
    if what == "step":
        root = layout(tag_step(), build_step(name=name))
        # It lies where the name leads.
        content = json.dumps(authoring.sign(build_link(name=name), [BUILDER]))
        for place in ("evil", "links/evil", "product/evil"):
            release.write(f"{place}.{BUILDER.keyid[:8]}.link", content)
    else:
        root = layout(inspections=[authoring.inspection(name, run=["true"])])
    release.put_layout(root)
    before = release.files()
    assert release.reason("--run-inspections") == "metadata-malformed"
    assert release.files() == before


@pytest.mark.rejects("N3")
def test_GHSA_jqc5_w2xx_5vq4_names_in_metadata_led_to_other_addresses(release: Release) -> None:
    """The same, where the names of steps and keys become addresses."""
    chain = SupplyChain(project="demo")
    file = wheel("demo")
    policy = chain.policy(release.folder / "policy")
    words = ("--format", "json", "--policy", policy, "demo==1.0", "--index-url")
    with Index() as index:
        index.add(file)
        index.put_directory(file, directory(chain.evidence(file)))
        assert release.run(*words, index.simple).reason == "verified"
    elsewhere = "../../../secret"
    changes: list[JsonObject] = [{"name": elsewhere}, {"pubkeys": [elsewhere]}]
    for change in changes:
        payload = chain.layout()
        payload["steps"][1] |= change  # type: ignore[index, operator]
        root = Document(authoring.sign(payload, chain.owners), ROOT_LAYOUT)
        with Index() as index:
            index.add(file)
            index.put_directory(file, directory((root, *chain.evidence(file)[1:])))
            assert release.run(*words, index.simple).reason == "metadata-malformed"
            assert not index.asked("*secret*")
            assert not index.asked("*..*")


def directory(documents: tuple[Document, ...]) -> dict[str, bytes]:
    return {document.name: json.dumps(document.content).encode() for document in documents}


@pytest.mark.rejects("N3", "V5")
@pytest.mark.parametrize("form", ["bundle", "directory"])
def test_apt_transport_in_toto_wrote_under_the_name_in_an_unverified_link(
    release: Release, form: str
) -> None:
    """It stored a downloaded link as ``<name>.<keyid>.link``, both as the link itself had them.

    Here nothing that is fetched is written, least of all under a name of its own.
    """
    chain = SupplyChain(project="demo")
    file = wheel("demo")
    evil = authoring.link("../../../../pwned", products=chain.sources("1.0"))
    documents: list[Document] = []
    for signer in (key("stranger"), chain.builder):
        content = authoring.sign(evil, [signer])
        documents.append(Document(content, "../../../../pwned.link"))
        renamed: JsonObject = {"keyid": "../../../../pwned", "sig": "AAAA"}
        documents.append(Document({**content, "signatures": [renamed]}, "/pwned.link"))
    policy = chain.policy(release.folder / "policy")
    before = release.files()
    with Index() as index:
        index.add(file)
        evidence = (*documents, *chain.evidence(file))
        if form == "bundle":
            index.put_evidence(file, authoring.bundle(evidence))
        else:
            index.put_directory(file, directory(evidence[-3:]))
            name = f"build.{chain.builder.keyid[:8]}.link"
            index.put_directory(file, {name: json.dumps(documents[2].content).encode()})
        words = ("--format", "json", "--policy", policy, "--index-url", index.simple)
        # What is remembered is written, by its digest.
        answer = release.run(*words, "--no-cache", "demo==1.0")
        assert not index.asked("*pwned*")
    assert answer.reason == ("verified" if form == "bundle" else "link-missing")
    # The local record goes by the digest of the project's name.
    record = "home/.local/state/pip-intoto/layouts"
    after = {name: data for name, data in release.files().items() if not name.startswith(record)}
    assert after == before
