"""The page on keys is followed, on a terminal, with a hardware module in software and GnuPG."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from fixtures import gnupg, softhsm
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.keys import key_files, signing
from tests.integration.pages import commands
from tests.integration.programs import programs, variables

if TYPE_CHECKING:
    from pathlib import Path

#: What is typed, by the prompt that each command shows.
ANSWERS = {
    "pip-intoto keygen ../keys/owner": ["hunter2", "hunter2"],
    "pip-intoto sign -f root.layout -k ../keys/owner.pem": ["hunter2"],
    "pip-intoto sign -f root.layout -k 'hsm:2?label=Maintainer' --append": [softhsm.PIN],
}

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs POSIX terminals"),
    pytest.mark.skipif(bool(softhsm.missing()), reason=softhsm.missing() or "it is"),
    pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs OpenSSL's command"),
]


def test_every_command_of_the_page_on_keys_runs(tmp_path: Path) -> None:
    from tests.integration.terminals import converse

    typed = commands("docs/how-to/keys.md")
    assert len(typed) == 12
    assert set(ANSWERS) < set(typed)
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "password").write_text("hunter3\n")
    step = authoring.step("build", functionaries=[signing.generate()])
    content = authoring.sign(
        authoring.layout(expires=datetime(2100, 1, 1, tzinfo=timezone.utc), keys=[], steps=[step]),
        [],
        authoring.Envelope.METABLOCK,
    )
    (work / "root.layout").write_text(json.dumps(content))
    with gnupg.keyring() as ring:
        keyid = ring.key("owner", "ed25519")
        known = {
            **variables(programs(tmp_path / "bin")),
            **softhsm.module().variables,
            "GNUPGHOME": str(ring.home),
            "NO_COLOR": "1",
        }
        for command in typed:
            words = ["/bin/sh", "-c", re.sub("[0-9A-F]{40}", keyid.upper(), command)]
            session = converse(
                words, ANSWERS.get(command, []), cwd=work, variables=known, seconds=60
            )
            assert session.status == 0, f"$ {command}\n{session.out}{session.err}"
            assert "hunter" not in session.screen + session.out + session.err
    owner = key_files.read_public(tmp_path / "keys" / "owner.pub")
    token = key_files.read_public(tmp_path / "keys" / "token.pub")
    assert documents.load(work / "root.layout").keyids == (owner.keyid, token.keyid, keyid)
