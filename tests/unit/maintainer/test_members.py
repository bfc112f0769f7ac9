"""Where members of a wheel come from: the fewest rules, and none that is wider than needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.projects.members import Origin, of_any_version, trace_members
from pip_intoto.verification.patterns import compile_pattern

if TYPE_CHECKING:
    from pip_intoto.maintainer.projects.members import Origins

INFO = "demo-1.0.dist-info"
METADATA = {f"{INFO}/{name}": name for name in ("METADATA", "WHEEL", "RECORD")}
PREPARED = {f"{INFO}/METADATA": "METADATA"}


def traced(
    members: dict[str, str], sources: dict[str, str], prepared: dict[str, str] | None = None
) -> Origins:
    return trace_members(
        {**METADATA, **members}, sources, PREPARED if prepared is None else prepared
    )


def rules(origins: Origins) -> list[tuple[str, str, str]]:
    return [(rule.pattern, rule.inside, rule.below) for rule in origins.matched]


def same(*names: str) -> dict[str, str]:
    """Files with contents of their own."""
    return {name: f"content of {name.rpartition('/')[2]}" for name in names}


@pytest.mark.parametrize(
    ("members", "sources", "expected"),
    [
        pytest.param(
            ("demo/__init__.py", "demo/sub/a.py"),
            ("src/demo/__init__.py", "src/demo/sub/a.py"),
            [("demo/*", "", "src")],
            id="src layout",
        ),
        pytest.param(
            ("demo/__init__.py",), ("demo/__init__.py",), [("demo/*", "", "")], id="flat layout"
        ),
        pytest.param(("demo.py",), ("src/demo.py",), [("demo.py", "", "src")], id="one module"),
        pytest.param(
            ("demo/__init__.py", "demo/sub/a.py"),
            ("lib/impl/__init__.py", "lib/impl/sub/a.py"),
            [("*", "demo", "lib/impl")],
            id="a package from a folder of another name",
        ),
        pytest.param(
            ("acme/tools/demo/__init__.py", "acme/tools/demo/a.py"),
            ("acme/tools/demo/__init__.py", "acme/tools/demo/a.py"),
            [("acme/tools/demo/*", "", "")],
            id="a namespace package, without the namespace",
        ),
        pytest.param(
            ("demo/__init__.py", "extra/__init__.pyi"),
            ("src/demo/__init__.py", "src/extra/__init__.pyi"),
            [("demo/*", "", "src"), ("extra/*", "", "src")],
            id="two packages",
        ),
        pytest.param(
            ("demo/__init__.py", "demo/data/schema.json"),
            ("src/demo/__init__.py", "schemas/schema.json"),
            [("demo/*", "", "src"), ("schema.json", "demo/data", "schemas")],
            id="a file from elsewhere, by its name",
        ),
        pytest.param(
            ("demo/LICENSE", "demo/__init__.py"),
            ("LICENSE", "src/demo/__init__.py"),
            [("demo/*", "", "src"), ("LICENSE", "demo", "")],
            id="a file from the top, and not all of the top",
        ),
        pytest.param(
            ("demo.pth", "demo/__init__.py"),
            ("demo.pth", "demo/__init__.py"),
            [("demo.pth", "", ""), ("demo/*", "", "")],
            id="a .pth out of the source, by its name",
        ),
        pytest.param(
            ("demo/a[1].txt", "demo*.py"),
            ("src/demo/a[1].txt", "src/demo*.py"),
            [("demo[*].py", "", "src"), ("demo/*", "", "src")],
            id="names that look like patterns",
        ),
    ],
)
def test_members_that_equal_sources_are_tied_to_them(
    members: tuple[str, ...], sources: tuple[str, ...], expected: list[tuple[str, str, str]]
) -> None:
    origins = traced(same(*members), same(*sources))
    assert sorted(rules(origins)) == sorted(expected)
    assert {rule.pattern for rule in origins.allowed} == {
        "demo-*.dist-info/WHEEL",
        "demo-*.dist-info/RECORD",
    }
    assert not origins.refused


def test_empty_files_go_with_their_neighbours() -> None:
    members = {
        **dict.fromkeys([f"demo/{sub}/__init__.py" for sub in "abcdef"], "empty"),
        **same("demo/a/code.py", "demo/__init__.py"),
    }
    sources = {f"src/{name}": digest for name, digest in members.items()}
    sources |= dict.fromkeys([f"tests/{sub}/__init__.py" for sub in range(100)], "empty")
    assert rules(traced(members, sources)) == [("demo/*", "", "src")]


def test_a_file_with_the_same_name_and_other_bytes_is_no_source() -> None:
    origins = traced({"demo/_version.py": "generated"}, {"src/demo/_version.py": "committed"})
    assert not origins.matched
    assert ("demo/_version.py", Origin.GENERATED) in {
        (rule.pattern, rule.origin) for rule in origins.allowed
    }


@pytest.mark.parametrize(
    ("member", "patterns", "others"),
    [
        (
            "demo/_fast.cpython-313-x86_64-linux-gnu.so",
            ["demo/_fast.*.so", "demo/_fast.*.pyd"],
            ["demo/_fast.py", "demo/_faster.abi3.so", "demo/_fast/__init__.py"],
        ),
        (
            "demo/_fast.cp313-win_amd64.pyd",
            ["demo/_fast.*.so", "demo/_fast.*.pyd"],
            ["demo/_fast.py"],
        ),
        ("_fast.abi3.so", ["_fast.abi3.so", "_fast.pyd"], ["_fast.py", "_fast.x.so"]),
        ("_fast.so", ["_fast.so", "_fast.pyd"], ["_fast.py"]),
    ],
)
def test_a_compiled_module_is_allowed_on_every_platform_and_nothing_beside_it(
    member: str, patterns: list[str], others: list[str]
) -> None:
    found = [
        rule.pattern
        for rule in traced({member: "compiled"}, {}).allowed
        if rule.origin is Origin.COMPILED
    ]
    assert found == patterns
    for name in (member, *others):
        assert any(compile_pattern(each).matches(name) for each in found) == (name == member)


def test_libraries_of_a_repair_are_allowed_by_their_folder() -> None:
    origins = traced(
        {
            "demo.libs/libz-1a2b.so.1": "a",
            "demo.libs/libx.so": "b",
            "demo/.dylibs/libz.dylib": "c",
            f"{INFO}/sboms/auditwheel.cdx.json": "d",
        },
        {},
    )
    repaired = {rule.pattern for rule in origins.allowed if rule.origin is Origin.REPAIR}
    sbom = "demo-*.dist-info/sboms/auditwheel.cdx.json"
    assert repaired == {"demo.libs/*", "demo/.dylibs/*", sbom}


def test_metadata_is_tied_to_what_is_prepared() -> None:
    origins = traced(
        {f"{INFO}/entry_points.txt": "e", f"{INFO}/licenses/LICENSE": "l", f"{INFO}/extra": "x"},
        {},
        {**PREPARED, f"{INFO}/entry_points.txt": "e", f"{INFO}/licenses/LICENSE": "other"},
    )
    assert [rule.pattern for rule in origins.prepared] == [
        "demo-*.dist-info/METADATA",
        "demo-*.dist-info/entry_points.txt",
    ]
    allowed = {rule.pattern: rule.origin for rule in origins.allowed}
    assert allowed["demo-*.dist-info/licenses/LICENSE"] is Origin.DIFFERS
    assert allowed["demo-*.dist-info/extra"] is Origin.GENERATED


@pytest.mark.parametrize(
    ("member", "pattern", "why"),
    [
        (f"{INFO}/entry_points.txt", "demo-*.dist-info/entry_points.txt", "commands"),
        ("demo.pth", "demo.pth", "start of Python"),
        ("demo/nested.pth", "demo/nested.pth", "start of Python"),
        ("demo-1.0.data/scripts/run", "demo-*.data/scripts/run", "outside the packages"),
        ("demo-1.0.data/purelib/x.pth", "demo-*.data/purelib/x.pth", "start of Python"),
        ("demo-1.0.data/headers/a.h", "demo-*.data/headers/a.h", "outside the packages"),
    ],
)
def test_what_has_power_and_no_source_gets_no_rule(member: str, pattern: str, why: str) -> None:
    origins = traced({member: "made by the build"}, {"other/run": "the source"})
    (refused,) = origins.refused
    assert refused.pattern == pattern
    assert why in refused.why
    assert compile_pattern(refused.pattern).matches(member)
    assert not any(compile_pattern(rule.pattern).matches(member) for rule in origins.allowed)


def test_files_outside_the_packages_are_tied_by_rules_that_name_the_version() -> None:
    origins = traced(
        {"demo-1.0.data/scripts/run": "r", "demo-1.0.data/data/share/man/demo.1": "m"},
        {"bin/run": "r", "man/demo.1": "m"},
    )
    assert [(rule.pattern, rule.inside, rule.below) for rule in origins.versioned] == [
        ("man/*", "demo-1.0.data/data/share", ""),
        ("run", "demo-1.0.data/scripts", "bin"),
    ]
    assert not origins.matched
    assert not origins.refused


@pytest.mark.parametrize("spelled", ["demo_pkg", "Demo.Pkg", "demo.pkg", "DEMO_PKG"])
def test_names_stand_in_patterns_as_the_wheel_spells_them(spelled: str) -> None:
    info = f"{spelled}-1.0.dist-info"
    members = {f"{info}/{name}": name for name in ("METADATA", "WHEEL", "RECORD")}
    origins = trace_members(members, {}, {f"{info}/METADATA": "METADATA"})
    assert origins.info == spelled
    assert [rule.pattern for rule in origins.prepared] == [f"{spelled}-*.dist-info/METADATA"]


def test_a_wheel_of_another_version_than_the_sources_is_refused() -> None:
    with pytest.raises(CommandError, match="another version"):
        trace_members(METADATA, {}, {"demo-2.0.dist-info/METADATA": "METADATA"})


@pytest.mark.parametrize("infos", [(), ("demo-1.0", "evil-1.0")])
def test_a_wheel_has_one_folder_of_metadata(infos: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="exactly one folder"):
        trace_members({f"{info}.dist-info/METADATA": "m" for info in infos}, {}, {})


def test_patterns_of_metadata_are_for_all_versions() -> None:
    assert of_any_version("a_b-1.0+x.dist-info/licenses/[L]") == "a_b-*.dist-info/licenses/[[]L]"
    with pytest.raises(CommandError, match="no file of a wheel's metadata"):
        of_any_version("demo/METADATA")


NAMES = st.lists(st.sampled_from(["demo", "a", "b", "__init__.py", "c.py"]), min_size=1, max_size=4)
FILES = st.dictionaries(NAMES.map("/".join), st.sampled_from("xyz"), max_size=8)


@given(members=FILES, sources=FILES)
def test_every_member_is_tied_to_equal_bytes_or_allowed_by_its_own_name(
    members: dict[str, str], sources: dict[str, str]
) -> None:
    origins = traced(members, sources)
    tied = {name for rule in origins.matched for name in rule.members}
    for rule in origins.matched:
        for name in rule.members:
            rest = name[len(rule.inside) + 1 :] if rule.inside else name
            assert compile_pattern(rule.pattern).matches(rest)
            assert sources[f"{rule.below}/{rest}" if rule.below else rest] == members[name]
    named = {rule.pattern for rule in origins.allowed if rule.origin is Origin.GENERATED}
    assert named == members.keys() - tied
