"""The words of a policy file: which keys each table has, and what an exception can waive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

TOP = (
    "version",
    "mode",
    "unlisted",
    "keys",
    "identities",
    "sigstore",
    "tuf",
    "project",
    "exception",
    "revoked",
)
KEY = ("public", "principal")
IDENTITY = (
    "publisher",
    "issuer",
    "subject",
    "repository",
    "workflow",
    "ref",
    "environment",
    "principal",
)
SIGSTORE = ("trust-root",)
TUF = ("root", "metadata", "targets", "target")
PROJECT = (
    "name",
    "layout-keys",
    "threshold",
    "require",
    "identities",
    "index",
    "sources",
    "layout",
    "layout-sha256",
    "binds",
    "build",
    "parameters",
    "parameters-in-sublayouts",
    "inspections",
)
EXCEPTION = ("project", "version", "sha256", "waives", "reason", "owner", "expires")
REQUIRE = ("name", "predicate", "identities", "threshold", "conditions")
REVOKED = ("key", "identity", "publisher", "reason")
#: These will mean something one day, and must not pass unheeded until then.
RESERVED = ("pins",)

#: Where a key belongs that stands in the wrong table.
TABLES = (
    ("at the top of the file, before the first [table]", TOP),
    ("in a [[project]]", PROJECT),
    ("in an [[exception]]", EXCEPTION),
    ("in a [keys.…]", KEY),
    ("in an [identities.…]", IDENTITY),
    ("in [sigstore]", SIGSTORE),
    ("in a [tuf.…]", TUF),
    ("in a table of `require`", REQUIRE),
    ("in a [[revoked]]", REVOKED),
)

#: What an exception may waive: only what leaves all else to be verified, or leaves nothing that
#: could be. Never the index, the digests, or the gate's own protection. Evidence that fails for
#: another reason says nothing more of the file; who accepts that leaves `waives` out, and says so.
WAIVABLE = tuple(
    sorted(
        error.code
        for error in (
            errors.AttestationMissing,
            errors.EvidenceDowngrade,
            errors.EvidenceMissing,
            errors.SourceUnreachable,
            errors.LayoutExpired,
            errors.BuildNotAllowed,
            errors.BuildRequirementUnverified,
        )
    )
)


def nearest(word: str, known: Iterable[str]) -> str:
    """Find the known word that was most likely meant; empty when none is near."""
    # Imported here for start-up time: it is only needed for an error.
    import difflib

    plain = {name.replace("-", "").replace("_", ""): name for name in known}
    spelled = word.lower().replace("-", "").replace("_", "")
    near = difflib.get_close_matches(spelled, plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else ""
