"""Whose keys count for a step, how they sign, and which of them are one party."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import UnusableKey
from pip_intoto.maintainer.layouts.differences.changes import Change, Effect, by_sets, only, told
from pip_intoto.metadata.identities import KEYTYPE, MANAGED_KEYTYPE
from pip_intoto.metadata.keys import identity
from pip_intoto.verification.signatures import Keyring
from pip_intoto.verification.wording import publisher, short_keyid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pip_intoto.maintainer.layouts.layouts_in import Found
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Layout, Step


#: From when until when.
_Validity: TypeAlias = "tuple[datetime | None, datetime | None]"


@dataclass(frozen=True, slots=True)
class Way:
    """How a key may sign: by which scheme, and when it and its master, if any, are valid."""

    scheme: str
    valid: _Validity
    master: _Validity | None = None

    def lasts(self, other: Way) -> bool:
        """Whether it is valid whenever ``other`` is."""
        if self.master is None or other.master is None:
            return self.master == other.master and _spans(self.valid, other.valid)
        return _spans(self.valid, other.valid) and _spans(self.master, other.master)


class Names:
    """What to call keys: as a source does, else by the id that the newer layout has for them."""

    def __init__(self, old: Found, new: Found) -> None:
        self._names: dict[str, str] = {**old.names, **new.names}
        for layout in (new.layout, old.layout):
            for whose in layout.identities.values():
                self._names.setdefault(_ident(whose), publisher(whose))
            for ident, keyids, _ in _signing(layout):
                self._names.setdefault(ident, f"key {short_keyid(keyids[0])}")

    def __call__(self, ident: str) -> str:
        """The name of the key that is ``ident``."""
        return self._names.get(ident, f"key sha256:{ident[:16]}")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose signatures count for a step, or for a statement of it: ``threshold`` of ``keyids``."""

    keyids: tuple[str, ...]
    threshold: int
    layout: Layout


def step_changes(
    place: str, old: tuple[Step, Layout], new: tuple[Step, Layout], names: Names
) -> Iterator[Change]:
    """Who may carry out a step, and how many of them must; each step comes with its layout."""
    (was, was_in), (now, now_in) = old, new
    yield from signer_changes(
        place,
        Asked(was.pubkeys, was.threshold, was_in),
        Asked(now.pubkeys, now.threshold, now_in),
        names,
    )
    gone, came = only(map(str, was.constraints), map(str, now.constraints))
    if gone or came:
        yield Change(
            code="certificates",
            place=place,
            what="asks certificates for something else",
            means="others may sign this step by certificate",
            effect=by_sets(gone, came),
            gone=gone,
            came=came,
        )


def signer_changes(
    place: str, old: Asked, new: Asked, names: Names, *, of_links: bool = True
) -> Iterator[Change]:
    """Whose signatures count, and how many of them must be there."""
    if old.threshold != new.threshold:
        lower = new.threshold < old.threshold
        yield Change(
            code="threshold",
            place=place,
            what=f"asks for {new.threshold} functionar{'y' if new.threshold == 1 else 'ies'}"
            f" instead of {old.threshold}",
            means="fewer have to agree" if lower else "more have to agree",
            effect=Effect.WEAKER if lower else Effect.STRICTER,
            gone=(str(old.threshold),),
            came=(str(new.threshold),),
        )
    done, signed = (
        ("carried out", "links that this key") if of_links else ("signed", "statements that it")
    )
    before, after = (_signers(each.keyids, each.layout) for each in (old, new))
    for ident in sorted(after.keys() - before.keys()):
        yield Change(
            code="functionary-added",
            place=place,
            what=f"may be {done} by {names(ident)} as well",
            means=f"{signed} signs count",
            effect=Effect.WEAKER,
            came=(names(ident),),
        )
    for ident in sorted(before.keys() - after.keys()):
        yield Change(
            code="functionary-removed",
            place=place,
            what=f"may not be {done} by {names(ident)} any more",
            means=f"{signed} signed do not count any more",
            effect=Effect.STRICTER,
            gone=(names(ident),),
        )
    common = sorted(before.keys() & after.keys())
    for ident in common:
        if before[ident] != after[ident]:
            yield _key_changed(place, names(ident), before[ident], after[ident])
    parties = (_parties(common, each.layout) for each in (old, new))
    yield from _parties_changed(place, *parties)


def key_changes(old: Layout, new: Layout, names: Names) -> Iterator[Change]:
    """Which keys and certificates a layout has besides those that its steps name."""
    gone, came = only(_unused(old), _unused(new))
    # A key that is put to use is a change of the step.
    used = _used(old) | _used(new)
    gone, came = (tuple(each for each in side if each not in used) for side in (gone, came))
    if gone or came:
        gone, came = tuple(map(names, gone)), tuple(map(names, came))
        yield Change(
            code="keys",
            place="layout",
            what=told("key of no step", gone, came),
            means="nothing: nobody may sign a step with it",
            effect=Effect.NEITHER,
            gone=gone,
            came=came,
        )
    gone, came = only(_authorities(old), _authorities(new))
    if gone or came:
        is_used = any(step.constraints for layout in (old, new) for step in layout.steps)
        yield Change(
            code="authorities",
            place="layout",
            what=told("certificate", gone, came),
            means="other certificates may sign for steps"
            if is_used
            else "nothing: no step asks for certificates",
            effect=by_sets(gone, came) if is_used else Effect.NEITHER,
            gone=gone,
            came=came,
        )


