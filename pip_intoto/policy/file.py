"""Reads the policy file: bytes in, a checked and frozen :class:`Policy` out, or an error that
names the line.

The file is read once; the digest is over exactly the bytes that were read. A policy that anybody
else could write is refused, and so are its keys and layouts.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.distribution import SHA256
from pip_intoto.errors import PolicyInvalid, PolicyMissing
from pip_intoto.limits import DEFAULT
from pip_intoto.policy import placeholders
from pip_intoto.policy.model import (
    Beside,
    Folder,
    HeldLayout,
    Policy,
    PolicyException,
    ProjectRule,
    Revoked,
    Template,
)
from pip_intoto.policy.named_keys import keys_named, read_key, read_keys, threshold_of
from pip_intoto.policy.tables import Kind, Value, parse
from pip_intoto.policy.vocabulary import (
    EXCEPTION,
    PROJECT,
    RESERVED,
    REVOKED,
    TABLES,
    TOP,
    WAIVABLE,
    nearest,
)
from pip_intoto.sources.addresses import is_web, split
from pip_intoto.verification.trust import Owner
from pip_intoto_gate.location import PolicyUnusable, locate, others_may_write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.specifiers import SpecifierSet

    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import Build, Mode, NamedKey, Source, Unlisted
    from pip_intoto.policy.tables import Table

# Not IGNORECASE: with it, letters that are none of these (the Kelvin sign, a long s) would do.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_GLOB = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)?\*")
_PARAMETER = re.compile(r"[A-Za-z0-9_-]+")
_SCHEMES = ("https", "http", "file")
#: Without O_NONBLOCK a named pipe would hang, without O_BINARY Windows would rewrite newlines.
_OPEN: int = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class PolicySyntax(PolicyInvalid):
    """The policy is not TOML."""


_POLICY = Kind(
    noun="policy",
    example='mode = "enforce"',
    error=PolicyInvalid,
    syntax=PolicySyntax,
    tables=TABLES,
    reserved=RESERVED,
)


def policy_in_force() -> Path | None:
    """Find the policy that holds here; None when there is none.

    Raises PolicyMissing when ``$INTOTO_POLICY`` names nothing, PolicyInvalid when a place that
    counts cannot be read.
    """
    try:
        location = locate()
    except PolicyUnusable as unusable:
        error = PolicyMissing if unusable.code == PolicyMissing.code else PolicyInvalid
        raise error(f"no policy can be read: {unusable}", advice=unusable.advice) from None
    return None if location is None else Path(location.path)


def load_policy(path: Path, *, sha256: str | None = None, limits: Limits = DEFAULT) -> Policy:
    """Read and check a policy file, with the keys and layouts that it names.

    ``sha256`` is the digest (lower-case hex) that the file must have, where one is known.

    Raises PolicyMissing when there is no such file, PolicyInvalid for everything else.
    """
    path = path.absolute()
    content = _read(path, "the policy", limits.policy_bytes, place=str(path))
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise PolicyInvalid(
            "the policy changed while pip was running",
            expected=f"sha256 {sha256}",
            found=f"sha256 {found}",
            advice="Run pip again.",
            place=str(path),
        )
    return parse_policy(content, path, limits=limits)


def parse_policy(
    content: bytes,
    path: Path,
    *,
    unwritten: Mapping[Path, bytes] | None = None,
    limits: Limits = DEFAULT,
) -> Policy:
    """Check the bytes of a policy that lies, or will lie, at the absolute ``path``.

    Reads the keys and layouts that it names, except those in ``unwritten``, which are taken from
    there. Raises PolicyInvalid.
    """
    reader = _Reader(path, parse(content, path, _POLICY), unwritten or {}, limits)
    return reader.policy(hashlib.sha256(content).hexdigest())


def canonical_name(name: str) -> str:
    """The PEP 503 form of a project name: lower case, runs of ``-``, ``_``, ``.`` as one ``-``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project_name(value: Value) -> str:
    """The PEP 503 form of the project's name in ``value``. Raises the error of the file's kind."""
    name = value.text()
    if not _NAME.fullmatch(name):
        raise value.error(
            f'"{name}" is not the name of a project',
            expected="letters, digits, and - _ . between them",
        )
    return canonical_name(name)


# --- the file -------------------------------------------------------------------------------


