"""The identities that a policy gives names to: ``[identities.release]``.

Everything in one is compared exactly: there are no patterns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.policy.model import NamedIdentity
from pip_intoto.policy.tables import Value
from pip_intoto.policy.vocabulary import IDENTITY, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.metadata.identities import Identity
    from pip_intoto.policy.model import NamedKey, Signer
    from pip_intoto.policy.tables import Table


def read_identities(top: Table, keys: Mapping[str, NamedKey]) -> Mapping[str, NamedIdentity]:
    """The identities in the table ``identities`` below ``top``, by name.

    ``keys`` may not have the same names. Raises the error of the file's kind.
    """
    value = top.get("identities")
    if value is None:
        return {}
    if not isinstance(value.value, dict):
        raise value.wrong_kind("a table", "Write a table for each identity: [identities.release].")
    named: dict[str, NamedIdentity] = {}
    known: dict[Identity, NamedIdentity] = {}
    for name, entry in value.value.items():
        place = Value(entry, ("identities", name), value.file)
        if not isinstance(entry, dict):
            advice = f'Write [identities.{name}] and below it publisher = "…".'
            if name in IDENTITY:
                advice = f'Give it a name: [identities.release] and below it {name} = "…".'
            raise place.wrong_kind("a table", advice)
        if not name or not name.isprintable():
            raise place.error("an identity must have a name", advice="Write [identities.release].")
        if name in keys:
            raise place.error(
                f"[identities.{name}] has the name of a key, on line {keys[name].line}",
                advice="Give one of them another name: rules name both alike.",
            )
        table = place.table(f"[identities.{name}]", IDENTITY)
        found = NamedIdentity(
            name=name,
            identity=_identity(table),
            principal=table.text("principal") or name,
            line=table.line,
        )
        twin = known.setdefault(found.identity, found)
        if twin.principal != found.principal:
            raise place.error(
                f"[identities.{name}] is the same as [identities.{twin.name}] on line {twin.line},"
                " with another principal",
                advice="Remove one of them, or give both the same principal.",
            )
        named[name] = found
    return named


def publisher_in(value: Value) -> Identity:
    """The identity behind a publisher. Raises the error of the file's kind."""
    # Imported here, and below, for start-up time: most policies name no identities.
    from pip_intoto.policy.publishers import PUBLISHERS, NoPublisher, parse_publisher

    try:
        return parse_publisher(value.text())
    except NoPublisher as problem:
        raise value.error(str(problem), expected=PUBLISHERS, advice=problem.advice) from None


def _identity(table: Table) -> Identity:
    from pip_intoto.metadata.identities import PARTS, Identity, with_keyid
    from pip_intoto.policy.publishers import FULL_REF

    publisher = table.get("publisher")
    parts = {part: table.text(part) for part in PARTS}
    for part, text in parts.items():
        if "*" in text or "?" in text:
            raise Value(text, (*table.at, part), table.file).error(
                f"`{part}` looks like a pattern",
                found=text,
                advice="Identities are compared exactly: name each one in a table of its own.",
            )
    if publisher is not None:
        short = publisher_in(publisher)
        for part, text in parts.items():
            if text and (part in {"issuer", "subject"} or getattr(short, part)):
                raise Value(text, (*table.at, part), table.file).error(
                    f"`publisher` says already what `{part}` is", advice="Remove one of them."
                )
        parts |= {part: getattr(short, part) for part in parts if getattr(short, part)}
        return with_keyid(Identity(keyid="", **parts))
    issuer = table.need("issuer", 'Write publisher = "github:owner/repository:workflow.yml".')
    if not issuer.text().startswith("https://"):
        raise issuer.error(
            f'"{issuer.text()}" is not an issuer', expected="the https:// URL in the certificate"
        )
    if not parts["subject"] and not parts["repository"]:
        raise table.whole.error(
            f"{table.name} is everybody for whom {issuer.text()} vouches",
            expected="a `subject` or a `repository` as well",
            advice="Say who must have signed.",
        )
    if parts["ref"] and not FULL_REF.fullmatch(parts["ref"]):
        raise Value(parts["ref"], (*table.at, "ref"), table.file).error(
            f'"{parts["ref"]}" is not a full ref', expected="refs/heads/main, or refs/tags/v1.0"
        )
    return with_keyid(Identity(keyid="", **parts))


def signers_named(
    value: Value,
    keys: Mapping[str, NamedKey],
    identities: Mapping[str, NamedIdentity],
    by: str,
) -> tuple[Signer, ...]:
    """The keys and identities whose names the array ``value`` lists; ``by`` is who names them.

    Raises the error of the file's kind for a name that is unknown, or there twice.
    """
    known: dict[str, Signer] = {**keys, **identities}
    named: dict[str, Signer] = {}
    for element in value.elements("names of keys and identities"):
        name = element.text()
        if name not in known:
            near = nearest(name, known)
            raise element.error(
                f"{by} names the key `{name}`, which neither [keys] nor [identities] has"
                if identities
                else f"{by} names the key `{name}`, which [keys] does not have",
                expected=", ".join(known) or "a table [keys.…] for each key",
                found=name,
                advice=f"Did you mean `{near}`?"
                if near
                else f"Add [keys.{name}] or [identities.{name}].",
            )
        if name in named:
            raise element.error(f"{by} names the key `{name}` twice")
        named[name] = known[name]
    return tuple(named.values())
