"""Evidence that is carried over a gap: whole or not at all, and believed no more than before."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain, write_policy
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.policy.file import load_policy
from pip_intoto.sources.carrying import MANIFEST, exporting, importing
from pip_intoto.sources.fetching import Response, offline
from pip_intoto.verdict import Status
from pip_intoto.verifier.batch import Batch
from pip_intoto.verifier.remembered import open_caches
from pip_intoto.verifier.wanted import Known
from tests.unit import disks
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.account import Checked
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.policy.model import Policy
    from pip_intoto.verdict import Verdict

DEMO, OTHER, BARE, STRANGE = (wheel(name) for name in ("demo", "other", "bare", "strange"))
CHAINS = {name: SupplyChain(project=name) for name in ("demo", "other", "bare")}


def url_of(built: Built) -> str:
    return f"https://files.example/{built.filename}"


def described(built: Built) -> Distribution:
    return Distribution(
        name=built.name,
        version=built.version,
        filename=built.filename,
        kind=Kind.WHEEL,
        sha256=built.sha256,
        url=url_of(built),
        index=f"https://index.example/simple/{built.name}/",
    )


class Site:
    """One side has a network and exports, the other has not and imports."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.policy_path = write_policy(folder, CHAINS.values())
        self.server = Repository(
            {
                url_of(built) + ".intoto.jsonl": CHAINS[built.name].bundle(built)
                for built in (DEMO, OTHER)
            }
        )
        self.wanted = [described(built) for built in (DEMO, OTHER, BARE, STRANGE)]

    @property
    def carried(self) -> Path:
        return self.home / "evidence"

    def policy(self) -> Policy:
        return load_policy(self.policy_path)

    def export(self) -> list[Verdict]:
        with exporting(self.carried, ["pylock.toml"]) as export:
            batch = Batch(self.policy(), fetch=self.server.fetch_many, keeper=export)
            verdicts = _verdicts(batch.check(self._known()))
            export.finish(verdicts)
        return verdicts

    def there(self, *, online: bool = False) -> dict[str, tuple[Status, str]]:
        """Verify on the other side; status and reason by project."""
        policy = importing(self.policy(), self.carried, offline=not online)
        fetch = self.server.fetch_many if online else offline
        verdicts = _verdicts(Batch(policy, fetch=fetch).check(self._known()))
        return {each.distribution.name: (each.status, each.reason) for each in verdicts}

    def manifest(self) -> dict[str, object]:
        content = json.loads((self.carried / MANIFEST).read_bytes())
        assert isinstance(content, dict)
        return content

    def names(self) -> list[str]:
        found = self.carried.rglob("*")
        return sorted(path.relative_to(self.carried).as_posix() for path in found)

    def bundle(self, built: Built = DEMO) -> Path:
        return self.carried / f"{built.filename}.intoto.jsonl"

    def _known(self) -> list[Known]:
        return [Known(distribution=each) for each in self.wanted]


def _verdicts(checked: Iterable[Checked]) -> list[Verdict]:
    return [each.verdict for each in checked]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def exported(site: Site) -> Site:
    site.export()
    return site


VERIFIED = (Status.VERIFIED, "verified")
MISSING = (Status.MISSING, "layout-missing")


# --- the way there --------------------------------------------------------------------------


def test_what_was_verified_here_is_verified_there_without_a_network(exported: Site) -> None:
    assert exported.there() == {
        "demo": VERIFIED,
        "other": VERIFIED,
        "bare": MISSING,
        "strange": (Status.UNLISTED, "unlisted"),
    }


def test_an_export_holds_one_bundle_for_each_file_with_evidence_and_a_list(exported: Site) -> None:
    assert exported.names() == sorted(
        [f"{DEMO.filename}.intoto.jsonl", f"{OTHER.filename}.intoto.jsonl", MANIFEST]
    )
    manifest = exported.manifest()
    assert manifest["schema"] == 1
    assert manifest["targets"] == ["pylock.toml"]
    files = manifest["files"]
    assert isinstance(files, list)
    bare, demo, other, strange = files
    assert [each["project"] for each in files] == ["bare", "demo", "other", "strange"]
    assert (demo["filename"], demo["sha256"]) == (DEMO.filename, DEMO.sha256)
    assert (demo["status"], bare["status"]) == ("verified", "missing")
    assert strange["status"] == "unlisted"
    assert (len(demo["documents"]), len(other["documents"])) == (3, 3)
    assert bare["documents"] == strange["documents"] == []


