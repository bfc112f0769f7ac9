"""The public keys that a file gives names to: ``[keys.alice]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pip_intoto.errors import PipIntotoError
from pip_intoto.metadata import keys as public_keys
from pip_intoto.policy.model import NamedKey
from pip_intoto.policy.tables import Value
from pip_intoto.policy.vocabulary import KEY, nearest
from pip_intoto.verification.parties import count_parties

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import Signer
    from pip_intoto.policy.tables import Table

_PEM = "-----BEGIN"


class ReadFile(Protocol):
    """How a file that a value names is read."""

    def __call__(self, value: Value, what: str, at_most: int) -> tuple[Path, bytes]:
        """Give its path and content. Raises an error with the value's place."""


def read_keys(top: Table, read_file: ReadFile, limits: Limits) -> Mapping[str, NamedKey]:
    """The keys in the table ``keys`` below ``top``, by name.

    Raises the error of the file's kind for keys that cannot be used, and for one key with two
    principals.
    """
    value = top.get("keys")
    if value is None:
        return {}
    if not isinstance(value.value, dict):
        raise value.wrong_kind("a table", "Write a table for each key: [keys.alice].")
    keys: dict[str, NamedKey] = {}
    names: dict[str, NamedKey] = {}
    for name, entry in value.value.items():
        place = Value(entry, ("keys", name), value.file)
        if not isinstance(entry, dict):
            advice = f'Write [keys.{name}] and below it public = "…".'
            if name in KEY:
                advice = f'Give the key a name: [keys.alice] and below it {name} = "…".'
            raise place.wrong_kind("a table", advice)
        key = _key(name, place.table(f"[keys.{name}]", KEY), read_file, limits)
        twins = [names[each] for each in key.identities if each in names]
        twin = next((twin for twin in twins if twin.principal != key.principal), None)
        if twin is not None:
            raise place.error(
                f"[keys.{name}] is the same key as [keys.{twin.name}] on line {twin.line},"
                " with another principal",
                advice="Remove one of them, or give both the same principal.",
            )
        names.update(dict.fromkeys(key.identities, key))
        keys[name] = key
    return keys


def _key(name: str, table: Table, read_file: ReadFile, limits: Limits) -> NamedKey:
    if not name or not name.isprintable():
        raise table.whole.error("a key must have a name", advice="Write [keys.alice].")
    public = table.need("public", "Name the file of the public key, or put the PEM in.")
    key, identity, path = read_key(public, read_file, limits)
    return NamedKey(
        name=name,
        key=key,
        identity=identity,
        principal=table.text("principal") or name,
        path=path,
        line=table.line,
    )


def read_key(
    value: Value, read_file: ReadFile, limits: Limits
) -> tuple[public_keys.PublicKey, str, Path | None]:
    """The key that ``value`` names or holds, its identity, and its file if it has one.

    Raises the error of the file's kind.
    """
    path: Path | None = None
    if isinstance(value.value, str) and value.value.lstrip().startswith((_PEM, "{")):
        content, what = value.value.strip().encode() + b"\n", "the key"
    else:
        path, content = read_file(value, "the key file", limits.key_bytes)
        what = str(path)
    if public_keys.is_private(content):
        raise value.error(
            f"{what} is a private key",
            expected="a public key",
            advice="Take it out of here, and name the public key that belongs to it.",
        )
    try:
        key = public_keys.load_public(content, limits=limits)
        return key, public_keys.identity(key), path
    except PipIntotoError as error:
        raise value.error(
            f"{what} cannot be used: {error.message}",
            expected=error.expected
            or "a public key in PEM form: rsa of 2048 bits or more,"
            " ed25519, ecdsa on p256, p384 or p521, ml-dsa; or an OpenPGP key in JSON",
            found=error.found,
        ) from None


def keys_named(value: Value, keys: Mapping[str, NamedKey], by: str) -> tuple[NamedKey, ...]:
    """The keys whose names the array ``value`` lists; ``by`` is who names them, in messages.

    Raises the error of the file's kind for a name that is unknown, or there twice.
    """
    named: dict[str, NamedKey] = {}
    for element in value.elements("key names"):
        name = element.text()
        if name not in keys:
            near = nearest(name, keys)
            raise element.error(
                f"{by} names the key `{name}`, which [keys] does not have",
                expected=", ".join(keys) or "a table [keys.…] for each key",
                found=name,
                advice=f"Did you mean `{near}`?" if near else f"Add [keys.{name}].",
            )
        if name in named:
            raise element.error(f"{by} names the key `{name}` twice")
        named[name] = keys[name]
    return tuple(named.values())


def threshold_of(value: Value | None, named: Sequence[Signer], of: str, *, default: int) -> int:
    """The integer ``value``, at most as many as principals are behind those ``named``.

    Raises the error of the file's kind.
    """
    if value is None:
        return default
    threshold = value.integer()
    most = parties(named)
    if not 1 <= threshold <= most:
        advice = ""
        if most < threshold <= len(named):
            advice = "Keys of one principal count once."
        if most < len({each.principal for each in named}):
            advice = (
                "All workflows of one repository count once: who may change one may change all."
            )
        raise value.error(
            f"the threshold of {of} cannot be {threshold}",
            expected="1" if most == 1 else f"1 to {most}, as many as principals",
            found=str(threshold),
            advice=advice,
        )
    return threshold


def parties(named: Sequence[Signer]) -> int:
    """How many of those ``named`` can count beside each other, at most (T3)."""
    return count_parties((each.principal, _self(each)) for each in named)


def _self(signer: Signer) -> str:
    if isinstance(signer, NamedKey):
        return signer.identity
    who = signer.identity
    return f"{who.issuer} {who.repository or who.subject}"
