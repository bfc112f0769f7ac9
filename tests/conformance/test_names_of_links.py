"""N: where links are looked for in the directory form, and what their names may be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import LinkMissing, MetadataMalformed
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.sources.remote import RemoteDirectory
from pip_intoto.verification.chain import wanted_names
from pip_intoto.verification.roots import root_layouts
from tests.unit.sources.repository import Repository
from tests.unit.verification.supply import (
    BUILDER,
    NOW,
    OWNER,
    TAGGER,
    build_link,
    build_step,
    chain,
    check,
    layout,
    passes,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from pip_intoto.metadata.bundle import Document

FOLDER = "https://example.org/demo-1.0-py3-none-any.whl.intoto/"


def published(build: str) -> tuple[Repository, list[Document]]:
    """What is found in a directory on the web in which the link of the build is called so."""
    contents = {
        "root.layout": authoring.sign(layout(), [OWNER]),
        f"tag.{TAGGER.keyid[:8]}.link": authoring.sign(tag_link(), [TAGGER]),
        build: authoring.sign(build_link(), [BUILDER]),
    }
    repository = Repository(
        {FOLDER + name: json.dumps(contents[name]).encode() for name in contents}
    )
    place = RemoteDirectory(FOLDER, None, DEFAULT)
    found = repository.run(place.find())
    (root,) = root_layouts(found.documents, trust(), NOW)
    found += repository.run(place.find_named(wanted_names(root, found.documents, trust(), NOW)))
    return repository, list(found.documents)


@pytest.mark.accepts("N1")
def test_N1_a_link_under_the_first_eight_digits_is_found() -> None:
    _, documents = published(f"build.{BUILDER.keyid[:8]}.link")
    assert passes(documents)


@pytest.mark.rejects("N1")
@pytest.mark.parametrize(
    "name",
    [
        f"build.{BUILDER.keyid[:12]}.link",
        f"build.{BUILDER.keyid}.link",
        f"build.{BUILDER.keyid[:8].upper()}.link",
        f"build.{TAGGER.keyid[:8]}.link",
        f"build.{BUILDER.keyid[:8]}",
        "build.link",
    ],
)
def test_N1_a_link_under_another_name_is_not_asked_for(name: str) -> None:
    repository, documents = published(name)
    assert FOLDER + name not in repository.asked
    with pytest.raises(LinkMissing) as caught:
        check(documents)
    assert f"build.{BUILDER.keyid[:8]}.link" in caught.value.expected


@pytest.mark.rejects("N3")
@pytest.mark.parametrize("name", ["../evil", "..", "a/../../evil", "/etc/passwd", "a\\b", ""])
def test_N3_names_that_leave_the_directory_are_never_asked_for(name: str) -> None:
    root = layout(tag_step(), build_step(name=name))
    with pytest.raises(MetadataMalformed):
        check(chain(root=root, build=build_link(name=name)))


@pytest.mark.accepts("N4")
@pytest.mark.rejects("N4")
@pytest.mark.parametrize("name", ["tag", "Build", "build ", "", "build.x"])
def test_N4_a_link_counts_for_the_step_that_it_names_and_for_no_other(name: str) -> None:
    assert passes(chain())
    with pytest.raises(LinkMissing):
        check(chain(build=build_link(name=name)))
