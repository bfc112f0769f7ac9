"""The first layout source of a project: the text that its maintainer edits from then on.

Every list of rules ends with DISALLOW *, and every rule says in a comment why it is there. Nothing
is read or written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.maintainer.projects import source_text as toml
from pip_intoto.maintainer.projects.members import REPAIR_SBOM, Origin
from pip_intoto.maintainer.projects.prepared import FOLDER
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.rules import Allow, Create, Disallow, Match, Modify, Require
from pip_intoto.verification.patterns import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pip_intoto.maintainer.projects.members import Matched, Origins
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.verification.record import Side

#: The steps that there can be, in the order of the chain, and who carries each out.
STEPS: Mapping[str, str] = {
    "source": "author",
    "review": "reviewer",
    "build": "builder",
    "repair": "builder",
    "test": "builder",
    "publish": "publisher",
}
#: Every chain has these.
NEEDED = ("source", "build")

_END = Disallow("*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of the source: its name there, and the path of its public part, relative to it."""

    name: str
    public: str

    @property
    def private(self) -> str:
        """Where `keygen` puts the private part."""
        return f"{self.public.removesuffix('.pub')}.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is known when a source is begun.

    ``distribution`` is the name as the wheel's filename spells it, ``project`` as PEP 503 does.
    ``roles`` gives the keys of the owners and of each functionary; ``recorded`` are the paths that
    the source step records, ``prepared`` the patterns of the metadata that `prepare` makes;
    ``links`` is the folder into which the commands put links.
    """

    project: str
    distribution: str
    wheel: str
    backend: str
    roles: Mapping[str, Sequence[Key]]
    steps: frozenset[str]
    recorded: tuple[str, ...]
    folders: frozenset[str]
    prepared: tuple[str, ...]
    origins: Origins
    links: str = "links"
    expires: str = "1 year"

    @property
    def wheels(self) -> str:
        """The pattern of the project's wheels."""
        return f"{escape(self.distribution)}-*.whl"

    @property
    def maker(self) -> str:
        """The step that made the wheels as they are published."""
        return "repair" if "repair" in self.steps else "build"

    @property
    def folder(self) -> str:
        """Where the wheels lie that are published."""
        return "wheelhouse" if self.maker == "repair" else "dist"

    def wheel_of(self, step: str, side: Side = "products") -> Match:
        """The rule for a wheel that must be the one of another step."""
        return Match(pattern=self.wheels, destination=side, step=step)

    def source(self, pattern: str, inside: str = "", below: str = "") -> Match:
        """The rule for what must equal a source: as it was reviewed, if it was."""
        reviewed = "review" in self.steps
        return Match(
            pattern=pattern,
            source_prefix=inside,
            destination="materials" if reviewed else "products",
            destination_prefix=below,
            step="review" if reviewed else "source",
        )


def compose(start: Start) -> str:
    """Write the source, as TOML."""
    parts = [
        _head(start),
        _keys(start),
        *(_STEPS[name](start) for name in STEPS if name in start.steps),
        _wheel(start),
    ]
    if "test" in start.steps:
        parts.append(_tested(start))
    parts.append(_source_archives(start))
    return "\n".join("\n".join(part) + "\n" for part in parts)


# --- head and keys --------------------------------------------------------------------------


def _head(start: Start) -> list[str]:
    return [
        *toml.comment(
            f"The supply chain of {start.project}, as `pip-intoto init` found it in"
            f" {start.wheel}, built by {start.backend}."
        ),
        "#",
        *toml.comment(
            "It is yours to edit. `pip-intoto layout lint` says what is unwise, and `pip-intoto"
            " layout build` makes the layout out of it, which the owners sign. A rule consumes the"
            " files that it fits, the first one that fits counts, and what is left over meets"
            " DISALLOW *. (`*` in patterns crosses `/`, and prefixes after IN have no patterns.)"
        ),
        "version = 1",
        f"project = {toml.text(start.project)}",
        "# Counted from `layout build`. Nobody can install after that: `layout renew` in time.",
        f"expires = {toml.text(start.expires)}",
    ]


