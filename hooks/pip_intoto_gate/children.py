"""Child pips: pip runs itself again to fill build environments, and for ``pip --python``.

Such a child may not see this environment's ``.pth`` (an isolated venv, another interpreter), and
without a gate an unverified build backend would run. So pip is handed a runner script that arms
the gate by file path first. What the child needs to know is baked into the script; nothing is
passed through the environment, where anybody in between could change it.
"""

from __future__ import annotations

import os
from typing import Any

# Works on every Python that a supported pip runs on.
_RUNNER = """\
import importlib.util, runpy, sys
boot = sys.modules.get("pip_intoto_boot")
if boot is None:
    spec = importlib.util.spec_from_file_location("pip_intoto_boot", {boot!r})
    boot = importlib.util.module_from_spec(spec)
    sys.modules["pip_intoto_boot"] = boot
    spec.loader.exec_module(boot)
boot.arm({context!r})
sys.argv[0] = {pip!r}
runpy.run_path({pip!r}, run_name="__main__")
"""


def write_runner(directory: str, pip: str, boot: str, context: dict[str, Any]) -> str:
    """Write a script into the private ``directory`` that runs ``pip`` with the gate in front.

    Returns its path. The script is valid as long as the directory is.
    """
    name = f"pip-intoto-runner-{len(os.listdir(directory))}.py"
    path = os.path.join(directory, name)
    with open(path, "x", encoding="utf-8") as file:
        file.write(_RUNNER.format(boot=boot, context=context, pip=pip))
    return path
