"""Remembered verdicts: they hold as long as everything that they rest on, and not a moment longer.

Two habits of other tools are tests by name here: verdicts that were not kept apart by policy, and
verdicts that were not kept apart by evidence, so that what was decided by one set of rules, or of
an earlier state of the evidence, was passed off as the answer to another question.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.sigstore import Sigstore, provenance, statement
from fixtures.supply_chain import SupplyChain
from pip_intoto.credential import Credential
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.node import Node
from pip_intoto.policy.file import load_policy
from pip_intoto.sources.fetching import Response
from pip_intoto.verdict import Action, Outcome, Station, Status, TraceEntry
from pip_intoto.verdict import SupplyChain as Drawn
from pip_intoto.verifier import authenticating, remembered
from pip_intoto.verifier.batch import Batch
from pip_intoto.verifier.remembered import open_caches
from pip_intoto.verifier.wanted import Known
from tests.unit import disks
from tests.unit.sources.repository import Repository
from tests.unit.verification.authorities import certify, constraint, listed, sign_with

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.policy.model import Policy
    from pip_intoto.verdict import Verdict
    from pip_intoto.verifier.remembered import Caches

POSIX = pytest.mark.skipif(os.name != "posix", reason="owners and modes as POSIX has them")
CHAINS = Path(__file__).parents[3] / "fixtures" / "chains"
NOW = datetime(2027, 1, 15, 8, tzinfo=timezone.utc)
WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")
URL = f"https://files.example/{WHEEL.filename}"
BUNDLE = URL + ".intoto.jsonl"
DEMO = Distribution(
    name="demo",
    version="1.0",
    filename=WHEEL.filename,
    kind=Kind.WHEEL,
    sha256=WHEEL.sha256,
    url=URL,
    index="https://index.example/simple/demo/",
)


class Site:
    """A policy, a server, a clock; and runs that have nothing in common but the disk."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.cache = folder / "cache"
        self.secret = folder / "state" / "verdicts.key"
        self.clock = NOW.timestamp()
        self.server = Repository({BUNDLE: CHAIN.bundle(WHEEL)})
        self.policy_path = folder / "policy.toml"
        # Of several processes with one site, the others read what the first has written.
        if not self.policy_path.exists():
            CHAIN.policy(folder)
        self.caches: Caches | None = None

    def policy(self) -> Policy:
        return load_policy(self.policy_path)

    def run(
        self,
        distribution: Distribution = DEMO,
        *,
        policy: Policy | None = None,
        refresh: bool = False,
        recalls: bool = True,
        limits: Limits = DEFAULT,
    ) -> Verdict:
        policy = policy or self.policy()
        caches = open_caches(
            self.server.fetch_many,
            policy,
            folder=self.cache,
            secret=self.secret,
            refresh=refresh,
            recalls=recalls,
            limits=limits,
            clock=lambda: self.clock,
        )
        batch = Batch(
            policy,
            fetch=caches.fetch_many,
            memory=caches.memory,
            now=datetime.fromtimestamp(self.clock, timezone.utc),
            limits=limits,
        )
        (checked,) = batch.one(Known(distribution=distribution))
        caches.close()
        self.caches = caches
        return checked.verdict

    def recalled(self) -> bool:
        """Whether the last verdict was."""
        return self.caches is not None and self.caches.recalled == 1

    def later(self, **span: float) -> None:
        self.clock += timedelta(**span).total_seconds()

    def entries(self) -> list[Path]:
        return [path for path in (self.cache / "verdicts").rglob("*") if path.is_file()]

    def entry(self) -> Path:
        (path,) = self.entries()
        return path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def known(site: Site) -> Site:
    """A site where the verdict was just reached."""
    assert site.run().status is Status.VERIFIED
    assert not site.recalled()
    return site


# --- the hit --------------------------------------------------------------------------------


