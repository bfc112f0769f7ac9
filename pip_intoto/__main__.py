"""``python -m pip_intoto`` is the same program as ``pip-intoto``."""

from __future__ import annotations

import sys

from pip_intoto.cli import main

if __name__ == "__main__":
    sys.exit(main())
