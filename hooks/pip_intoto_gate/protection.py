"""What no wheel may land on: the policy, its keys, the gate itself, and records of installs.

A wheel can write nearly anywhere without running any code: its ``.data/`` members go to the
environment's root, its scripts to ``bin``, and ``--target`` moves whole directories. So before
anything is installed, and in every mode, it is worked out where each member would land.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pip_intoto_gate import location, records, settings, wheels
from pip_intoto_gate.blocked import Blocked

if TYPE_CHECKING:
    from collections.abc import Iterable


class Protection:
    """The places of one pip run. ``verifier`` is the path of the verifier's entry file."""

    def __init__(self, site_packages: str, verifier: str) -> None:
        self._site_packages = site_packages
        self._package = os.path.dirname(os.path.dirname(verifier))
        self._policy: list[str] = []
        #: Places as given → the same in comparable form.
        self._comparable: dict[tuple[str, ...], frozenset[str]] = {}

    def add_policy(self, places: Iterable[str]) -> None:
        """Protect the policy and its keys, once the verifier has said where they are."""
        self._policy = [str(place) for place in places]

    def check_wheel(self, name: str, path: str, scheme: Any, *, may_replace_gate: bool) -> None:
        """Refuse the wheel at ``path`` if a member of it would land on something protected.

        ``scheme`` is pip's. Raises :class:`Blocked` and :class:`wheels.Unreadable`.
        """
        places = self._policy_places()
        shadows: tuple[str, ...] = ()
        if not may_replace_gate:
            # This gate, and another that may stand where the wheel goes.
            roots = sorted({self._site_packages, scheme.purelib, scheme.platlib})
            places += [os.path.join(root, file) for root in roots for file in settings.FILES]
            places.append(self._package)
            shadows = tuple(
                os.path.join(wheels.comparable(root), shadow)
                for root in roots
                for shadow in settings.SHADOWS
            )
        protected = self._comparable.get(tuple(places))
        if protected is None:
            protected = frozenset(map(wheels.comparable, places))
            self._comparable[tuple(places)] = protected
        beginnings = (*(place + os.sep for place in protected), *shadows)
        landings = wheels.Landings()
        for member, destination in wheels.destinations(path, scheme):
            landing = landings.comparable(destination)
            if (
                landing in protected
                or landing.startswith(beginnings)
                # A record is the gate's to write, also that of the wheel's own install.
                or records.PLACE.search(landing)
            ):
                raise Blocked(
                    "would-overwrite-gate",
                    f"{os.path.basename(path)} would overwrite what guards this environment.",
                    expected="a wheel that leaves policy, keys and gate alone",
                    found=f"{member}, which would be written to {destination}",
                    advice=f"Do not install {name}: honest packages do not write there.",
                )

    def check_move(self, scheme: Any, target: str, *, may_replace_gate: bool) -> None:
        """Look at what pip installed into a temporary ``scheme`` and now moves to ``--target``.

        pip replaces whole directories there: what stands above a protected place counts too.
        """
        places = self._policy_places()
        if not may_replace_gate:
            places += [os.path.join(self._site_packages, file) for file in settings.FILES]
        protected = [wheels.comparable(place) for place in places]
        libraries = [root for root in (scheme.purelib, scheme.platlib) if os.path.isdir(root)]
        for root in (*libraries, scheme.data):
            for item in os.listdir(root) if os.path.isdir(root) else ():
                source = os.path.join(root, item)
                if any(library.startswith(source) for library in libraries):
                    continue
                landing = wheels.comparable(os.path.join(target, item))
                if any((place + os.sep).startswith(landing + os.sep) for place in protected):
                    raise Blocked(
                        "would-overwrite-gate",
                        "--target would put a package over what guards this environment.",
                        expected="packages that leave policy, keys and gate alone",
                        found=f"{item}, which would be moved to {os.path.join(target, item)}",
                        advice="Choose another target, and ask why the package wants this one.",
                    )

    def _policy_places(self) -> list[str]:
        return [*self._policy, *(place.path for place in location.candidates())]


def places_of(name: str, scheme: Any) -> tuple[str, ...]:
    """What decides where the members of a wheel land: its name, and pip's directories."""
    return (name, *(str(getattr(scheme, key)) for key in wheels.SCHEME_KEYS))
