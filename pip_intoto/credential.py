"""Credentials: what a verified certificate says of who signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What the certificate of a verified signature says of who signed, word for word.

    What it does not say is empty. ``signed_at`` is aware: when the signature was logged. ``host``
    is that of the repository, and ``repository``, ``workflow`` and ``ref`` are spelled as
    :class:`pip_intoto.metadata.identities.Identity` has them. ``reused_workflow`` is the workflow
    that ran on behalf of the one in the repository, its own repository before it where that is
    another.
    """

    issuer: str
    subject: str
    signed_at: datetime
    host: str = ""
    repository: str = ""
    workflow: str = ""
    reused_workflow: str = ""
    ref: str = ""
    environment: str = ""

    @property
    def party(self) -> str:
        """Who stands behind it, for thresholds (T3): all workflows of a repository are one party.

        Elsewhere it is the subject, as its issuer names it.
        """
        who = f"{self.host}/{self.repository}" if self.repository else self.subject
        return f"{self.issuer} {who}"

    @property
    def reuses_another_repository(self) -> bool:
        """Whether the subject is a workflow of another repository than the one that ran it."""
        host = f"https://{self.host}/"
        return (
            bool(self.repository)
            and self.subject.startswith(host)
            and not self.subject.startswith(f"{host}{self.repository}/")
        )
