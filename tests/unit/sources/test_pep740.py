"""Attestations as indexes have them: which addresses are asked, in which order, and for what."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.limits import DEFAULT
from pip_intoto.sources import folder, pep740
from pip_intoto.sources.fetching import Response, drive
from pip_intoto.sources.finding import Finding
from pip_intoto.sources.remembering import Remembering
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = wheel("demo")
#: Whatever is served is known by its content; where it lies is all that matters here.
EVIDENCE = SupplyChain(project="demo").bundle(WHEEL)
URL = f"https://files.example/a%2Bb/{WHEEL.filename}"
PAGE = "https://index.example/simple/demo/"
PROVENANCE = f"https://index.example/integrity/demo/1.0/{WHEEL.filename}/provenance"
BESIDE = [URL + suffix for suffix in (".provenance", ".publish.attestation", ".slsa.attestation")]


def distribution(
    url: str | None = URL,
    *,
    index: str | None = PAGE,
    page: str | None = None,
    provenance: str | None = None,
    path: Path | None = None,
) -> Distribution:
    return Distribution(
        name="demo",
        version="1.0",
        filename=WHEEL.filename,
        kind=Kind.WHEEL,
        sha256=WHEEL.sha256,
        url=url,
        index=index,
        path=path,
        page=page,
        provenance=provenance,
    )


def listing(provenance: object = PROVENANCE, *, url: str = URL) -> bytes:
    file = {"filename": WHEEL.filename, "url": url, "hashes": {}, "provenance": provenance}
    other = {**file, "filename": "demo-2.0-py3-none-any.whl", "url": "/2", "provenance": "/other"}
    return json.dumps({"meta": {"api-version": "1.3"}, "files": [other, file]}).encode()


def named(repository: Repository, about: Distribution | None = None) -> Finding:
    """Ask the first place, which is what the index names."""
    return repository.run(pep740.places(about or distribution(), DEFAULT)[0].find())


def said(found: Finding) -> set[str]:
    """Give what came of it, by name."""
    parts = ("documents", "missing", "unreachable", "faults")
    return {part for part in parts if getattr(found, part)}


# --- what the index names -------------------------------------------------------------------


def test_the_page_names_the_provenance_of_exactly_this_file() -> None:
    repository = Repository({PAGE: listing(), PROVENANCE: EVIDENCE})
    found = named(repository)
    assert len(found.documents) == 3
    assert repository.asked == [PAGE, PROVENANCE]


@pytest.mark.parametrize(
    "page",
    [
        listing("../../integrity/demo/1.0/" + WHEEL.filename + "/provenance#part"),
        f'<a href="{URL}#sha256=00" data-provenance="{PROVENANCE}">demo</a>'.encode(),
        '<base href="https://index.example/integrity/">'
        f'<a href="{URL}" data-provenance="demo/1.0/{WHEEL.filename}/provenance">'.encode(),
    ],
    ids=["relative", "html", "html-with-a-base"],
)
def test_addresses_are_those_that_the_page_means(page: bytes) -> None:
    repository = Repository({PAGE: page, PROVENANCE: EVIDENCE})
    assert named(repository).documents
    assert repository.asked == [PAGE, PROVENANCE]


@pytest.mark.parametrize(
    "page",
    [
        listing(None),
        listing(""),
        listing(7),
        listing("file:///etc/passwd"),
        listing("ftp://index.example/provenance"),
        listing("//[nonsense"),
        b'{"files": []}',
        f'<a href="{URL}">demo</a>'.encode(),
        b"<h1>Welcome</h1>",
    ],
)
def test_a_page_that_names_none_says_that_it_is_missing(page: bytes) -> None:
    repository = Repository({PAGE: page})
    found = named(repository)
    assert found.missing == (f"{PAGE} (which names no provenance of it)",)
    assert said(found) == {"missing"}
    assert repository.asked == [PAGE]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Response(500), "answered 500"),
        (Response(403), "answered 403"),
        (Response(None, error="no route"), "no route"),
        (Response(None, too_large=True), "longer than"),
        (Response(200, b'{"files": 3}'), "cannot be read"),
        (Response(200, b"{"), "cannot be read"),
        (Response(200, b"<!--" * 200 + b">"), "cannot be read"),
    ],
)
def test_a_page_that_cannot_be_asked_is_unreachable_and_never_missing(
    answer: Response, words: str
) -> None:
    found = named(Repository(answers={PAGE: answer}))
    assert said(found) == {"unreachable"}
    assert words in found.unreachable[0]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Response(404), "missing"),
        (Response(410), "missing"),
        (Response(503), "unreachable"),
        (Response(None, error="reset"), "unreachable"),
        (Response(None, too_large=True), "faults"),
        (Response(200, b"\xff\xfe{"), "faults"),
        (Response(200, b'{"version": 1, "attestation_bundles": 7}'), "faults"),
        (
            Response(200, b'{"version": 1, "attestation_bundles": [{"attestations": [{}]}]}'),
            "faults",
        ),
        (Response(200, b'{"anything": "else"}'), "faults"),
        (Response(200, b"<h1>Welcome</h1>"), "missing"),
    ],
)
def test_what_the_named_address_answers_is_never_mixed_up(answer: Response, outcome: str) -> None:
    found = named(Repository({PAGE: listing()}, answers={PROVENANCE: answer}))
    assert said(found) == {outcome}


def test_of_two_files_of_one_name_the_one_at_this_address_counts() -> None:
    both = json.dumps(
        {
            "files": [
                {"filename": WHEEL.filename, "url": "/mirror", "provenance": "/wrong"},
                {"filename": WHEEL.filename, "url": URL, "provenance": PROVENANCE},
            ]
        }
    ).encode()
    repository = Repository({PAGE: both, PROVENANCE: EVIDENCE})
    assert named(repository).documents


def test_what_a_page_said_before_is_not_asked_again() -> None:
    repository = Repository({PROVENANCE: EVIDENCE})
    assert named(repository, distribution(provenance=PROVENANCE)).documents
    assert repository.asked == [PROVENANCE]


def test_that_a_page_named_none_is_not_asked_again() -> None:
    repository = Repository()
    assert named(repository, distribution(provenance="")).missing
    assert repository.asked == []


@pytest.mark.parametrize("index", [None, URL, "file:///srv/simple/demo/"])
def test_without_an_index_nobody_is_asked_and_it_is_said(index: str | None) -> None:
    repository = Repository()
    found = named(repository, distribution(index=index))
    assert found.trace[0].detail == "no index is known that could name it"
    assert "--index-url" in "".join(found.missing)
    assert repository.asked == []


def test_a_page_that_is_remembered_from_before_the_release_is_asked_for_again(
    tmp_path: Path,
) -> None:
    repository = Repository({PAGE: listing(provenance=None)})
    remembering = Remembering(repository.fetch_many, tmp_path)
    place = pep740.places(distribution(), DEFAULT)[0]
    assert drive(place.find(), remembering.fetch_many).missing
    assert repository.asked == [PAGE]
    repository.files |= {PAGE: listing(), PROVENANCE: EVIDENCE}
    assert drive(place.find(), remembering.fetch_many).documents


def test_the_index_that_the_user_names_is_asked_where_a_lock_names_none() -> None:
    repository = Repository({PAGE: listing(), PROVENANCE: EVIDENCE})
    assert named(repository, distribution(index=URL, page=PAGE)).documents


# --- PyPI -----------------------------------------------------------------------------------


def test_of_pypi_the_integrity_api_is_asked_and_no_page() -> None:
    at = f"https://pypi.org/integrity/demo/1.0/{WHEEL.filename}/provenance"
    repository = Repository({at: EVIDENCE})
    about = distribution(index="https://pypi.org/simple/demo/")
    assert named(repository, about).documents
    assert repository.asked == [at]


def test_404_of_the_integrity_api_is_missing() -> None:
    found = named(Repository(), distribution(index="https://pypi.org/simple/demo/"))
    assert found.missing
    assert not found.unreachable


@pytest.mark.parametrize(
    "page",
    [
        "https://pypi.org.example/simple/demo/",
        "http://pypi.org/simple/demo/",
        "https://pypi.org/simple/../demo/",
        "https://pypi.org:444/simple/demo/",
        PAGE,
    ],
)
def test_other_indexes_have_no_integrity_api_that_is_known(page: str) -> None:
    assert pep740.integrity_address(page, distribution()) == ""


@pytest.mark.parametrize(("part", "encoded"), [("1.0+a/b", "1.0%2Ba%2Fb"), ("..", ""), ("", "")])
def test_no_name_leads_elsewhere(part: str, encoded: str) -> None:
    about = replace(distribution(), version=part)
    address = pep740.integrity_address("https://pypi.org/simple/demo/", about)
    expected = f"https://pypi.org/integrity/demo/{encoded}/{WHEEL.filename}/provenance"
    assert address == (expected if encoded else "")


# --- beside the file ------------------------------------------------------------------------


def test_beside_the_file_three_names_are_asked_at_once() -> None:
    repository = Repository({BESIDE[1]: EVIDENCE})
    found = repository.run(pep740.places(distribution(), DEFAULT)[1].find())
    assert repository.asked == BESIDE
    assert repository.rounds == 1
    assert len(found.documents) == 3
    assert found.missing == (BESIDE[0], BESIDE[2])


def test_that_nothing_lies_beside_it_is_said_in_a_few_words() -> None:
    found = Repository().run(pep740.places(distribution(), DEFAULT)[1].find())
    assert found.missing == (f"{URL}.provenance or .publish.attestation or .slsa.attestation",)


def test_one_that_cannot_be_asked_is_unreachable() -> None:
    repository = Repository(answers={BESIDE[2]: Response(500)})
    found = repository.run(pep740.places(distribution(), DEFAULT)[1].find())
    assert len(found.unreachable) == 1


def test_the_query_is_tried_where_the_address_alone_is_refused() -> None:
    answers = {address: Response(403) for address in BESIDE}
    repository = Repository({f"{BESIDE[0]}?token=secret": EVIDENCE}, answers=answers)
    place = pep740.places(distribution(URL + "?token=secret#sha256=00"), DEFAULT)[1]
    found = repository.run(place.find())
    assert len(found.documents) == 3
    assert "secret" not in repr((found.trace, found.missing, found.unreachable))


# --- on this machine ------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", pep740.SUFFIXES)
@pytest.mark.parametrize("has_url", [False, True])
def test_files_on_this_machine_have_them_beside_them(
    tmp_path: Path, suffix: str, *, has_url: bool
) -> None:
    path = WHEEL.write(tmp_path)
    (tmp_path / (WHEEL.filename + suffix)).write_bytes(EVIDENCE)
    about = distribution(path.as_uri() if has_url else None, path=path)
    (place,) = pep740.places(about, DEFAULT, on_disk=True)
    found = Repository().run(place.find())
    assert len(found.documents) == 3
    assert len(found.missing) == 2


def test_without_a_network_only_the_disk_is_looked_at() -> None:
    assert pep740.places(distribution(), DEFAULT, on_disk=True) == ()


def test_a_folder_of_the_policy_may_have_attestations(tmp_path: Path) -> None:
    (tmp_path / (WHEEL.filename + ".provenance")).write_bytes(EVIDENCE)
    found = Finding()
    for place in folder.places(tmp_path, WHEEL.filename, DEFAULT):
        found += Repository().run(place.find())
    assert len(found.documents) == 3


def test_that_a_folder_has_none_is_not_worth_a_word(tmp_path: Path) -> None:
    found = Finding()
    for place in folder.places(tmp_path, WHEEL.filename, DEFAULT):
        found += Repository().run(place.find())
    assert not [each for each in found.missing if "provenance" in each]
