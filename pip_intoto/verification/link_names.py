"""Which names links have in the directory form (section 4.4, N1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.metadata.names import link_filename

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.metadata.layout import Layout, Step


def link_names(layout: Layout) -> tuple[str, ...]:
    """Return the file names that links of ``layout`` have in the directory form (N1)."""
    return tuple(
        dict.fromkeys(
            link_filename(step.name, keyid)
            for step in layout.steps
            for keyid in keyids_of(step, layout)
        )
    )


def keyids_of(step: Step, layout: Layout) -> Iterator[str]:
    """Yield the keyids that links of ``step`` may have in their names."""
    # ITE-10: whoever signs statements for a step with a key names the file as a link's.
    predicates = [keyid for each in step.expected_predicates for keyid in each.functionaries]
    for keyid in (*step.pubkeys, *predicates):
        if keyid in layout.identities:
            # They have no key that a file could be named after.
            continue
        yield keyid
        # K6: a master authorises its subkeys.
        if keyid in layout.keys:
            yield from (subkey.keyid for subkey in layout.keys[keyid].subkeys)
