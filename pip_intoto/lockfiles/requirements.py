"""``requirements.txt``: what pip's option ``-r`` takes, read as pip reads it.

Such a file pins what it pins: a release with ``==``, a file with an address, and digests where
somebody wrote them down. What it leaves open can be verified by nobody, and is said to be so.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.account import LeftOut
from pip_intoto.distribution import Kind
from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.lockfiles.locked import Lock, Locked, LockedFile
from pip_intoto.lockfiles.parts import (
    MEANINGLESS,
    absolute,
    as_sha256,
    filename_of,
    is_archive,
    is_filename,
    named_in,
    path_of,
    without_sha256,
)
from pip_intoto.lockfiles.requirement_lines import lines_of
from pip_intoto.sources.addresses import is_web, printable, redacted

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet

    from pip_intoto.distribution import Place
    from pip_intoto.limits import Limits
    from pip_intoto.lockfiles.locked import Interpreter, Tree
    from pip_intoto.lockfiles.requirement_lines import Line

FORMAT = "requirements"

#: What pip asks beside an --extra-index-url, unless --index-url says otherwise.
_DEFAULT_INDEX = "https://pypi.org/simple/"
#: These are fetched when they include or are included; nothing else is.
_WEB = re.compile(r"https?:", re.IGNORECASE)
_VCS = re.compile(r"(git|hg|svn|bzr)\+[a-z-]+:", re.IGNORECASE)
_BARE_VCS = re.compile(r"(git|hg|svn|bzr):", re.IGNORECASE)
_URL = re.compile(r"(https?|file|ftp|(git|hg|svn|bzr)\+[a-z-]+):", re.IGNORECASE)
_EGG = re.compile(r"[#&]egg=([^&\[]*)")
_FRAGMENT_HASH = re.compile(r"[#&](sha512|sha384|sha256|sha224|sha1|md5)=([^&]*)")
_SHA256 = {"sha256"}
_SHOWN = 160
_UNPINNED = "not pinned: no `==` and no address says which release this is"
_UNNAMED = "the address does not say which project it is: write `NAME @ URL`"
_FOLDER = "the project is called after its folder here: nothing says what its name is"


def read(
    path: Path,
    tree: Tree,
    interpreter: Interpreter | None,
    *,
    limits: Limits = LOCAL,
    variables: Mapping[str, str] | None = None,
) -> Lock:
    """Read the file and all that it includes; for every interpreter when ``interpreter`` is None.

    ``variables`` are what ``${NAME}`` stands for, by default those of the environment.
    Raises LockfileInvalid, and CommandError when the file itself cannot be read.
    """
    found = _Collector(tree, os.environ if variables is None else variables, limits)
    found.include(path)
    return _Resolver(path, found, interpreter).lock()


# --- files ----------------------------------------------------------------------------------


class _Collector:
    """The lines of a file and of those that it includes, in the order that pip meets them."""

    def __init__(self, tree: Tree, variables: Mapping[str, str], limits: Limits) -> None:
        self.tree = tree
        self.limits = limits
        self.files: dict[Path, None] = {}
        self.requirements: list[Line] = []
        self.constraints: list[Line] = []
        self.index_url = ""
        self.extra_index_urls: list[str] = []
        self.no_index = False
        self.find_links: list[str] = []
        self.forms = _Forms()
        self._variables = variables
        self._above: list[str] = []
        self._included = 0
        self._bytes = 0

    def include(self, path: Path, line: Line | None = None, *, constrain: bool = False) -> None:
        """Read a file, which ``line`` includes."""
        content = self._content(path, line)
        self.files[path] = None
        self._above.append(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        for each in lines_of(content, path, self._variables):
            # pip heeds these on every line, be it a requirement or one that includes a file.
            for option, projects in each.options.forms:
                self.forms.heed(option, projects)
            if each.requirement or each.editable:
                self._keep(each, constrain=constrain)
            elif each.options.requirements or each.options.constraints:
                # Of several on one line pip takes the first, and whatever else is on it is lost.
                names = each.options.requirements or each.options.constraints
                constraints = not each.options.requirements
                self.include(_included(names[0], each), each, constrain=constraints)
            else:
                self._heed(each)
        self._above.pop()

    def _content(self, path: Path, line: Line | None) -> bytes:
        try:
            content = self.tree.read(path)
        except CommandError as error:
            if line is None:
                raise
            raise line.error(
                f"it includes a file that cannot be read: {error.message}", advice=error.advice
            ) from None
        self._included += 1
        self._bytes += len(content)
        if line is not None:
            if os.path.abspath(path) in self._above:  # noqa: PTH100 - as above
                raise line.error(f"{path} includes itself", advice="Break the circle.")
            for limit, count, what in (
                (self.limits.requirements_depth, len(self._above), "files inside each other"),
                (self.limits.requirements_files, self._included, "included files"),
                (self.limits.lock_bytes, self._bytes, "bytes in all included files"),
            ):
                if count > limit:
                    raise line.error(f"too many {what}", expected=f"at most {limit}")
        return content

    def _keep(self, line: Line, *, constrain: bool) -> None:
        kept = self.constraints if constrain else self.requirements
        kept.append(line)
        if len(self.requirements) + len(self.constraints) > self.limits.lock_entries:
            raise line.error(
                "too many requirements", expected=f"at most {self.limits.lock_entries}"
            )
        if max(len(line.options.hashes), len(line.texts)) > self.limits.lock_files:
            raise line.error("too many digests", expected=f"at most {self.limits.lock_files}")

    def _heed(self, line: Line) -> None:
        """What a line of options says; a later --index-url replaces all that was before it."""
        options = line.options
        if options.no_index:
            self.no_index = True
        if options.index_url:
            self.index_url = options.index_url
            self.extra_index_urls.clear()
        self.extra_index_urls += options.extra_index_urls
        if options.find_links:
            # Of several on one line, pip takes the first.
            place = options.find_links[0]
            beside = line.path.absolute().parent / place
            self.find_links.append(str(beside) if os.path.exists(beside) else place)  # noqa: PTH110

    @property
    def indexes(self) -> tuple[str, ...]:
        """The indexes in the order of pip's options."""
        if self.no_index or not (self.index_url or self.extra_index_urls):
            return ()
        return (self.index_url or _DEFAULT_INDEX, *self.extra_index_urls)


