"""``pylock.toml``, and ``pylock.<name>.toml``: the lockfile that packaging.python.org specifies.

What the specification demands of such a file, :mod:`packaging.pylock` checks, and it makes the
choice for an interpreter. Here its errors get their lines, and its values what a verdict needs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias, cast

from pip_intoto.account import LeftOut
from pip_intoto.distribution import Kind, Place
from pip_intoto.errors import LockfileInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.lockfiles.locked import Lock, Locked, LockedFile, Recorded
from pip_intoto.lockfiles.parts import (
    MEANINGLESS,
    absolute,
    as_sha256,
    filename_of,
    is_filename,
    named_in,
    path_of,
    without_sha256,
)
from pip_intoto.metadata.identities import PARTS, Identity
from pip_intoto.metadata.publishers import KINDS, UnusablePublisher, identity_of
from pip_intoto.policy import tables
from pip_intoto.sources.addresses import is_web, printable, redacted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from packaging.markers import Environment
    from packaging.pylock import (
        Package,
        PackageArchive,
        PackageDirectory,
        PackageSdist,
        PackageVcs,
        PackageWheel,
        Pylock,
    )

    from pip_intoto.limits import Limits
    from pip_intoto.lockfiles.locked import Interpreter, Tree
    from pip_intoto.policy import places as toml

    _File: TypeAlias = PackageWheel | PackageSdist | PackageArchive
    _Artifact: TypeAlias = _File | PackageVcs | PackageDirectory

FORMAT = "pylock"

KIND = tables.Kind(
    noun="lockfile",
    example='lock-version = "1.0"',
    error=LockfileInvalid,
    syntax=LockfileInvalid,
    tables=(),
)
#: A step in the context of packaging's errors: ``packages[3].wheels[0].hashes``.
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_INDEX = re.compile(r"packages\[(\d+)\]")
_ELSEWHERE = "Name the interpreter it is for with --python, or verify --all-files."
#: Characters of other people's messages that are passed on.
_SHOWN = 400
#: The table below ``packages.tool`` that `pip-intoto lock` writes, and what may stand in it.
TOOL = "pip-intoto"
RECORDED = ("version", "identities", "layout-keys")
_KEY_IDENTITY = re.compile(r"[0-9a-f]{64}")


def read(
    path: Path, tree: Tree, interpreter: Interpreter | None, *, limits: Limits = LOCAL
) -> Lock:
    """Read a lock; for every interpreter when ``interpreter`` is None.

    Extras are not asked for, and of the dependency groups only the default ones.
    Raises LockfileInvalid, and CommandError for a file that cannot be read.
    """
    return _Reader(tables.parse(tree.read(path), path, KIND), limits).read(interpreter)


class _Reader:
    """One file while it is read."""

    def __init__(self, table: tables.Table, limits: Limits) -> None:
        self._table = table
        self._path = table.file.path
        self._limits = limits
        #: What is to be said of every project.
        self._notes: tuple[str, ...] = ()

    def read(self, interpreter: Interpreter | None) -> Lock:
        self._check_version()
        pylock = self._parse()
        chosen = None if interpreter is None else self._choose(pylock, interpreter)
        locked: list[Locked] = []
        left_out: list[LeftOut] = []
        for index, package in enumerate(pylock.packages):
            if chosen is not None and index not in chosen:
                left_out.append(self._left_out(package, index))
            else:
                artifact = None if chosen is None else chosen[index]
                locked.append(self._locked(package, index, artifact))
        return Lock(
            path=self._path,
            format=FORMAT,
            locked=tuple(locked),
            left_out=tuple(left_out),
            files=(self._path,),
        )

    # --- the file as a whole ----------------------------------------------------------------

    def _check_version(self) -> None:
        # Imported here for start-up time, like packaging below.
        from packaging.version import InvalidVersion, Version

        value = self._table.need("lock-version", 'A pylock.toml says `lock-version = "1.0"`.')
        text = value.text()
        try:
            version = Version(text)
            major = version.major
        except (InvalidVersion, ValueError):
            raise value.error(
                f"`lock-version` cannot be {tables.as_written(text)}", expected='"1.0"'
            ) from None
        if major != 1 or version.epoch:
            raise value.error(
                "this lockfile is of a version that is not known here",
                expected='lock-version = "1.0"',
                found=f"lock-version = {tables.as_written(text)}",
                advice="Upgrade pip-intoto, or have the lock written in version 1.0.",
            )
        if version > Version("1.0"):
            # "If a tool doesn't support a minor version, it SHOULD warn": packaging does so
            # through logging, where nobody can tell which file it was.
            self._notes = (f"the lock is of version {version}, and was read as version 1.0",)

    def _parse(self) -> Pylock:
        from packaging.pylock import Pylock, PylockValidationError

        packages = self._table.values.get("packages")
        if isinstance(packages, list):
            self._check_counts(packages)
        try:
            return Pylock.from_dict({**self._table.values, "lock-version": "1.0"})
        except PylockValidationError as error:
            context = error.context or ""
            about = f" in `{printable(context, _SHOWN)}`" if context else ""
            raise self._at(_steps(context)).error(f"{_first_line(error.message)}{about}") from None
        except (ValueError, RecursionError) as error:
            raise self._table.whole.error(_first_line(str(error))) from None

    def _check_counts(self, packages: list[object]) -> None:
        if len(packages) > self._limits.lock_entries:
            raise self._at(("packages",)).error(
                "this lock has too many projects",
                expected=f"at most {self._limits.lock_entries}",
                found=str(len(packages)),
            )
        for index, package in enumerate(packages):
            wheels = package.get("wheels") if isinstance(package, dict) else None
            if isinstance(wheels, list) and len(wheels) > self._limits.lock_files:
                raise self._at(("packages", index, "wheels")).error(
                    "this project has too many files",
                    expected=f"at most {self._limits.lock_files}",
                    found=str(len(wheels)),
                )

    def _choose(self, pylock: Pylock, interpreter: Interpreter) -> dict[int, _Artifact]:
        """What is installed for an interpreter: the position of a package, and the file of it."""
        from packaging.pylock import PylockSelectError

        positions = {id(package): index for index, package in enumerate(pylock.packages)}
        try:
            return {
                positions[id(package)]: artifact
                for package, artifact in pylock.select(
                    environment=cast("Environment", dict(interpreter.markers)),
                    tags=interpreter.tags,
                )
            }
        except PylockSelectError as error:
            message = str(error)
            index = _INDEX.search(message)
            if index is not None:
                at: toml.Path = ("packages", int(index[1]))
            else:
                at = ("environments" if "environments" in message else "requires-python",)
            message = re.sub(r" at packages\[\d+\]( and packages\[\d+\])?", "", message)
            raise self._at(at).error(
                "the lock does not fit this interpreter",
                found=_first_line(message),
                advice=_ELSEWHERE,
            ) from None
        except MEANINGLESS as error:
            raise self._at(self._meaningless(pylock, interpreter)).error(
                f"a condition cannot be evaluated: {_first_line(str(error))}"
            ) from None

    def _meaningless(self, pylock: Pylock, interpreter: Interpreter) -> toml.Path:
        """Where the marker is that has no meaning in a lock, such as one of a single extra."""
        environment: dict[str, str | AbstractSet[str]] = {
            **interpreter.markers,
            "extras": frozenset(),
            "dependency_groups": frozenset(),
        }
        for index, package in enumerate(pylock.packages):
            try:
                if package.marker is not None:
                    package.marker.evaluate(environment, context="lock_file")
            except MEANINGLESS:
                return ("packages", index, "marker")
        return ("environments",)

    # --- one package ------------------------------------------------------------------------

    def _left_out(self, package: Package, index: int) -> LeftOut:
        return LeftOut(
            name=package.name,
            version=self._version(package, index),
            place=self._place(("packages", index)),
            why=f"its marker is false here: {printable(str(package.marker), _SHOWN)}",
        )

    def _locked(self, package: Package, index: int, chosen: _Artifact | None) -> Locked:
        at: toml.Path = ("packages", index)
        version = self._version(package, index)
        notes = list(self._notes)
        kind, url = None, ""
        files: tuple[LockedFile, ...] = ()
        if package.vcs is not None:
            kind, url = Kind.VCS, self._checkout(package.vcs, (*at, "vcs"))
        elif package.directory is not None:
            kind = Kind.DIRECTORY
            url = self._local(package.directory.path, (*at, "directory", "path")).as_uri()
        else:
            files = tuple(
                self._file(item, place, notes) for item, place in _files_of(package, at, chosen)
            )
            version = version or self._version_in(files, at)
        return Locked(
            name=package.name,
            version=version,
            place=self._place(at),
            files=files,
            kind=kind,
            url=url,
            index=self._address(package.index, (*at, "index")) if package.index else "",
            attested_by=self._attested_by(package, at, notes),
            recorded=self._recorded(package, at),
            notes=tuple(notes),
        )

    # --- who vouches for it -----------------------------------------------------------------

    def _attested_by(
        self, package: Package, at: toml.Path, notes: list[str]
    ) -> tuple[Identity, ...]:
        """Read the publishers of which one must have attested each file."""
        publishers = package.attestation_identities or ()
        self._check_signers(len(publishers), (*at, "attestation-identities"))
        found: dict[Identity, None] = {}
        for position, publisher in enumerate(publishers):
            place = self._at((*at, "attestation-identities", position))
            try:
                found[identity_of(publisher)] = None
            except UnusablePublisher as error:
                kind = printable(str(publisher.get("kind")), _SHOWN)
                if error.member != "kind":
                    raise place.error(f"{error} (kind {kind})") from None
                notes.append(f"the lock pins a publisher of a kind that is not known here: {kind}")
            if publisher.get("environment"):
                notes.append(
                    "the publisher's environment is not compared: it is a setting of the index,"
                    " which certificates do not say"
                )
        if publishers and not found:
            raise self._at((*at, "attestation-identities")).error(
                f"nobody can tell who must have attested {package.name}",
                expected=f"a publisher of kind {', '.join(KINDS)}",
                found=", ".join(printable(str(each.get("kind")), 40) for each in publishers),
                advice="Upgrade pip-intoto, or take the entry out of the lock.",
            )
        return tuple(found)

    def _recorded(self, package: Package, at: toml.Path) -> Recorded | None:
        """Read what `pip-intoto lock` noted."""
        at = (*at, "tool", TOOL)
        noted = (package.tool or {}).get(TOOL)
        if noted is None:
            return None
        table = tables.Value(noted, at, self._table.file).table(f"[packages.tool.{TOOL}]", RECORDED)
        identities = table.get("identities")
        keys = table.get("layout-keys")
        named = () if identities is None else identities.array("tables")
        listed = () if keys is None else keys.array("strings")
        self._check_signers(len(named) + len(listed), at)
        return Recorded(
            version=table.need("version", "Have `pip-intoto lock` write the table.").text(),
            identities=tuple(map(_identity, named)),
            layout_keys=tuple(map(_layout_key, listed)),
        )

    def _check_signers(self, count: int, at: toml.Path) -> None:
        if count > self._limits.keys:
            raise self._at(at).error(
                "too many are said to vouch for this project",
                expected=f"at most {self._limits.keys}",
                found=str(count),
            )

    # --- its files --------------------------------------------------------------------------

    def _version(self, package: Package, index: int) -> str:
        try:
            return "" if package.version is None else str(package.version)
        except ValueError:  # a number of more digits than anybody counts to
            raise self._at(("packages", index, "version")).error("this is no version") from None

    def _version_in(self, files: Sequence[LockedFile], at: toml.Path) -> str:
        """The version where only filenames have it: "packages.version … is OPTIONAL"."""
        found = {parts[1] for file in files if (parts := named_in(file.filename)) is not None}
        if len(found) > 1:
            raise self._at(at).error(
                "the package has no `version`, and its files are of several",
                found=", ".join(sorted(found)),
            )
        return next(iter(found), "")

    def _file(self, item: _File, at: toml.Path, notes: list[str]) -> LockedFile:
        url = "" if item.url is None else self._address(item.url, (*at, "url"))
        path = path_of(url) if url else None
        if item.path:
            path = self._local(item.path, (*at, "path"))
        filename = _filename(item, path, url)
        if not is_filename(filename) or len(filename) > self._limits.filename:
            raise self._at(at).error("this is not a file's name", found=printable(filename, _SHOWN))
        if item.size is not None and item.size < 0:
            raise self._at((*at, "size")).error("`size` is negative", found=str(item.size))
        hashes = {algorithm.lower(): digest for algorithm, digest in item.hashes.items()}
        if "sha256" in hashes and len(item.hashes) > 1:
            # pip takes a file that has any of them: another one than the sha256 says.
            raise self._at((*at, "hashes")).error(
                f"{filename} has several digests: installers take any file that has one of them,"
                " and only sha256 can be verified",
                expected="sha256 alone",
                found=", ".join(printable(name, 40) for name in item.hashes),
                advice="Leave the other digests out, or have the lock written again.",
            )
        sha256 = as_sha256(hashes.get("sha256", ""))
        if "sha256" in hashes and not sha256:
            raise self._at((*at, "hashes")).error(
                f"the sha256 of {filename} is not a sha256 digest",
                expected="64 hexadecimal digits",
                found=printable(hashes["sha256"], _SHOWN),
            )
        if not sha256:
            notes.append(without_sha256(filename, (printable(name, 40) for name in hashes)))
        if getattr(item, "subdirectory", None):
            notes.append("the project is in a folder of the archive, not at its root")
        return LockedFile(
            filename=filename,
            place=self._place(at),
            url=url if is_web(url) else "",
            path=path,
            sha256=sha256,
            size=item.size,
        )

    def _checkout(self, vcs: PackageVcs, at: toml.Path) -> str:
        """The address of a checkout, as pip writes it."""
        address = vcs.url or self._local(vcs.path or "", (*at, "path")).as_uri()
        text = f"{vcs.type}+{address}@{vcs.commit_id}"
        if not text.isprintable():
            raise self._at(at).error("the address has line breaks or control characters in it")
        return text

    def _address(self, url: str, at: toml.Path) -> str:
        if not url.isprintable() or not (is_web(url) or path_of(url)):
            raise self._at(at).error(
                "this is no address that files are fetched from",
                expected="an https:, http: or file: URL",
                found=redacted(url),
            )
        return url

    def _local(self, path: str, at: toml.Path) -> Path:
        if not path.isprintable():
            raise self._at(at).error("the path has line breaks or control characters in it")
        return absolute(self._path.absolute().parent, path)

    # --- places -----------------------------------------------------------------------------

    def _at(self, at: toml.Path) -> tables.Value:
        return tables.Value(None, at, self._table.file)

    def _place(self, at: toml.Path) -> Place:
        return Place(self._path, self._table.file.places.line_of(at))


def _files_of(
    package: Package, at: toml.Path, chosen: _Artifact | None
) -> Iterator[tuple[_File, toml.Path]]:
    """The files that may be installed, and where they stand; only ``chosen``, where it is given."""
    if package.archive is not None:
        yield package.archive, (*at, "archive")
    for position, wheel in enumerate(package.wheels or ()):
        if chosen is None or wheel is chosen:
            yield wheel, (*at, "wheels", position)
    if package.sdist is not None and (chosen is None or package.sdist is chosen):
        yield package.sdist, (*at, "sdist")


def _identity(value: tables.Value) -> Identity:
    table = value.table("an identity", PARTS)
    issuer = table.need("issuer", "An identity says who vouches for it.").text()
    rest = {part: table.text(part) for part in PARTS if part != "issuer"}
    if not any(rest.values()):
        raise value.error("this identity says nobody in particular", expected=" or ".join(rest))
    return Identity(keyid="", issuer=issuer, **rest)


def _layout_key(value: tables.Value) -> str:
    text = value.text()
    if not _KEY_IDENTITY.fullmatch(text):
        raise value.error("this is not a key's identity", expected="64 hexadecimal digits")
    return text


def _filename(item: _File, path: Path | None, url: str) -> str:
    """The name that is written, else the one of the path, else the one in the address."""
    name = getattr(item, "name", None)
    if isinstance(name, str) and name:
        return name
    return path.name if path is not None else filename_of(url)


def _steps(context: str) -> toml.Path:
    return tuple(int(found[1]) if found[1] else found[2] for found in _STEP.finditer(context))


def _first_line(message: str) -> str:
    """The beginning of a message of packaging's, which can draw arrows on further lines."""
    line = message.strip().partition("\n")[0]
    return printable(line[:1].lower() + line[1:], _SHOWN)
