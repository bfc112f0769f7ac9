"""Where each member of a wheel comes from, and the fewest rules that say so.

Nothing is taken from names alone: a member comes from a source file when the bytes are equal. What
has no source is either made by the build, and then allowed by its own name, or it is something that
has power without being imported, and then there is no rule for it: the DISALLOW * at the end of the
list refuses it until the owner decides.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.verification.patterns import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: Name to digest; equal digests are equal bytes.
Digests: TypeAlias = "Mapping[str, str]"

_INFO = re.compile(r"(?P<name>[^/-]+)-(?P<version>[^/-]+)\.dist-info/(?P<rest>.+)")
_DATA = re.compile(r"(?P<name>[^/-]+)-[^/]+\.data/(?P<where>[^/]+)/(?P<rest>.*)")
_EXTENSION = re.compile(r"(?P<stem>(?:.*/)?[^/.]+)(?P<tags>\.[^/]+)?\.(?:so|pyd)")
#: Folders that auditwheel, delocate and delvewheel put shared libraries into.
_LIBRARIES = re.compile(r"(?P<folder>[^/]+\.libs|(?:.*/)?\.dylibs)/[^/]+")
#: Where auditwheel says, below the metadata, out of which packages of the system they are.
REPAIR_SBOM = "sboms/auditwheel.cdx.json"
#: Files of a folder that are named one by one in rules; where there are more, the folder is.
_FEW = 3


class Origin(Enum):
    """Where members come from that no source file equals."""

    #: WHEEL and RECORD, which every build writes.
    BUILD = "build"
    #: Compiled from sources.
    COMPILED = "compiled"
    #: Shared libraries that a repair step puts in, and what it writes about them.
    REPAIR = "repair"
    #: Something else that the backend makes: a version file, top_level.txt.
    GENERATED = "generated"
    #: Metadata that comes out otherwise than it was prepared.
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Members that equal files of the sources: ``MATCH pattern IN inside … IN below``.

    ``inside`` is a folder of the wheel, ``below`` one of the sources, "" for the top of either.
    """

    pattern: str
    inside: str = ""
    below: str = ""
    members: tuple[str, ...]

    @property
    def source(self) -> str:
        """The source file, or the folder of source files, that the pattern stands for."""
        if self.pattern == "*":
            return self.below
        first = self.members[0][len(self.inside) + 1 if self.inside else 0 :]
        if self.pattern.endswith("/*"):
            first = "/".join(first.split("/")[: self.pattern.count("/")])
        return _join(self.below, first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A file of the metadata that equals what the backend prepares from the sources."""

    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Members that nothing ties to the sources, allowed by name."""

    pattern: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A member that nothing ties to the sources, and that has power: it is not allowed."""

    pattern: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """The rules for all members of one wheel.

    ``info`` is how the name is spelled in ``<info>-<version>.dist-info``.
    """

    info: str
    matched: tuple[Matched, ...]
    #: Scripts, data files and the like; their rules name the version, since IN takes no wildcard.
    versioned: tuple[Matched, ...]
    prepared: tuple[Prepared, ...]
    allowed: tuple[Allowed, ...]
    refused: tuple[Refused, ...]


def trace_members(members: Digests, sources: Digests, prepared: Digests) -> Origins:
    """Find out where ``members`` of a wheel come from.

    ``sources`` are the files of the project; ``prepared`` is the metadata that the backend
    prepares from them, named ``demo-1.0.dist-info/METADATA`` and so on. Raises CommandError when
    the members are not those of a wheel, or prepared metadata is of another version.
    """
    info = {name: found for name in members if (found := _INFO.fullmatch(name))}
    spelled = {(found["name"], found["version"]) for found in info.values()}
    if len(spelled) != 1:
        raise CommandError(
            "a wheel has exactly one folder of metadata",
            expected="NAME-VERSION.dist-info",
            found=", ".join(sorted("-".join(each) for each in spelled)) or "none",
        )
    (name, version) = next(iter(spelled))
    _check_version(version, prepared)
    named = [_of_metadata(name, found, members, prepared) for found in info.values()]
    code = {key: value for key, value in members.items() if key not in info}
    pairs = _mappings(code, sources)
    tied = {
        member: pair
        for member in code
        if (pair := next((pair for pair in pairs if _maps(pair, member, code, sources)), None))
    }
    matched = list(_matches(tied))
    rest = [_of_the_rest(member) for member in sorted(code.keys() - tied.keys())]
    everything = [*named, *(rule for rules in rest for rule in rules)]
    return Origins(
        info=name,
        matched=tuple(rule for rule in matched if not _DATA.match(rule.members[0])),
        versioned=tuple(rule for rule in matched if _DATA.match(rule.members[0])),
        prepared=tuple(rule for rule in everything if isinstance(rule, Prepared)),
        allowed=_once(rule for rule in everything if isinstance(rule, Allowed)),
        refused=tuple(rule for rule in everything if isinstance(rule, Refused)),
    )


def of_any_version(name: str) -> str:
    """The pattern of a file of the metadata, for all versions: ``demo-*.dist-info/METADATA``."""
    found = _INFO.fullmatch(name)
    if found is None:
        raise CommandError(f"{name} is no file of a wheel's metadata")
    return f"{escape(found['name'])}-*.dist-info/{escape(found['rest'])}"


# --- metadata -------------------------------------------------------------------------------


def _check_version(version: str, prepared: Digests) -> None:
    theirs = {found["version"] for name in prepared if (found := _INFO.fullmatch(name))}
    if theirs and theirs != {version}:
        raise CommandError(
            "the wheel is of another version than the sources",
            expected=f"a wheel of version {', '.join(sorted(theirs))}",
            found=version,
            advice="Without --wheel, one is built from the sources.",
        )


def _of_metadata(
    name: str, found: re.Match[str], members: Digests, prepared: Digests
) -> Prepared | Allowed | Refused:
    rest = found["rest"]
    pattern = f"{escape(name)}-*.dist-info/{escape(rest)}"
    if rest in {"WHEEL", "RECORD"}:
        return Allowed(pattern=pattern, origin=Origin.BUILD)
    theirs = prepared.get(found[0])
    if theirs == members[found[0]]:
        return Prepared(pattern=pattern)
    if rest == "entry_points.txt":
        why = "is not as the backend prepares it" if theirs else "is not prepared by the backend"
        return Refused(
            pattern=pattern, why=f"{why}: it says which commands and plugins are installed"
        )
    if rest == REPAIR_SBOM and not theirs:
        return Allowed(pattern=pattern, origin=Origin.REPAIR)
    return Allowed(pattern=pattern, origin=Origin.DIFFERS if theirs else Origin.GENERATED)


# --- members that equal a source file -------------------------------------------------------

#: A folder of the wheel and the folder of the sources that it is filled from; "" for the tops.
_Pair: TypeAlias = "tuple[str, str]"


def _mappings(members: Digests, sources: Digests) -> list[_Pair]:
    """The fewest pairs of folders that account for every member that some source file equals.

    Empty files equal each other everywhere; they go with the folders of their neighbours.
    """
    by_content: dict[tuple[str, str], list[str]] = {}
    for name in sorted(sources):
        by_content.setdefault((sources[name], _last(name)), []).append(name)
    candidates = {
        member: {_pair(member, source) for source in alike[: LOCAL.alike_sources]}
        for member, digest in members.items()
        if (alike := by_content.get((digest, _last(member))))
    }
    chosen: list[_Pair] = []
    while candidates:
        votes = Counter(pair for pairs in candidates.values() for pair in pairs)
        # Among equals the shortest, which reaches furthest.
        best = min(votes, key=lambda pair: (-votes[pair], len(pair[0]) + len(pair[1]), pair))
        chosen.append(best)
        candidates = {
            member: pairs
            for member, pairs in candidates.items()
            if not _maps(best, member, members, sources)
        }
    return chosen


def _pair(member: str, source: str) -> _Pair:
    """Take away the segments that both names end with."""
    one, other = member.split("/"), source.split("/")
    while one and other and one[-1] == other[-1]:
        one.pop()
        other.pop()
    return "/".join(one), "/".join(other)


def _maps(pair: _Pair, member: str, members: Digests, sources: Digests) -> bool:
    inside, below = pair
    if inside and not member.startswith(f"{inside}/"):
        return False
    rest = member[len(inside) + 1 :] if inside else member
    return sources.get(_join(below, rest)) == members[member]


def _matches(tied: Mapping[str, _Pair]) -> Iterator[Matched]:
    """The rules for members, one for each package, module or folder."""
    for pair in sorted(set(tied.values())):
        inside, below = pair
        start = len(inside) + 1 if inside else 0
        rests = sorted(member[start:] for member, its in tied.items() if its == pair)
        whole = bool(inside and below) and not _DATA.match(f"{inside}/")
        for pattern, group in _patterns(rests, whole=whole):
            yield Matched(
                pattern=pattern,
                inside=inside,
                below=below,
                members=tuple(_join(inside, rest) for rest in group),
            )


def _patterns(rests: list[str], *, whole: bool) -> Iterator[tuple[str, list[str]]]:
    """Patterns for names below a folder; ``whole`` says that it may be that folder as such."""
    loose = [rest for rest in rests if "/" not in rest]
    if whole and ("__init__.py" in loose or len(loose) > _FEW):
        yield "*", rests
        return
    for rest in loose:
        # A .pth runs code at every start: it is named, like every file at the top.
        yield escape(rest), [rest]
    groups: dict[str, list[str]] = {}
    for rest in rests:
        if "/" in rest:
            groups.setdefault(rest.partition("/")[0], []).append(rest)
    for group in groups.values():
        yield f"{escape(_common_folder(group))}/*", group


def _common_folder(names: list[str]) -> str:
    folders = [name.split("/")[:-1] for name in names]
    common = folders[0]
    for folder in folders[1:]:
        length = sum(1 for _ in _while_equal(common, folder))
        common = common[:length]
    return "/".join(common)


def _while_equal(one: list[str], other: list[str]) -> Iterator[str]:
    for a, b in zip(one, other, strict=False):
        if a != b:
            return
        yield a


# --- the others -----------------------------------------------------------------------------


def _of_the_rest(member: str) -> list[Allowed | Refused]:
    libraries = _LIBRARIES.fullmatch(member)
    if libraries:
        pattern = f"{escape(libraries['folder'])}/*"
        return [Allowed(pattern=pattern, origin=Origin.REPAIR)]
    data = _DATA.fullmatch(member)
    if data or member.endswith(".pth"):
        why = "pip puts it outside the packages"
        if member.endswith(".pth"):
            why = "every start of Python reads it, and may run what it says"
        pattern = escape(member)
        if data:
            pattern = f"{escape(data['name'])}-*.data/{escape(data['where'] + '/' + data['rest'])}"
        return [Refused(pattern=pattern, why=f"equals no source file: {why}")]
    extension = _EXTENSION.fullmatch(member)
    if extension:
        stem, tags = escape(extension["stem"]), extension["tags"]
        # `_speedups.cpython-313-x86_64-linux-gnu.so` here is `_speedups.cp313-win_amd64.pyd`
        # there; for the stable ABI it is `_speedups.abi3.so` and `_speedups.pyd`.
        endings = [".*.so", ".*.pyd"] if tags else [".so", ".pyd"]
        if tags == ".abi3":
            endings = [".abi3.so", ".pyd"]
        return [Allowed(pattern=stem + ending, origin=Origin.COMPILED) for ending in endings]
    return [Allowed(pattern=escape(member), origin=Origin.GENERATED)]


def _once(rules: Iterable[Allowed]) -> tuple[Allowed, ...]:
    return tuple(dict.fromkeys(rules))


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _last(name: str) -> str:
    return name.rpartition("/")[2]
