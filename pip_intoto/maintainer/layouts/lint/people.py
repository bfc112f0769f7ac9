"""Who may do what, with which key, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import MAXYEAR, timedelta
from typing import TYPE_CHECKING

from pip_intoto.errors import UnusableKey
from pip_intoto.maintainer.layouts.lint.findings import At, Severity, place_of
from pip_intoto.metadata.keys import identities, identity, material
from pip_intoto.metadata.names import link_filename
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.rules import Match
from pip_intoto.verification.link_names import keyids_of
from pip_intoto.verification.parties import count_parties
from pip_intoto.verification.wording import counted, short_keyid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pip_intoto.maintainer.layouts.lint.findings import Finding, Subject
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Step

SOON = timedelta(days=30)
LATE = timedelta(days=2 * 366)
_NEVER = MAXYEAR
#: What is recommended beyond 2030; the specification asks for 2048.
_RSA_BITS = 3072
_FORBIDDEN_ON_WINDOWS = set('<>:"|?*')
_DEVICES = {"con", "prn", "aux", "nul"}.union(
    f"{name}{digit}" for name in ("com", "lpt") for digit in "123456789"
)
_GLOBBING = set("*?[]")


def look_at_people(subject: Subject) -> Iterator[Finding]:
    """Expiry, keys, thresholds, who shares what, and the names of links."""
    yield from _expiry(subject)
    yield from _keys(subject)
    parties = {step.name: _parties(step, subject) for step in subject.layout.steps}
    for index, step in enumerate(subject.layout.steps):
        at = place_of(step, index)
        yield from _threshold(step, at, parties[step.name])
        yield from _owners(step, at, subject)
        yield from _names(step, at, subject)
    yield from _shared(subject, parties)
    yield from _same_names(subject)


# --- expiry ---------------------------------------------------------------------------------


def _expiry(subject: Subject) -> Iterator[Finding]:
    expires, now = subject.layout.expires, subject.now
    day = f"{expires:%Y-%m-%d}"
    # L3: "now == expires" is still valid.
    if now > expires:
        yield At().finding(
            "expired",
            Severity.ERROR,
            f"the layout expired on {day}",
            why="Nobody trusts an expired layout: every install of a listed project stops.",
            instead='expires = "1 year", or a later date',
        )
    elif expires - now < SOON:
        yield At().finding(
            "expires-soon",
            Severity.WARNING,
            f"the layout expires on {day}, in {counted((expires - now).days, 'day')}",
            why="On that day every published file stops to install, unless the evidence of each"
            " is bundled again with a new layout.",
            instead='expires = "1 year", or a later date',
        )
    # One that a consumer holds for as long as the policy holds has no end.
    elif expires - now > LATE and expires.year != _NEVER:
        yield At().finding(
            "expires-late",
            Severity.WARNING,
            f"the layout holds until {day}",
            why="Expiry is what ends a layout that nobody revokes: until then, whoever has a"
            " functionary's key can use it.",
            instead='expires = "1 year", and `pip-intoto layout renew` each year',
        )


# --- keys -----------------------------------------------------------------------------------


def _keys(subject: Subject) -> Iterator[Finding]:
    layout = subject.layout
    used = {keyid for step in layout.steps for keyid in _keyids(step)}
    for keyid, key in layout.keys.items():
        at = At("", f"key {short_keyid(keyid)}", "keys")
        names = {keyid, *(subkey.keyid for subkey in key.subkeys)}
        if names.isdisjoint(used):
            yield at.finding(
                "unused-key",
                Severity.NOTE,
                "no step names this key",
                why="It may sign nothing; readers will wonder whose it is.",
                instead="leave it out",
            )
            continue
        try:
            weakness = _weakness(key)
            called = subject.called(key)
        except UnusableKey as error:
            yield at.finding(
                "unusable-key",
                Severity.ERROR,
                f"no signature by this key ever counts: {error.message}",
                why="Whoever holds it can carry out no step."
                + (f" Expected: {error.expected}." if error.expected else ""),
                instead="a key of `pip-intoto keygen`",
            )
            continue
        if weakness:
            yield at.finding(
                "weak-key",
                Severity.WARNING,
                f"{called} has {weakness}",
                why="Whoever can work out the secret of a key can do all that its holder may.",
                instead="a key of `pip-intoto keygen`: Ed25519, or RSA of 3072 bits",
            )
        ends = key.not_after
        if ends is not None and ends < layout.expires:
            yield at.finding(
                "key-expires-first",
                Severity.WARNING,
                f"{called} expires on {ends:%Y-%m-%d}, before the layout does",
                why="Links that it signed no longer count from then on, those of published files"
                " included.",
                instead="a key that is valid for longer, or an earlier `expires`",
            )


def _keyids(step: Step) -> tuple[str, ...]:
    """Whom a step names, be it for links or for statements."""
    predicates = step.expected_predicates
    return (*step.pubkeys, *(keyid for each in predicates for keyid in each.functionaries))


def _most_asked(step: Step) -> int:
    return max(step.threshold, *(each.threshold for each in step.expected_predicates), 1)


def _weakness(key: PublicKey) -> str:
    from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    loaded = material(key)
    if isinstance(loaded, RSAPublicKey) and loaded.key_size < _RSA_BITS:
        return f"an RSA key of {loaded.key_size} bits"
    if isinstance(loaded, DSAPublicKey):
        return "a DSA key"
    return ""


# --- thresholds -----------------------------------------------------------------------------


def _functionaries(step: Step, subject: Subject) -> Iterator[tuple[PublicKey, PublicKey]]:
    """The keys that may sign for a step, each with the master that it belongs to, or itself."""
    masters = subject.layout.keys
    of_subkeys = {subkey.keyid: (subkey, key) for key in masters.values() for subkey in key.subkeys}
    for keyid in _keyids(step):
        if keyid in masters:
            yield masters[keyid], masters[keyid]
        elif keyid in of_subkeys:
            yield of_subkeys[keyid]


def _parties(step: Step, subject: Subject) -> Mapping[tuple[str, str], str]:
    """Parties that may carry out a step, as (party, key), and what messages call them.

    T3: the same key under two names is one, and so are the keys of one principal.
    """
    parties = {}
    for key, master in _functionaries(step, subject):
        try:
            ident, party = identity(key), subject.called(master)
            parties[subject.principals.get(ident) or identity(master), ident] = party
        except UnusableKey:
            continue
    for keyid in _keyids(step):
        identity_ = subject.layout.identities.get(keyid)
        managed = subject.layout.managed.get(keyid)
        if identity_ is not None:
            called = identity_.subject or identity_.repository or identity_.issuer
            # Their keyid is no part of what they are.
            ident = repr(replace(identity_, keyid=""))
            parties[ident, ident] = shown(called)[1:-1]
        elif managed is not None:
            parties[managed.target, managed.target] = shown(managed.target)[1:-1]
    return parties


def _threshold(step: Step, at: At, parties: Mapping[tuple[str, str], str]) -> Iterator[Finding]:
    # X1: of certificates nobody knows how many there will be. Statements have their own.
    if step.constraints or step.expected_predicates:
        return
    most = count_parties(parties)
    if most >= step.threshold:
        return
    keys = len(step.pubkeys)
    yield at.finding(
        "threshold-unreachable",
        Severity.ERROR,
        f"{step.threshold} parties must sign, and there {'is' if most == 1 else 'are'} {most}"
        if step.threshold > 1
        else "nobody can carry out this step",
        why="The step can never be carried out, so that nothing is ever installed. Keys of one"
        f" principal, and one key under two names, count once ({counted(keys, 'key')} named).",
        instead=f"threshold = {most}, or more functionaries" if most else "a functionary",
    )


def _owners(step: Step, at: At, subject: Subject) -> Iterator[Finding]:
    owning: dict[str, str] = {}
    for owner in subject.owners:
        owning.update(dict.fromkeys(identities(owner.key), owner.principal))
    mine = {}
    for key, master in _functionaries(step, subject):
        try:
            found = {identity(key), *identities(master)} & owning.keys()
        except UnusableKey:
            continue
        mine.update(dict.fromkeys(sorted({owning[each] for each in found})))
    for name in mine:
        yield at.finding(
            "owner-is-functionary",
            Severity.WARNING,
            f"{name} signs the layout, and may carry out this step with the same key",
            why="An owner's key is used once a year, and lies where no machine can reach it. One"
            " that signs each release lies where releases are made; who steals it there can"
            " write layouts.",
            instead="a key of its own for the step",
        )


# --- who shares what ------------------------------------------------------------------------


def _shared(
    subject: Subject, parties: Mapping[str, Mapping[tuple[str, str], str]]
) -> Iterator[Finding]:
    steps = subject.layout.steps
    names = {step.name: dict.fromkeys(party for party, _ in parties[step.name]) for step in steps}
    called = {party: name for each in parties.values() for (party, _), name in each.items()}
    alone = [
        party
        for party in names[steps[0].name]
        if all(party in names[step.name] and _most_asked(step) == 1 for step in steps)
    ]
    for party in alone:
        yield At().finding(
            "one-party",
            Severity.WARNING,
            f"{called[party]} can carry out the whole chain alone",
            why="Then the chain says no more than one signature on the file would: who steals"
            " this key, or the machine that it lies on, can make any file and its evidence.",
            instead="another functionary for the source than for the build; or a threshold of 2",
        )
    for index, step in enumerate(steps):
        before = dict.fromkeys(
            rule.step
            for rule in (*step.expected_materials, *step.expected_products)
            if isinstance(rule, Match) and rule.step in names and rule.step != step.name
        )
        for name in before:
            both = [party for party in names[step.name] if party in names[name]]
            both = [party for party in both if party not in alone]
            earlier = subject.steps[name]
            if both and len(both) >= max(_most_asked(step), _most_asked(earlier)):
                who = " and ".join(called[party] for party in both)
                # Whoever writes the source should not speak for what becomes of it; later steps
                # are often carried out in one place.
                begins = not any(isinstance(rule, Match) for rule in earlier.expected_materials)
                yield place_of(step, index).finding(
                    "shared-key",
                    Severity.WARNING if begins else Severity.NOTE,
                    f"{who} may also carry out the step {name}, which this one builds on",
                    why="What one step says of the other is worth something as long as nobody can"
                    " speak for both.",
                    instead=f"functionaries that the step {name} does not have",
                )


# --- names of links -------------------------------------------------------------------------


def _names(step: Step, at: At, subject: Subject) -> Iterator[Finding]:
    keys = subject.layout.keys.values()
    known = {key.keyid for master in keys for key in (master, *master.subkeys)}
    known |= {*subject.layout.identities, *subject.layout.managed}
    for keyid in step.pubkeys:
        if keyid not in known:
            yield at.finding(
                "unknown-functionary",
                Severity.ERROR,
                f"the layout does not have the key {short_keyid(keyid)}, which the step names",
                why="Nobody can tell whether a signature is by that key.",
                instead="the key among the `keys` of the layout, or the step without it",
            )
    trouble = _trouble(step.name)
    if trouble:
        yield at.finding(
            "link-name",
            Severity.WARNING,
            f"the name of this step {trouble}",
            why="Links lie in files that are called after their step: "
            f"{link_filename(step.name, '12345678')}.",
            instead="a name of letters, digits, - and _",
        )
    files: dict[str, str] = {}
    for keyid in keyids_of(step, subject.layout):
        # N2: "prefix collisions must be survivable"; in a directory they are not.
        other = files.setdefault(link_filename(step.name, keyid), keyid)
        if other != keyid:
            yield at.finding(
                "link-name",
                Severity.WARNING,
                f"the ids of two keys both begin with {short_keyid(keyid)}",
                why="Their links would lie in one file of a directory, and one would be lost."
                " A bundle has room for both.",
                instead="another key",
            )


def _same_names(subject: Subject) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for index, step in enumerate(subject.layout.steps):
        other = seen.setdefault(step.name.casefold(), step.name)
        if other != step.name:
            yield place_of(step, index).finding(
                "link-name",
                Severity.WARNING,
                f"the step {other} differs from this one only in capitals",
                why="On Windows and macOS their links lie in the same file.",
                instead="a name of its own",
            )


def _trouble(name: str) -> str:
    if _GLOBBING & set(name):
        return "has characters of patterns in it, which other tools expand"
    if _FORBIDDEN_ON_WINDOWS & set(name):
        return "has characters that no file on Windows can have"
    if name.partition(".")[0].lower() in _DEVICES:
        return "is that of a device on Windows"
    if name != name.strip() or name.startswith(("-", ".")):
        return "begins or ends with what shells and tools take for something else"
    if not name.isascii():
        return "can be spelled in several ways: file systems may change it"
    return ""