def test_a_verdict_is_recalled_as_it_was_without_a_request_or_a_signature_check(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = site.run()
    asked = list(site.server.asked)

    def judge(*_: object, **__: object) -> None:
        pytest.fail("it was decided anew")

    monkeypatch.setattr("pip_intoto.verifier.batch.judge", judge)
    second = site.run()
    assert site.recalled()
    assert second == first
    assert second.chain is not None
    assert site.server.asked == asked


def test_everything_that_a_verdict_says_is_kept(known: Site) -> None:
    station = Station(
        name="build",
        is_inspection=True,
        functionaries=("a", "b"),
        wanted=2,
        materials=3,
        products=4,
        feeds=("source",),
        predicates=("https://acme.example/Reviewed/v1",),
        outcome=Outcome.NOTE,
        detail="detail",
    )
    credential = Credential(
        issuer="issuer",
        subject="subject",
        signed_at=NOW,
        host="host",
        repository="repository",
        workflow="workflow",
        reused_workflow="reused",
        ref="ref",
        environment="environment",
    )
    chain = Drawn(
        layout_sha256="1" * 64,
        owners=("owner",),
        expires=NOW,
        stations=(station,),
        documents=("2" * 64,),
        binding="binding",
        owner_keys=("3" * 64,),
        credentials=(credential,),
    )
    trace = (TraceEntry("a", Outcome.FAIL, "b"),)
    verdict = dataclasses.replace(known.run(), chain=chain, summary="ümlaut", trace=trace)
    text = json.dumps(remembered._written(verdict))
    read = remembered._verdict(Node(json.loads(text)), verdict.distribution)
    assert read == verdict
    # And nothing of it is as it would be anyway.
    for part in (station, chain, credential):
        for each in dataclasses.fields(part):
            assert getattr(part, each.name) != each.default


def test_a_query_is_no_part_of_where_a_file_comes_from(known: Site) -> None:
    signed = dataclasses.replace(DEMO, url=URL + "?X-Signature=secret")
    verdict = known.run(signed)
    assert known.recalled()
    # What is said is said of the file that was asked about.
    assert verdict.distribution == signed
    for path in known.cache.rglob("*"):
        assert path.is_dir() or b"files.example/demo-1.0-py3-none-any.whl?" not in path.read_bytes()


def test_the_digests_of_verdicts_are_the_same_in_every_process(known: Site) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.unit.verifier.test_remembered import *;"
        " site = Site.__new__(Site); site.policy_path = Path(sys.argv[1]);"
        " print(remembered._digest(repr(site.policy())))"
    )
    root = Path(__file__).parents[3]
    seen = {remembered._digest(repr(known.policy()))}
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        environment["PYTHONPATH"] = os.pathsep.join([str(root), str(root / "hooks")])
        words = [sys.executable, "-c", code, str(known.policy_path)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        seen.add(done.stdout.strip())
    assert len(seen) == 1


# --- another question -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "0" * 64},
        {"url": "https://other.example/" + WHEEL.filename},
        {"index": "https://other.example/simple/demo/"},
        {"index": None},
        {"version": "2.0"},
        {"filename": "demo-1.0-py2-none-any.whl"},
        {"kind": Kind.SDIST},
        {"name": "other"},
        {"building_for": "app 1.0"},
    ],
    ids="-".join,
)
def test_another_file_is_another_question(
    known: Site,
    change: dict[str, Any],
) -> None:
    known.run(dataclasses.replace(DEMO, **change))
    assert not known.recalled()


def test_a_verdict_of_another_policy_is_not_recalled(known: Site) -> None:
    """Verdicts that are not kept apart by policy let one rule answer for another."""
    path = known.policy_path
    path.write_text(path.read_text() + "# another byte\n")
    assert known.run().status is Status.VERIFIED
    assert not known.recalled()
    # The stricter policy is asked, and not the one that was satisfied.
    strict = SupplyChain(project="demo", owners=(key("owner"), key("second owner")))
    known.policy_path = strict.policy(known.home)
    assert known.run().status is Status.INVALID


def test_a_verdict_of_other_evidence_is_not_recalled(known: Site) -> None:
    """Verdicts that are not kept apart by evidence outlive the evidence."""
    expired = SupplyChain(project="demo", expires=NOW - timedelta(days=1))
    known.server.files[BUNDLE] = expired.bundle(WHEEL)
    known.later(seconds=DEFAULT.evidence_fresh_seconds)
    assert known.run().reason == "layout-expired"
    assert not known.recalled()