class _Forms:
    """Which files pip takes of a project, as ``--no-binary`` and ``--only-binary`` say in turn."""

    def __init__(self) -> None:
        self._named: dict[str, set[str]] = {"--only-binary": set(), "--no-binary": set()}

    def heed(self, option: str, value: str) -> None:
        """Take note of one option; what it names, the other one does not name any more."""
        target = self._named[option]
        (other,) = (names for by, names in self._named.items() if by != option)
        names = value.split(",")
        while ":all:" in names:
            other.clear()
            target.clear()
            target.add(":all:")
            del names[: names.index(":all:") + 1]
            # Otherwise "all" covers what follows.
            if ":none:" not in names:
                return
        for name in names:
            if name == ":none:":
                target.clear()
                continue
            other.discard(_normalized(name))
            target.add(_normalized(name))

    def option_for(self, project: str) -> str:
        """Say which of the two holds for a project; empty where neither does."""
        for name in (project, ":all:"):
            for option, names in self._named.items():
                if name in names:
                    return option
        return ""


def _included(name: str, line: Line) -> Path:
    if _WEB.match(name):
        raise line.error(
            "it includes what is on another machine",
            expected="a file",
            advice="Fetch the file, and include that.",
        )
    if name.lower().startswith("file:"):
        path = path_of(name)
        if path is None:
            raise line.error("it includes an address that is no file of this machine")
        return path
    if not name.isprintable():
        raise line.error("the name of the file has control characters in it")
    return Path(os.path.normpath(line.path.parent / name))


