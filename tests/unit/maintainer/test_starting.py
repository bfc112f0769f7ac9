"""The text that `init` writes: a layout source, whatever the names in it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.maintainer.layouts.layout_source import parse_source
from pip_intoto.maintainer.projects.members import (
    Allowed,
    Matched,
    Origin,
    Origins,
    Prepared,
    Refused,
)
from pip_intoto.maintainer.projects.starting import STEPS, Key, Start, compose
from pip_intoto.metadata.rules import Allow, Create, Disallow, Match
from tests.integration.maintaining import write_key

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.layouts.layout_source import (
        LayoutSource,
        SourceInspection,
        SourceStep,
    )

ORIGINS = Origins(
    info="demo",
    matched=(Matched(pattern="demo/*", below="src", members=("demo/__init__.py",)),),
    versioned=(),
    prepared=(Prepared(pattern="demo-*.dist-info/METADATA"),),
    allowed=(
        Allowed(pattern="demo-*.dist-info/WHEEL", origin=Origin.BUILD),
        Allowed(pattern="demo-*.dist-info/RECORD", origin=Origin.BUILD),
    ),
    refused=(),
)
ROLES = ("owner", "author", "reviewer", "builder", "publisher")


def start(
    *steps: str,
    origins: Origins = ORIGINS,
    recorded: tuple[str, ...] = ("pyproject.toml", "src"),
    distribution: str = "demo",
) -> Start:
    return Start(
        project="demo",
        distribution=distribution,
        wheel=f"{distribution}-1.0-py3-none-any.whl",
        backend="hatchling.build",
        roles={role: (Key(name=role, public=f"keys/{role}.pub"),) for role in ROLES},
        steps=frozenset({"source", "build", *steps}),
        recorded=recorded,
        folders=frozenset({"src"}),
        prepared=("demo-*.dist-info/METADATA",),
        origins=origins,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("source")
    for role in ROLES:
        write_key(made / "keys" / role)
    return made


def parsed(folder: Path, begun: Start) -> LayoutSource:
    return parse_source(compose(begun).encode(), folder / "supply-chain.toml")


def items(source: LayoutSource) -> list[SourceStep | SourceInspection]:
    return [*source.steps, *source.inspections]


def texts(source: LayoutSource, name: str, side: str = "products") -> list[str]:
    (item,) = (each for each in items(source) if each.name == name)
    return [str(each.rule) for each in (item.products if side == "products" else item.materials)]


@given(steps=st.sets(st.sampled_from(sorted(STEPS))))
def test_every_list_ends_with_disallow(folder: Path, steps: set[str]) -> None:
    source = parsed(folder, start(*steps))
    order = [step.name for step in source.steps]
    assert order == [name for name in STEPS if name in {"source", "build", *steps}]
    for item in items(source):
        for rules in (item.materials, item.products):
            assert rules[-1].rule == Disallow("*")


@given(steps=st.sets(st.sampled_from(sorted(STEPS))))
def test_no_rule_is_for_any_metadata_or_any_distribution(folder: Path, steps: set[str]) -> None:
    source = parsed(folder, start(*steps))
    for item in items(source):
        for each in (*item.materials, *item.products):
            if isinstance(each.rule, (Allow, Create)):
                assert not each.rule.pattern.endswith("dist-info/*")
                last = each.rule.pattern.rpartition("/")[2]
                assert last != "*" or each.rule.pattern in {"src/*", "wheel/demo.libs/*"}
                if each.rule.pattern.endswith(".whl"):
                    assert each.rule.pattern == "demo-*.whl"


def test_all_owners_are_to_sign(folder: Path) -> None:
    begun = start()
    owners = tuple(Key(name=name, public=f"keys/{name}.pub") for name in ("owner", "reviewer"))
    source = parsed(folder, replace(begun, roles={**begun.roles, "owner": owners}))
    assert [key.name for key in source.owners] == ["owner", "reviewer"]
    assert source.threshold == 2
    assert parsed(folder, begun).threshold == 1


def test_without_more_steps_the_wheel_is_held_against_source_and_build(folder: Path) -> None:
    source = parsed(folder, start())
    assert texts(source, "build", "materials") == [
        "REQUIRE pyproject.toml",
        "MATCH * WITH PRODUCTS FROM source",
        "DISALLOW *",
    ]
    assert texts(source, "wheel", "materials") == [
        "MATCH demo-*.whl WITH PRODUCTS FROM build",
        "DISALLOW *",
    ]
    assert texts(source, "wheel") == [
        "MATCH demo-*.whl WITH PRODUCTS FROM build",
        "MATCH demo/* IN wheel WITH PRODUCTS IN src FROM source",
        "MATCH demo-*.dist-info/METADATA IN wheel WITH PRODUCTS IN wheel-metadata FROM source",
        "DISALLOW wheel/demo-*.data/*",
        "ALLOW wheel/demo-*.dist-info/WHEEL",
        "ALLOW wheel/demo-*.dist-info/RECORD",
        "DISALLOW *",
    ]


def test_where_there_is_a_review_the_wheel_is_held_against_what_was_reviewed(folder: Path) -> None:
    source = parsed(folder, start("review"))
    for name, side in (("wheel", "products"), ("build", "materials")):
        (item,) = (each for each in items(source) if each.name == name)
        rules = item.products if side == "products" else item.materials
        tied = [each.rule for each in rules if isinstance(each.rule, Match)]
        of_members = [rule for rule in tied if rule.step != "build"]
        assert {(rule.step, rule.destination) for rule in of_members} == {("review", "materials")}


@pytest.mark.parametrize(
    ("steps", "step"),
    [((), "build"), (("repair",), "repair"), (("publish",), "publish"), (("test",), "build"),
     (("repair", "publish", "test"), "publish")],
)  # fmt: skip
def test_the_last_step_that_has_the_wheel_carries_it(
    folder: Path, steps: tuple[str, ...], step: str
) -> None:
    source = parsed(folder, start(*steps))
    assert texts(source, "wheel", "materials")[0] == f"MATCH demo-*.whl WITH PRODUCTS FROM {step}"


def test_a_repair_may_add_libraries(folder: Path) -> None:
    added = ["ALLOW wheel/demo.libs/*", "ALLOW wheel/demo-*.dist-info/sboms/auditwheel.cdx.json"]
    assert set(added) <= set(texts(parsed(folder, start("repair")), "wheel"))
    assert set(added).isdisjoint(texts(parsed(folder, start()), "wheel"))
    # The wheel that was looked at may have been repaired, by another tool.
    dylibs = Allowed(pattern="demo/.dylibs/*", origin=Origin.REPAIR)
    origins = replace(ORIGINS, allowed=(*ORIGINS.allowed, dylibs))
    found = texts(parsed(folder, start("repair", origins=origins)), "wheel")
    assert ["ALLOW wheel/demo/.dylibs/*", added[1]] == [
        text for text in found if "dylibs" in text or "libs/" in text or "sboms" in text
    ]


def test_a_compiled_module_at_the_top_is_no_way_out_of_the_packages(folder: Path) -> None:
    # pip spreads `_fast.x.data/purelib/…` over everything, whatever stands before `.data`.
    compiled = tuple(
        Allowed(pattern=pattern, origin=Origin.COMPILED)
        for pattern in ("_fast.*.so", "_fast.*.pyd", "demo/_core.*.so", "_stable.abi3.so")
    )
    origins = replace(ORIGINS, allowed=(*ORIGINS.allowed, *compiled))
    found = texts(parsed(folder, start(origins=origins)), "wheel")
    forbidden = found.index("DISALLOW wheel/_fast.*data/*")
    assert forbidden < found.index("ALLOW wheel/_fast.*.so")
    assert [text for text in found if text.startswith("DISALLOW ")] == [
        "DISALLOW wheel/demo-*.data/*",
        "DISALLOW wheel/_fast.*data/*",
        "DISALLOW *",
    ]


def test_the_tested_wheel_is_the_one_in_hand(folder: Path) -> None:
    source = parsed(folder, start("test"))
    assert texts(source, "tested", "materials") == [
        "MATCH demo-*.whl WITH MATERIALS FROM test",
        "DISALLOW *",
    ]
    assert texts(source, "test") == ["DISALLOW *"]


def test_what_is_refused_stands_in_a_comment(folder: Path) -> None:
    refused = Refused(pattern="demo.pth", why="equals no source file: every start reads it")
    origins = Origins(
        info="demo", matched=(), versioned=(), prepared=(), allowed=(), refused=(refused,)
    )
    text = compose(start(origins=origins))
    assert "REFUSED: 'demo.pth' equals no source file" in text
    assert '    # "ALLOW wheel/demo.pth",' in text
    source = parsed(folder, start(origins=origins))
    assert not any("pth" in rule for rule in texts(source, "wheel"))
    # Without the mark of a comment it is a rule.
    uncommented = text.replace('# "ALLOW wheel/demo.pth"', '"ALLOW wheel/demo.pth"')
    edited = parse_source(uncommented.encode(), folder / "supply-chain.toml")
    assert "ALLOW wheel/demo.pth" in texts(edited, "wheel")


def test_one_key_may_have_several_roles_and_is_listed_once(folder: Path) -> None:
    key = Key(name="owner", public="keys/owner.pub")
    begun = start()
    text = compose(
        Start(
            **{name: getattr(begun, name) for name in Start.__slots__ if name != "roles"},
            roles={"owner": (key,), "author": (key,), "builder": (key,)},
        )
    )
    assert text.count("[keys.owner]  # owner, author, builder") == 1
    assert len(parse_source(text.encode(), folder / "supply-chain.toml").keys) == 1


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@given(path=NAMES, member=NAMES, name=NAMES)
def test_no_name_can_leave_its_place_in_the_text(
    folder: Path, path: str, member: str, name: str
) -> None:
    origins = Origins(
        info=name,
        matched=(Matched(pattern=member, inside=path, below=path, members=(f"{path}/x",)),),
        versioned=(),
        prepared=(),
        allowed=(Allowed(pattern=member, origin=Origin.GENERATED),),
        refused=(Refused(pattern=member, why="is there"),),
    )
    source = parsed(folder, start(origins=origins, recorded=("pyproject.toml", path)))
    inspection = source.inspections[0]
    assert [type(each.rule) for each in inspection.products] == [
        *(Match, Match, Disallow, Allow, Disallow)
    ]
    tied = inspection.products[1].rule
    assert isinstance(tied, Match)
    assert (tied.pattern, tied.source_prefix) == (member, f"wheel/{path}")
    assert inspection.products[3].rule == Allow(f"wheel/{member}")


@given(words=st.lists(NAMES.filter(str.isprintable), min_size=1, max_size=6))
def test_command_lines_in_comments_are_for_a_shell(words: list[str]) -> None:
    text = compose(start(recorded=("pyproject.toml", *words)))
    lines = [line.removeprefix("#") for line in text.splitlines() if line.startswith("#     ")]
    typed = shlex.split("\n".join(lines))
    for word in words:
        assert word in typed
