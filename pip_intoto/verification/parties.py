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

    def seat(principal: str, asked: set[str]) -> bool:
        """Find a key for ``principal``, if need be by finding others for those who have one."""
        for key in keys_of[principal]:
            if key not in asked:
                asked.add(key)
                if key not in holder or seat(holder[key], asked):
                    holder[key] = principal
                    return True
        return False

    return sum(seat(principal, set()) for principal in keys_of)
