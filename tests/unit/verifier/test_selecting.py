"""From entries of locks to files: what is chosen, what is asked, and what is said of it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import sdist, wheel
from fixtures.supply_chain import SupplyChain
from pip_intoto.distribution import Kind
from pip_intoto.errors import ReleaseMissing, SourceUnreachable, Unpinned
from pip_intoto.limits import DEFAULT
from pip_intoto.policy.file import load_policy
from pip_intoto.sources.fetching import Response
from pip_intoto.verifier.choosing import Choice
from pip_intoto.verifier.finding_links import FoundFiles
from pip_intoto.verifier.selecting import Selector
from tests.unit.sources.repository import Repository
from tests.unit.verifier.locks import FILES, INDEX, LINUX, LOCK, digest_of, entry, file_of

if TYPE_CHECKING:
    from fixtures.distributions import Built
    from pip_intoto.policy.model import Policy
    from pip_intoto.verifier.selecting import Selected
    from pip_intoto.verifier.wanted import InLock

PURE = wheel("demo")
LINUX_WHEEL = wheel("demo", tag="cp39-cp39-linux_x86_64")
LINUX_REBUILT = wheel("demo", tag="cp39-cp39-linux_x86_64", build="2")
ABI3 = wheel("demo", tag="cp37.cp39-abi3-linux_x86_64")
WINDOWS = wheel("demo", tag="cp39-cp39-win_amd64")
SOURCE = sdist("demo", runs=Path("/nowhere"))
NEXT = wheel("demo", "2.0")


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return load_policy(SupplyChain(project="demo").policy(tmp_path))


def page(*files: Built, digests: bool = True) -> bytes:
    listed = [
        {
            "filename": file.filename,
            "url": FILES + file.filename,
            "hashes": {"sha256": file.sha256} if digests else {},
            "size": len(file.data),
        }
        for file in files
    ]
    return json.dumps({"meta": {"api-version": "1.1"}, "files": listed}).encode()


def listing(*files: Built, index: str = INDEX, digests: bool = True) -> Repository:
    return Repository({f"{index}demo/": page(*files, digests=digests)})


def select(
    policy: Policy,
    wanted: InLock,
    repository: Repository | None = None,
    *,
    all_files: bool = False,
    found: FoundFiles | None = None,
    index_url: str | None = INDEX,
) -> tuple[Selected, ...]:
    selector = Selector(
        policy,
        choice=None if all_files else Choice(LINUX.tags),
        index_url=index_url,
        found=found,
        limits=DEFAULT,
    )
    return (repository or Repository()).run(selector.select(wanted))


def chosen(policy: Policy, *files: Built) -> str:
    (selected,) = select(policy, entry(*map(file_of, files)))
    return selected.distribution.filename


# --- which file -----------------------------------------------------------------------------


def test_the_wheel_with_the_best_tag_is_chosen(policy: Policy) -> None:
    everything = (SOURCE, WINDOWS, PURE, ABI3, LINUX_WHEEL)
    assert chosen(policy, *everything) == LINUX_WHEEL.filename
    assert chosen(policy, *everything[:-1]) == ABI3.filename
    assert chosen(policy, *everything[:-2]) == PURE.filename
    assert chosen(policy, *everything[:-3]) == SOURCE.filename


def test_the_higher_build_number_is_chosen(policy: Policy) -> None:
    assert chosen(policy, LINUX_WHEEL, LINUX_REBUILT) == LINUX_REBUILT.filename


def test_where_no_file_fits_the_release_is_missing(policy: Policy) -> None:
    (selected,) = select(policy, entry(file_of(WINDOWS)))
    assert isinstance(selected.problem, ReleaseMissing)
    assert WINDOWS.filename in selected.problem.found


def test_all_files_are_all_that_the_lock_allows(policy: Policy) -> None:
    files = (SOURCE, WINDOWS, PURE)
    selected = select(policy, entry(*map(file_of, files)), all_files=True)
    assert [each.distribution.filename for each in selected] == [file.filename for file in files]
    assert [each.distribution.kind for each in selected] == [Kind.SDIST, Kind.WHEEL, Kind.WHEEL]


def test_what_the_lock_says_is_taken_and_nobody_is_asked(policy: Policy) -> None:
    repository = Repository()
    (selected,) = select(policy, entry(file_of(PURE, line=7), index=INDEX), repository)
    assert selected.distribution.sha256 == PURE.sha256
    assert selected.distribution.url == FILES + PURE.filename
    assert selected.distribution.index == INDEX + "demo/"
    assert str(selected.place) == f"{LOCK}:7"
    assert selected.size == len(PURE.data)
    assert repository.asked == []


def test_without_an_index_the_address_says_where_a_file_is_from(policy: Policy) -> None:
    (selected,) = select(policy, entry(file_of(PURE)))
    assert selected.distribution.index == FILES + PURE.filename


def test_the_only_index_of_a_lock_is_that_of_its_entries(policy: Policy) -> None:
    (one,) = select(policy, entry(file_of(PURE), indexes=(INDEX,)))
    assert one.distribution.index == INDEX + "demo/"
    (two,) = select(policy, entry(file_of(PURE), indexes=(INDEX, "https://other.example/")))
    assert two.distribution.index == FILES + PURE.filename


# --- the index is asked ---------------------------------------------------------------------


def test_a_file_without_an_address_is_looked_up(policy: Policy) -> None:
    repository = listing(SOURCE, PURE)
    (selected,) = select(policy, entry(file_of(PURE, url=False)), repository)
    assert selected.distribution.url == FILES + PURE.filename
    assert selected.distribution.index == INDEX + "demo/"
    assert selected.notes == ()
    assert repository.asked == [INDEX + "demo/"]


def test_a_digest_names_the_file(policy: Policy) -> None:
    wanted = entry(digest_of(SOURCE, line=2), digest_of(ABI3, line=3), digest_of(PURE, line=4))
    (selected,) = select(policy, wanted, listing(SOURCE, WINDOWS, LINUX_WHEEL, ABI3, PURE, NEXT))
    assert selected.distribution.filename == ABI3.filename
    assert selected.distribution.sha256 == ABI3.sha256
    assert str(selected.place) == f"{LOCK}:3"
    assert selected.notes == ()


def test_all_files_of_digests(policy: Policy) -> None:
    wanted = entry(digest_of(SOURCE), digest_of(WINDOWS))
    selected = select(policy, wanted, listing(SOURCE, WINDOWS, PURE), all_files=True)
    assert [each.distribution.filename for each in selected] == [
        SOURCE.filename,
        WINDOWS.filename,
    ]


def test_without_a_digest_the_indexs_is_used_and_it_is_said(policy: Policy) -> None:
    for wanted in (entry(), entry(file_of(PURE, url=False, digest=False))):
        (selected,) = select(policy, wanted, listing(PURE, NEXT))
        assert selected.distribution.sha256 == PURE.sha256
        assert selected.notes == (
            "the lock has no digest for it; the one that the index lists was used",
        )


def test_without_any_digest_the_file_has_to_tell_and_it_is_said(policy: Policy) -> None:
    (selected,) = select(policy, entry(), listing(PURE, digests=False))
    assert selected.distribution.sha256 is None
    assert selected.digests == frozenset()
    assert "neither the lock nor the index" in selected.notes[0]
    (selected,) = select(policy, entry(digest_of(PURE)), listing(PURE, digests=False))
    assert selected.distribution.sha256 is None
    assert selected.digests == {PURE.sha256}


def test_a_direct_address_without_a_digest_is_fetched_to_know_it(policy: Policy) -> None:
    repository = listing(PURE)
    wanted = entry(file_of(PURE, digest=False), url=FILES + PURE.filename)
    (selected,) = select(policy, wanted, repository)
    assert selected.distribution.sha256 is None
    assert selected.notes == ("the lock has no digest for it; the file was fetched to know it",)
    assert repository.asked == []


def test_a_file_that_the_index_no_longer_lists_keeps_its_digest(policy: Policy) -> None:
    (selected,) = select(policy, entry(file_of(PURE, url=False)), listing(SOURCE))
    assert selected.problem is None
    assert (selected.distribution.sha256, selected.distribution.url) == (PURE.sha256, None)
    assert "no longer lists" in selected.notes[0]


def test_a_file_that_the_index_lists_with_another_digest_keeps_the_locks(policy: Policy) -> None:
    (selected,) = select(policy, entry(file_of(PURE, url=False)), listing(PURE.tampered()))
    assert selected.distribution.sha256 == PURE.sha256
    assert selected.distribution.url == FILES + PURE.filename
    assert "another digest" in selected.notes[0]


@pytest.mark.parametrize("files", [(), (NEXT,), (PURE.tampered(),)])
def test_a_release_that_no_index_has_is_missing(policy: Policy, files: tuple[Built, ...]) -> None:
    (selected,) = select(policy, entry(digest_of(PURE)), listing(*files))
    assert isinstance(selected.problem, ReleaseMissing)


def test_a_project_that_no_index_has_is_missing(policy: Policy) -> None:
    (selected,) = select(policy, entry(digest_of(PURE)))
    assert isinstance(selected.problem, ReleaseMissing)
    assert "404" in selected.problem.found


def test_an_index_that_cannot_be_asked_is_unreachable(policy: Policy) -> None:
    down = Repository(answers={INDEX + "demo/": Response(500)})
    for wanted in (entry(digest_of(PURE)), entry(file_of(PURE, url=False))):
        (selected,) = select(policy, wanted, down)
        assert isinstance(selected.problem, SourceUnreachable)


def test_every_index_of_the_lock_may_have_it(policy: Policy) -> None:
    other = "https://other.example/simple/"
    repository = Repository(
        {INDEX + "demo/": page(SOURCE), other + "demo/": page(PURE)},
        {"https://down.example/demo/": Response(500)},
    )
    indexes = ("https://down.example/", INDEX, other)
    (selected,) = select(policy, entry(digest_of(PURE), indexes=indexes), repository, index_url="")
    assert selected.distribution.index == other + "demo/"
    (own,) = select(policy, entry(digest_of(PURE), index=other, indexes=indexes), repository)
    assert own.distribution.index == other + "demo/"
    assert repository.asked.count(INDEX + "demo/") == 1


def test_the_rules_index_is_asked_before_pips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple/")
    path = SupplyChain(project="demo").policy(tmp_path, rule=f'index = "{INDEX}"')
    repository = listing(PURE)
    (selected,) = select(load_policy(path), entry(digest_of(PURE)), repository, index_url=None)
    assert selected.distribution.index == INDEX + "demo/"
    assert repository.asked == [INDEX + "demo/"]


def test_of_unlisted_projects_nobody_is_asked(policy: Policy) -> None:
    repository = Repository()
    (selected,) = select(policy, entry(digest_of(wheel("other")), name="other"), repository)
    assert selected.distribution.name == "other"
    assert repository.asked == []


# --- no file --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.DIRECTORY, Kind.VCS])
def test_what_has_no_file_stays_what_it_is(policy: Policy, kind: Kind) -> None:
    (selected,) = select(policy, entry(kind=kind, url="git+https://x.example/demo", version=""))
    assert selected.distribution.kind is kind
    assert selected.distribution.url == "git+https://x.example/demo"
    assert selected.problem is None


def test_what_is_not_pinned_is_no_file(policy: Policy) -> None:
    repository = listing(PURE)
    (selected,) = select(policy, entry(version=""), repository)
    assert isinstance(selected.problem, Unpinned)
    assert repository.asked == []


def test_notes_of_the_lock_come_first(policy: Policy) -> None:
    (selected,) = select(policy, entry(notes=("of the lock",)), listing(PURE))
    assert selected.notes[0] == "of the lock"
    assert len(selected.notes) == 2


# --- files on this machine ------------------------------------------------------------------


def test_a_file_on_this_machine_is_found_by_name_and_digest(policy: Policy, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    path = PURE.write(links)
    (links / f"{PURE.filename}.intoto.jsonl").write_bytes(b"")
    repository = Repository()
    for wanted in (
        entry(file_of(PURE), index=INDEX),
        entry(file_of(PURE, url=False), index=INDEX),
        entry(digest_of(PURE), index=INDEX),
    ):
        (selected,) = select(policy, wanted, repository, found=FoundFiles([links]))
        assert selected.distribution.path == path
        assert selected.distribution.url is None
        assert selected.distribution.index == INDEX + "demo/"
    assert repository.asked == []


def test_a_file_without_evidence_beside_it_keeps_its_address(
    policy: Policy, tmp_path: Path
) -> None:
    path = PURE.write(tmp_path)
    (selected,) = select(policy, entry(file_of(PURE)), found=FoundFiles([tmp_path]))
    assert selected.distribution.path == path
    assert selected.distribution.url == FILES + PURE.filename


def test_another_file_of_that_name_is_not_used_and_it_is_said(
    policy: Policy, tmp_path: Path
) -> None:
    PURE.tampered().write(tmp_path)
    (selected,) = select(policy, entry(file_of(PURE)), found=FoundFiles([tmp_path]))
    assert selected.distribution.path is None
    assert "another file than the lock pins" in selected.notes[0]


def test_a_digest_of_the_lock_finds_the_file_among_several(policy: Policy, tmp_path: Path) -> None:
    for built in (ABI3.tampered(), PURE):
        built.write(tmp_path)
    found = FoundFiles([tmp_path])
    (selected,) = select(policy, entry(digest_of(PURE), digest_of(ABI3)), found=found)
    assert selected.distribution.path == tmp_path / PURE.filename
    assert selected.distribution.sha256 == PURE.sha256
    # With none of the right ones at hand, the index is asked.
    (selected,) = select(policy, entry(digest_of(ABI3)), listing(ABI3), found=found)
    assert selected.distribution.path is None
    assert selected.distribution.sha256 == ABI3.sha256


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_with_the_name_of_a_file_is_not_waited_for(policy: Policy, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / PURE.filename)
    (selected,) = select(policy, entry(file_of(PURE)), found=FoundFiles([tmp_path]))
    assert selected.distribution.path is None
    assert "another file than the lock pins" in selected.notes[0]


# --- what pip would take --------------------------------------------------------------------


def described(file: Built, **more: object) -> dict[str, object]:
    return {
        "filename": file.filename,
        "url": FILES + file.filename,
        "hashes": {"sha256": file.sha256},
        **more,
    }


def of_page(*files: dict[str, object]) -> Repository:
    return Repository({INDEX + "demo/": json.dumps({"files": files}).encode()})


def names(selected: tuple[Selected, ...]) -> list[str]:
    return [each.distribution.filename for each in selected]


def test_of_builds_the_last_one_is_chosen_with_their_letters(policy: Policy) -> None:
    builds = [wheel("demo", build=build) for build in ("1a", "1b", "1")]
    assert chosen(policy, *builds) == builds[1].filename
    assert names(select(policy, entry(), listing(*builds))) == [builds[1].filename]


def test_two_files_that_are_equally_good_are_both_chosen(policy: Policy) -> None:
    files = (file_of(PURE), file_of(PURE.tampered()))
    for wanted in (entry(*files), entry(*reversed(files))):
        selected = select(policy, wanted)
        digests = {each.distribution.sha256 for each in selected}
        assert digests == {PURE.sha256, PURE.tampered().sha256}
    other = wheel("demo", modules={"demo.py": b"OTHER\n"})
    spelled = replace(other, filename=other.filename.replace("demo", "Demo"))
    assert len(select(policy, entry(), listing(PURE, spelled))) == 2


def test_the_same_file_of_two_indexes_is_chosen_once(policy: Policy) -> None:
    other = "https://other.example/simple/"
    repository = Repository({INDEX + "demo/": page(PURE), other + "demo/": page(PURE)})
    selected = select(policy, entry(indexes=(INDEX, other)), repository)
    assert names(selected) == [PURE.filename]


def test_one_name_with_a_digest_and_without_is_refused(policy: Policy) -> None:
    (selected,) = select(policy, entry(file_of(PURE), file_of(PURE, digest=False)))
    assert isinstance(selected.problem, ReleaseMissing)
    assert "two files of one name" in selected.problem.message


def test_only_files_of_the_form_that_the_lock_takes_are_chosen(policy: Policy) -> None:
    for wanted in (entry(digest_of(PURE), digest_of(SOURCE)), entry()):
        for form, name in ((Kind.SDIST, SOURCE.filename), (Kind.WHEEL, PURE.filename)):
            locked = replace(wanted, entry=replace(wanted.entry, form=form))
            assert names(select(policy, locked, listing(PURE, SOURCE))) == [name]
            assert names(select(policy, locked, listing(PURE, SOURCE), all_files=True)) == [name]


def test_a_local_version_is_newer_than_the_public_one(policy: Policy) -> None:
    patched = wheel("demo", "1.0+patched")
    (selected,) = select(policy, entry(), listing(PURE, patched, NEXT))
    assert selected.distribution.filename == patched.filename
    assert selected.distribution.version == "1.0+patched"
    (pinned,) = select(policy, entry(digest_of(PURE)), listing(PURE, patched))
    assert pinned.distribution.filename == PURE.filename


def test_a_local_version_that_is_pinned_is_that_one(policy: Policy) -> None:
    patched = wheel("demo", "1.0+patched")
    (selected,) = select(policy, entry(version="1.0+patched"), listing(PURE, patched))
    assert selected.distribution.filename == patched.filename


def test_what_is_yanked_is_the_last_choice(policy: Policy) -> None:
    repository = of_page(described(PURE, yanked="broken"), described(SOURCE))
    assert names(select(policy, entry(), repository)) == [SOURCE.filename]
    only = of_page(described(PURE, yanked=True))
    assert names(select(policy, entry(), only)) == [PURE.filename]


@pytest.mark.parametrize(
    ("versions", "file"), [(">=3.10", SOURCE), (">=3.9", PURE), ("", PURE), ("odd", PURE)]
)
def test_what_is_for_another_python_is_not_chosen(
    policy: Policy, versions: str, file: Built
) -> None:
    selector = Selector(
        policy,
        choice=Choice(LINUX.tags, "3.9.1"),
        index_url=INDEX,
        found=None,
        limits=DEFAULT,
    )
    repository = of_page(described(PURE, **{"requires-python": versions}), described(SOURCE))
    assert names(repository.run(selector.select(entry()))) == [file.filename]
    anchors = "".join(
        f'<a href="{FILES}{each.filename}#sha256={each.sha256}"'
        f' data-requires-python="{python}">x</a>'
        for each, python in ((PURE, versions.replace(">", "&gt;")), (SOURCE, ""))
    )
    other = Selector(
        policy, choice=Choice(LINUX.tags, "3.9.1"), index_url=INDEX, found=None, limits=DEFAULT
    )
    html = Repository({INDEX + "demo/": anchors.encode()})
    assert names(html.run(other.select(entry()))) == [file.filename]


def test_folders_that_a_lock_names_are_looked_at(policy: Policy, tmp_path: Path) -> None:
    rebuilt = wheel("demo", build="2")
    rebuilt.write(tmp_path)
    digests = entry(digest_of(PURE), digest_of(rebuilt))
    beside = replace(digests, lock=replace(digests.lock, find_links=(str(tmp_path),)))
    (selected,) = select(policy, beside, listing(PURE))
    assert selected.distribution.path == tmp_path / rebuilt.filename
    (alone,) = select(policy, beside, Repository())
    assert alone.distribution.path == tmp_path / rebuilt.filename
    closed = replace(beside, lock=replace(beside.lock, no_index=True))
    repository = listing(PURE)
    assert names(select(policy, closed, repository)) == [rebuilt.filename]
    (tmp_path / rebuilt.filename).unlink()
    (nowhere,) = select(policy, closed, repository)
    assert isinstance(nowhere.problem, ReleaseMissing)
    assert "no folder that the lock names" in nowhere.problem.message
    assert "--no-index" in nowhere.problem.found
    assert repository.asked == []


def test_without_a_digest_nobody_knows_what_is_taken_from_folders(
    policy: Policy, tmp_path: Path
) -> None:
    loose = entry()
    for place in (str(tmp_path), "https://files.example/all/"):
        beside = replace(loose, lock=replace(loose.lock, find_links=(place,)))
        (selected,) = select(policy, beside, listing(PURE))
        assert isinstance(selected.problem, ReleaseMissing)
        assert "--find-links" in selected.problem.message


@pytest.mark.parametrize("part", ["<!", "<!-- ", "<!-->", "<![", "<?", "</", "<a ", "<a '", "&"])
def test_a_page_that_opens_and_never_closes_costs_bounded_time(policy: Policy, part: str) -> None:
    good = f'<a href="{FILES}{PURE.filename}#sha256={PURE.sha256}">x</a>'
    evil = Repository({INDEX + "demo/": (good + part * 300_000).encode()})
    began = time.perf_counter()
    (selected,) = select(policy, entry(), evil)
    assert time.perf_counter() - began < 5
    assert selected.problem is not None or selected.distribution.sha256 == PURE.sha256


def test_what_the_index_says_of_provenance_is_handed_on(policy: Policy) -> None:
    provenance = "https://index.example/integrity/demo"
    repository = of_page(described(PURE, provenance=provenance))
    (selected,) = select(policy, entry(digest_of(PURE)), repository)
    assert selected.distribution.provenance == provenance
    (selected,) = select(policy, entry(file_of(PURE, url=False)), of_page(described(PURE)))
    # The page was read, and names none: nobody has to read it again.
    assert selected.distribution.provenance == ""


def test_the_index_that_the_user_names_is_asked_for_provenance_where_the_lock_names_none(
    policy: Policy,
) -> None:
    selector = Selector(policy, choice=None, index_url=INDEX, found=None, limits=DEFAULT)
    repository = Repository()
    (selected,) = repository.run(selector.select(entry(file_of(PURE))))
    assert selected.distribution.page == f"{INDEX}demo/"
    # That says nothing of where the file is from.
    assert selected.distribution.index == selected.distribution.url
    assert repository.asked == []


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://files.pythonhosted.org/packages/d7/73/c16e/", "https://pypi.org/simple/demo/"),
        ("https://files.pythonhosted.org.evil.example/packages/d7/", None),
        ("https://files.pythonhosted.org/packages/../d7/", None),
    ],
)
def test_of_a_file_that_lies_on_pypi_pypi_is_asked(
    policy: Policy, url: str, page: str | None
) -> None:
    # `pip lock` writes addresses of files, and no index.
    selector = Selector(policy, choice=None, index_url=None, found=None, limits=DEFAULT)
    file = replace(file_of(PURE), url=url + PURE.filename)
    (selected,) = Repository().run(selector.select(entry(file)))
    assert selected.distribution.page == page
    assert selected.distribution.index == selected.distribution.url
