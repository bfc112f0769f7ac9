"""Keys that layouts name as targets of TUF repositories: which of them are still to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.metadata.layout import Layout
from pip_intoto.verification.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Content
    from pip_intoto.verification.roots import RootLayout
    from pip_intoto.verification.trust import Trust


def wanted_keys(
    roots: Sequence[RootLayout],
    documents: Sequence[Document],
    trust: Trust,
    now: datetime,
    *,
    limits: Limits,
) -> tuple[str, ...]:
    """Return the targets that ``roots`` and their sublayouts name, and ``trust`` does not have.

    Only layouts that somebody who counts has signed may say what is to be fetched. Raises
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    pool = Pool(documents, trust, now, limits)
    wanted: dict[str, None] = {}
    layouts: list[tuple[Layout, tuple[Content | None, ...]]] = [
        (root.layout, (root.content,)) for root in roots
    ]
    for layout, within in layouts:
        wanted.update(
            (each.target, None)
            for each in layout.managed.values()
            if each.target not in trust.managed
        )
        if len(within) > limits.sublayout_depth or len(layouts) > limits.sublayouts:
            continue
        keyring = pool.functionaries(layout)
        for document in pool.documents:
            content = document.envelope.content
            # U1: a sublayout is signed by somebody who may carry out a step of the layout above.
            if content not in within and pool.signings(document, keyring):
                sublayout = pool.payload(document)
                if isinstance(sublayout, Layout):
                    layouts.append((sublayout, (*within, content)))
    return tuple(wanted)