# --- keys -----------------------------------------------------------------------------------


def _signing(layout: Layout) -> Iterator[tuple[str, tuple[str, ...], Way]]:
    """Identity, keyids and way of everybody who can sign; other keys sign nothing (K3)."""
    for keyid, whose in layout.identities.items():
        yield _ident(whose), (keyid,), Way(KEYTYPE, (None, None))
    for keyid, managed in layout.managed.items():
        yield f"{MANAGED_KEYTYPE} {managed.target}", (keyid,), Way(MANAGED_KEYTYPE, (None, None))
    for key in layout.keys.values():
        try:
            yield identity(key), (key.keyid,), Way(key.scheme, _validity(key))
        except UnusableKey:
            continue
        for subkey in key.subkeys:
            try:
                ident = identity(subkey)
            except UnusableKey:
                continue
            # K6: who names the master accepts its subkeys.
            way = Way(subkey.scheme, _validity(subkey), _validity(key))
            yield ident, (subkey.keyid, key.keyid), way


def _ident(whose: Identity) -> str:
    """What tells one identity from another, whatever it is listed under."""
    asked = (whose.issuer, whose.subject, whose.repository, whose.workflow, whose.ref)
    return " ".join(map(repr, (KEYTYPE, *asked, whose.environment)))


def _validity(key: PublicKey) -> _Validity:
    return key.not_before, key.not_after


def allowed(step: Step, layout: Layout) -> dict[str, frozenset[Way]]:
    """Who may carry out a step, by identity, and how they sign."""
    return _signers(everybody(step), layout)


def everybody(step: Step) -> tuple[str, ...]:
    """The keyids of all who may sign something for a step."""
    stated = (keyid for each in step.expected_predicates for keyid in each.functionaries)
    return (*step.pubkeys, *stated)


def _signers(named: tuple[str, ...], layout: Layout) -> dict[str, frozenset[Way]]:
    found: dict[str, frozenset[Way]] = {}
    for ident, keyids, way in _signing(layout):
        if not set(keyids).isdisjoint(named):
            found[ident] = found.get(ident, frozenset()) | {way}
    return found


def _key_changed(place: str, name: str, before: frozenset[Way], after: frozenset[Way]) -> Change:
    schemes = [sorted({way.scheme for way in ways}) for ways in (before, after)]
    if schemes[0] != schemes[1]:
        what = f"{name} signs with {', '.join(schemes[1])} instead of {', '.join(schemes[0])}"
        means = "what was signed the other way does not count"
        effect = Effect.UNCLEAR
    else:
        what = f"{name} is valid for another time"
        means = "outside of that time its links do not count"
        effect = by_sets(before - after, after - before)
        if len(before) == len(after) == 1:
            (old,), (new,) = before, after
            wider, narrower = new.lasts(old), old.lasts(new)
            effect = Effect.WEAKER if wider else Effect.STRICTER if narrower else Effect.UNCLEAR
    return Change(code="functionary-changed", place=place, what=what, means=means, effect=effect)


def _spans(wide: _Validity, narrow: _Validity) -> bool:
    """Whether one period covers another; None is for ever."""
    return _begins(wide, narrow) and _ends(wide, narrow)


def _begins(wide: _Validity, narrow: _Validity) -> bool:
    return wide[0] is None or (narrow[0] is not None and wide[0] <= narrow[0])


def _ends(wide: _Validity, narrow: _Validity) -> bool:
    return wide[1] is None or (narrow[1] is not None and wide[1] >= narrow[1])


def _parties(identities: Iterable[str], layout: Layout) -> frozenset[frozenset[str]]:
    """Which of the keys count as one, because they belong to one OpenPGP key (K6)."""
    keyring = Keyring(layout.keys.values())
    kin = {ident: frozenset(keyring.kin(ident)[0] or (ident,)) for ident in identities}
    return frozenset(
        frozenset(other for other in kin if kin[other] & family) for family in kin.values()
    )


def _parties_changed(
    place: str, before: frozenset[frozenset[str]], after: frozenset[frozenset[str]]
) -> Iterator[Change]:
    if before == after:
        return
    finer = all(any(one <= other for other in before) for one in after)
    coarser = all(any(one <= other for other in after) for one in before)
    yield Change(
        code="parties",
        place=place,
        what="counts other keys as those of one functionary",
        means="keys count for themselves that were one party"
        if finer
        else "keys are one party that counted for themselves",
        effect=Effect.WEAKER if finer else Effect.STRICTER if coarser else Effect.UNCLEAR,
    )


def _used(layout: Layout) -> set[str]:
    return {ident for step in layout.steps for ident in allowed(step, layout)}


def _unused(layout: Layout) -> set[str]:
    return {ident for ident, _, _ in _signing(layout)} - _used(layout)


def _authorities(layout: Layout) -> list[str]:
    roots = [
        f"{each.name}: {''.join(each.certificate.split())}" for each in layout.authorities.roots
    ]
    return [*roots, *("".join(each.split()) for each in layout.authorities.intermediates)]
