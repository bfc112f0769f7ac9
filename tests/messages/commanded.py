"""Errors of the command line, as it prints them."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING
from unittest import mock

from pip_intoto.cli import main
from tests.messages.situations import situation, steady

if TYPE_CHECKING:
    from pathlib import Path


def said(folder: Path, *words: str) -> str:
    """Run ``pip-intoto`` with these words, and give what it says on standard error."""
    heard = io.StringIO()
    variables = {
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "home" / ".config"),
        "NO_COLOR": "1",
        "INTOTO_POLICY": str(folder / "policy.toml"),
        "PATH": os.defpath,
    }
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        contextlib.redirect_stderr(heard),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        status = main(list(words))
    assert status == 2, heard.getvalue()
    return steady(heard.getvalue(), {str(folder): "/home/you"})


@situation("usage")
def _(folder: Path) -> str:
    return said(folder, "verify", "--layout", "root.layout", "--offline", "demo-1.0.tar.gz")


@situation("nothing-verified")
def _(folder: Path) -> str:
    empty = folder / "wheelhouse"
    empty.mkdir()
    return said(folder, "verify", str(empty))


@situation("policy-missing.command")
def _(folder: Path) -> str:
    (folder / "demo-1.0-py3-none-any.whl").write_bytes(b"any")
    return said(
        folder,
        *("verify", "--policy", str(folder / "nowhere.toml")),
        str(folder / "demo-1.0-py3-none-any.whl"),
    )


@situation("lockfile-invalid")
def _(folder: Path) -> str:
    (folder / "policy.toml").write_text("version = 1\n")
    (folder / "requirements.txt").write_text("demo==1.0 \\\n    --hash=sha256:12ab\n")
    return said(folder, "verify", "--offline", str(folder / "requirements.txt"))


@situation("lockfile-invalid.cut-off")
def _(folder: Path) -> str:
    (folder / "policy.toml").write_text("version = 1\n")
    lock = 'lock-version = "1.0"\ncreated-by = "pip"\n\n[[packages]]\nname = "demo"\nwheels = [\n'
    (folder / "pylock.toml").write_text(lock)
    return said(folder, "verify", "--offline", str(folder / "pylock.toml"))
