"""Entry of the verifier process: ``<python> -I <this file>``, by absolute path.

With ``-I`` the interpreter puts neither this file's directory nor the working directory on
``sys.path``; what belongs to this very installation is added here, and nothing else.
"""

# ruff: noqa: PTH100, PTH112, PTH118, PTH119, PTH120
# pathlib would be imported before the first message, for which the gate is waiting.

from __future__ import annotations

import os
import sys


def _add_own_roots() -> None:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    # In a source checkout the gate's package, whose resolver of policies is shared, lies in
    # hooks/; installed, both packages lie side by side.
    roots = [root, os.path.join(root, "hooks")]
    # Behind the standard library, so that nothing can shadow it; before site-packages, so that
    # another installed version of this package is not taken for this one.
    installed = [
        position
        for position, path in enumerate(sys.path)
        if os.path.basename(path) in {"site-packages", "dist-packages"}
    ]
    at = installed[0] if installed else len(sys.path)
    sys.path[at:at] = [path for path in roots if path not in sys.path and os.path.isdir(path)]


if __name__ == "__main__":
    _add_own_roots()
    from pip_intoto.verifier.process import main

    main()
