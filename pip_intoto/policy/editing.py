"""Changes a policy file as text, so that comments and order stay as their writer left them.

A :class:`Draft` is a policy as it would be. Every change is read back and checked before anything
is written; :meth:`Draft.write` then adds the key files and replaces the policy in one step.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError, PipIntotoError, PolicyInvalid
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import keys as public_keys
from pip_intoto.metadata.identities import Identity, with_keyid
from pip_intoto.policy.file import PolicySyntax, canonical_name, load_policy, parse_policy
from pip_intoto.policy.places import find_places
from pip_intoto.policy.publishers import PUBLISHERS, NoPublisher, parse_publisher
from pip_intoto.policy.templates import PARAMETER, written
from pip_intoto_gate.location import others_may_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.policy.model import NamedIdentity, NamedKey, Policy, ProjectRule
    from pip_intoto.policy.places import Path as Way
    from pip_intoto.policy.places import Places, Statement

#: What a policy begins as. It blocks nothing and warns about every project.
STARTING_POLICY = """\
# Whose keys must stand behind which project. `pip-intoto trust add` adds a project;
# `pip-intoto status` says whether this file is in force.
version = 1
mode = "enforce"     # enforce | warn: what happens when a project below does not verify
unlisted = "warn"    # allow | warn | deny: projects that this file does not name
"""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----[A-Za-z0-9+/=\s]*-----END [A-Z0-9 ]+-----")
#: Directory in which keys lie, beside the policy.
_KEYS = "keys"
_FILE_MODE = 0o644
_ELSEWHERE = "Choose another place with --policy, or write as a user who may."
_DIRECTORY_MODE = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedKey:
    """A public key that somebody wants in the policy.

    ``known`` is its entry in the policy, if it is there already, under whatever name.
    """

    name: str
    identity: str
    keytype: str
    content: bytes
    path: Path | None
    known: NamedKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedIdentity:
    """An identity that somebody wants in the policy.

    ``spelled`` is the publisher that it was given as; empty where it was given in parts.
    ``known`` is its entry in the policy, if it is there already, under whatever name.
    """

    name: str
    identity: Identity
    spelled: str
    known: NamedIdentity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A policy as it is going to be: its text, and the key files that have to be written with it.

    ``original`` are the bytes on the disk, None where there is no file yet. ``policy`` is the
    draft, read and checked.
    """

    path: Path
    text: str
    policy: Policy
    original: bytes | None
    unwritten: Mapping[Path, bytes] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.text.encode() != self.original

    # --- changes ---

    def offered_key(self, argument: str) -> OfferedKey:
        """Read a key as the command line names it: ``FILE``, ``NAME=FILE``, or a known name.

        Raises CommandError.
        """
        name, equals, rest = argument.partition("=")
        is_named = bool(equals and _BARE.fullmatch(name)) and not Path(argument).exists()
        path = Path(rest if is_named else argument).absolute()
        if not is_named and argument in self.policy.keys and not path.exists():
            known = self.policy.keys[argument]
            return OfferedKey(
                name=argument,
                identity=known.identity,
                keytype=known.key.keytype,
                content=_read_key(known.path) if known.path else b"",
                path=known.path,
                known=known,
            )
        content = _read_key(path, known=() if is_named else tuple(self.policy.keys))
        return self._offered(name if is_named else _name_of(path), content, path)

    def offered_openpgp_key(self, name: str, content: bytes) -> OfferedKey:
        """Take an OpenPGP key in in-toto's JSON that lies in no file yet.

        Raises CommandError.
        """
        return self._offered(name, content, None)

    def offered_publisher(self, argument: str) -> OfferedIdentity:
        """Read a publisher: ``github:owner/repository:workflow``, ``NAME=…``, or a known name.

        Raises CommandError.
        """
        if argument in self.policy.identities:
            known = self.policy.identities[argument]
            return OfferedIdentity(name=argument, identity=known.identity, spelled="", known=known)
        name, equals, rest = argument.partition("=")
        is_named = bool(equals and _BARE.fullmatch(name))
        spelled = rest if is_named else argument
        try:
            identity = parse_publisher(spelled)
        except NoPublisher as problem:
            names = ", ".join(self.policy.identities)
            raise CommandError(
                str(problem),
                expected=PUBLISHERS + (f"; or an identity of the policy: {names}" * bool(names)),
                advice=problem.advice,
            ) from None
        return self._offered_identity(name if is_named else "", identity, spelled)

    def offered_identity(self, issuer: str, subject: str) -> OfferedIdentity:
        """Take an identity for which ``issuer``, a URL, vouches under the name ``subject``.

        Raises CommandError.
        """
        if not issuer.startswith("https://"):
            raise CommandError(
                f"{issuer!r} is not an issuer", expected="the https:// URL in the certificate"
            )
        identity = Identity(keyid="", issuer=issuer, subject=subject)
        return self._offered_identity("", with_keyid(identity), "")

    def _offered_identity(self, name: str, identity: Identity, spelled: str) -> OfferedIdentity:
        named = self.policy.identities.values()
        known = next((each for each in named if each.identity == identity), None)
        names = [name] if name else _names_of(identity)
        free = (each for each in names if not self._is_taken(each))
        return OfferedIdentity(
            name=next(free, names[0]), identity=identity, spelled=spelled, known=known
        )

    def _is_taken(self, name: str) -> bool:
        return name in self.policy.identities or name in self.policy.keys

    def _offered(self, name: str, content: bytes, path: Path | None) -> OfferedKey:
        try:
            key = public_keys.load_public(content, limits=DEFAULT)
            identity = public_keys.identity(key)
        except PipIntotoError as error:
            is_private = public_keys.is_private(content)
            advice = "Name the file of the public key."
            if is_private and path is not None:
                advice = f"Its owner makes the public one: openssl pkey -in {path.name} -pubout"
            elif b"BEGIN PUBLIC KEY-----" in content:
                advice = "Ask its owner for another key."
            raise CommandError(
                f"{path or name} cannot be used: {error.message}",
                expected=error.expected,
                found="a private key" if is_private else error.found,
                advice=advice,
            ) from None
        return OfferedKey(
            name=name,
            identity=identity,
            keytype=key.keytype,
            content=content,
            path=path,
            known=next(
                (key for key in self.policy.keys.values() if key.identity == identity), None
            ),
        )

    def with_key(self, offered: OfferedKey, *, inline: bool = False) -> Draft:
        """Add a key to ``[keys]``, unless it is there.

        Raises CommandError when its name stands for another key, or its file for another, or when
        what is there of the key is not what is given.
        """
        if offered.known is not None:
            self._check_known(offered, offered.known)
            return self
        other = self.policy.keys.get(offered.name)
        if other is not None:
            raise CommandError(
                f"the policy already has another key named {offered.name}",
                expected=f"sha256:{other.identity} (line {other.line})",
                found=f"sha256:{offered.identity}",
                advice=f"Give this one a name of its own: {_named(offered)}.",
            )
        public, unwritten = self._public(offered, offered.name, inline=inline)
        block = f"[keys.{_key(offered.name)}]\npublic = {public}\n"
        return self._with_block(block, ("keys",), unwritten)

    def with_identity(self, offered: OfferedIdentity) -> Draft:
        """Add an identity to ``[identities]``, unless it is there.

        Raises CommandError when its name stands for somebody else.
        """
        if offered.known is not None:
            return self
        if self._is_taken(offered.name):
            named = self.policy.identities.get(offered.name) or self.policy.keys[offered.name]
            raise CommandError(
                f"the policy already has somebody else named {offered.name}, on line {named.line}",
                advice=f"Give this one a name of its own: --publisher NAME={offered.spelled}."
                if offered.spelled
                else f"Add [identities.…] to {self.path} by hand, with a name of its own.",
            )
        said = [f"publisher = {_string(offered.spelled)}"]
        if not offered.spelled:
            said = [
                f"issuer = {_string(offered.identity.issuer)}",
                f"subject = {_string(offered.identity.subject)}",
            ]
        block = "\n".join([f"[identities.{_key(offered.name)}]", *said]) + "\n"
        return self._with_block(block, ("identities",), {})

    def with_project(
        self,
        name: str,
        keys: Sequence[str],
        *,
        threshold: int | None = None,
        index: str | None = None,
        sources: Sequence[str] = (),
        require: Sequence[str] = (),
        identities: Sequence[str] = (),
        as_layout: Path | None = None,
    ) -> Draft:
        """Add a ``[[project]]``; ``keys`` are names out of ``[keys]`` who sign its layouts.

        ``identities`` are names out of ``[identities]`` or ``[keys]`` who sign what it requires;
        ``as_layout`` is where that is written down as a layout instead, an absolute path.
        Directories in ``sources`` are absolute, or relative to the policy. Raises CommandError
        when there is a rule of that name, or when this one cannot be.
        """
        rule = self.rule_named(name)
        if rule is not None:
            raise CommandError(
                f"the policy already has a [[project]] {rule.name}, on line {rule.line}",
                advice=f"Edit {self.path}, or run `pip-intoto trust remove {rule.name}` first.",
            )
        # What is no name at all is refused as it was typed.
        spelled = canonical_name(name) if re.fullmatch(r"[\w.*-]+", name) else name
        lines = [
            "[[project]]",
            f"name = {_string(spelled)}",
        ]
        if keys:
            lines.append(f"layout-keys = {_array(keys)}")
        unwritten: dict[Path, bytes] = {}
        if as_layout is not None:
            required = self.with_project(name, [], require=require, identities=identities)
            unwritten[as_layout] = _as_layout(required.policy.projects, spelled, as_layout)
            lines.append(f"layout = {_string(self._relative(as_layout))}")
            lines.append(f"parameters = {{ filename = {_string(PARAMETER)} }}")
        elif require:
            lines.append(f"require = {_array(require)}")
            lines.append(f"identities = {_array(identities)}")
        if threshold is not None:
            lines.append(f"threshold = {threshold}")
        if index:
            lines.append(f"index = {_string(index)}")
        if sources:
            lines.append(f"sources = {_array(sources)}")
        return self._with_block("\n".join(lines) + "\n", ("project",), unwritten)

    def without_project(self, name: str) -> Draft:
        """Take the ``[[project]]`` of that name out, and the comment right above it.

        Raises CommandError when there is none, or when it is not a table of its own.
        """
        rule = self.rule_named(name)
        if rule is None:
            listed = ", ".join(rule.name for rule in self.policy.projects)
            raise CommandError(
                f"the policy has no [[project]] {name}",
                expected=listed or "it has none at all",
                advice=f"`pip-intoto trust list` shows what {self.path} says.",
            )
        position = self.policy.projects.index(rule)
        places = find_places(self.text)
        text = _without(self.text, places, ("project", position))
        if text == self.text:
            raise CommandError(
                f"[[project]] {rule.name} is written in a way that cannot be edited here",
                advice=f"Remove it by hand: {self.path}:{rule.line}.",
            )
        return self._checked(text, {})

    def with_revoked(self, offered: OfferedKey, reason: str, *, inline: bool = False) -> Draft:
        """Add a ``[[revoked]]``.

        Raises CommandError when the key is revoked already.
        """
        for revoked in self.policy.revoked:
            if revoked.identity == offered.identity:
                raise CommandError(
                    f"the key is already revoked, on line {revoked.line}: {revoked.reason}"
                )
        unwritten: dict[Path, bytes] = {}
        if offered.known is not None and offered.known.path is not None:
            public = _string(self._relative(offered.known.path))
        elif offered.content:
            public, unwritten = self._public(
                offered, f"revoked-{offered.identity[:16]}", inline=inline
            )
        else:
            raise CommandError(
                f"the key {offered.name} stands in the policy itself",
                advice="Name its file, so that [[revoked]] can hold a copy.",
            )
        block = f"[[revoked]]\nkey = {public}\nreason = {_string(reason)}\n"
        return self._with_block(block, ("revoked",), unwritten)

    def with_revoked_identity(self, offered: OfferedIdentity, reason: str) -> Draft:
        """Add a ``[[revoked]]`` for whoever an identity speaks of.

        Raises CommandError when it is revoked already.
        """
        for revoked in self.policy.revoked_identities:
            if revoked.identity == offered.identity:
                raise CommandError(
                    f"the identity is already revoked, on line {revoked.line}: {revoked.reason}"
                )
        who = f"publisher = {_string(offered.spelled)}"
        if offered.known is not None:
            who = f"identity = {_string(offered.known.name)}"
        block = f"[[revoked]]\n{who}\nreason = {_string(reason)}\n"
        return self._with_block(block, ("revoked",), {})

    def rule_named(self, name: str) -> ProjectRule | None:
        """Find the rule with exactly this name or pattern."""
        wanted = canonical_name(name)
        return next((rule for rule in self.policy.projects if rule.name == wanted), None)

    # --- the disk ---

    def write(self) -> None:
        """Write new key files, then replace the policy in one step.

        Nothing stays behind when that fails. Raises CommandError when the file changed since it
        was read, when others may write the directory, or when the disk says no.
        """
        with _explained(self.path):
            if _content(self.path) != self.original:
                raise CommandError(
                    f"{self.path} changed in the meantime", advice="Run the command again."
                )
            for directory in (self.path.parent, *(path.parent for path in self.unwritten)):
                _prepare(directory)
            written: list[Path] = []
            try:
                for path, content in self.unwritten.items():
                    files.write_new(path, content, mode=_FILE_MODE, advice=_ELSEWHERE)
                    written.append(path)
                mode = _FILE_MODE if self.original is None else None
                files.replace(self.path, self.text.encode(), mode=mode, advice=_ELSEWHERE)
            except BaseException:
                for path in written:
                    with contextlib.suppress(OSError):
                        path.unlink()
                raise
            # What was written is what will be read, modes and links included.
            load_policy(self.path)

    # --- inside ---

    def _check_known(self, offered: OfferedKey, known: NamedKey) -> None:
        # K6: an OpenPGP key may have got other subkeys, or another period of validity; and what
        # verifies its signatures does not verify those of the same key in PEM.
        if not offered.content:
            return
        given = public_keys.load_public(offered.content, limits=DEFAULT)
        if _described(given) != _described(known.key):
            file = f", the file {known.path}" if known.path is not None else ""
            raise CommandError(
                f"the policy has the key {known.name}, but not as it is given now",
                expected="the same form, subkeys and period of validity",
                found=f"others on line {known.line}",
                advice="Remove the projects that use it (`pip-intoto trust remove`)"
                f"{file}, and [keys.{known.name}] in {self.path}; then add them again.",
            )

    def _public(
        self, offered: OfferedKey, name: str, *, inline: bool
    ) -> tuple[str, dict[Path, bytes]]:
        """Spell the value of `public`, and say what has to be written for it."""
        directory = self.path.parent
        if inline:
            text = offered.content.decode("utf-8", "replace").strip()
            if not text.startswith("{"):
                pem = _PEM.search(text)
                if pem is None:
                    raise CommandError(f"{offered.path} holds no PEM")
                text = pem[0]
            elif "\\" in text or '"""' in text:
                raise CommandError(f"{offered.path} cannot stand in the policy as it is")
            text = text.replace("\r\n", "\n")
            return f'"""\n{text}\n"""', {}
        if offered.path is not None and offered.path.is_relative_to(directory):
            return _string(self._relative(offered.path)), {}
        is_json = offered.content.lstrip().startswith(b"{")
        path = directory / _KEYS / f"{name}{'.json' if is_json else '.pub'}"
        there = _content(path)
        if there is None:
            return _string(self._relative(path)), {path: offered.content}
        if there != offered.content:
            raise CommandError(
                f"{path} is there, and holds something else",
                advice=f"Give this key a name of its own: {_named(offered)}.",
            )
        return _string(self._relative(path)), {}

    def _relative(self, path: Path) -> str:
        if path.is_relative_to(self.path.parent):
            return path.relative_to(self.path.parent).as_posix()
        return str(path)

    def _with_block(self, block: str, after: Way, unwritten: Mapping[Path, bytes]) -> Draft:
        """Put a block behind the last one of its kind, or at the end."""
        places = find_places(self.text)
        ends = [
            statement.end
            for statement in places.statements
            if statement.path[: len(after)] == after and len(statement.path) > len(after)
        ]
        end = max(ends, default=len(self.text))
        # Keys that follow would fall into the new table.
        following = next((other for other in places.statements if other.start >= end), None)
        if following is not None and not following.is_header:
            end = len(self.text)
        before, behind = self.text[:end], self.text[end:]
        newline = "\r\n" if "\r\n" in self.text else "\n"
        if before and not before.endswith("\n"):
            before += newline
        gap = newline if before and not before.endswith(newline * 2) else ""
        tail = newline if behind and not behind.startswith(("\n", "\r")) else ""
        text = before + gap + block.replace("\n", newline) + tail + behind
        return self._checked(text, unwritten, by_hand=block)

    def _checked(self, text: str, unwritten: Mapping[Path, bytes], *, by_hand: str = "") -> Draft:
        together = {**self.unwritten, **unwritten}
        try:
            policy = parse_policy(text.encode(), self.path, unwritten=together)
        except PolicyInvalid as error:
            if not isinstance(error, PolicySyntax):
                # The line is one that nobody has seen: the file was in order, the change is not.
                raise CommandError(
                    error.message,
                    expected=error.expected,
                    found=error.found,
                    advice="" if error.advice == PolicyInvalid.advice else error.advice,
                ) from None
            raise CommandError(
                f"{self.path} is written in a way that cannot be edited here ({error.message})",
                advice="Add this by hand:\n" + by_hand if by_hand else "Edit it by hand.",
            ) from None
        return replace(self, text=text, policy=policy, unwritten=together)


