"""Which links count together, and which choice of them is found."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from pip_intoto.errors import MetadataTooLarge
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.verification.choice import Candidate, qualifying_groups
from pip_intoto.verification.record import Record
from tests.unit.verification.supply import (
    BUILDER,
    OTHER_BUILDER,
    OWNER,
    PRODUCTS,
    SECOND_OWNER,
    SOURCES,
    SUBJECT,
    TAGGER,
    WHEEL,
    WHEEL_CONTENT,
    build_link,
    build_step,
    chain,
    check,
    digests,
    document,
    layout,
    passes,
    sha256,
    tag_link,
    tag_step,
    trust,
)

TWO_BUILDERS = build_step(pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid], threshold=2)


def with_sha512(of: str) -> dict[str, dict[str, str]]:
    """The sources, one of which has a second digest."""
    name = "src/demo.py"
    return SOURCES | {name: SOURCES[name] | {"sha512": sha256(of) * 2}}


@pytest.mark.parametrize("longer", Envelope)
@pytest.mark.parametrize("shorter", Envelope)
def test_T2_a_report_that_two_give_does_not_hide_that_they_agree_with_a_shorter_one(
    longer: Envelope, shorter: Envelope
) -> None:
    # One builder says less than the other: what both say fits what was tagged.
    says_more = build_link(materials=with_sha512("not as tagged"))
    pool = [
        document(layout(tag_step(), TWO_BUILDERS), OWNER),
        document(tag_link(with_sha512("as tagged")), TAGGER),
        document(says_more, BUILDER, envelope=longer),
        document(build_link(), OTHER_BUILDER, envelope=shorter),
    ]
    assert passes(pool)
    # It fits no less when the other one says the more as well.
    assert passes([*pool, document(says_more, OTHER_BUILDER, envelope=longer)])


def test_A8_of_several_links_that_would_do_the_same_one_is_taken_in_any_order() -> None:
    twice = {f"out/{WHEEL}": digests(WHEEL_CONTENT), **PRODUCTS}
    root = document(
        layout(
            tag_step(),
            build_step(
                pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid],
                expected_products=[["ALLOW", "*"]],
            ),
        ),
        OWNER,
    )
    pool = [
        root,
        document(tag_link(), TAGGER),
        document(build_link(), BUILDER),
        document(build_link(twice), OTHER_BUILDER),
    ]
    one, other = check(pool), check(pool[::-1])
    assert one == other
    assert len(one.links) == 2


def test_A8_of_copies_of_a_layout_the_one_that_more_owners_signed_is_taken_in_any_order() -> None:
    trusted = trust(OWNER, SECOND_OWNER, threshold=1)
    value = layout()
    copies = [
        document(value, OWNER),
        document(value, SECOND_OWNER),
        document(value, OWNER, SECOND_OWNER),
    ]
    for order in (copies, copies[::-1], [copies[2], *copies[:2]]):
        found = check([*order, *chain()[1:]], trusted=trusted)
        assert found.layout_sha256 == copies[2].envelope.sha256
        assert len(found.signed_by) == 2


def test_the_links_of_one_release_are_found_among_those_of_many_in_any_order() -> None:
    releases = range(3 * DEFAULT.choices)
    pool = [chain()[0]]
    for release in releases:
        sources = {"src/demo.py": digests(f"source {release}")}
        wheel = {f"dist/demo-1.0.{release}-py3-none-any.whl": digests(f"wheel {release}")}
        pool.append(document(tag_link(sources), TAGGER))
        pool.append(document(build_link(wheel, sources), BUILDER))
    random.Random(4).shuffle(pool)
    for release in (releases[0], releases[-1]):
        subject = replace(
            SUBJECT,
            filename=f"demo-1.0.{release}-py3-none-any.whl",
            sha256=sha256(f"wheel {release}"),
        )
        assert len(check(pool, subject=subject).links) == 2
    with pytest.raises(MetadataTooLarge):
        check(pool, subject=replace(SUBJECT, filename="demo-9-py3-none-any.whl"))


def test_A8_of_several_files_of_the_name_the_same_one_is_bound_in_any_order() -> None:
    copies = {f"{folder}/{WHEEL}": digests(WHEEL_CONTENT) for folder in ("dist", "copy")}
    root = layout(tag_step(), build_step(expected_products=[["ALLOW", "*"]]))
    bound = [
        check(chain(root=root, build=build_link(order), envelope=Envelope.METABLOCK)).binding
        for order in (copies, dict(reversed(copies.items())))
    ]
    assert bound[0] is not None
    assert bound[0] == bound[1]


def test_T2_reports_that_agree_in_too_many_ways_are_refused_however_high_the_threshold() -> None:
    """They agree in the sha256, and each has a digest more that nobody else has."""
    many = 1_100
    step = parse_layout(Node(layout(build_step(threshold=many))), DEFAULT).steps[0]
    candidates = [
        Candidate(
            record=Record(materials={}, products={"a": digests("a") | {f"x{number}": "1"}}),
            principals={f"party {number}": f"party {number}"},
            signings=frozenset({(f"party {number}", f"key {number}")}),
            content=document(build_link(command=[str(number)]), BUILDER).envelope.content,
            documents=(f"{number}",),
        )
        for number in range(many)
    ]
    assert qualifying_groups(step, candidates[1:], DEFAULT) == ()
    with pytest.raises(MetadataTooLarge, match="agree in too many ways"):
        qualifying_groups(step, candidates, replace(DEFAULT, documents=many))


@pytest.mark.parametrize("threshold", [1, 2])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5"])
def test_T2_thousands_of_links_that_disagree_late_do_not_take_long(
    threshold: int, algorithm: str
) -> None:
    many = 1_000
    step = parse_layout(Node(layout(build_step(threshold=threshold))), DEFAULT).steps[0]
    same = {f"file {number}": {algorithm: sha256("same") * 2} for number in range(100)}
    content = document(build_link(), BUILDER).envelope.content
    candidates = [
        Candidate(
            record=Record(
                materials={}, products=same | {"last": {algorithm: sha256(f"{number // 2}")}}
            ),
            principals={f"party {number % 2}": f"party {number % 2}"},
            signings=frozenset({(f"party {number % 2}", f"key {number % 2}")}),
            content=content,
            documents=(f"{number}",),
        )
        for number in range(many)
    ]
    begun = time.process_time()
    found = qualifying_groups(step, candidates, DEFAULT)
    assert time.process_time() - begun < 2
    # Two each report the same, which counts where it can be compared.
    assert len(found) == (0 if threshold == 2 and algorithm == "md5" else many // 2)
