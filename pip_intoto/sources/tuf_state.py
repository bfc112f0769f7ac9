"""What TUF repositories have shown, kept from run to run in the user's state directory.

For each repository (a name in the policy, and the root that the policy has for it) one file is
kept: the roots, and the last timestamp and snapshot that verified. python-tuf verifies them again
whenever they are read; they can make it refuse, and never believe.

Several processes may look at a repository at once. Each works on what it has read; what it brings
back is put in the place of what is there under a lock, unless that is of a later state by then.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import EvidenceInvalid
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.node import Node
from pip_intoto.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import TufRepository

#: Rises when a file means something else.
_SCHEMA = 1
#: Nothing else becomes the name of a file.
_NAME = re.compile(r"(timestamp|snapshot|root_history/[1-9][0-9]{0,17}\.root)\.json")


class State:
    """What one repository has shown. Never raises; ``trouble`` says why nothing is kept."""

    def __init__(
        self, repository: TufRepository, limits: Limits, *, folder: Path | None = None
    ) -> None:
        if folder is None:
            # Imported here for start-up time.
            from platformdirs import user_state_path

            folder = user_state_path("pip-intoto", appauthor=False) / "tuf"
        self._folder = folder
        self._limits = limits
        # A repository under another root is another repository.
        identity = json.dumps([repository.name, hashlib.sha256(repository.root).hexdigest()])
        self._name = hashlib.sha256(identity.encode("ascii")).hexdigest()
        self._shelf = Shelf(
            folder,
            most_bytes=limits.tuf_state_bytes * limits.tuf_states,
            most_entries=limits.tuf_states,
        )
        self._too_much = ""
        self._held_up = ""
        #: Something was kept, and nobody can make anything of it.
        self.is_lost = False

    @property
    def trouble(self) -> str:
        """Why nothing is kept; empty while all is well."""
        return self._too_much or self._shelf.trouble or self._held_up

    def load(self) -> dict[str, bytes]:
        """Read what was kept, by file name; empty where nothing was, or nobody can read it."""
        data = self._shelf.get(self._name, self._limits.tuf_state_bytes)
        if data is None:
            return {}
        kept = self._parsed(data)
        self.is_lost = self.is_lost or not kept
        return kept

    def _parsed(self, data: bytes) -> dict[str, bytes]:
        try:
            node = Node(
                strict_json.parse(data, limits=self._limits, max_bytes=self._limits.tuf_state_bytes)
            )
            if node.member("schema").integer() != _SCHEMA:
                return {}
            return {
                name: base64.b64decode(content.string(), validate=True)
                for name, content in node.member("files").items()
                if _NAME.fullmatch(name)
            }
        except (EvidenceInvalid, ValueError):
            return {}

    def keep(
        self,
        seen: Mapping[str, bytes],
        newer: Callable[[Mapping[str, bytes], Mapping[str, bytes]], bool],
    ) -> None:
        """Keep what was seen, unless something ``newer`` has been put there since."""
        content = json.dumps(
            {
                "schema": _SCHEMA,
                "files": {
                    name: base64.b64encode(data).decode("ascii") for name, data in seen.items()
                },
            }
        ).encode("ascii")
        if len(content) > self._limits.tuf_state_bytes:
            self._too_much = f"it is more than {self._limits.tuf_state_bytes} bytes"
            return
        # Between reading and writing, nobody else writes.
        with files.held(self._folder / "lock", self._limits.record_lock_seconds) as self._held_up:
            there = self.load()
            if not self._held_up and dict(seen) != there and newer(seen, there):
                self._shelf.put(self._name, content)
        self._shelf.close()