def _read(path: Path, what: str, at_most: int, *, place: str) -> bytes:
    try:
        stream = os.fdopen(os.open(path, _OPEN), "rb")
    except FileNotFoundError:
        if place == str(path):
            raise PolicyMissing(
                f"there is no policy at {path}",
                advice="Correct the path, or write a policy with `pip-intoto trust add`.",
            ) from None
        raise PolicyInvalid(
            f"{what} is not there",
            expected=f"a file at {path}",
            advice="Correct the path; it is relative to the policy file.",
            place=place,
        ) from None
    except IsADirectoryError:
        raise PolicyInvalid(f"{what} is not a file: {path}", place=place) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise PolicyInvalid(f"{what} cannot be read: {path} ({why})", place=place) from None
    with stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PolicyInvalid(f"{what} is not a file: {path}", place=place)
        reason = others_may_write(path)
        if reason is not None:
            raise PolicyInvalid(
                f"others may write {what}",
                expected="only root and you may write the file and the directories above it",
                found=reason,
                advice=f"Take the right away (chmod go-w, chown), or move {path.name} elsewhere.",
                place=place,
            )
        content = stream.read(at_most + 1)
    if len(content) > at_most:
        raise PolicyInvalid(
            f"{what} is too large: {path}",
            expected=f"at most {at_most} bytes",
            found=f"{max(status.st_size, len(content))} bytes",
            place=place,
        )
    return content


# --- the policy -----------------------------------------------------------------------------


