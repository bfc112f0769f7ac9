"""What a policy says, as ``trust list`` and others show it: in words, and for programs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto.policy.templates import TEMPLATES
from pip_intoto.verification.wording import publisher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pip_intoto.metadata.identities import Identity
    from pip_intoto.policy.model import (
        NamedIdentity,
        NamedKey,
        Policy,
        PolicyException,
        ProjectRule,
        Requirement,
    )


def needs(rule: ProjectRule) -> str:
    """What a rule asks for, in words."""
    wanted = []
    if rule.owners_from:
        whose = "all of those" if not rule.threshold else f"{rule.threshold} of those"
        wanted.append(f"a layout signed by {whose} whose keys tuf:{rule.owners_from} gives out")
    elif rule.is_signed:
        wanted.append(f"a layout signed by {_of(rule.threshold, rule.principals)}")
    if rule.own_layout is not None:
        wanted.append(f"what your layout {rule.own_layout.origin} asks for")
    wanted += [_required(each) for each in rule.requirements]
    return ", and ".join(wanted)


def required(rule: ProjectRule) -> str:
    """What a rule asks for besides layouts that others sign, in words; empty for nothing."""
    return needs(replace(rule, owners=(), owner_identities=(), owners_from=""))


def _of(threshold: int, principals: Sequence[str]) -> str:
    unique = list(dict.fromkeys(principals))
    if len(unique) == 1:
        return unique[0]
    counted = "all" if threshold == len(unique) else str(threshold)
    return f"{counted} of {', '.join(unique)}"


def _required(requirement: Requirement) -> str:
    who = _of(requirement.threshold, [signer.principal for signer in requirement.signers])
    known = TEMPLATES.get(requirement.name)
    is_template = known is not None and known.predicate_type == requirement.predicate_type
    kind = "" if is_template else f" ({requirement.predicate_type})"
    holds = f" of which {' and '.join(requirement.conditions)}" * bool(requirement.conditions)
    return f"{requirement.name}{kind} attested by {who}{holds}"


def as_text(policy: Policy) -> list[str]:
    """A policy in lines."""
    today = datetime.now(timezone.utc).date()
    lines = [
        f"{policy.path}: mode {policy.mode}, unlisted projects: {policy.unlisted}",
    ]
    lines += _section(
        "projects",
        [
            (rule.name, [needs(rule), *_particulars(rule)])
            for rule in sorted(policy.projects, key=lambda rule: (rule.is_glob, rule.name))
        ],
        "none; `pip-intoto trust add NAME --key FILE`, or `--publisher …`, lists one",
    )
    lines += _section(
        "keys",
        [(key.name, [_key_line(policy, key)]) for key in policy.keys.values()],
        "none",
    )
    lines += _section(
        "identities",
        [(each.name, [_identity_line(policy, each)]) for each in policy.identities.values()],
        "",
    )
    lines += _section(
        "TUF repositories",
        [(each.name, [each.metadata]) for each in policy.tuf.values()],
        "",
    )
    if policy.trust_root is not None:
        lines.append("Sigstore: a trust root of your own")
    lines += _section(
        "exceptions",
        [
            (exception.project, _exception_lines(exception, today))
            for exception in policy.exceptions
        ],
        "",
    )
    if policy.revoked or policy.revoked_identities:
        lines.append("revoked:")
    for revoked in policy.revoked:
        lines += [f"  sha256:{revoked.identity}", f"    {revoked.reason}"]
    for each in policy.revoked_identities:
        lines += [f"  {publisher(each.identity)}", f"    {each.reason}"]
    return lines


def _section(title: str, entries: Sequence[tuple[str, Sequence[str]]], empty: str) -> list[str]:
    if not entries:
        return [f"{title}: {empty}"] if empty else []
    width = min(24, max(len(name) for name, _ in entries))
    lines = [f"{title}:"]
    for name, details in entries:
        lines.append(f"  {name:<{width}}  {details[0]}")
        lines += [f"  {'':<{width}}  {detail}" for detail in details[1:]]
    return lines


def _particulars(rule: ProjectRule) -> list[str]:
    lines = []
    if rule.index:
        lines.append(f"only from {rule.index}")
    sources = [source.spelled for source in rule.sources]
    usual = ["beside"] if rule.is_signed else ["beside", "pep740"]
    if sources != usual:
        lines.append("evidence: " + ", ".join(sources))
    if rule.layout is not None:
        lines.append(f"layout: {rule.layout.path}")
    if rule.layout_sha256:
        lines.append("layout sha256: " + ", ".join(rule.layout_sha256))
    if rule.parameters_in_sublayouts:
        lines.append("those who sign sublayouts may use the parameters")
    return lines


def _key_line(policy: Policy, key: NamedKey) -> str:
    revoked = any(revoked.identity == key.identity for revoked in policy.revoked)
    principal = f", principal {key.principal}" if key.principal != key.name else ""
    invalid = key.key.invalid_at(datetime.now(timezone.utc))
    return (
        f"{key.key.keytype}, sha256:{key.identity}{principal}{', revoked' if revoked else ''}"
        f"{f', {invalid}' if invalid else ''}"
    )


def _identity_line(policy: Policy, each: NamedIdentity) -> str:
    revoked = any(other.identity == each.identity for other in policy.revoked_identities)
    principal = f", principal {each.principal}" if each.principal != each.name else ""
    anything = not (each.identity.workflow or each.identity.subject)
    loose = ", any workflow" if anything else ""
    return f"{publisher(each.identity)}{loose}{principal}{', revoked' if revoked else ''}"


def _exception_lines(exception: PolicyException, today: date) -> list[str]:
    what = ", ".join(exception.waives) or "all verification"
    version = f" of {exception.version}" if exception.version is not None else ""
    expired = "" if exception.holds(today) else ", expired"
    return [
        f"waives {what}{version} until {exception.expires}{expired}",
        f"{exception.reason} ({exception.owner})",
    ]


def as_json(policy: Policy) -> dict[str, object]:
    """A policy for programs; paths and URLs as the policy has them."""
    return {
        "schema": 1,
        "policy": str(policy.path),
        "sha256": policy.sha256,
        "mode": policy.mode,
        "unlisted": policy.unlisted,
        "keys": [
            {
                "name": key.name,
                "keytype": key.key.keytype,
                "sha256": key.identity,
                "principal": key.principal,
            }
            for key in policy.keys.values()
        ],
        "identities": [
            {
                "name": each.name,
                "publisher": publisher(each.identity),
                **_identity_parts(each.identity),
                "principal": each.principal,
                "line": each.line,
            }
            for each in policy.identities.values()
        ],
        "projects": [
            {
                "name": rule.name,
                "principals": list(rule.principals),
                "threshold": rule.threshold,
                "owners_from": f"tuf:{rule.owners_from}" if rule.owners_from else None,
                "own_layout": None if rule.own_layout is None else rule.own_layout.origin,
                "requires": [
                    {
                        "name": each.name,
                        "predicate_type": each.predicate_type,
                        "signers": [signer.name for signer in each.signers],
                        "threshold": each.threshold,
                        "conditions": list(each.conditions),
                        "line": each.line,
                    }
                    for each in rule.requirements
                ],
                "index": rule.index or None,
                "sources": [source.spelled for source in rule.sources],
                "parameters_in_sublayouts": rule.parameters_in_sublayouts,
                "line": rule.line,
            }
            for rule in policy.projects
        ],
        "exceptions": [
            {
                "project": exception.project,
                "version": None if exception.version is None else str(exception.version),
                "sha256": list(exception.sha256),
                "waives": list(exception.waives),
                "reason": exception.reason,
                "owner": exception.owner,
                "expires": exception.expires.isoformat(),
                "line": exception.line,
            }
            for exception in policy.exceptions
        ],
        "revoked": [
            {"sha256": revoked.identity, "reason": revoked.reason, "line": revoked.line}
            for revoked in policy.revoked
        ],
        "revoked_identities": [
            {**_identity_parts(each.identity), "reason": each.reason, "line": each.line}
            for each in policy.revoked_identities
        ],
    }


def _identity_parts(identity: Identity) -> dict[str, str | None]:
    return {
        part: getattr(identity, part) or None
        for part in ("issuer", "subject", "repository", "workflow", "ref", "environment")
    }