def open_draft(path: Path) -> Draft:
    """Read the policy at ``path``, or begin a new one there.

    Raises PolicyInvalid when there is one that cannot be used.
    """
    path = path.absolute()
    content = _content(path)
    if not content or not content.strip():
        policy = parse_policy(STARTING_POLICY.encode(), path)
        return Draft(path=path, text=STARTING_POLICY, policy=policy, original=content)
    policy = load_policy(path)
    return Draft(path=path, text=content.decode(), policy=policy, original=content)


# --- text -----------------------------------------------------------------------------------


def _string(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's, as long as nothing else than text is in it."""
    if not text.isprintable():
        raise CommandError(f"{text!r} has line breaks or control characters in it")
    return json.dumps(text, ensure_ascii=False)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _array(texts: Sequence[str]) -> str:
    return "[" + ", ".join(_string(text) for text in texts) + "]"


def _described(key: PublicKey) -> tuple[object, ...]:
    """What may differ between two descriptions of one key, and matters."""
    return key.is_openpgp, frozenset(key.subkeys), key.not_before, key.not_after


def _named(offered: OfferedKey) -> str:
    return "--gpg NAME=FINGERPRINT" if offered.path is None else f"--key NAME={offered.path}"


def _name_of(path: Path) -> str:
    """A name for a key out of its file's name: ``keys/alice.pub`` is ``alice``."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", re.sub(r"\.(pub|pem|json)$", "", path.name))
    return name.strip("-") or "key"


def _as_layout(rules: Sequence[ProjectRule], name: str, path: Path) -> bytes:
    """What the rule of this name requires, as a layout that will lie at ``path``."""
    if _content(path) is not None:
        raise CommandError(f"{path} is there", advice="Choose another file, or remove it.")
    rule = next(rule for rule in rules if rule.name == name)
    return written(rule.requirements).encode()


def _names_of(identity: Identity) -> list[str]:
    """Names for an identity, the best first: its repository, with the workflow where needed."""
    repository = identity.repository.rpartition("/")[2]
    workflow = re.sub(r"\.ya?ml$", "", identity.workflow.rpartition("/")[2])
    said = [repository, f"{repository}-{workflow}"] if repository else [identity.subject]
    names = [re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-") for text in said]
    return list(dict.fromkeys(name for name in names if name)) or ["identity"]


def _without(text: str, places: Places, way: Way) -> str:
    """Cut a table out: its lines, its sub-tables, and the comment that stands right above it."""
    own = [statement for statement in places.statements if statement.path[: len(way)] == way]
    if not any(statement.is_header and statement.path == way for statement in own):
        return text
    for first, last in reversed(_runs(own, places.statements)):
        start, end = _with_comment(text, first.start), last.end
        before, behind = text[:start], text[end:]
        # One gap is enough where two met.
        if not before.strip() or before.endswith(("\n\n", "\n\r\n")):
            behind = behind.lstrip("\r\n")
        text = before + behind
    return text.rstrip() + ("\r\n" if "\r\n" in text else "\n")


def _runs(
    own: Sequence[Statement], every: Sequence[Statement]
) -> list[tuple[Statement, Statement]]:
    """The first and last statements of each stretch without others in between."""
    runs: list[tuple[Statement, Statement]] = []
    mine = set(own)
    previous_is_mine = False
    for statement in every:
        if statement in mine:
            runs = (
                [*runs[:-1], (runs[-1][0], statement)]
                if previous_is_mine
                else [
                    *runs,
                    (statement, statement),
                ]
            )
        previous_is_mine = statement in mine
    return runs


def _with_comment(text: str, start: int) -> int:
    """Where the comment begins that ends right above ``start``.

    A comment at the very top is about the whole file.
    """
    at = start
    while at > 0:
        previous = text.rfind("\n", 0, at - 1) + 1
        if not text[previous:at].lstrip().startswith("#"):
            return at
        at = previous
    return start


# --- the disk -------------------------------------------------------------------------------


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(
            f"{error.filename or path} cannot be written: {error.strerror or error}",
            advice=_ELSEWHERE,
        ) from None


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            return stream.read(DEFAULT.policy_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}") from None


def _read_key(path: Path, *, known: tuple[str, ...] = ()) -> bytes:
    content = _content(path)
    if content is None:
        raise CommandError(
            f"there is no key file {path}",
            expected="a file" + (f", or a key of the policy: {', '.join(known)}" if known else ""),
        )
    if len(content) > DEFAULT.key_bytes:
        raise CommandError(
            f"{path} is too large for a key", expected=f"at most {DEFAULT.key_bytes} bytes"
        )
    return content


def _prepare(directory: Path) -> None:
    """Make a directory, and refuse it when others could replace what will lie in it."""
    _make_directories(directory)
    reason = others_may_write(directory)
    if reason is not None:
        raise CommandError(
            f"others may write {directory}",
            expected="only root and you may write the directories above a policy and its keys",
            found=reason,
            advice="Take the right away (chmod go-w), or choose another place (--policy).",
        )


def _make_directories(directory: Path) -> None:
    """Make what is missing, closed to others whatever the umask says."""
    if directory.is_dir():
        return
    _make_directories(directory.parent)
    directory.mkdir(_DIRECTORY_MODE, exist_ok=True)