# --- one line -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What one line says of one project: a requirement, or a constraint on it."""

    line: Line
    name: str
    specifier: SpecifierSet
    marker: Marker | None = None
    #: The marker as text; empty where there is none.
    condition: str = field(init=False)
    #: With its fragment; empty where an index is asked.
    url: str = ""
    kind: Kind | None = None
    #: Algorithm and digest.
    hashes: frozenset[tuple[str, str]] = frozenset()
    #: Why this can be of no file.
    problem: str = ""
    note: str = ""
    #: Where each sha256 stands.
    places: Mapping[str, Place] = field(init=False)

    def __post_init__(self) -> None:
        condition = "" if self.marker is None else str(self.marker)
        object.__setattr__(self, "condition", condition)
        object.__setattr__(self, "places", self.line.digests() if self.hashes else {})


class _Parser:
    """From lines to wishes."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def wish(self, line: Line) -> _Wish:
        if line.editable:
            return self._editable(line)
        text, marker = _without_marker(line)
        hashes = _hashes(line)
        if _URL.match(text):
            return self._direct(line, text, "", marker, hashes)
        local = _without_extras(text)
        if _is_local(local):
            if is_archive(local):
                return self._direct(line, _here(line, local).as_uri(), "", marker, hashes)
            return self._folder(line, _here(line, local), "", marker)
        return self._named(line, text, marker, hashes)

    def _named(
        self, line: Line, text: str, marker: Marker | None, hashes: frozenset[tuple[str, str]]
    ) -> _Wish:
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            requirement = Requirement(text)
            # Here, since packaging looks at numbers only when it compares them.
            _pins(requirement.specifier)
        except (InvalidRequirement, ValueError, RecursionError) as error:
            problem = str(error).partition("\n")[0]
            raise line.error(f"this is no requirement: {printable(problem, _SHOWN)}") from None
        name = _normalized(requirement.name)
        if requirement.url:
            return self._direct(line, requirement.url.strip(), name, marker, hashes)
        return _Wish(
            line=line, name=name, specifier=requirement.specifier, marker=marker, hashes=hashes
        )

    def _editable(self, line: Line) -> _Wish:
        from packaging.requirements import InvalidRequirement, Requirement

        text = line.editable.strip()
        name, marker = "", None
        try:
            requirement = Requirement(text)
        except (InvalidRequirement, ValueError, RecursionError):
            pass
        else:
            if requirement.url:
                name, marker = _normalized(requirement.name), requirement.marker
                text = requirement.url.strip()
        if _BARE_VCS.match(text):
            text = f"{text.partition(':')[0]}+{text}"
        if _VCS.match(text):
            return self._direct(line, text, name, marker, frozenset())
        if text.lower().startswith("file:"):
            path = path_of(text)
        elif _URL.match(text) or not text.isprintable():
            path = None
        else:
            path = _here(line, _without_extras(text))
        if path is None:
            raise line.error("only a folder or a checkout can be installed with -e")
        return self._folder(line, path, name or _egg(text), marker)

    def _direct(
        self,
        line: Line,
        url: str,
        name: str,
        marker: Marker | None,
        hashes: frozenset[tuple[str, str]],
    ) -> _Wish:
        """A file, a folder or a checkout at an address."""
        if not url.isprintable():
            raise line.error("the address has control characters in it")
        name = name or _egg(url)
        path = path_of(url)
        if path is not None and not is_archive(path.name):
            return self._folder(line, path, name, marker)
        kind = Kind.VCS if _VCS.match(url) else None
        if kind is None and not (is_web(url) or path is not None):
            raise line.error(
                "this is no address that files are fetched from",
                expected="an https:, http: or file: URL, or one of version control",
            )
        problem = ""
        filename = filename_of(url)
        if not name:
            parts = named_in(filename) if kind is None else None
            name = parts[0] if parts else _last_segment(url)
            if parts is None:
                problem = f"{_UNNAMED} ({redacted(url)})"
        elif kind is None and not is_filename(filename):
            problem = f"the address names no file ({redacted(url)})"
        hashes |= {(found[1].lower(), found[2].lower()) for found in _FRAGMENT_HASH.finditer(url)}
        return _Wish(
            line=line,
            name=name,
            specifier=_anything(),
            marker=marker,
            url=url,
            kind=kind,
            hashes=_checked(hashes, line),
            problem="" if kind is Kind.VCS else problem,
            note=problem if kind is Kind.VCS else "",
        )

    def _folder(self, line: Line, path: Path, name: str, marker: Marker | None) -> _Wish:
        note = ""
        if not name:
            name = self._name_in(path)
            note = "" if name else _FOLDER
        return _Wish(
            line=line,
            name=name or _normalized(path.name) or "unnamed",
            specifier=_anything(),
            marker=marker,
            url=path.as_uri(),
            kind=Kind.DIRECTORY,
            note=note,
        )

    def _name_in(self, folder: Path) -> str:
        """The name in a project's pyproject.toml; empty where it has none, or computes it."""
        from packaging.utils import InvalidName, canonicalize_name

        try:
            content = self._tree.read(folder / "pyproject.toml").decode()
            name = tomllib.loads(content)["project"]["name"]
            return canonicalize_name(name, validate=True) if isinstance(name, str) else ""
        except (CommandError, InvalidName, ValueError, LookupError, TypeError, RecursionError):
            return ""