def test_another_line_of_evidence_is_a_new_decision(known: Site) -> None:
    known.server.files[BUNDLE] += authoring.bundle([SupplyChain(project="demo").root()])
    known.run(refresh=True)
    known.server.files[BUNDLE] += b'{"unknown": 1}\n'
    # Another policy's run has the new evidence; this one's verdict is not that of it any more.
    other = known.home / "other"
    known.run(policy=load_policy(CHAIN.policy(other)), refresh=True)
    known.run()
    assert not known.recalled()
    known.run()
    assert known.recalled()


def test_other_material_of_a_key_is_another_policy(known: Site) -> None:
    (path,) = (known.home / "keys").iterdir()
    path.write_bytes(key("stranger").public_pem())
    assert known.run().reason == "layout-signature-missing"
    assert not known.recalled()


def test_another_layout_held_by_the_consumer_is_another_policy(site: Site) -> None:
    layout, *links = CHAIN.evidence(WHEEL)
    held = site.home / "demo.layout"
    held.write_bytes(authoring.bundle([layout]))
    site.policy_path = CHAIN.policy(site.home, rule='layout = "demo.layout"')
    site.server.files[BUNDLE] = authoring.bundle(links)
    assert site.run().status is Status.VERIFIED
    site.run()
    assert site.recalled()
    other = SupplyChain(project="demo", builder=key("another builder"))
    held.write_bytes(authoring.bundle([other.root()]))
    assert site.run().status is Status.INVALID
    assert not site.recalled()


def test_it_is_the_policy_that_was_read_that_counts_and_not_the_files_now(site: Site) -> None:
    policy = site.policy()
    (path,) = (site.home / "keys").iterdir()
    path.write_bytes(key("stranger").public_pem())
    # The run still holds against what it has read; nobody else gets its verdict.
    assert site.run(policy=policy).status is Status.VERIFIED
    assert site.run().reason == "layout-signature-missing"


def test_a_revoked_key_is_another_policy(known: Site) -> None:
    (path,) = (known.home / "keys").iterdir()
    revoked = f'\n[[revoked]]\nkey = "keys/{path.name}"\nreason = "stolen"\n'
    known.policy_path.write_text(known.policy_path.read_text() + revoked)
    assert known.run().reason == "key-revoked"


def test_nothing_of_a_policy_is_left_out_of_its_representation(site: Site) -> None:
    rule = 'layout = "demo.layout"\nparameters = { A = "1" }\n'
    (site.home / "demo.layout").write_bytes(authoring.bundle([CHAIN.root()]))
    site.policy_path = CHAIN.policy(site.home, rule=rule)
    (path,) = (site.home / "keys").iterdir()
    exception = (
        '\n[[exception]]\nproject = "x"\nversion = "<2"\nreason = "r"\nowner = "o"\n'
        "expires = 2030-01-01\n"
    )
    revoked = f'\n[[revoked]]\nkey = "keys/{path.name}"\nreason = "stolen"\n'
    site.policy_path.write_text(site.policy_path.read_text() + exception + revoked)
    seen = set()
    pending: list[object] = [site.policy()]
    while pending:
        value = pending.pop()
        if isinstance(value, (tuple, list)):
            pending += value
        elif isinstance(value, dict):
            pending += value.values()
        elif dataclasses.is_dataclass(value):
            seen.add(type(value).__name__)
            for each in dataclasses.fields(value):
                assert each.repr, f"{type(value).__name__}.{each.name}"
                pending.append(getattr(value, each.name))
    assert {"Policy", "ProjectRule", "NamedKey", "PublicKey", "HeldLayout", "Revoked"} <= seen