def test_what_lies_beside_a_file_of_an_unlisted_project_is_not_carried(site: Site) -> None:
    address = url_of(STRANGE) + ".intoto.jsonl"
    site.server.files[address] = SupplyChain(project="strange").bundle(STRANGE)
    site.export()
    assert address not in site.server.asked
    assert not site.bundle(STRANGE).exists()


def test_documents_are_carried_as_they_were_received(site: Site) -> None:
    # A layout may be pinned by the digest of every byte, and in-toto's tools indent it.
    layout, *links = CHAINS["demo"].evidence(DEMO)
    text = json.dumps(layout.content, indent=1).encode() + b"\n"
    beside = f"{url_of(DEMO)}.intoto/"
    files = {beside + link.name: authoring.bundle([link]).strip() for link in links}
    site.server.files = {beside + "root.layout": text, **files}
    verdicts = site.export()
    assert (site.carried / f"{DEMO.filename}.intoto" / "root.layout").read_bytes() == text
    assert set(site.bundle().read_bytes().splitlines()) == set(files.values())
    assert verdicts[0].chain is not None
    pin = f'layout-sha256 = ["{verdicts[0].chain.layout_sha256}"]'
    site.policy_path = write_policy(site.home, CHAINS.values(), rule=pin)
    assert site.there()["demo"] == VERIFIED


@pytest.mark.parametrize("envelope", list(Envelope))
@pytest.mark.parametrize("indent", [None, 1])
def test_two_files_of_one_name_share_what_is_carried(
    site: Site, envelope: Envelope, indent: int | None
) -> None:
    chain = dataclasses.replace(CHAINS["demo"], envelope=envelope)
    second = DEMO.tampered()
    elsewhere = f"https://mirror.example/{second.filename}"
    for address, built in ((url_of(DEMO), DEMO), (elsewhere, second)):
        site.server.files.pop(address + ".intoto.jsonl", None)
        for document in chain.evidence(built):
            content = json.dumps(document.content, indent=indent).encode()
            site.server.files[f"{address}.intoto/{document.name}"] = content
    site.wanted = [
        described(DEMO),
        dataclasses.replace(described(second), url=elsewhere),
    ]
    assert [each.status for each in site.export()] == [Status.VERIFIED] * 2
    policy = importing(site.policy(), site.carried, offline=True)
    found = _verdicts(Batch(policy, fetch=offline).check(site._known()))
    assert [each.status for each in found] == [Status.VERIFIED] * 2
    if indent is None:
        # The layout and the source are the same documents, and stand there once.
        assert len(site.bundle().read_bytes().splitlines()) == 4


def test_an_export_can_be_laid_beside_the_files(exported: Site) -> None:
    built = DEMO.write(exported.carried)
    here = dataclasses.replace(described(DEMO), url=None, index=None, path=built)
    (checked,) = Batch(exported.policy()).one(Known(distribution=here))
    assert checked.verdict.status is Status.VERIFIED


def test_an_export_can_be_a_source_of_the_policy(exported: Site) -> None:
    source = f'sources = ["{exported.carried.as_posix()}"]'
    exported.policy_path = write_policy(exported.home, CHAINS.values(), rule=source)
    (checked,) = Batch(exported.policy()).one(Known(distribution=described(DEMO)))
    assert checked.verdict.status is Status.VERIFIED


def test_without_a_network_evidence_beside_local_files_is_still_looked_at(exported: Site) -> None:
    exported.bundle().unlink()
    wheelhouse = exported.home / "wheelhouse"
    wheelhouse.mkdir()
    built = DEMO.write(wheelhouse)
    bundle = wheelhouse / f"{DEMO.filename}.intoto.jsonl"
    bundle.write_bytes(CHAINS["demo"].bundle(DEMO))
    here = dataclasses.replace(described(DEMO), url=None, index=None, path=built)
    policy = importing(exported.policy(), exported.carried, offline=True)
    (checked,) = Batch(policy).one(Known(distribution=here))
    assert checked.verdict.status is Status.VERIFIED


def test_with_a_network_what_the_import_lacks_is_asked_for(exported: Site) -> None:
    exported.bundle().unlink()
    exported.server.asked.clear()
    assert exported.there(online=True)["demo"] == VERIFIED
    # And what it has is not.
    assert url_of(OTHER) + ".intoto.jsonl" not in exported.server.asked


def test_verdicts_of_an_import_are_not_remembered(exported: Site) -> None:
    policy = importing(exported.policy(), exported.carried)
    cache = exported.home / "cache"
    caches = open_caches(
        exported.server.fetch_many, policy, folder=cache, secret=exported.home / "key"
    )
    batch = Batch(policy, fetch=caches.fetch_many, memory=caches.memory)
    (checked,) = batch.one(Known(distribution=described(DEMO)))
    assert checked.verdict.status is Status.VERIFIED
    assert not [path for path in (cache / "verdicts").rglob("*") if path.is_file()]