def _without_marker(line: Line) -> tuple[str, Marker | None]:
    from packaging.markers import InvalidMarker, Marker

    # In a URL, a semicolon may be part of it.
    separator = "; " if _URL.match(line.requirement) else ";"
    text, _, condition = line.requirement.partition(separator)
    if not condition.strip():
        return text.strip(), None
    try:
        return text.strip(), Marker(condition.strip())
    except (InvalidMarker, ValueError, RecursionError) as error:
        problem = str(error).partition("\n")[0]
        raise line.error(
            f"this is not an environment marker: {printable(problem, _SHOWN)}"
        ) from None


def _hashes(line: Line) -> frozenset[tuple[str, str]]:
    cut = (text.partition(":") for text in line.options.hashes)
    return _checked(frozenset((algorithm, digest.lower()) for algorithm, _, digest in cut), line)


def _checked(hashes: frozenset[tuple[str, str]], line: Line) -> frozenset[tuple[str, str]]:
    for algorithm, digest in hashes:
        if algorithm == "sha256" and not as_sha256(digest):
            raise line.error(
                "this is not a sha256 digest",
                expected="64 hexadecimal digits",
                found=digest or "nothing",
            )
    return hashes


def _without_extras(text: str) -> str:
    before, bracket, extras = text.rpartition("[")
    return before if before and bracket and extras.find("]") == len(extras) - 1 > 0 else text


def _is_local(text: str) -> bool:
    """Whether pip takes the text for a path: it looks like one, or is called like an archive."""
    before, at, _ = text.partition("@")
    if at and not _looks_like_path(before):
        return False
    return _looks_like_path(text) or is_archive(text)


def _looks_like_path(text: str) -> bool:
    return os.sep in text or bool(os.altsep and os.altsep in text) or text.startswith(".")


def _here(line: Line, path: str) -> Path:
    """A path of a requirement: relative to the working directory, as pip has it."""
    if not path.isprintable():
        raise line.error("the path has control characters in it")
    return absolute(Path.cwd(), path)


def _egg(url: str) -> str:
    found = _EGG.search(url)
    return _normalized(found[1]) if found and is_filename(found[1]) else ""


def _last_segment(url: str) -> str:
    """What an address that names no project may be called: the last word of its path."""
    path = url.partition("#")[0].partition("?")[0].rstrip("/")
    last = path.rpartition("/")[2].partition("@")[0].removesuffix(".git")
    return _normalized(printable(last, _SHOWN)) or "unnamed"


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _anything() -> SpecifierSet:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet()


# --- all lines together ---------------------------------------------------------------------


