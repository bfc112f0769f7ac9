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
    NamedIdentity,
    NamedKey,
    Pep740,
    Policy,
    PolicyException,
    ProjectRule,
    Revoked,
    RevokedIdentity,
    Template,
    Tuf,
    TufRepository,
)
from pip_intoto.policy.named_identities import publisher_in, read_identities, signers_named
from pip_intoto.policy.named_keys import parties, read_key, read_keys, threshold_of
from pip_intoto.policy.tables import Kind, Value, parse
from pip_intoto.policy.vocabulary import (
    EXCEPTION,
    PROJECT,
    RESERVED,
    REVOKED,
    SIGSTORE,
    TABLES,
    TOP,
    TUF,
    WAIVABLE,
    nearest,
)
from pip_intoto.sources.addresses import is_web, split
from pip_intoto.verification.trust import Owner, OwnerIdentity
from pip_intoto_gate.location import PolicyUnusable, locate, others_may_write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.specifiers import SpecifierSet

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.policy.model import Build, Mode, Requirement, Signer, Source, Unlisted
    from pip_intoto.policy.tables import Table

# Not IGNORECASE: with it, letters that are none of these (the Kelvin sign, a long s) would do.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_GLOB = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)?\*")
_PARAMETER = re.compile(r"[A-Za-z0-9_-]+")
_TUF = "tuf:"
#: What TUF repositories call a distribution, unless the policy says otherwise.
_TARGET = "{project}/{filename}"
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
        self._keys: Mapping[str, NamedKey] = {}
        self._identities: Mapping[str, NamedIdentity] = {}
        self._repositories: Mapping[str, TufRepository] = {}
        self._rests_on(path)

    def policy(self, sha256: str) -> Policy:
        self._top.check_version()
        self._top.refuse_unknown(TOP)
        self._keys = read_keys(self._top, self._file, self._limits)
        self._identities = read_identities(self._top, self._keys)
        self._repositories = self._tuf(self._top.get("tuf"))
        revoked = [self._revoked(value) for value in self._top.tables("revoked", "keys")]
        return Policy(
            path=self.path,
            sha256=sha256,
            mode=self._mode(),
            unlisted=self._unlisted(),
            keys=self._keys,
            identities=self._identities,
            trust_root=self._trust_root(self._top.get("sigstore")),
            tuf=self._repositories,
            projects=self._projects(),
            exceptions=tuple(
                self._exception(value) for value in self._top.tables("exception", "projects")
            ),
            revoked=tuple(each for each in revoked if isinstance(each, Revoked)),
            revoked_identities=tuple(each for each in revoked if isinstance(each, RevokedIdentity)),
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

    # --- who vouches ---

    def _trust_root(self, value: Value | None) -> bytes | None:
        if value is None:
            return None
        table = value.table("[sigstore]", SIGSTORE)
        named = table.need("trust-root", 'Write trust-root = "trusted_root.json".')
        path, content = self._file(named, "the trust root", self._limits.document_bytes)
        if b"sigstore.trustedroot" not in content or not content.lstrip().startswith(b"{"):
            raise named.error(
                f"{path} is not a trust root of Sigstore",
                expected="a trusted_root.json: JSON of the media type"
                " application/vnd.dev.sigstore.trustedroot+json",
            )
        return content

    def _tuf(self, value: Value | None) -> Mapping[str, TufRepository]:
        if value is None:
            return {}
        if not isinstance(value.value, dict):
            raise value.wrong_kind("a table", "Write a table for each repository: [tuf.acme].")
        repositories: dict[str, TufRepository] = {}
        for name, entry in value.value.items():
            place = Value(entry, ("tuf", name), value.file)
            if not isinstance(entry, dict):
                advice = f'Write [tuf.{name}] and below it root = "root.json".'
                if name in TUF:
                    advice = f'Give it a name: [tuf.acme] and below it {name} = "…".'
                raise place.wrong_kind("a table", advice)
            if not _PARAMETER.fullmatch(name):
                raise place.error(
                    f'"{name}" cannot be the name of a repository',
                    expected="letters, digits, _ and -",
                )
            repositories[name] = self._repository(name, place.table(f"[tuf.{name}]", TUF))
        return repositories

    def _repository(self, name: str, table: Table) -> TufRepository:
        root = table.need("root", "Name the file of the root metadata that you trust.")
        _, content = self._file(root, "the TUF root", self._limits.document_bytes)
        target = table.get("target")
        if target is not None:
            self._check_placeholders(target, target.text())
        return TufRepository(
            name=name,
            root=content,
            metadata=self._folder_url(table.need("metadata", "Say where the metadata lies.")),
            targets=self._folder_url(table.need("targets", "Say where the targets lie.")),
            target=_TARGET if target is None else target.text(),
            line=table.line,
        )

    def _folder_url(self, value: Value) -> str:
        url = value.text()
        if not is_web(url):
            raise value.error(
                f'"{url}" is not a URL that can be fetched', expected="https://… or http://…"
            )
        self._check_url(value, url)
        address = split(url)
        if address.query is not None or "#" in url:
            raise value.error(f"`{value.key}` has a query or a fragment", expected="a folder's URL")
        return url if url.endswith("/") else url + "/"

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

    def _projects(self) -> tuple[ProjectRule, ...]:
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
        owned = [(name, table, *self._owners(table)) for name, table in tables]
        uses: dict[object, int] = {}
        for _, _, owners, _ in owned:
            for each in {each for owner in owners for each in _known_by(owner)}:
                uses[each] = uses.get(each, 0) + 1
        return tuple(
            self._project(
                name,
                table,
                owners,
                owners_from,
                # A repository gives out keys for whatever is in it.
                shared=name.endswith("*")
                or bool(owners_from)
                or any(uses[each] > 1 for owner in owners for each in _known_by(owner)),
            )
            for name, table, owners, owners_from in owned
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

    def _owners(self, table: Table) -> tuple[tuple[Signer, ...], str]:
        """Who signs layouts; or else the name of the TUF repository that says it."""
        value = table.get("layout-keys")
        if value is None:
            if table.get("require") is not None or table.get("layout") is not None:
                return (), ""
            value = table.need(
                "layout-keys",
                "Name the keys of [keys] that sign the project's layouts; or say what you"
                ' `require`: require = ["publish"].',
            )
        listed = [each.value for each in value.array("names of keys and identities")]
        managed = [each for each in listed if isinstance(each, str) and each.startswith(_TUF)]
        if not managed:
            return signers_named(value, self._keys, self._identities, table.name), ""
        if len(listed) > 1:
            raise value.error(
                f"{managed[0]} does not stand beside others in `layout-keys`",
                advice="Let the TUF repository give out all keys, or name each key yourself.",
            )
        return (), self._repository_named(value.elements("names")[0], managed[0])

    def _repository_named(self, value: Value, text: str) -> str:
        name = text[len(_TUF) :]
        if name not in self._repositories:
            near = nearest(name, self._repositories)
            raise value.error(
                f"there is no [tuf.{name}]",
                expected=", ".join(_TUF + known for known in self._repositories)
                or "a table [tuf.…] for each repository",
                found=text,
                advice=f"Did you mean {_TUF}{near}?" if near else f"Add [tuf.{name}].",
            )
        return name

    def _project(
        self,
        name: str,
        table: Table,
        owners: tuple[Signer, ...],
        owners_from: str,
        *,
        shared: bool,
    ) -> ProjectRule:
        requirements: tuple[Requirement, ...] = ()
        if table.get("require") is not None or table.get("identities") is not None:
            # Imported here for start-up time: what reads layouts is needed later, if at all.
            from pip_intoto.policy.required import read_requirements

            requirements = read_requirements(table, self._keys, self._identities)
        is_signed = bool(owners or owners_from)
        held = self._layout(table.get("layout"))
        if not is_signed:
            for key in ("threshold", "layout-sha256"):
                value = table.get(key)
                if value is not None:
                    raise value.error(
                        f"`{key}` is about layouts that others sign, and {table.name} names nobody"
                        " who signs one",
                        advice=f"Name them in `layout-keys`, or remove `{key}`.",
                    )
        if not is_signed and held is None:
            # What is required names its file by itself, and runs nothing.
            for key in ("binds", "parameters", "parameters-in-sublayouts", "inspections"):
                value = table.get(key)
                if value is not None:
                    raise value.error(
                        f"`{key}` is about a layout, and {table.name} asks for none",
                        advice=f"Ask for one with `layout-keys` or `layout`, or remove `{key}`.",
                    )
        own = None
        if held is not None and not is_signed:
            from pip_intoto.policy.required import read_held_layout

            own = read_held_layout(held, table.need("layout", ""), self._limits)
        return ProjectRule(
            name=name,
            owners=tuple(
                Owner(key=each.key, principal=each.principal)
                for each in owners
                if isinstance(each, NamedKey)
            ),
            owner_identities=tuple(
                OwnerIdentity(identity=each.identity, principal=each.principal)
                for each in owners
                if isinstance(each, NamedIdentity)
            ),
            owners_from=owners_from,
            threshold=self._threshold(table, owners, owners_from),
            index=self._index(table.get("index")),
            sources=self._sources(
                table.get("sources"), owners_from, attested=bool(requirements or own)
            ),
            layout=held if is_signed else None,
            own_layout=own,
            requirements=requirements,
            layout_sha256=self._sha256(table.get("layout-sha256")),
            binds=table.text("binds"),
            build=self._build(table.get("build")),
            parameters=self._parameters(table.get("parameters")),
            parameters_in_sublayouts=self._switch(table.get("parameters-in-sublayouts")),
            inspections=self._inspections(table.get("inspections")),
            shared_keys=shared,
            line=table.line,
        )

    def _threshold(self, table: Table, owners: tuple[Signer, ...], owners_from: str) -> int:
        value = table.get("threshold")
        if owners_from and value is not None and value.integer() < 1:
            raise value.error(
                f"the threshold of {table.name} cannot be {value.integer()}", expected="1 or more"
            )
        if owners_from:
            return 0 if value is None else value.integer()
        return threshold_of(value, owners, table.name, default=parties(owners))

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

    def _sources(
        self, value: Value | None, owners_from: str, *, attested: bool
    ) -> tuple[Source, ...]:
        if value is None:
            managed = (Tuf(owners_from),) if owners_from else ()
            return (*managed, Beside(), *((Pep740(),) if attested else ()))
        sources: list[Source] = []
        for element in value.elements('"beside", "pep740", URL templates and directories'):
            source = self._source(element)
            if source in sources:
                raise element.error(f"the source {element.text()} is named twice")
            sources.append(source)
        return tuple(sources)

    def _source(self, value: Value) -> Source:
        text = value.text()
        if text == "beside":
            return Beside()
        if text == "pep740":
            return Pep740()
        if "://" in text:
            return self._template(value, text)
        if text.startswith(_TUF):
            return Tuf(self._repository_named(value, text))
        if "/" in text or os.sep in text or text in {".", ".."}:
            return Folder(self.path.parent / text)
        near = nearest(text, ("beside", "pep740"))
        raise value.error(
            f'"{text}" is not a source',
            expected='"beside", "pep740", a URL with placeholders, "tuf:NAME", or a directory such'
            ' as "./evidence"',
            advice=f'Did you mean "{near}"?' if near else f'Write "./{text}" for a directory.',
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

    def _revoked(self, value: Value) -> Revoked | RevokedIdentity:
        table = value.table("[[revoked]]", REVOKED)
        said = [each for name in REVOKED[:-1] if (each := table.get(name)) is not None]
        if len(said) > 1:
            raise said[1].error(
                f"[[revoked]] has `{said[0].key}` and `{said[1].key}`",
                advice="Write one [[revoked]] for each.",
            )
        is_identity = bool(said) and said[0].key != "key"
        why = f"Say what happened to the {'identity' if is_identity else 'key'}."
        if is_identity:
            return RevokedIdentity(
                identity=self._identity_of(said[0]),
                reason=table.need("reason", why).text(),
                line=table.line,
            )
        key, identity, _ = read_key(
            table.need(
                "key",
                "Name the file of the public key, or put the PEM in; or name an `identity` or a"
                " `publisher`.",
            ),
            self._file,
            self._limits,
        )
        return Revoked(
            identity=identity, key=key, reason=table.need("reason", why).text(), line=table.line
        )

    def _identity_of(self, value: Value) -> Identity:
        if value.key == "publisher":
            return publisher_in(value)
        name = value.text()
        if name not in self._identities:
            near = nearest(name, self._identities)
            raise value.error(
                f"[[revoked]] names the identity `{name}`, which [identities] does not have",
                expected=", ".join(self._identities) or "a table [identities.…] for each identity",
                found=name,
                advice=f"Did you mean `{near}`?" if near else f"Add [identities.{name}].",
            )
        return self._identities[name].identity


def _known_by(signer: Signer) -> tuple[object, ...]:
    """What a signer of layouts is known by, wherever the policy names them."""
    return signer.identities if isinstance(signer, NamedKey) else (signer.identity,)
