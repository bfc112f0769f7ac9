"""Show the messages, or write them: ``python -m tests.messages [--write] [NAME…]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "hooks")]

# The path is set above; the tellers register what they tell.
from tests.messages import tellers  # noqa: E402, F401
from tests.messages.situations import SITUATIONS, kept, snapshot  # noqa: E402


def main() -> int:
    """Go through the situations; 0 when all could be told."""
    parser = argparse.ArgumentParser(prog="python -m tests.messages", description=__doc__)
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="codes or situations; default: all"
    )
    parser.add_argument("--write", action="store_true", help="keep the messages as they are now")
    args = parser.parse_args()
    names = [
        name
        for name in sorted(SITUATIONS)
        if not args.names or name in args.names or name.partition(".")[0] in args.names
    ]
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            text = SITUATIONS[name](Path(folder))
        if args.write:
            snapshot(name).write_text(text, "utf-8")
        else:
            print(f"--- {name}\n{text}")
    if args.write and not args.names:
        for name in kept() - set(SITUATIONS):
            snapshot(name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