def _keys(start: Start) -> list[str]:
    lines = [
        *toml.comment(
            "The owners sign the layout, and consumers trust their keys, and no other. They should"
            " not be used for anything else, and can stay offline."
        ),
        "[owners]",
        f"keys = {_names(start.roles['owner'])}",
        f"threshold = {len(start.roles['owner'])}",
        "",
        *toml.comment("Public keys, relative to this file. Private keys have no place beside it."),
    ]
    every = dict.fromkeys(key for keys in start.roles.values() for key in keys)
    for key in every:
        roles = [role for role, keys in start.roles.items() if key in keys]
        said = "" if roles == [key.name] else f"  # {', '.join(roles)}"
        lines += [f"[keys.{toml.key(key.name)}]{said}", f"public = {toml.text(key.public)}", ""]
    return lines[:-1]


def _names(keys: Iterable[Key]) -> str:
    return toml.array([key.name for key in keys])


# --- steps ----------------------------------------------------------------------------------


def _source(start: Start) -> list[str]:
    products = [
        Create(escape(path) + ("/*" if path in start.folders else "")) for path in start.recorded
    ]
    metadata = [Create(f"{FOLDER}/{pattern}") for pattern in start.prepared]
    return [
        *toml.comment(
            "The source: what the build reads, and the wheel's metadata as the build backend"
            " prepares it from that (`pip-intoto prepare`), so that dependencies and commands are"
            " the author's word, not the builder's. If the build reads more, add it here and to"
            " the commands."
        ),
        *_typed(start, "source"),
        *_step(start, "source", [_END], [*products, *metadata, _END]),
    ]


def _review(start: Start) -> list[str]:
    return [
        *toml.comment(
            "The review: somebody else has read the source, and says so by signing what was read."
            " No command runs (-x). The wheel is held against what was reviewed."
        ),
        *_typed(start, "review"),
        *_step(
            start,
            "review",
            [_needed(start), Match(pattern="*", destination="products", step="source"), _END],
            [_END],
        ),
    ]


def _build(start: Start) -> list[str]:
    return [
        *toml.comment(
            "The build: reads the recorded source and nothing else that is recorded, and makes the"
            " wheel. Two builders that must agree: name both keys, and write threshold = 2; their"
            " wheels then have to be the same to the byte."
        ),
        *_typed(start, "build"),
        *_step(
            start,
            "build",
            [_needed(start), start.source("*"), _END],
            [Create(start.wheels), _END],
        ),
    ]


def _repair(start: Start) -> list[str]:
    return [
        *toml.comment(
            "The repair: takes the wheel of the build and makes one that carries the shared"
            " libraries it needs, as auditwheel, delocate and delvewheel do. The name changes with"
            " the platform tag (CREATE), or stays as it is (MODIFY)."
        ),
        *_typed(start, "repair"),
        *_step(
            start,
            "repair",
            [start.wheel_of("build"), _END],
            [Create(start.wheels), Modify(start.wheels), _END],
        ),
    ]


def _test(start: Start) -> list[str]:
    return [
        *toml.comment(
            "The test: is given the wheel, and makes nothing. The inspection `tested` below sees to"
            " it that the tested wheel is the one in hand."
        ),
        *_typed(start, "test"),
        *_step(start, "test", [start.wheel_of(start.maker), _END], [_END]),
    ]


def _publish(start: Start) -> list[str]:
    same: list[Rule] = [start.wheel_of(start.maker), _END]
    return [
        *toml.comment(
            "The release: whoever publishes says with this that exactly these wheels are released."
            " The wheel in hand is held against this step, so that nothing counts as released that"
            " merely was built."
        ),
        *_typed(start, "publish"),
        *_step(start, "publish", same, same),
    ]


