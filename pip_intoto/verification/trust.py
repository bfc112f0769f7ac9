"""What the consumer trusts for one distribution, as values: who, how many, which layouts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.metadata.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Owner:
    """A key that may sign the layout, and the party behind it."""

    key: PublicKey
    principal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What evidence for one distribution is held against.

    ``threshold`` of the principals in ``owners`` must have signed the layout. Keys are told
    apart by :func:`pip_intoto.metadata.keys.identity`: those in ``revoked`` count nowhere, and
    those in ``principals`` count for the named party.
    """

    owners: tuple[Owner, ...]
    threshold: int
    #: Lower-case hex sha256 of the layout documents that will do; empty for any.
    layout_sha256: tuple[str, ...] = ()
    revoked: frozenset[str] = frozenset()
    principals: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    #: Those who sign sublayouts may use the parameters as well.
    parameters_in_sublayouts: bool = False
    #: The step that must carry the file; empty for the layout's last.
    binds: str = ""
    #: The layout keys serve other projects as well, so the layout must speak of this one.
    shared_keys: bool = False
    #: Commands, word for word, that inspections may run.
    allowed_commands: tuple[tuple[str, ...], ...] = ()
    #: Every command of the root layout may run (never those of sublayouts).
    run_all_inspections: bool = False
    #: Reason codes that do not count here; only ``layout-expired`` can be waived on the way.
    waived: frozenset[str] = frozenset()
