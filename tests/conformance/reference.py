"""What in-toto 3.1.0 says of a chain, in the directory form that it reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from in_toto.models.metadata import Metadata
from in_toto.verifylib import in_toto_verify

from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import link_filename
from tests.unit.verification.supply import OWNER, TAGGER, tag_link

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject

ROOT = "root.layout"


def files(root: JsonObject, build: JsonObject, keyid: str) -> dict[str, JsonObject]:
    """A chain of which the layout and the build are given, by the names of its files."""
    return {
        ROOT: root,
        link_filename("tag", TAGGER.keyid): authoring.sign(tag_link(), [TAGGER]),
        link_filename("build", keyid): build,
    }


def reference(contents: dict[str, JsonObject], directory: Path) -> Exception | None:
    """What it raises, or None when it verifies them; OWNER owns the layout."""
    for name, content in contents.items():
        (directory / name).write_text(json.dumps(content))
    try:
        in_toto_verify(
            Metadata.load(str(directory / ROOT)),
            {OWNER.keyid: dict(authoring.key_object(OWNER))},
            link_dir_path=str(directory),
            persist_inspection_links=False,
        )
    except Exception as error:  # noqa: BLE001 - whatever the oracle says is the answer
        return error
    return None