class _Resolver:
    """From wishes to what is installed: constraints pin what requirements leave open."""

    def __init__(self, path: Path, found: _Collector, interpreter: Interpreter | None) -> None:
        self._path = path
        self._found = found
        self._interpreter = interpreter
        self._left_out: list[LeftOut] = []

    def lock(self) -> Lock:
        parser = _Parser(self._found.tree)
        wishes: dict[str, list[_Wish]] = {}
        for line in self._found.requirements:
            wish = parser.wish(line)
            if self._applies(wish):
                several = wishes.setdefault(wish.name, [])
                several.append(wish)
                if len(several) > self._found.limits.lock_files:
                    raise line.error(f"too many lines about {wish.name}")
            else:
                self._left_out.append(_left_out(wish))
        constraints: dict[str, list[_Wish]] = {}
        for line in self._found.constraints:
            wish = _constraint(parser.wish(line))
            if self._applies(wish):
                constraints.setdefault(wish.name, []).append(wish)
        locked = [
            entry
            for name, several in wishes.items()
            for entry in self._entries(several, constraints.get(name, []))
        ]
        return Lock(
            path=self._path,
            format=FORMAT,
            locked=tuple(locked),
            left_out=tuple(self._left_out),
            indexes=self._found.indexes,
            find_links=tuple(self._found.find_links),
            no_index=self._found.no_index,
            files=tuple(self._found.files),
        )

    def _applies(self, wish: _Wish) -> bool:
        if self._interpreter is None or wish.marker is None:
            return True
        try:
            return wish.marker.evaluate({**self._interpreter.markers, "extra": ""})
        except MEANINGLESS as error:
            problem = str(error).partition("\n")[0]
            raise wish.line.error(f"the marker has no meaning: {printable(problem)}") from None

    def _entries(self, wishes: Sequence[_Wish], constraints: Sequence[_Wish]) -> list[Locked]:
        """The entries of one project: one, or for every interpreter one a condition."""
        if self._interpreter is not None:
            return [self._merged(wishes, constraints)]
        entries: dict[tuple[object, ...], Locked] = {}
        for condition in dict.fromkeys(wish.condition for wish in (*wishes, *constraints)):
            # What has no condition holds under each.
            here = [wish for wish in wishes if wish.condition in {"", condition}]
            also = [wish for wish in constraints if wish.condition in {"", condition}]
            if not here:
                continue
            entry = self._merged(here, also)
            key = (entry.version, entry.url, entry.kind, entry.files)
            entries.setdefault(key, entry)
        return list(entries.values())

    def _merged(self, wishes: Sequence[_Wish], constraints: Sequence[_Wish]) -> Locked:
        """What several lines say of one project together."""
        every = (*wishes, *constraints)
        first = wishes[0]
        direct = _direct_of(every)
        hashes = _common(every)
        problem = "" if direct is None else direct.problem
        version = "" if problem else _version_of(every, direct)
        notes = list(dict.fromkeys(wish.note for wish in every if wish.note))
        form, option = None, self._found.forms.option_for(first.name)
        if option and direct is None:
            form = Kind.SDIST if option == "--no-binary" else Kind.WHEEL
            taken = "its source archive" if form is Kind.SDIST else "a wheel of it"
            notes.append(f"the file says {option}: pip takes only {taken}")
        files: tuple[LockedFile, ...] = ()
        url, kind = "", None
        if problem:
            notes.append(problem)
        elif direct is not None:
            kind, url = direct.kind, direct.url.partition("#")[0]
            if kind is None:
                files = tuple(_files(url, hashes, direct, every))
        elif version:
            files = tuple(_files("", hashes, first, every))
        else:
            notes.append(_UNPINNED)
        others = sorted({algorithm for algorithm, _ in hashes} - {"sha256"})
        if others and any(file.sha256 for file in files):
            # What the sha256 say would be verified, and another file installed.
            by = next(wish for wish in every if not {name for name, _ in wish.hashes} <= _SHA256)
            raise by.line.error(
                f"{first.name} has digests of several kinds: pip takes any file that has one of"
                " them, and only sha256 can be verified",
                expected="sha256 alone",
                found=", ".join(("sha256", *others)),
                advice="Leave the other digests out, or have the file written again.",
            )
        if others and (files or version):
            notes.append(without_sha256("it", others))
        return Locked(
            name=first.name,
            version=version,
            place=first.line.place,
            files=files,
            kind=kind,
            form=form,
            url=url,
            notes=tuple(notes),
        )


