"""Coverage of what runs in the processes that pip and the gate start.

The tests' own process is measured by ``coverage run``. The gate, though, runs in pip's process,
and the verifier in another one, both in environments of their own and with a scrubbed environment.
So when coverage is on, those environments get a ``.pth`` that starts it: sorted before the gate's
own, with the path of coverage and of a configuration written into it, and nothing else of the
tests' environment made importable. ``[tool.coverage.paths]`` says where the copies belong.
"""

from __future__ import annotations

from pathlib import Path

import coverage

from tests.integration.interpreters import CACHE, ROOT
from tests.integration.locking import lock

#: Before ``pip_intoto_gate.pth``, so that the gate's first lines are counted too.
PTH = "a_coverage_of_children.pth"

_CONFIGURATION = """\
[run]
branch = true
parallel = true
sigterm = true
data_file = {data}
patch = _exit
disable_warnings = no-data-collected, module-not-imported, couldnt-parse
include =
    */site-packages/pip_intoto/*
    */site-packages/pip_intoto_gate/*
    */site-packages/pip_intoto_boot.py
"""

#: One line, as .pth files need it. The folder holds a link to coverage and nothing else, and
#: leaves sys.path again at once: its submodules are found through the package.
_LINE = (
    "import sys; sys.path.insert(0, {folder!r}); import coverage; sys.path.remove({folder!r});"
    " import os; os.environ['COVERAGE_PROCESS_START'] = {configuration!r};"
    " coverage.process_startup(); del os.environ['COVERAGE_PROCESS_START']\n"
)


def active() -> bool:
    """Tell whether this process is being measured."""
    return coverage.Coverage.current() is not None


def install(packages: Path) -> None:
    """Have every process of the environment with these site-packages measured."""
    folder = CACHE / "coverage"
    with lock(CACHE / "coverage.lock"):
        folder.mkdir(exist_ok=True)
        link = folder / "coverage"
        package = Path(coverage.__file__).parent
        if not link.is_symlink() or link.readlink() != package:
            link.unlink(missing_ok=True)
            link.symlink_to(package, target_is_directory=True)
        configuration = CACHE / "coverage-of-children.cfg"
        text = _CONFIGURATION.format(data=ROOT / ".coverage")
        if not configuration.exists() or configuration.read_text("utf-8") != text:
            configuration.write_text(text, encoding="utf-8")
    line = _LINE.format(folder=str(folder), configuration=str(configuration))
    (packages / PTH).write_text(line, encoding="utf-8")
