"""What is settled before pip has loaded itself: settings, policy, and a verifier on its way.

Importing pip takes longer than starting the verifier, so the verifier starts first, and the two
overlap. Nothing here imports pip.
"""

from __future__ import annotations

import atexit
import hashlib
from typing import Any

from pip_intoto_gate import VERSION, location, settings
from pip_intoto_gate.conversation import Conversation


class Opening:
    """The ``settings``, and the ``policy`` in force ("" for none) with its ``policy_sha256``.

    ``unusable`` says why a policy that counts cannot be used. ``context`` is what a parent pip
    told. Raises ValueError when the settings cannot be read.
    """

    def __init__(self, site_packages: str, context: dict[str, Any]) -> None:
        self.settings = settings.read(site_packages, context)
        self.unusable: location.PolicyUnusable | None = None
        self.policy, self.policy_sha256 = "", None
        self._early: Conversation | None = None
        try:
            self.policy, self.policy_sha256 = _find_policy(context)
        except location.PolicyUnusable as error:
            self.unusable = error

    def start_early(self) -> None:
        """Start the verifier on the guess that it will be needed; if not, it ends with pip."""
        if self.policy:
            self._early = self.verifier()
            atexit.register(self._early.close)

    def verifier(self) -> Conversation:
        """A verifier that nobody has talked to: the one on its way, or else another."""
        early, self._early = self._early, None
        if early is not None:
            return early
        verifier = Conversation(self.settings.verifier, self.settings.seconds, VERSION)
        verifier.start(self.policy, self.policy_sha256)
        return verifier


def _find_policy(context: dict[str, Any]) -> tuple[str, str | None]:
    """The policy in force and its sha256; child pips are told both by their parent."""
    if "policy" in context:
        return str(context["policy"] or ""), context.get("sha256")
    found = location.locate()
    return (found.path, _file_sha256(found.path)) if found else ("", None)


def _file_sha256(path: str) -> str:
    """The sha256 of a small file of the user's own."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