# --- what happens on the way ----------------------------------------------------------------


def test_a_bundle_that_is_lost_on_the_way_is_missing(exported: Site) -> None:
    exported.bundle().unlink()
    there = exported.there()
    assert (there["demo"], there["other"]) == (MISSING, VERIFIED)


def test_a_bundle_that_is_cut_off_is_never_verified(exported: Site) -> None:
    whole = exported.bundle().read_bytes()
    for length in range(0, len(whole) - 1, 131):
        exported.bundle().write_bytes(whole[:length])
        status, _ = exported.there()["demo"]
        assert status in {Status.INVALID, Status.MISSING}
    exported.bundle().write_bytes(b"")
    assert exported.there()["demo"] == MISSING
    layout_alone = whole.splitlines()[0]
    exported.bundle().write_bytes(layout_alone)
    assert exported.there()["demo"] == (Status.INVALID, "link-missing")


def test_a_bundle_that_was_tampered_with_is_invalid(exported: Site) -> None:
    lines = exported.bundle().read_bytes().splitlines()
    evil = SupplyChain(project="demo", expires=CHAINS["demo"].expires).evidence(DEMO.tampered())
    # A link of another file, and genuine ones: the file in hand is not the one.
    exported.bundle().write_bytes(b"\n".join(lines[:2]) + b"\n" + authoring.bundle(evil[2:]))
    assert exported.there()["demo"] == (Status.INVALID, "artifact-digest-mismatch")
    flipped = bytearray(lines[0])
    position = flipped.index(b'"sig":') + 12
    flipped[position] = ord("A") if flipped[position] != ord("A") else ord("B")
    exported.bundle().write_bytes(b"\n".join([bytes(flipped), *lines[1:]]))
    assert exported.there()["demo"] == (Status.INVALID, "layout-signature-missing")


def test_a_bundle_of_another_file_is_invalid(exported: Site) -> None:
    shutil.copyfile(exported.bundle(OTHER), exported.bundle())
    assert exported.there()["demo"][0] is Status.INVALID


def test_what_the_list_says_makes_nothing_verified(exported: Site) -> None:
    manifest = exported.manifest()
    assert isinstance(manifest["files"], list)
    for each in manifest["files"]:
        each.update({"status": "verified", "reason": "verified", "sha256": BARE.sha256})
    (exported.carried / MANIFEST).write_text(json.dumps(manifest))
    assert exported.there()["bare"] == MISSING


@pytest.mark.parametrize(
    "content", [None, b"", b"[]", b"{", b'{"schema": 2, "files": []}', b'{"schema": 1}']
)
def test_half_a_copy_is_no_import(exported: Site, content: bytes | None) -> None:
    manifest = exported.carried / MANIFEST
    if content is None:
        manifest.unlink()
    else:
        manifest.write_bytes(content)
    with pytest.raises(CommandError) as caught:
        exported.there()
    assert MANIFEST in caught.value.message
    assert caught.value.advice


def test_a_folder_that_is_not_there_is_no_import(site: Site) -> None:
    with pytest.raises(CommandError, match=MANIFEST):
        importing(site.policy(), site.carried)


# --- writing --------------------------------------------------------------------------------


def test_a_later_export_takes_the_place_of_an_earlier_one(exported: Site) -> None:
    exported.wanted = exported.wanted[:1]
    exported.export()
    assert exported.names() == [f"{DEMO.filename}.intoto.jsonl", MANIFEST]


def test_an_empty_folder_may_be_used(site: Site) -> None:
    site.carried.mkdir()
    site.export()
    assert site.there()["demo"] == VERIFIED


@pytest.mark.parametrize("what", ["stranger", "no list", "a file", "added"])
def test_nothing_else_is_overwritten(exported: Site, what: str) -> None:
    if what == "stranger":
        shutil.rmtree(exported.carried)
        exported.carried.mkdir()
        (exported.carried / "diary.txt").write_bytes(b"dear")
    elif what == "no list":
        (exported.carried / MANIFEST).unlink()
    elif what == "added":
        (exported.carried / "diary.txt").write_bytes(b"dear")
    else:
        shutil.rmtree(exported.carried)
        exported.carried.write_bytes(b"")
    before = sorted(exported.home.rglob("*"))
    exported.server.asked.clear()
    with pytest.raises(CommandError):
        exported.export()
    assert sorted(exported.home.rglob("*")) == before
    # It is said before any work is done for it.
    assert exported.server.asked == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, CommandError("x"), None])