@pytest.mark.parametrize("what", ["version", "schema", "limits"])
def test_another_version_decides_anew(
    known: Site, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = DEFAULT
    if what == "version":
        monkeypatch.setattr(remembered, "__version__", "999")
    elif what == "schema":
        monkeypatch.setattr(remembered, "_SCHEMA", 999)
    else:
        limits = dataclasses.replace(DEFAULT, steps=1_000)
    assert known.run(limits=limits).status is Status.VERIFIED
    assert not known.recalled()


# --- time -----------------------------------------------------------------------------------


def test_a_verdict_ends_with_its_layout(site: Site) -> None:
    soon = SupplyChain(project="demo", expires=NOW + timedelta(minutes=10))
    site.server.files[BUNDLE] = soon.bundle(WHEEL)
    site.run()
    site.later(minutes=9, seconds=59)
    site.run()
    assert site.recalled()
    site.later(seconds=2)
    assert site.run().reason == "layout-expired"
    assert not site.recalled()


def test_a_verdict_ends_with_the_evidence_it_was_reached_with(known: Site) -> None:
    known.later(seconds=DEFAULT.evidence_fresh_seconds - 1)
    known.run()
    assert known.recalled()
    known.later(seconds=1)
    known.run()
    assert not known.recalled()
    assert known.server.asked == [BUNDLE, BUNDLE]
    known.run()
    assert known.recalled()


def test_a_verdict_ends_after_a_while_whatever_its_evidence(known: Site) -> None:
    for _ in range(25):
        known.later(hours=1)
        # Somebody else keeps the evidence fresh.
        known.run(policy=load_policy(CHAIN.policy(known.home / "other")), refresh=True)
    known.run()
    assert not known.recalled()


def test_a_clock_that_was_set_back_decides_anew(known: Site) -> None:
    known.later(seconds=-1)
    # The evidence is younger than now, too: both are asked for.
    assert known.run().status is Status.VERIFIED
    assert not known.recalled()
    assert known.server.asked == [BUNDLE, BUNDLE]


def test_the_layout_of_a_part_ends_the_whole(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = CHAINS / "sublayout"
    (file,) = folder.glob("*.whl")
    site.policy_path = folder / "policy.toml"
    site.server.files = {BUNDLE: (folder / f"{file.name}.intoto.jsonl").read_bytes()}
    demo = dataclasses.replace(DEMO, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    seen: list[datetime] = []
    usual = remembered.Remembered._expires

    def expires(memory: remembered.Remembered, envelope: Envelope) -> datetime | None:
        found = usual(memory, envelope)
        # As if the part ended before the whole does.
        if found is not None:
            found = NOW + timedelta(hours=2)
            seen.append(found)
        return found

    monkeypatch.setattr(remembered.Remembered, "_expires", expires)
    assert site.run(demo).status is Status.VERIFIED
    assert len(seen) == 1
    entry = json.loads(site.entry().read_bytes()[64:])
    assert entry["until"] == (NOW + timedelta(hours=2)).timestamp()


# --- what is not remembered -----------------------------------------------------------------


def test_what_is_missing_can_be_verified_at_the_next_run(site: Site) -> None:
    del site.server.files[BUNDLE]
    assert site.run().status is Status.MISSING
    assert site.entries() == []
    site.server.files[BUNDLE] = CHAIN.bundle(WHEEL)
    assert site.run().status is Status.VERIFIED


@pytest.mark.parametrize("status", [403, 500])
def test_what_is_unreachable_can_be_verified_at_the_next_run(site: Site, status: int) -> None:
    site.server.answers[BUNDLE] = Response(status)
    assert site.run().status is Status.UNREACHABLE
    del site.server.answers[BUNDLE]
    assert site.run().status is Status.VERIFIED


def test_what_is_invalid_is_decided_anew_from_the_evidence_that_is_remembered(site: Site) -> None:
    other = dataclasses.replace(DEMO, sha256="0" * 64)
    for _ in range(2):
        assert site.run(other).status is Status.INVALID
        assert not site.recalled()
    assert site.entries() == []
    assert site.server.asked.count(BUNDLE) == 1


def test_exceptions_and_the_unlisted_are_not_remembered(site: Site) -> None:
    tail = (
        '\n[[exception]]\nproject = "demo"\nwaives = ["layout-expired"]\nreason = "r"\n'
        'owner = "o"\nexpires = 2030-01-01\n'
    )
    site.policy_path.write_text(site.policy_path.read_text() + tail)
    expired = SupplyChain(project="demo", expires=NOW - timedelta(days=1))
    site.server.files[BUNDLE] = expired.bundle(WHEEL)
    assert site.run().status is Status.EXEMPT
    assert site.run(dataclasses.replace(DEMO, name="other")).status is not Status.VERIFIED
    assert site.entries() == []


def test_what_fails_later_is_forgotten(known: Site) -> None:
    assert len(known.entries()) == 1
    known.server.files[BUNDLE] = b""
    known.run(refresh=True)
    assert known.entries() == []


def test_files_of_this_machine_are_looked_at_each_time(site: Site) -> None:
    (site.home / "evidence").mkdir()
    (site.home / "evidence" / f"{WHEEL.filename}.intoto.jsonl").write_bytes(CHAIN.bundle(WHEEL))
    folder = (site.home / "evidence").as_posix()
    site.policy_path = CHAIN.policy(site.home, rule=f'sources = ["{folder}", "beside"]')
    assert site.run().status is Status.VERIFIED
    assert site.entries() == []
    site.policy_path = CHAIN.policy(site.home)
    beside = dataclasses.replace(DEMO, url=(site.home / "evidence" / WHEEL.filename).as_uri())
    assert site.run(beside).status is Status.VERIFIED
    assert site.entries() == []


def test_what_commands_say_is_not_remembered(site: Site) -> None:
    site.policy_path = CHAIN.policy(site.home, rule='inspections = [["python", "check.py"]]')
    assert site.run().status is Status.VERIFIED
    assert site.entries() == []


def test_what_rests_on_openpgp_keys_is_not_remembered(tmp_path: Path) -> None:
    site = Site(tmp_path)
    folder = CHAINS / "openpgp-dsse"
    (file,) = folder.glob("*.whl")
    site.policy_path = folder / "policy.toml"
    site.server.files = {BUNDLE: (folder / f"{file.name}.intoto.jsonl").read_bytes()}
    demo = dataclasses.replace(DEMO, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    assert site.run(demo).status is Status.VERIFIED
    assert site.entries() == []


def test_what_rests_on_certificates_is_not_remembered(site: Site) -> None:
    valid = partial(certify, since=NOW - timedelta(days=2), until=NOW + timedelta(days=1))
    root = valid("root", authority=True)
    asked = constraint(
        common_name="",
        uris=["spiffe://example.com/build"],
        dns_names=[],
        emails=[],
        roots=["ab" * 32],
    )
    build = authoring.step(
        "build", functionaries=[], expected_products=[["CREATE", "demo-*"], ["DISALLOW", "*"]]
    )
    layout = authoring.layout(
        expires=NOW + timedelta(days=9), keys=[], steps=[build | {"cert_constraints": [asked]}]
    )
    authorities: authoring.JsonObject = {"rootcas": listed(**{"ab" * 32: root})}
    signer = valid(by=root, uris=["spiffe://example.com/build"])
    link = authoring.link("build", products={WHEEL.filename: {"sha256": WHEEL.sha256}})
    site.server.files[BUNDLE] = authoring.bundle(
        [
            authoring.Document(
                authoring.sign(layout | authorities, [key("owner")], authoring.Envelope.METABLOCK)
            ),
            authoring.Document(sign_with(link, signer)),
        ]
    )
    verdict = site.run()
    assert verdict.status is Status.VERIFIED, verdict.found
    assert site.entries() == []


def _attested(site: Site, root: str = "one", workflow: str = "release.yml") -> None:
    """Have the policy require what PyPI has publishers sign."""
    sigstore = Sigstore(root)
    attestation = sigstore.attestation(
        statement((WHEEL.filename, WHEEL.data)),
        repository="acme/demo",
        workflow="release.yml",
        ref="refs/tags/v1.0",
    )
    site.server.files[f"{URL}.provenance"] = json.dumps(provenance([attestation])).encode()
    (site.home / "root.json").write_bytes(sigstore.trusted_root())
    site.policy_path.write_text(
        'version = 1\n[sigstore]\ntrust-root = "root.json"\n[identities.ci]\n'
        f'publisher = "github:acme/demo:{workflow}"\n'
        '[[project]]\nname = "demo"\nrequire = ["publish"]\nidentities = ["ci"]\n'
    )


def test_what_rests_on_an_identity_is_remembered_with_it(site: Site) -> None:
    _attested(site)
    first = site.run()
    asked = list(site.server.asked)
    assert first.reason == "verified"
    second = site.run()
    assert site.recalled()
    assert (second, site.server.asked) == (first, asked)
    assert second.chain is not None
    assert [each.workflow for each in second.chain.credentials] == ["release.yml"]


def test_another_identity_or_trust_root_decides_anew(site: Site) -> None:
    _attested(site)
    assert site.run().reason == "verified"
    _attested(site, workflow="publish.yml")
    assert site.run().reason == "identity-workflow-mismatch"
    _attested(site)
    (site.home / "root.json").write_bytes(Sigstore("two").trusted_root())
    assert site.run().reason == "sigstore-invalid"
    assert not site.recalled()


def test_another_trust_root_of_the_library_decides_anew(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A log whose key was stolen leaves the trust root with a new version of sigstore-python.
    _attested(site)
    text = site.policy_path.read_text().replace('[sigstore]\ntrust-root = "root.json"\n', "")
    site.policy_path.write_text(text)
    # As if ours were the one that is embedded.
    monkeypatch.setattr(authenticating, "_embedded", Sigstore("one").trusted_root)
    authenticating.authenticator_with.cache_clear()
    assert site.run().reason == "verified"
    site.run()
    assert site.recalled()
    monkeypatch.setattr(authenticating, "embedded_sha256", lambda: "0" * 64)
    assert site.run().reason == "verified"
    assert not site.recalled()
    monkeypatch.setattr(authenticating, "embedded_sha256", lambda: "")
    assert site.run().reason == "verified"
    assert not site.recalled()
    authenticating.authenticator_with.cache_clear()


def test_what_a_server_wants_nobody_to_keep_is_asked_for_each_time(site: Site) -> None:
    site.server.answers[BUNDLE] = Response(200, CHAIN.bundle(WHEEL), fleeting=True)
    for _ in range(2):
        assert site.run().status is Status.VERIFIED
        assert not site.recalled()


def test_to_look_at_the_evidence_is_to_decide_anew(known: Site) -> None:
    known.run(recalls=False)
    assert not known.recalled()
    assert known.server.asked == [BUNDLE]
    known.run(refresh=True)
    assert not known.recalled()
    assert known.server.asked == [BUNDLE, BUNDLE]


# --- forged, broken, deleted ----------------------------------------------------------------


def test_flipped_bits_are_found_out(known: Site) -> None:
    whole = known.entry().read_bytes()
    for position in [*range(0, len(whole), 97), 0, 63, 64, len(whole) - 1]:
        broken = bytearray(whole)
        broken[position] ^= 1
        known.entry().write_bytes(broken)
        assert known.run().status is Status.VERIFIED
        assert not known.recalled()


@pytest.mark.parametrize("length", [0, 1, 64, 65, 200])
def test_half_an_entry_is_none(known: Site, length: int) -> None:
    known.entry().write_bytes(known.entry().read_bytes()[:length])
    assert known.run().status is Status.VERIFIED
    assert not known.recalled()


def test_a_forged_verdict_is_not_believed(known: Site) -> None:
    """Whoever can write to the cache, as a pull request can to a shared one, is not this user."""
    evil = dataclasses.replace(DEMO, sha256="0" * 64)
    known.run(evil)
    # All that an attacker can know of the entry is right, but for the secret.
    genuine = known.entry()
    theirs = known.home / "theirs"
    forger = Site.__new__(Site)
    forger.__dict__.update(known.__dict__)
    forger.cache, forger.secret = theirs, theirs / "key"
    forger.server = Repository({BUNDLE: CHAIN.bundle(WHEEL)})
    forger.run()
    (forged,) = forger.entries()
    assert forged.name == genuine.name
    shutil.copyfile(forged, genuine)
    known.run()
    assert not known.recalled()


def test_a_verdict_of_another_file_does_not_count_under_this_name(known: Site) -> None:
    other = wheel("demo", "2.0")
    url = f"https://files.example/{other.filename}"
    known.server.files[url + ".intoto.jsonl"] = CHAIN.bundle(other)
    first = known.entry()
    known.run(
        dataclasses.replace(
            DEMO, version="2.0", filename=other.filename, sha256=other.sha256, url=url
        )
    )
    (second,) = (path for path in known.entries() if path != first)
    shutil.copyfile(second, first)
    known.run()
    assert not known.recalled()


def test_evidence_of_others_does_not_keep_a_verdict_alive(known: Site) -> None:
    # Records of addresses are not secret: the worst that a forged one does is to ask again.
    shutil.rmtree(known.cache / "evidence")
    known.run()
    assert not known.recalled()
    assert known.server.asked == [BUNDLE, BUNDLE]


def test_everything_may_be_deleted_at_any_time(known: Site) -> None:
    shutil.rmtree(known.cache)
    assert known.run().status is Status.VERIFIED
    known.secret.unlink()
    assert known.run().status is Status.VERIFIED
    assert not known.recalled()
    known.run()
    assert known.recalled()


def test_it_is_deleted_in_the_middle_of_a_run(site: Site) -> None:
    policy = site.policy()
    caches = open_caches(site.server.fetch_many, policy, folder=site.cache, secret=site.secret)
    for _ in range(3):
        batch = Batch(policy, fetch=caches.fetch_many, memory=caches.memory)
        (checked,) = batch.one(Known(distribution=DEMO))
        assert checked.verdict.status is Status.VERIFIED
        shutil.rmtree(site.cache)
    caches.close()
    assert caches.troubles == ()


@POSIX
def test_a_folder_that_others_may_write_to_is_not_used_and_said(known: Site) -> None:
    known.cache.chmod(0o777)
    assert known.run().status is Status.VERIFIED
    assert not known.recalled()
    assert known.caches is not None
    assert any("others may write" in trouble for trouble in known.caches.troubles)


@POSIX
@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_secret_that_others_know_is_none(known: Site, mode: int) -> None:
    known.secret.chmod(mode)
    assert known.run().status is Status.VERIFIED
    assert not known.recalled()
    assert known.caches is not None
    assert known.caches.memory is None
    assert "is not secret" in known.caches.troubles[0]
    # Evidence is remembered all the same: it needs no secret.
    assert known.server.asked == [BUNDLE]


def test_a_broken_secret_is_said(known: Site) -> None:
    known.secret.write_bytes(b"x" * 65)
    assert known.run().status is Status.VERIFIED
    assert known.caches is not None
    assert "holds no secret" in known.caches.troubles[0]


@POSIX
def test_a_pipe_in_the_place_of_the_secret_is_not_waited_for(known: Site) -> None:
    known.secret.unlink()
    os.mkfifo(known.secret, 0o600)
    assert known.run().status is Status.VERIFIED
    assert known.caches is not None
    assert "is no file" in known.caches.troubles[0]


def test_a_disk_that_nobody_may_write_to(tmp_path: Path) -> None:
    with disks.disk(tmp_path / "disk", "512k") as disk:
        site = Site(tmp_path)
        site.cache, site.secret = disk / "cache", disk / "state" / "key"
        disks.make_read_only(disk)
        assert site.run().status is Status.VERIFIED
        assert site.caches is not None
        assert site.caches.troubles


def test_the_secret_is_its_owners_alone_and_made_once(known: Site) -> None:
    before = known.secret.read_bytes()
    known.run()
    assert known.secret.read_bytes() == before
    if os.name == "posix":
        assert known.secret.stat().st_mode & 0o077 == 0
    assert not known.secret.is_relative_to(known.cache)


def test_the_first_runs_at_once_agree_on_one_secret(site: Site) -> None:
    seen: set[bytes] = set()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            seen.add(remembered._secret(site.secret))
        except BaseException as error:  # noqa: BLE001 - whatever it is
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(seen) == 1


def test_two_processes_at_once(site: Site) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.unit.verifier.test_remembered import *;"
        " site = Site(Path(sys.argv[1]));"
        " print({site.run().status.value for _ in range(20)})"
    )
    root = Path(__file__).parents[3]
    path = os.pathsep.join([str(root), str(root / "hooks")])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(site.home)],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert {process.communicate()[0] for process in running} == {"{'verified'}\n"}
    assert site.run().action is Action.PASS
    assert site.recalled()
