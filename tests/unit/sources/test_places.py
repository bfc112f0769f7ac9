"""Evidence location: which addresses are asked, in which order, and what each answer means."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import MetadataMalformed, MetadataTooLarge, PolicyInvalid
from pip_intoto.limits import DEFAULT, Limits
from pip_intoto.sources import beside, folder, template
from pip_intoto.sources.fetching import Response
from pip_intoto.sources.finding import Finding
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.sources.finding import Place

WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")
URL = f"https://files.example/a%2Bb/{WHEEL.filename}"


def distribution(url: str | None = URL, path: Path | None = None) -> Distribution:
    return Distribution(
        name="demo",
        version="1.0",
        filename=WHEEL.filename,
        kind=Kind.WHEEL,
        sha256=WHEEL.sha256,
        url=url,
        path=path,
    )


def encode(content: JsonObject) -> bytes:
    return json.dumps(content, indent=1).encode()


def places(url: str | None = URL, path: Path | None = None) -> tuple[Place, ...]:
    return beside.places(distribution(url, path), DEFAULT)


# --- beside, over the network ---------------------------------------------------------------


def test_the_bundle_lies_at_the_address_with_a_suffix() -> None:
    repository = Repository({URL + ".intoto.jsonl": CHAIN.bundle(WHEEL)})
    bundle, _directory = places()
    found = repository.run(bundle.find())
    assert len(found.documents) == 3
    assert repository.asked == [URL + ".intoto.jsonl"]
    assert found.documents[0].origin == URL + ".intoto.jsonl#line 1"
    assert {document.hint for document in found.documents} >= {"root.layout"}


def test_the_directory_form_gives_the_layout_and_then_files_by_name() -> None:
    layout, source, build = CHAIN.evidence(WHEEL)
    root = URL + ".intoto/"
    repository = Repository(
        {
            root + "root.layout": encode(layout.content),
            root + source.name: encode(source.content),
            root + "sub.12345678/inner.87654321.link": encode(build.content),
        }
    )
    _bundle, directory = places()
    assert [d.hint for d in repository.run(directory.find()).documents] == ["root.layout"]
    names = (source.name, "sub.12345678/inner.87654321.link", build.name)
    found = repository.run(directory.find_named(names))
    assert [document.hint for document in found.documents] == list(names[:2])
    assert found.missing == (root + build.name,)


@pytest.mark.parametrize(
    "name", ["../root.layout", "/etc/passwd", "a//b", "a/./b", "C:evil", "a\\b", ""]
)
def test_N3_no_name_leaves_the_directory(name: str) -> None:
    repository = Repository()
    _bundle, directory = places()
    assert repository.run(directory.find_named((name,))) == Finding()
    assert repository.asked == []


def test_a_name_is_encoded() -> None:
    repository = Repository()
    _bundle, directory = places()
    repository.run(directory.find_named(("a ?#.12345678.link",)))
    assert repository.asked == [URL + ".intoto/a%20%3F%23.12345678.link"]


def test_fragment_and_query_are_dropped() -> None:
    repository = Repository({URL + ".intoto.jsonl": CHAIN.bundle(WHEEL)})
    bundle, _ = places(URL + "?token=secret#sha256=aa")
    assert repository.run(bundle.find()).documents
    assert repository.asked == [URL + ".intoto.jsonl"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_address_is_tried_once_more_with_the_query(status: int) -> None:
    repository = Repository(
        {URL + ".intoto.jsonl?token=secret": CHAIN.bundle(WHEEL)},
        answers={URL + ".intoto.jsonl": Response(status)},
    )
    bundle, _ = places(URL + "?token=secret")
    found = repository.run(bundle.find())
    assert len(found.documents) == 3
    assert repository.asked == [URL + ".intoto.jsonl", URL + ".intoto.jsonl?token=secret"]
    assert "secret" not in repr(found.trace) + repr([d.origin for d in found.documents])


def test_a_missing_file_is_not_tried_with_the_query() -> None:
    repository = Repository()
    bundle, _ = places(URL + "?token=secret")
    assert repository.run(bundle.find()).missing == (URL + ".intoto.jsonl",)
    assert len(repository.asked) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_404_and_410_are_missing(status: int) -> None:
    repository = Repository(answers={URL + ".intoto.jsonl": Response(status)})
    found = repository.run(places()[0].find())
    assert found.missing
    assert not found.unreachable


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (Response(401), "wants credentials"),
        (Response(403), "object stores also answer so"),
        (Response(500), "answered 500"),
        (Response(206), "answered 206"),
        (Response(304), "answered 304"),
        (Response(None, error="connection reset"), "connection reset"),
    ],
)
def test_everything_else_is_unreachable_and_says_why(response: Response, words: str) -> None:
    repository = Repository(answers={URL + ".intoto.jsonl": response})
    found = repository.run(places()[0].find())
    assert not found.missing
    assert words in found.unreachable[0]


def test_an_endless_bundle_is_stopped_at_the_cap() -> None:
    answers = {URL + ".intoto.jsonl": Response(None, error="cut off", too_large=True)}
    found = Repository(answers=answers).run(places()[0].find())
    assert isinstance(found.faults[0], MetadataTooLarge)
    assert not found.unreachable


def test_an_error_page_with_status_200_is_no_evidence() -> None:
    repository = Repository({URL + ".intoto.jsonl": b"<html>\n<p>not here\n</html>\n"})
    found = repository.run(places()[0].find())
    assert found.missing
    assert not found.documents


def test_a_layout_that_is_no_json_is_a_fault() -> None:
    repository = Repository({URL + ".intoto/root.layout": b"{"})
    found = repository.run(places()[1].find())
    assert isinstance(found.faults[0], MetadataMalformed)


def test_the_size_of_all_files_together_is_bounded() -> None:
    layout = encode(CHAIN.root().content)
    names = tuple(f"a.{number:08x}.link" for number in range(40))
    repository = Repository({f"{URL}.intoto/{name}": layout for name in names})
    limits = Limits(evidence_bytes=3 * len(layout))
    _bundle, directory = beside.places(distribution(), limits)
    found = repository.run(directory.find_named(names))
    assert isinstance(found.faults[0], MetadataTooLarge)
    assert len(repository.asked) == 8


def test_the_number_of_requests_is_bounded() -> None:
    _bundle, directory = beside.places(distribution(), Limits(fetches=10))
    repository = Repository()
    found = repository.run(directory.find_named([f"a.{n:08x}.link" for n in range(20)]))
    assert isinstance(found.faults[0], MetadataTooLarge)
    assert len(repository.asked) == 10


# --- beside, on this machine ----------------------------------------------------------------


@pytest.mark.parametrize("by_url", [True, False], ids=["file-url", "path"])
def test_evidence_beside_a_local_file(tmp_path: Path, *, by_url: bool) -> None:
    path = WHEEL.write(tmp_path)
    (tmp_path / (WHEEL.filename + ".intoto.jsonl")).write_bytes(CHAIN.bundle(WHEEL))
    bundle, directory = places(path.as_uri() if by_url else None, path)
    repository = Repository()
    assert len(repository.run(bundle.find()).documents) == 3
    assert repository.run(directory.find()).missing
    assert repository.asked == []


def test_a_local_directory_form_is_listed_with_its_sublayouts(tmp_path: Path) -> None:
    layout, source, build = CHAIN.evidence(WHEEL)
    root = tmp_path / (WHEEL.filename + ".intoto")
    (root / "sub.12345678").mkdir(parents=True)
    (root / "root.layout").write_bytes(encode(layout.content))
    (root / source.name).write_bytes(encode(source.content))
    (root / "sub.12345678" / build.name).write_bytes(encode(build.content))
    (root / "notes.txt").write_text("not evidence")
    _bundle, directory = places(None, tmp_path / WHEEL.filename)
    found = Repository().run(directory.find())
    assert {document.hint for document in found.documents} == {
        "root.layout",
        source.name,
        f"sub.12345678/{build.name}",
    }


@pytest.mark.parametrize(
    "url", ["file://server/share/demo.whl", "file:////server/share/demo.whl", "ftp://host/demo.whl"]
)
def test_the_verifier_opens_no_network_share(url: str) -> None:
    assert places(url) == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / (WHEEL.filename + ".intoto.jsonl"))
    bundle, _ = places(None, tmp_path / WHEEL.filename)
    found = Repository().run(bundle.find())
    assert "not a regular file" in found.unreachable[0]


def test_a_local_bundle_over_the_cap_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / (WHEEL.filename + ".intoto.jsonl")).write_bytes(CHAIN.bundle(WHEEL))
    bundle, _ = beside.places(
        distribution(None, tmp_path / WHEEL.filename), Limits(bundle_bytes=100)
    )
    assert isinstance(Repository().run(bundle.find()).faults[0], MetadataTooLarge)


# --- folders and templates ------------------------------------------------------------------


def test_a_folder_may_be_the_plain_directory_of_the_in_toto_tools(tmp_path: Path) -> None:
    for document in CHAIN.evidence(WHEEL):
        (tmp_path / document.name).write_bytes(encode(document.content))
    repository = Repository()
    found = Finding()
    for place in folder.places(tmp_path, WHEEL.filename, DEFAULT):
        found += repository.run(place.find())
    assert len(found.documents) == 3


def test_a_folder_may_hold_bundles_of_many_files(tmp_path: Path) -> None:
    (tmp_path / (WHEEL.filename + ".intoto.jsonl")).write_bytes(CHAIN.bundle(WHEEL))
    first = folder.places(tmp_path, WHEEL.filename, DEFAULT)[0]
    assert len(Repository().run(first.find()).documents) == 3


def test_a_folder_is_not_left_through_a_filename(tmp_path: Path) -> None:
    assert len(folder.places(tmp_path / "a", "../b.whl", DEFAULT)) == 1


VALUES = {
    "project": "demo",
    "distribution": "Demo",
    "version": "1.0+local/../x",
    "filename": WHEEL.filename,
    "sha256": WHEEL.sha256,
}


def test_values_in_templates_are_encoded_with_nothing_safe() -> None:
    url = template.expand("https://meta.example/{project}/{version}?f={filename}", VALUES)
    assert url == f"https://meta.example/demo/1.0%2Blocal%2F..%2Fx?f={WHEEL.filename}"


def test_a_value_of_dots_does_not_climb() -> None:
    url = template.expand("https://meta.example/a/{project}/x", {"project": ".."})
    assert url == "https://meta.example/a/%2E%2E/x"


@pytest.mark.parametrize(
    "bad", ["https://{project}.example/x", "{project}://x/", "file:///{project}", "https://a/{b}"]
)
def test_a_bad_template_is_refused(bad: str) -> None:
    with pytest.raises(PolicyInvalid):
        template.expand(bad, VALUES)


def test_a_template_gives_a_bundle_or_a_directory() -> None:
    repository = Repository()
    for spelled in ("https://m.example/{filename}.jsonl", "https://m.example/{filename}/"):
        for place in template.places(spelled, VALUES, DEFAULT):
            repository.run(place.find())
    assert repository.asked == [
        f"https://m.example/{WHEEL.filename}.jsonl",
        f"https://m.example/{WHEEL.filename}/root.layout",
    ]


def test_a_template_may_wait_for_the_digest() -> None:
    assert template.needs_digest("https://m.example/{sha256}")
    assert not template.needs_digest("https://m.example/{filename}")


def test_a_template_has_an_address_for_a_filename_that_is_no_text() -> None:
    values = {"filename": "demo-1.0-\udcff.whl"}
    assert template.expand("https://host/{filename}", values).startswith("https://host/demo-1.0-%")