class _Reader:
    def __init__(
        self, path: Path, top: Table, unwritten: Mapping[Path, bytes], limits: Limits
    ) -> None:
        self.path = path
        self._unwritten = unwritten
        self._limits = limits
        self._top = top
        self._files: dict[Path, None] = {}
        self._rests_on(path)

    def policy(self, sha256: str) -> Policy:
        self._top.check_version()
        self._top.refuse_unknown(TOP)
        keys = read_keys(self._top, self._file, self._limits)
        return Policy(
            path=self.path,
            sha256=sha256,
            mode=self._mode(),
            unlisted=self._unlisted(),
            keys=keys,
            projects=self._projects(keys),
            exceptions=tuple(
                self._exception(value) for value in self._top.tables("exception", "projects")
            ),
            revoked=tuple(self._revoked(value) for value in self._top.tables("revoked", "keys")),
            files=tuple(self._files),
        )

    def _mode(self) -> Mode:
        value = self._top.get("mode")
        if value is None or value.choice(("enforce", "warn")) == "enforce":
            return "enforce"
        return "warn"

    def _unlisted(self) -> Unlisted:
        value = self._top.get("unlisted")
        chosen = "warn" if value is None else value.choice(("allow", "warn", "deny"))
        return "allow" if chosen == "allow" else "deny" if chosen == "deny" else "warn"

    # --- files ---

    def _file(self, value: Value, what: str, at_most: int) -> tuple[Path, bytes]:
        """Read a file that the policy names, relative to the policy."""
        path = self.path.parent / value.text()
        content = self._unwritten.get(path)
        if content is None:
            content = _read(path, what, at_most, place=value.place)
        self._rests_on(path)
        return path, content

    def _rests_on(self, path: Path) -> None:
        """Remember a file, and what it is where a symbolic link leads to it."""
        self._files[path] = None
        self._files[Path(os.path.realpath(path))] = None

    # --- projects ---

    def _projects(self, keys: Mapping[str, NamedKey]) -> tuple[ProjectRule, ...]:
        tables: list[tuple[str, Table]] = []
        lines: dict[str, int] = {}
        for value in self._top.tables("project", "projects"):
            table = value.table("[[project]]", PROJECT)
            name = self._project_name(table.need("name", 'Write name = "demo".'), globs=True)
            if name in lines:
                raise value.error(
                    f"there is already a [[project]] {name}, on line {lines[name]}",
                    advice="Merge the two, or remove one.",
                )
            lines[name] = value.line
            tables.append((name, table.called(f"[[project]] {name}")))
        owned = [(name, table, self._owners(table, keys)) for name, table in tables]
        uses: dict[str, int] = {}
        for _, _, owners in owned:
            for identity in {identity for key in owners for identity in key.identities}:
                uses[identity] = uses.get(identity, 0) + 1
        return tuple(
            self._project(
                name,
                table,
                owners,
                shared=name.endswith("*")
                or any(uses[each] > 1 for key in owners for each in key.identities),
            )
            for name, table, owners in owned
        )

    def _project_name(self, value: Value, *, globs: bool) -> str:
        name = value.text()
        if "*" not in name:
            return project_name(value)
        if not globs:
            raise value.error(
                f'an exception is for one project, not for "{name}"',
                advice="Write one [[exception]] a project.",
            )
        if not _GLOB.fullmatch(name):
            raise value.error(
                f'"{name}" is not a pattern that can be used',
                expected='one "*", at the end: "acme-*"',
            )
        return canonical_name(name)

    def _owners(self, table: Table, keys: Mapping[str, NamedKey]) -> tuple[NamedKey, ...]:
        value = table.need(
            "layout-keys", "Name the keys of [keys] that sign the project's layouts."
        )
        return keys_named(value, keys, table.name)

    def _project(
        self, name: str, table: Table, owners: tuple[NamedKey, ...], *, shared: bool
    ) -> ProjectRule:
        return ProjectRule(
            name=name,
            owners=tuple(Owner(key=key.key, principal=key.principal) for key in owners),
            threshold=threshold_of(
                table.get("threshold"),
                owners,
                table.name,
                default=len({key.principal for key in owners}),
            ),
            index=self._index(table.get("index")),
            sources=self._sources(table.get("sources")),
            layout=self._layout(table.get("layout")),
            layout_sha256=self._sha256(table.get("layout-sha256")),
            binds=table.text("binds"),
            build=self._build(table.get("build")),
            parameters=self._parameters(table.get("parameters")),
            parameters_in_sublayouts=self._switch(table.get("parameters-in-sublayouts")),
            inspections=self._inspections(table.get("inspections")),
            shared_keys=shared,
            line=table.line,
        )

    def _index(self, value: Value | None) -> str:
        if value is None:
            return ""
        url = value.text()
        self._check_url(value, url)
        address = split(url)
        if address.userinfo:
            raise value.error(
                "`index` has a user name or password in it",
                expected="the URL without credentials",
                advice="Credentials belong in pip's configuration, netrc or a keyring.",
            )
        if address.query is not None or "#" in url:
            raise value.error("`index` has a query or a fragment", expected="the URL up to there")
        return url

    def _check_url(self, value: Value, url: str) -> None:
        address = split(url)
        if address.scheme not in _SCHEMES or "://" not in url:
            raise value.error(
                f'"{url}" is not a URL that can be used',
                expected="https://…, http://… or file://…",
            )
        if address.scheme != "file" and not is_web(url):
            raise value.error(f'"{url}" names no host')
        if not url.isascii() or any(character in ' \\"<>^`|' for character in url):
            raise value.error(
                f'"{url}" has spaces or characters that no URL has', advice="Percent-encode them."
            )
        segments = address.path.lower().replace("%2e", ".").split("/")
        if "." in segments or ".." in segments:
            raise value.error(f'"{url}" has "." or ".." in its path')

    def _sources(self, value: Value | None) -> tuple[Source, ...]:
        if value is None:
            return (Beside(),)
        sources: list[Source] = []
        for element in value.elements('"beside", URL templates and directories'):
            source = self._source(element)
            if source in sources:
                raise element.error(f"the source {element.text()} is named twice")
            sources.append(source)
        return tuple(sources)

    def _source(self, value: Value) -> Source:
        text = value.text()
        if text == "beside":
            return Beside()
        if "://" in text:
            return self._template(value, text)
        if "/" in text or os.sep in text or text in {".", ".."}:
            return Folder(self.path.parent / text)
        near = nearest(text, ("beside",))
        raise value.error(
            f'"{text}" is not a source',
            expected='"beside", a URL with placeholders, or a directory such as "./evidence"',
            advice='Did you mean "beside"?' if near else f'Write "./{text}" for a directory.',
        )

    def _template(self, value: Value, text: str) -> Template:
        before, _, rest = text.partition("://")
        authority = rest.partition("/")[0]
        if not {"{", "}"}.isdisjoint(before + authority):
            raise value.error(
                "a placeholder stands in the scheme or host of a URL",
                expected="placeholders in the path or query only",
                found=text,
                advice="Otherwise the name of a project would decide who is asked.",
            )
        self._check_placeholders(value, text)
        if not is_web(text):
            raise value.error(
                f'"{text}" is not a URL that can be fetched',
                expected="https://host/…{project}… or http://…",
                advice="Write a directory as a path, not as a URL.",
            )
        self._check_url(value, text)
        if "#" in text:
            raise value.error("a URL template has a fragment, which is never sent", found=text)
        return Template(text)

    def _check_placeholders(self, value: Value, text: str) -> None:
        for name in placeholders.names_in(text):
            if name not in placeholders.NAMES:
                near = nearest(name, placeholders.NAMES)
                raise value.error(
                    f"unknown placeholder {{{name}}}",
                    expected=", ".join(f"{{{known}}}" for known in placeholders.NAMES),
                    found=text,
                    advice=f"Did you mean {{{near}}}?" if near else "",
                )
        if placeholders.has_lone_brace(text):
            raise value.error("a brace stands alone", expected="{name}", found=text)

    def _layout(self, value: Value | None) -> HeldLayout | None:
        if value is None:
            return None
        path, content = self._file(value, "the layout", self._limits.document_bytes)
        return HeldLayout(path=path, content=content)

    def _sha256(self, value: Value | None) -> tuple[str, ...]:
        if value is None:
            return ()
        digests = []
        for element in value.elements("sha256 digests"):
            digest = element.text().lower()
            if not SHA256.fullmatch(digest):
                raise element.error(
                    f'"{digest}" is not a sha256 digest',
                    expected="64 hexadecimal digits",
                    found=f"{len(digest)} characters",
                )
            digests.append(digest)
        return tuple(digests)

    def _build(self, value: Value | None) -> Build:
        chosen = "verified" if value is None else value.choice(("verified", "any", "never"))
        return "any" if chosen == "any" else "never" if chosen == "never" else "verified"

    def _parameters(self, value: Value | None) -> Mapping[str, str]:
        if value is None:
            return {}
        if not isinstance(value.value, dict):
            raise value.wrong_kind("a table", 'Write parameters = { VERSION = "{version}" }.')
        parameters: dict[str, str] = {}
        for name, text in value.value.items():
            parameter = Value(text, (*value.at, name), value.file)
            # Q2: "names [A-Za-z0-9_-]+, string values"
            if not _PARAMETER.fullmatch(name):
                raise parameter.error(
                    f'"{name}" cannot be the name of a parameter',
                    expected="letters, digits, _ and -",
                )
            if not isinstance(text, str):
                raise parameter.wrong_kind("a string")
            self._check_placeholders(parameter, text)
            parameters[name] = text
        return parameters

    def _switch(self, value: Value | None) -> bool:
        if value is None:
            return False
        if not isinstance(value.value, bool):
            raise value.wrong_kind("true or false")
        return value.value

    def _inspections(self, value: Value | None) -> tuple[tuple[str, ...], ...]:
        if value is None:
            return ()
        commands = []
        for command in value.elements("commands, each an array of words"):
            if isinstance(command.value, str):
                words = ", ".join(f'"{word}"' for word in command.value.split())
                raise command.error(
                    "a command in `inspections` must be an array of its words",
                    advice=f"Write [{words}]: no shell takes it apart.",
                )
            words_of = []
            for word in command.elements("words"):
                if not isinstance(word.value, str):
                    raise word.wrong_kind("a string")
                words_of.append(word.value)
            if not words_of[0]:
                raise command.error("a command in `inspections` begins with an empty word")
            commands.append(tuple(words_of))
        return tuple(commands)

    # --- exceptions and revocations ---

    def _exception(self, value: Value) -> PolicyException:
        table = value.table("[[exception]]", EXCEPTION)
        project = self._project_name(
            table.need("project", "Name the project that it is for."), globs=False
        )
        return PolicyException(
            project=project,
            version=self._version(table.get("version")),
            sha256=self._sha256(table.get("sha256")),
            waives=self._waives(table.get("waives")),
            reason=table.need("reason", "Say why, for those who read it next year.").text(),
            owner=table.need("owner", "Say who answers for it.").text(),
            expires=self._expires(
                table.need("expires", "Give the last day on which it holds: 2027-03-31.")
            ),
            line=table.line,
        )

    def _version(self, value: Value | None) -> SpecifierSet | None:
        if value is None:
            return None
        text = value.text()
        # Imported here for start-up time: most policies have no such exception.
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            versions = SpecifierSet(text)
        except InvalidSpecifier:
            versions = SpecifierSet()
        # Nothing but commas would stand for every version.
        if len(versions) == 0:
            advice = ""
            if re.fullmatch(r"[0-9][0-9A-Za-z.+!-]*", text.strip()):
                advice = f'Write "=={text.strip()}".'
            raise value.error(
                f'"{text}" is not a version specifier',
                expected='such as "==1.4.2", "<2" or ">=1.0,<1.5"',
                advice=advice,
            )
        return versions

    def _waives(self, value: Value | None) -> tuple[str, ...]:
        if value is None:
            return ()
        codes = []
        for element in value.elements("reason codes"):
            code = element.text()
            if code not in WAIVABLE:
                near = nearest(code, WAIVABLE)
                raise element.error(
                    f"an exception cannot waive `{code}`",
                    expected=", ".join(WAIVABLE),
                    found=code,
                    advice=f"Did you mean `{near}`?"
                    if near
                    else "Leave `waives` out if nothing of the file is to be verified.",
                )
            codes.append(code)
        return tuple(codes)

    def _expires(self, value: Value) -> date:
        if isinstance(value.value, datetime) or not isinstance(value.value, date):
            advice = "Write a date such as 2027-03-31."
            if isinstance(value.value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.value):
                advice = f"Write {value.value} without quotes."
            raise value.wrong_kind("a date", advice)
        return value.value

    def _revoked(self, value: Value) -> Revoked:
        table = value.table("[[revoked]]", REVOKED)
        key, identity, _ = read_key(
            table.need("key", "Name the file of the public key, or put the PEM in."),
            self._file,
            self._limits,
        )
        return Revoked(
            identity=identity,
            key=key,
            reason=table.need("reason", "Say what happened to the key.").text(),
            line=table.line,
        )