def test_an_export_that_does_not_end_well_leaves_what_was_there(
    exported: Site, error: BaseException | type[BaseException] | None
) -> None:
    before = {path: path.read_bytes() for path in exported.carried.iterdir()}

    def work() -> None:
        with exporting(exported.carried, []) as export:
            export.keep(described(BARE), ())
            if error is not None:
                raise error

    if error is None:
        # Nobody said what came of it.
        work()
    else:
        with pytest.raises((KeyboardInterrupt, CommandError)):
            work()
    assert {path: path.read_bytes() for path in exported.carried.iterdir()} == before
    assert not [path for path in exported.home.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    "filename", ["../evil.whl", "a/b.whl", ".hidden.whl", "C:x.whl", "x" * 250]
)
def test_no_name_leads_out_of_the_folder(site: Site, filename: str) -> None:
    documents = _evidence(site)
    with exporting(site.carried, []) as export:
        export.keep(dataclasses.replace(described(DEMO), filename=filename), documents)
        export.finish([])
    assert site.names() == [MANIFEST]
    assert not (site.home / "evil.whl.intoto.jsonl").exists()


@pytest.mark.parametrize("hint", ["../../root.layout", "a/../b.link", "x.link/y.link", "CON", ""])
def test_no_name_of_a_document_leads_out_of_its_folder(site: Site, hint: str) -> None:
    documents = tuple(
        dataclasses.replace(each, hint=hint, data=each.data + b"\n") for each in _evidence(site)
    )
    with exporting(site.carried, []) as export:
        export.keep(described(DEMO), documents)
        export.finish([])
    folder = site.carried / f"{DEMO.filename}.intoto"
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(f"{each.envelope.sha256}.link" for each in documents)


def test_nothing_is_added_once_the_list_is_written(site: Site) -> None:
    documents = _evidence(site)
    with exporting(site.carried, []) as export:
        export.finish([])
        # As a thread does that nobody waited for any longer.
        export.keep(described(DEMO), documents)
    assert site.names() == [MANIFEST]


def _evidence(site: Site) -> tuple[Document, ...]:
    taken: list[Document] = []

    class Takes:
        def keep(self, distribution: Distribution, documents: Sequence[Document]) -> None:
            assert distribution == described(DEMO)
            taken.extend(documents)

    batch = Batch(site.policy(), fetch=site.server.fetch_many, keeper=Takes())
    batch.one(Known(distribution=described(DEMO)))
    assert len(taken) == 3
    return tuple(taken)


def test_more_than_one_bundle_may_hold_is_carried_all_the_same(site: Site) -> None:
    limits = dataclasses.replace(DEFAULT, bundle_lines=3)
    documents = _evidence(site)
    with exporting(site.carried, [], limits=limits) as export:
        export.keep(described(DEMO), documents)
        export.finish([])
    assert len(site.bundle().read_bytes().splitlines()) == 2
    assert site.there()["demo"] == VERIFIED


def test_more_bytes_than_a_bundle_may_have_are_carried_all_the_same(site: Site) -> None:
    documents = _evidence(site)
    limits = dataclasses.replace(DEFAULT, bundle_bytes=len(documents[0].data) + 2)
    with exporting(site.carried, [], limits=limits) as export:
        export.keep(described(DEMO), documents)
        export.finish([])
    assert site.bundle().read_bytes() == documents[0].data + b"\n"
    assert site.there()["demo"] == VERIFIED


def test_a_document_that_ends_with_a_blank_keeps_its_digest(site: Site) -> None:
    (first, *_) = _evidence(site)
    document = dataclasses.replace(first, data=first.data + b" ")
    with exporting(site.carried, []) as export:
        export.keep(described(DEMO), [document])
        export.finish([])
    assert not site.bundle().exists()
    (path,) = (site.carried / f"{DEMO.filename}.intoto").iterdir()
    assert path.read_bytes() == document.data


def test_a_full_disk_is_an_error_and_leaves_nothing(site: Site) -> None:
    documents = _evidence(site)
    with disks.disk(site.home / "disk", "256k") as disk:

        def work() -> None:
            with exporting(disk / "evidence", []) as export:
                disks.fill(disk)
                export.keep(described(DEMO), documents)
                export.finish([])

        with pytest.raises(CommandError, match="No space left"):
            work()
        assert [path.name for path in disk.iterdir()] == ["filling"]


def test_what_is_unreachable_here_is_listed_as_that(site: Site) -> None:
    site.server.answers[url_of(DEMO) + ".intoto.jsonl"] = Response(500)
    site.export()
    files = site.manifest()["files"]
    assert isinstance(files, list)
    assert [each["status"] for each in files if each["project"] == "demo"] == ["unreachable"]