_STEPS = {
    "source": _source,
    "review": _review,
    "build": _build,
    "repair": _repair,
    "test": _test,
    "publish": _publish,
}


def commands(start: Start) -> list[list[str]]:
    """What is typed for a release: a command for each step, in lines as a shell takes them."""
    return [toml.command_lines(_words(start, step)) for step in STEPS if step in start.steps]


def _typed(start: Start, step: str) -> list[str]:
    return toml.comment_lines(toml.command_lines(_words(start, step)))


def _words(start: Start, step: str) -> tuple[str, ...]:
    """The command that carries out a step, and records it."""
    key = start.roles[STEPS[step]][0]
    folder = start.folder
    signing = ("--signing-key", key.private, "--metadata-directory", start.links)
    return ("pip-intoto", "run", "--step-name", step, *signing) + {
        "source": (
            *("--products", *start.recorded, FOLDER),
            *("--", "pip-intoto", "prepare", "-o", FOLDER),
        ),
        "review": ("-x", "--materials", *start.recorded, FOLDER),
        "build": (
            *("--materials", *start.recorded),
            *("--products", "dist", "--lstrip-paths", "dist/"),
            *("--", "python", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "dist", "."),
        ),
        "repair": (
            *("--materials", "dist", "--products", "wheelhouse"),
            *("--lstrip-paths", "dist/", "wheelhouse/"),
            *("--", "auditwheel", "repair", "-w", "wheelhouse", f"dist/{start.wheel}"),
        ),
        "test": (
            *("--materials", folder, "--lstrip-paths", f"{folder}/"),
            *("--", "python", "-m", "pytest"),
        ),
        "publish": (
            *("--materials", folder, "--products", folder, "--lstrip-paths", f"{folder}/"),
            *("--", "python", "-m", "twine", "upload", f"{folder}/{start.wheel}"),
        ),
    }[step]


def _needed(start: Start) -> Require:
    """Materials that lack even this file are none."""
    return Require("pyproject.toml" if "pyproject.toml" in start.recorded else "setup.py")


def _step(
    start: Start, name: str, materials: Sequence[Rule], products: Sequence[Rule]
) -> list[str]:
    return [
        "[[step]]",
        f"name = {toml.text(name)}",
        f"functionaries = {_names(start.roles[STEPS[name]])}",
        *toml.rules("materials", materials),
        *toml.rules("products", products),
    ]


# --- inspections ----------------------------------------------------------------------------


def _wheel(start: Start) -> list[str]:
    bound = "publish" if "publish" in start.steps else start.maker
    same = start.wheel_of(bound)
    return [
        *toml.comment(
            "What happens where the wheel arrives: it is unpacked (no command runs; pip-intoto"
            " reads it itself), and every file in it is held against the chain."
        ),
        "[[inspection]]",
        'name = "wheel"',
        f"run = {toml.array(['unzip', '-q', start.wheels, '-d', 'wheel'])}",
        *toml.rules("materials", [same, _END]),
        "products = [",
        *toml.indented(_members(start, same)),
        "]",
    ]


def _members(start: Start, same: Match) -> list[str]:
    origins = start.origins
    tied = [_match(start, rule) for rule in origins.matched]
    prepared = [start.source(rule.pattern, "wheel", FOLDER) for rule in origins.prepared]
    lines = [
        *toml.comment("The wheel itself."),
        *toml.listed([same]),
        *toml.said("Files that equal a file of the source, byte for byte.", tied),
        *toml.said("Metadata as the backend prepares it from the source.", prepared),
        *_versioned(start),
    ]
    for refused in origins.refused:
        lines += toml.comment(
            f"REFUSED: {shown(refused.pattern)} {refused.why}. As long as it has no rule, the wheel"
            " is refused. Better than the rule below is a wheel without the file, or one that the"
            " backend fills from the source."
        )
        lines += [f"# {line}" for line in toml.listed([Allow(f"wheel/{refused.pattern}")])]
    lines += toml.said(
        "Nothing else goes outside the packages; `*` in the names below could reach there.",
        [Disallow(f"wheel/{escape(origins.info)}-*.data/*"), *_not_below(origins)],
    )
    for origin, why in _WHY.items():
        rules = [
            Allow(f"wheel/{rule.pattern}") for rule in origins.allowed if rule.origin is origin
        ]
        if origin is Origin.REPAIR and "repair" in start.steps:
            rules = _of_repair(start, rules)
        lines += toml.said(why, rules)
    return [*lines, *toml.comment("And nothing else."), *toml.listed([_END])]


