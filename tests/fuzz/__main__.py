"""Fuzz the engine for a while: ``python -m tests.fuzz [HARNESS …] [--seconds 60]``.

Needs atheris, Google's coverage-guided fuzzer for Python, which ``make fuzz`` installs. Seeds and
what was found to reach new code lie in ``.cache/fuzz/<harness>/corpus``, where the next run goes
on. Input that crashed a harness is kept beside it, and the exit status is 1; run one again with
``python -m tests.fuzz HARNESS --input FILE``, which needs no atheris.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

#: Seconds for one input: more is a crash, too, since the verifier is to be fast with anything.
SLOW = 10
LONGEST = 16_384
MEGABYTES = 2_048
HOME = Path(__file__).resolve().parents[2] / ".cache" / "fuzz"
NAMES = ("bundles", "payloads", "archives", "policies")


def main() -> int:
    """Run each harness in a process of its own, or in this one where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the engine.")
    parser.add_argument("harness", nargs="*", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each harness (60)")
    parser.add_argument("--input", type=Path, help="only run the harness on this file")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names: list[str] = options.harness or list(NAMES)
    unknown = sorted(set(names).difference(NAMES))
    if unknown:
        parser.error(f"there is no harness {', '.join(unknown)}")
    if options.input is not None:
        return _run_again(names, options.input)
    if importlib.util.find_spec("atheris") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        print(
            f"atheris is not installed, and without it nothing can be fuzzed: `make fuzz` tries to"
            f" install it. It has wheels for few versions of Python; this is {version}.",
            file=sys.stderr,
        )
        return 2
    if options.here:
        _fuzz(names[0], options.seconds)
    crashed = [name for name in names if not _fuzzed(name, options.seconds)]
    for name in crashed:
        for file in sorted((HOME / name).glob("*-*")):
            print(f"crashed: python -m tests.fuzz {name} --input {file}", file=sys.stderr)
    return 1 if crashed else 0


def _run_again(names: list[str], file: Path) -> int:
    from tests.fuzz.harnesses import HARNESSES

    for name in names:
        HARNESSES[name](file.read_bytes())
        print(f"{name}: nothing happened")
    return 0


def _fuzzed(name: str, seconds: int) -> bool:
    """Fuzz in another process; tell whether it got to the end of its time."""
    print(f"== {name}, {seconds} seconds", flush=True)
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds), "--here"]
    return subprocess.run(command, check=False).returncode == 0


def _fuzz(name: str, seconds: int) -> None:
    """Fuzz in this process, which ends with it."""
    import atheris

    # What is imported in here tells the fuzzer where each input got to.
    with atheris.instrument_imports(include=["pip_intoto"], enable_loader_override=False):
        from tests.fuzz.harnesses import HARNESSES
        from tests.fuzz.seeds import SEEDS, WORDS
    folder = HOME / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS[name]():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f"{json.dumps(word)}\n".replace("u00", "x") for word in WORDS))
    arguments = [
        sys.argv[0],
        str(corpus),
        f"-dict={words}",
        f"-max_total_time={seconds}",
        f"-timeout={SLOW}",
        f"-max_len={LONGEST}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
        # Each step forward would be a line.
        "-verbosity=0",
    ]
    atheris.Setup(arguments, HARNESSES[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