def _left_out(wish: _Wish) -> LeftOut:
    return LeftOut(
        name=wish.name,
        version=next(iter(_pins(wish.specifier)), ""),
        place=wish.line.place,
        why=f"its marker is false here: {printable(wish.condition, _SHOWN)}",
    )


def _constraint(wish: _Wish) -> _Wish:
    if wish.line.editable or wish.problem or wish.kind is Kind.DIRECTORY:
        raise wish.line.error("pip takes no such line for a constraint", expected="NAME==VERSION")
    return wish


def _direct_of(wishes: Iterable[_Wish]) -> _Wish | None:
    """The wish that has an address; they may not have several."""
    found: _Wish | None = None
    for wish in wishes:
        if not wish.url:
            continue
        if found is None:
            found = wish
        elif found.url.partition("#")[0] != wish.url.partition("#")[0]:
            raise wish.line.error(
                f"{wish.name} has two addresses: another is at {found.line.place}"
            )
    return found


def _common(wishes: Iterable[_Wish]) -> frozenset[tuple[str, str]]:
    """The digests that all lines allow; a line without any allows all."""
    common: frozenset[tuple[str, str]] = frozenset()
    for wish in wishes:
        if common and wish.hashes:
            common &= wish.hashes
            if not common:
                raise wish.line.error(f"no digest of {wish.name} is on all of its lines")
        else:
            common = common or wish.hashes
    return common


def _pins(specifiers: SpecifierSet) -> list[str]:
    """The versions that a requirement pins: more than one, when it contradicts itself."""
    from packaging.version import Version

    found: dict[str, None] = {}
    for specifier in specifiers:
        if specifier.operator == "===":
            found[specifier.version] = None
        elif specifier.operator == "==" and not specifier.version.endswith(".*"):
            found[str(Version(specifier.version))] = None
    return list(found)


def _version_of(wishes: Sequence[_Wish], direct: _Wish | None) -> str:
    """The version that lines or an address pin; empty where none does.

    Raises LockfileInvalid for a line that another one contradicts.
    """
    version, by = "", wishes[0]
    if direct is not None and direct.kind is None:
        parts = named_in(filename_of(direct.url))
        if parts is not None and parts[0] == direct.name:
            version, by = parts[1], direct
    if not version:
        version, by = next(
            ((pins[0], wish) for wish in wishes if (pins := _pins(wish.specifier))), ("", by)
        )
    if not version:
        return ""
    for wish in wishes:
        try:
            fits = wish.specifier.contains(version, prereleases=True)
        except ValueError:  # a number of more digits than anybody counts to
            fits = False
        if not fits:
            raise wish.line.error(
                f"{wish.name} cannot be {version} here, as {by.line.place} pins it"
            )
    return version


def _files(
    url: str, hashes: frozenset[tuple[str, str]], wish: _Wish, wishes: Sequence[_Wish]
) -> Iterable[LockedFile]:
    """One for each sha256; of an address, one at least."""
    filename = filename_of(url) if url else ""
    path = path_of(url) if url else None
    digests = sorted(digest for algorithm, digest in hashes if algorithm == "sha256")
    for digest in digests or ([""] if url else []):
        yield LockedFile(
            filename=filename,
            place=_place_of(digest, wishes) if digest else wish.line.place,
            url=url if is_web(url) else "",
            path=path,
            sha256=digest,
        )


def _place_of(digest: str, wishes: Sequence[_Wish]) -> Place:
    return next(
        (wish.places[digest] for wish in wishes if digest in wish.places), wishes[0].line.place
    )