def _of_repair(start: Start, rules: list[Allow]) -> list[Allow]:
    """What a repair adds, whether or not the wheel that was looked at has been repaired."""
    sbom = Allow(f"wheel/{escape(start.origins.info)}-*.dist-info/{REPAIR_SBOM}")
    libraries = [rule for rule in rules if rule != sbom]
    return [*(libraries or [Allow(f"wheel/{escape(start.distribution)}.libs/*")]), sbom]


def _not_below(origins: Origins) -> Iterator[Disallow]:
    """What `_fast.*.so` could reach: pip takes any `….data/` apart, `_fast.1.data/` as well.

    `_fast.libs/`, where a repair puts libraries, is another thing.
    """
    names = [rule.pattern for rule in origins.allowed if rule.origin is Origin.COMPILED]
    starts = [name.rpartition(".")[0] for name in names if "/" not in name]
    for start in dict.fromkeys(starts):
        if start.endswith(".*"):
            yield Disallow(f"wheel/{start}data/*")


_WHY: Mapping[Origin, str] = {
    Origin.BUILD: (
        "What every build writes of itself. RECORD lists the digests of the other files, which"
        " pip-intoto holds against them."
    ),
    Origin.COMPILED: (
        "Compiled by the build: NOT tied to the source. Whoever builds decides what is in them."
    ),
    Origin.REPAIR: (
        "Shared libraries that the repair puts in, and what it says of them: NOT tied to the"
        " source. Whoever repairs decides what is in them."
    ),
    Origin.GENERATED: (
        "Made by the build: NOT tied to the source. Whoever builds decides what is in them, so look"
        " at each name here; what can be committed to the source needs no such line."
    ),
    Origin.DIFFERS: (
        "Metadata that comes out of the build otherwise than it is prepared: NOT tied to the"
        " source. Whoever builds decides what is in it."
    ),
}


def _versioned(start: Start) -> list[str]:
    rules = [_match(start, rule) for rule in start.origins.versioned]
    return toml.said(
        "Files that pip puts outside the packages. Prefixes after IN have no patterns, so that"
        " these rules name the VERSION: change them for each release.",
        rules,
    )


def _match(start: Start, rule: Matched) -> Match:
    inside = f"wheel/{rule.inside}" if rule.inside else "wheel"
    return start.source(rule.pattern, inside, rule.below)


def _tested(start: Start) -> list[str]:
    same = start.wheel_of("test", "materials")
    return [
        *toml.comment(
            "The wheel in hand is the one that was tested, and not another one of its day."
        ),
        "[[inspection]]",
        'name = "tested"',
        'run = ["true"]',
        *toml.rules("materials", [same, _END]),
        *toml.rules("products", [same, _END]),
    ]


def _source_archives(start: Start) -> list[str]:
    archive = f"{escape(start.distribution)}-*.tar.gz"
    return toml.comment(
        f"Source archives ({archive}) are not covered: the inspection unpacks a wheel, and fails"
        " for anything else. For them, sign a second layout: this file without the inspections,"
        f" and with {toml.text(f'CREATE {archive}')} among the products of `build` (and `MATCH"
        f" {archive} …` in later steps). It says who made the archive. It does not tie what is in"
        " it to the source, and building from it runs whatever is in it."
    )
