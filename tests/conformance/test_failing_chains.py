"""What a chain that fails says, from the engine and from the command as people run it.

Who reads it wants to know which step, which rule, which artifact, what was expected and what was
found, in which document, by whose word, and which rule would have let the artifact pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from pip_intoto.artifacts.inspector import FileInspector
from pip_intoto.errors import EvidenceInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring
from tests.conformance.releases import Release, layout
from tests.unit.verification.supply import (
    BUILDER,
    OTHER_BUILDER,
    OWNER,
    SOURCES,
    TAGGER,
    VENDOR,
    WHEEL,
    WHEEL_CONTENT,
    build_link,
    build_step,
    chain,
    check,
    digests,
    document,
    sha256,
    tag_link,
    tag_step,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document

CHANGED = {**SOURCES, "src/demo.py": digests("import evil")}
TWO_BUILDERS = build_step(threshold=2, pubkeys=[BUILDER.keyid, OTHER_BUILDER.keyid])
MANY = {f"src/{number:05}.py": digests(f"{number}") for number in range(10_000)}
OTHERS = {name: digests(f"other {name}") for name in MANY}


@pytest.fixture
def release(tmp_path: Path) -> Release:
    made = Release(tmp_path)
    made.write(f"product/{WHEEL}", WHEEL_CONTENT)
    return made


def of_engine(documents: Sequence[Document]) -> str:
    """Give the whole message of a chain that fails."""
    with pytest.raises(EvidenceInvalid) as caught:
        check(documents, limits=LOCAL)
    error = caught.value
    return f"{error}\n{error.expected}\n{error.found}\n{error.advice}"


# --- an artifact that changed between two steps ---------------------------------------------------

#: In the order in which they stand.
CHANGED_SAYS = (
    "step build, expected_materials[1]",
    "used 'src/demo.py'",
    "`DISALLOW *`",
    "`MATCH * WITH PRODUCTS FROM tag` (expected_materials[0]) allows it with",
    f"sha256 {SOURCES['src/demo.py']['sha256']}",
    "tag",
    f"signed by key {TAGGER.keyid[:8]}",
    "'src/demo.py'",
    f"sha256 {sha256('import evil')}",
    "build",
    f"signed by key {BUILDER.keyid[:8]}",
)


def in_order(text: str, words: Sequence[str]) -> bool:
    """Tell whether ``words`` stand in ``text`` one after the other; the rest of the text if not."""
    for word in words:
        before, found, text = text.partition(word)
        assert found, f"{word!r} is not in {before!r}"
    return True


def test_the_engine_names_step_rule_artifact_digests_documents_and_signers() -> None:
    assert in_order(of_engine(chain(build=build_link(materials=CHANGED))), CHANGED_SAYS)


def test_the_command_names_the_files_as_well(release: Release) -> None:
    release.put_chain(build=build_link(materials=CHANGED))
    answer = release.verify(WHEEL)
    assert answer.status == 1
    assert in_order(answer.out, CHANGED_SAYS)
    for name in (f"tag.{TAGGER.keyid[:8]}.link", f"build.{BUILDER.keyid[:8]}.link"):
        assert f"({release.links / name}, signed by " in answer.out
    assert "0 verified, 1 invalid" in answer.out


def test_the_command_says_the_same_in_json(release: Release) -> None:
    release.put_chain(build=build_link(materials=CHANGED))
    verdict = release.verify("--format", "json", WHEEL).verdict
    assert verdict["reason"] == "rule-violated"
    assert in_order("\n".join((verdict["summary"], verdict["expected"], verdict["found"])),
                    CHANGED_SAYS)  # fmt: skip


# --- other ways to fail ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["engine", "command"])
def test_a_product_that_no_rule_allows(release: Release, form: str) -> None:
    link = build_link({"dist/demo-2.0.whl": digests("2.0")})
    if form == "engine":
        text = of_engine(chain(build=link))
    else:
        release.put_chain(build=link)
        text = release.verify(WHEEL).out
    # Of the rules before it, the one that came nearest, and what it lacked.
    assert in_order(text, ("step build, expected_products[2]", "made 'dist/demo-2.0.whl'",
                           "`DISALLOW *`", "`MATCH * WITH PRODUCTS FROM tag`",
                           "but 'dist/demo-2.0.whl' is not there", "tag",
                           f"sha256 {sha256('2.0')}", f"signed by key {BUILDER.keyid[:8]}"),
    )  # fmt: skip


@pytest.mark.parametrize("form", ["engine", "command"])
def test_functionaries_who_disagree(release: Release, form: str) -> None:
    other = build_link({f"dist/{WHEEL}": digests("evil")})
    root = layout(tag_step(), TWO_BUILDERS)
    if form == "engine":
        text = of_engine([*chain(root=root), document(other, OTHER_BUILDER, origin="other link")])
    else:
        release.put_chain(root=root)
        release.put(other, OTHER_BUILDER)
        text = release.verify(WHEEL).out
        for key in (BUILDER, OTHER_BUILDER):
            assert str(release.links / f"build.{key.keyid[:8]}.link") in text
    assert in_order(text, ("step build", f"different products, 'dist/{WHEEL}': sha256 "))
    for key, content in ((BUILDER, WHEEL_CONTENT), (OTHER_BUILDER, "evil")):
        said = text.partition(f"sha256 {sha256(content)} (")[2].partition(")")[0]
        assert said.endswith(f"signed by key {key.keyid[:8]}")


@pytest.mark.parametrize("form", ["engine", "command"])
def test_a_rule_of_a_sublayout(release: Release, form: str) -> None:
    inner = layout(
        authoring.step("pack", functionaries=[BUILDER], expected_materials=[["DISALLOW", "*"]]),
        keys=[BUILDER],
    )
    root = layout(tag_step(), build_step(pubkeys=[VENDOR.keyid]))
    link = authoring.link("pack", materials=SOURCES)
    if form == "engine":
        documents = [document(root, OWNER), document(tag_link(), TAGGER)]
        documents += [document(inner, VENDOR, origin="inner"), document(link, BUILDER)]
        text, place = of_engine(documents), "inner"
    else:
        release.put_layout(root)
        release.put(tag_link(), TAGGER)
        path = release.put(inner, VENDOR, name=f"build.{VENDOR.keyid[:8]}.link")
        name = f"build.{VENDOR.keyid[:8]}/pack.{BUILDER.keyid[:8]}.link"
        release.put(link, BUILDER, name=name)
        text, place = release.verify(WHEEL).out, str(path)
        assert str(release.links / name) in text
    assert in_order(text, ("step build, sublayout ", place, ": step pack, expected_materials[0]",
                           "used 'pyproject.toml' and 1 other", "`DISALLOW *`",
                           f"signed by key {BUILDER.keyid[:8]}"))  # fmt: skip


@pytest.mark.parametrize("form", ["engine", "command"])
def test_a_rule_of_an_inspection(release: Release, form: str) -> None:
    built = wheel("demo")
    path = built.write(release.product)
    look = authoring.inspection(
        "look",
        run=["unzip", path.name],
        expected_products=[
            ["MATCH", "*", "WITH", "PRODUCTS", "IN", "dist", "FROM", "build"],
            ["MATCH", "demo.py", "WITH", "PRODUCTS", "IN", "src", "FROM", "tag"],
            ["DISALLOW", "*.py"],
        ],
    )
    root = layout(inspections=[look])
    link = build_link({f"dist/{path.name}": {"sha256": built.sha256}})
    if form == "engine":
        with pytest.raises(EvidenceInvalid) as caught:
            check(chain(root=root, build=link), inspector=FileInspector(path, path.name))
        error = caught.value
        text = f"{error}\n{error.expected}\n{error.found}"
    else:
        release.put_chain(root=root, build=link)
        text = release.verify(path).out
    assert in_order(text, ("inspection look, expected_products[2]", "found 'demo.py'",
                           "`DISALLOW *.py`", "`MATCH demo.py WITH PRODUCTS IN src FROM tag`",
                           f"sha256 {SOURCES['src/demo.py']['sha256']}", f"key {TAGGER.keyid[:8]}",
                           "'demo.py', sha256 "))  # fmt: skip


# --- ten thousand artifacts -----------------------------------------------------------------------


def large(kind: str) -> tuple[JsonObject, JsonObject]:
    """Give a build step that fails on ten thousand artifacts, and its link."""
    if kind == "changed":
        return build_step(), build_link(materials=OTHERS)
    if kind == "with many rules":
        rules = [["MATCH", f"src/{n:03}*", "WITH", "PRODUCTS", "FROM", "tag"] for n in range(100)]
        step = build_step(expected_materials=[*rules, ["DISALLOW", "*"]])
        return step, build_link(materials=OTHERS)
    if kind == "products":
        return build_step(), build_link({f"out/{n}": digests(f"{n}") for n in range(10_000)}, MANY)
    assert kind == "required"
    step = build_step(expected_products=[["REQUIRE", "dist/absent"]])
    return step, build_link({f"out/{n}/absent": digests(f"{n}") for n in range(10_000)}, MANY)


KINDS = ["changed", "with many rules", "products", "required"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_says_a_few_lines_of_ten_thousand_artifacts(kind: str) -> None:
    step, link = large(kind)
    text = of_engine(chain(root=layout(tag_step(), step), tag=tag_link(MANY), build=link))
    assert "step build" in text
    assert len(text) < 1_000


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_says_a_few_lines_of_ten_thousand_artifacts(
    release: Release, kind: str
) -> None:
    step, link = large(kind)
    release.put_chain(root=layout(tag_step(), step), tag=tag_link(MANY), build=link)
    answer = release.verify("-v", WHEEL)
    assert answer.status == 1
    assert "[rule-violated]" in answer.out
    assert len(answer.text.splitlines()) < 15
    assert len(answer.text) < 3_000
    assert len(release.verify("--format", "json", WHEEL).text) < 6_000


def test_disagreement_over_ten_thousand_artifacts_is_a_few_lines(release: Release) -> None:
    release.put_chain(
        root=layout(tag_step(), TWO_BUILDERS), tag=tag_link(MANY), build=build_link(materials=MANY)
    )
    release.put(build_link(materials=OTHERS), OTHER_BUILDER)
    answer = release.verify(WHEEL)
    assert "different materials, 'src/00000.py' and 9999 others: sha256 " in answer.out
    assert len(answer.text) < 2_000
