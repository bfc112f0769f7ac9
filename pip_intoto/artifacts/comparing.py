"""What differs between two archives that should be the same: the members, or only their headers.

For reproducible builds. Two machines built one release, and the files differ; the reader wants to
know what to change so that they will not. What follows from other differences is folded: RECORD
lists the digests of all members, so that it differs whenever one does.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, BinaryIO

from pip_intoto.artifacts.archives import read_wheel, walk_tar, walk_zip
from pip_intoto.artifacts.hashing import sha256_stream
from pip_intoto.errors import EvidenceInvalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pip_intoto.artifacts.archives import Archive
    from pip_intoto.limits import Limits


class Form(Enum):
    """How a distribution is packed."""

    WHEEL = "wheel"
    ZIP = "zip"
    TAR = "tar"

    @classmethod
    def of(cls, filename: str) -> Form | None:
        """Tell by the name; None when no archive is called so."""
        for ending, form in (
            (".whl", cls.WHEEL),
            (".zip", cls.ZIP),
            *((ending, cls.TAR) for ending in (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar")),
        ):
            if filename.lower().endswith(ending):
                return form
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A member's content: bytes, and sha256 in lower-case hex. Folders have neither."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A member that both archives have, with different content.

    ``diff`` is a unified diff, without line ends; empty where the content is no text, or too much.
    ``left_out`` lines of it are not shown. ``cure`` is what usually helps, if that is known.
    """

    name: str
    one: Content
    other: Content
    diff: tuple[str, ...] = ()
    left_out: int = 0
    cure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """Something that the archives say differently of members whose content may well be equal.

    ``where`` is the first such member, empty for the archive itself; ``count`` says how many.
    """

    what: str
    count: int
    where: str
    one: str
    other: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two files. ``fault`` is what an installer would find wrong with its RECORD."""

    size: int
    sha256: str
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was found. ``followers`` are members that differ because others do."""

    one: Side
    other: Side
    only_in_one: Mapping[str, Content] = field(default_factory=dict)
    only_in_other: Mapping[str, Content] = field(default_factory=dict)
    changed: tuple[Changed, ...] = ()
    followers: tuple[str, ...] = ()
    aspects: tuple[Aspect, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether the two files have the same bytes."""
        return self.one.sha256 == self.other.sha256


def compare(one: BinaryIO, other: BinaryIO, form: Form, *, limits: Limits) -> Comparison:
    """Compare two archives of one form, byte for byte, then by what they hold.

    Both streams are seekable. Raises ArchiveAmbiguous and MetadataTooLarge, whose ``place`` says
    which of the two is meant: ``one`` or ``other``.
    """
    sides = (_side(one), _side(other))
    if sides[0].sha256 == sides[1].sha256:
        return Comparison(one=sides[0], other=sides[1])
    with _about("one"):
        ours = _listing(one, form, limits)
    with _about("other"):
        theirs = _listing(other, form, limits)
    common = [name for name in ours.members if name in theirs.members]
    differing = [name for name in common if ours.members[name] != theirs.members[name]]
    read = {*differing[: limits.compared_members], *filter(_RECORD.fullmatch, differing)}
    with _about("one"):
        before = _texts(one, form, read, limits)
    with _about("other"):
        after = _texts(other, form, read, limits)
    # What stands in RECORD about these follows from them.
    apart = {*differing, *(ours.members.keys() ^ theirs.members.keys())}
    reordered = common != [name for name in theirs.members if name in ours.members]
    followers = tuple(
        name
        for name in differing
        if _RECORD.fullmatch(name)
        and name in before
        and name in after
        and _follows(before[name], after[name], apart, name, reordered=reordered)
    )
    changed = []
    lines = limits.compared_lines
    for name in differing:
        if name not in followers:
            lines, member = _changed(name, ours, theirs, before, after, lines, limits)
            changed.append(member)
    aspects = tuple(_aspects(ours, theirs, common, frozenset(differing)))
    if not (apart or aspects):
        aspects = (_bytes_only(form),)
    return Comparison(
        one=replace(sides[0], fault=_fault(one, form, limits)),
        other=replace(sides[1], fault=_fault(other, form, limits)),
        only_in_one=_without(ours.members, theirs.members),
        only_in_other=_without(theirs.members, ours.members),
        changed=tuple(changed),
        followers=followers,
        aspects=aspects,
    )


def _without(members: Mapping[str, Content], others: Mapping[str, Content]) -> dict[str, Content]:
    return {name: content for name, content in members.items() if name not in others}


# --- reading --------------------------------------------------------------------------------


@contextmanager
def _about(side: str) -> Iterator[None]:
    try:
        yield
    except EvidenceInvalid as error:
        error.place = side
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """An archive without its content: files, folders, and the headers of both and of itself."""

    members: dict[str, Content]
    folders: frozenset[str]
    headers: dict[str, Mapping[str, str]]
    own: Mapping[str, str]


def _side(stream: BinaryIO) -> Side:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return Side(size=size, sha256=sha256_stream(stream))


def _open(stream: BinaryIO, form: Form, limits: Limits) -> Archive:
    return (walk_tar if form is Form.TAR else walk_zip)(stream, limits=limits)


def _listing(stream: BinaryIO, form: Form, limits: Limits) -> _Listing:
    members: dict[str, Content] = {}
    folders: set[str] = set()
    headers: dict[str, Mapping[str, str]] = {}
    archive = _open(stream, form, limits)
    for member in archive.members:
        headers[member.name] = member.headers
        if member.directory:
            folders.add(member.name)
            continue
        digest = hashlib.sha256()
        for chunk in member.content:
            digest.update(chunk)
        members[member.name] = Content(size=member.size, sha256=digest.hexdigest())
    return _Listing(
        members=members, folders=frozenset(folders), headers=headers, own=archive.headers
    )


def _texts(stream: BinaryIO, form: Form, names: Collection[str], limits: Limits) -> dict[str, str]:
    """Return what these members say, as far as they are text, and not too long."""
    texts: dict[str, str] = {}
    for member in _open(stream, form, limits).members if names else ():
        if member.name not in names:
            continue
        record = _RECORD.fullmatch(member.name)
        if member.size <= (limits.archive_record_bytes if record else limits.compared_text):
            content = b"".join(member.content)
            with suppress(UnicodeDecodeError):
                if b"\0" not in content:
                    texts[member.name] = content.decode("utf-8")
    return texts


def _fault(stream: BinaryIO, form: Form, limits: Limits) -> str:
    """Return what is wrong with a wheel's RECORD, for which no installer would take the file."""
    if form is Form.WHEEL:
        try:
            read_wheel(stream, limits=limits)
        except EvidenceInvalid as error:
            return error.message
    return ""


# --- content --------------------------------------------------------------------------------

_RECORD = re.compile(r"[^/]+\.dist-info/RECORD")
#: Lines around a difference.
_CONTEXT = 3


def _changed(
    name: str,
    ours: _Listing,
    theirs: _Listing,
    texts: Mapping[str, str],
    others: Mapping[str, str],
    lines: int,
    limits: Limits,
) -> tuple[int, Changed]:
    """Describe a member; with it, how many of ``lines`` may still be compared after it."""
    before, after = texts.get(name), others.get(name)
    diff: list[str] = []
    cure = ""
    if before is not None and after is not None:
        if before.replace("\r\n", "\n") == after.replace("\r\n", "\n"):
            cure = _LINE_ENDS
        else:
            lines, diff = _unified(before, after, lines, limits.compared_width)
    return lines, Changed(
        name=name,
        one=ours.members[name],
        other=theirs.members[name],
        diff=tuple(diff[: limits.compared_shown]),
        left_out=max(0, len(diff) - limits.compared_shown),
        cure=cure or next((cure for names, cure in _CURES if names.fullmatch(name)), ""),
    )


def _unified(before: str, after: str, at_most: int, width: int) -> tuple[int, list[str]]:
    """Return a unified diff; an empty one when that takes comparing more lines than ``at_most``.

    Its lines are cut after ``width`` characters.

    What two texts begin and end with is cut off first, because the time that the rest takes grows
    faster than its length. Also returned is how much of ``at_most`` is left.
    """
    ours, theirs = before.split("\n"), after.split("\n")
    shorter = min(len(ours), len(theirs))
    head = _equal(ours, theirs, shorter)
    tail = _equal(ours[::-1], theirs[::-1], shorter - head)
    start, end = max(0, head - _CONTEXT), max(0, tail - _CONTEXT)
    ours, theirs = ours[start : len(ours) - end], theirs[start : len(theirs) - end]
    left = at_most - max(len(ours), len(theirs))
    if left < 0:
        return at_most, []
    diff = difflib.unified_diff(ours, theirs, "one", "other", n=_CONTEXT, lineterm="")
    return left, [_shortened(_moved(line, start), width) for line in diff]


def _moved(line: str, by: int) -> str:
    """Count the lines that were cut off before into a hunk's header."""
    if not line.startswith("@@ "):
        return line
    return _HUNK.sub(lambda found: f"{found[1]}{int(found[2]) + by}", line)


def _shortened(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[:width]}…"


_HUNK = re.compile(r"([-+])(\d+)")


def _equal(ours: Sequence[str], theirs: Sequence[str], at_most: int) -> int:
    """Count the lines, from the first on, that are the same."""
    count = 0
    while count < at_most and ours[count] == theirs[count]:
        count += 1
    return count


_BACKEND = (
    "The build backend wrote it: pin its version in pyproject.toml"
    ' (requires = ["hatchling==1.27.0"]), and use the same Python on both machines.'
)
_CURES = (
    (re.compile(r"[^/]+\.dist-info/(WHEEL|METADATA)|([^/]+/)?PKG-INFO"), _BACKEND),
    (
        re.compile(r".*\.(so|pyd|dylib|a|o)"),
        (
            "Compiled: use the same compiler, libraries and directory on both machines, set"
            " SOURCE_DATE_EPOCH, and leave paths out with -ffile-prefix-map."
        ),
    ),
    (
        re.compile(r".*\.py[co]"),
        "Byte code holds times and paths: leave it out of what you publish; pip makes it.",
    ),
)
_LINE_ENDS = (
    "Only the line ends differ: say `* text=auto eol=lf` in .gitattributes, and check out again."
)


def _follows(
    ours: str, theirs: str, apart: Collection[str], record: str, *, reordered: bool
) -> bool:
    """Tell whether RECORD differs in nothing but what it says of members that differ."""
    if set(apart) == {record} and not reordered:
        return False
    try:
        rows = [list(csv.reader(io.StringIO(text), strict=True)) for text in (ours, theirs)]
    except csv.Error:
        return False
    kept = [[row for row in each if row and row[0] not in apart] for each in rows]
    # Backends list the members in the order in which they pack them.
    return sorted(kept[0]) == sorted(kept[1]) if reordered else kept[0] == kept[1]


# --- headers --------------------------------------------------------------------------------

_SAME_TOOLS = (
    "Use the same version of Python and of the build backend on both machines: pin the backend in"
    " pyproject.toml."
)
#: What usually makes an aspect equal on both machines.
CURES: Mapping[str, str] = {
    "times": (
        "Set SOURCE_DATE_EPOCH to the same number on both machines, for example"
        " `export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)`; if that does not help, the"
        " backend does not heed it: try a newer version."
    ),
    "modes": (
        "Check out afresh under the same umask on both machines (`umask 022`); of modes, git keeps"
        " only whether a file is executable."
    ),
    "owners": (
        "The backend packs who owns the files: use a version that writes zeros and no names, or"
        " build as the same user."
    ),
    "order": (
        "The order is that of the file system, or of a set: use a version of the build backend"
        " that sorts."
    ),
    "folders": "One archive lists folders that the other does not. " + _SAME_TOOLS,
    "compression": (
        "The same content was compressed in another way, by another zlib or at another level. "
        + _SAME_TOOLS
    ),
    "systems": "Build on the same operating system: archives say on which they were made.",
    "extra fields": (
        "Tools keep there what only their system knows: pack with the build backend rather than"
        " with `zip` or `tar`, or with `zip -X`."
    ),
    "comments": "Leave comments out of the archive.",
    "names of what was compressed": (
        "gzip keeps the name of its input: compress with `gzip -n`, or with a newer backend."
    ),
    "forms of the headers": _SAME_TOOLS,
    "bytes": _SAME_TOOLS,
}


def _aspects(
    ours: _Listing, theirs: _Listing, common: Sequence[str], differing: Collection[str]
) -> Iterator[Aspect]:
    """Yield what headers say differently, each aspect once, in the order of its table of cures."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for what in ours.own.keys() | theirs.own.keys():
        _add(found, what, "", ours.own.get(what, "none"), theirs.own.get(what, "none"))
    for name, said in ours.headers.items():
        answer = theirs.headers.get(name)
        if answer is None:
            continue
        for what, value in said.items():
            # Other content is compressed to another size: that follows.
            if what != "compression" or name not in differing:
                _add(found, what, name, value, answer[what])
    for name in sorted(ours.folders ^ theirs.folders):
        has = name in ours.folders
        _add(found, "folders", name, "listed" if has else "-", "-" if has else "listed")
    order = [name for name in theirs.members if name in ours.members]
    for number, (name, instead) in enumerate(zip(common, order, strict=True), 1):
        if name != instead:
            _add(found, "order", "", f"{name} as number {number}", f"{instead} as number {number}")
            break
    for what, cure in CURES.items():
        if what in found:
            where, one, other = found[what][0]
            yield Aspect(
                what=what, count=len(found[what]), where=where, one=one, other=other, cure=cure
            )


def _add(
    found: dict[str, list[tuple[str, str, str]]], what: str, where: str, one: str, other: str
) -> None:
    if one != other:
        found.setdefault(what, []).append((where, one, other))


def _bytes_only(form: Form) -> Aspect:
    """Say so when neither members nor headers differ, as far as headers are told apart here."""
    where = "the compressed data" if form is not Form.TAR else "the compressed data, or its padding"
    return Aspect(
        what="bytes", count=1, where="", one=where, other="other bytes that say the same",
        cure=CURES["bytes"],
    )  # fmt: skip
