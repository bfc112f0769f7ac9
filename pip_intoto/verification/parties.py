"""How many parties signed, when keys and names do not pair up one to one.

A threshold counts parties, and each of them needs a key of its own (T3: "a functionary is
identified by the public key"). Mostly a party has one key. But one principal of the policy may
have several, one certificate authority may give one key several names, and an OpenPGP key may be
listed for itself and as a subkey of another. None of them makes two out of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def count_parties(signings: Iterable[tuple[str, str]]) -> int:
    """Return how many parties the ``(principal, identity of the key)`` pairs can stand for.

    It is the greatest number of pairs that share neither principal nor key (a maximum matching),
    so that one more signature never makes it smaller.
    """
    keys_of: dict[str, list[str]] = {}
    for principal, key in dict.fromkeys(signings):
        keys_of.setdefault(principal, []).append(key)
    holder: dict[str, str] = {}
    held: dict[str, str] = {}
    #: Keys whose holders have no other, and never will have.
    settled: set[str] = set()

    def seat(principal: str) -> bool:
        """Find a key for ``principal``, if need be by finding others for those who have one."""
        wanted_by: dict[str, str] = {}
        asking = [principal]
        # Not recursive: hostile evidence can make as many ask each other as there are keys.
        for who in asking:
            for key in keys_of[who]:
                if key in wanted_by or key in settled:
                    continue
                wanted_by[key] = who
                if key in holder:
                    asking.append(holder[key])
                    continue
                # It is free: each of those who asked on the way to it moves on by one.
                free: str | None = key
                while free is not None:
                    taker = wanted_by[free]
                    left = held.get(taker)
                    holder[free], held[taker] = taker, free
                    free = left
                return True
        settled.update(wanted_by)
        return False

    return sum(map(seat, keys_of))
