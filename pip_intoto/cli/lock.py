"""``pip-intoto lock``: who vouches for each project, written into the lock that pins it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.cli import BLOCKED, add_policy_options
from pip_intoto.cli.outcomes import exit_status
from pip_intoto.cli.progress import progress_for
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError, NothingVerified
from pip_intoto.limits import DEFAULT, LOCAL
from pip_intoto.reports.lines import Tone
from pip_intoto.verdict import Action, Status

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from pip_intoto.account import Checked
    from pip_intoto.distribution import Distribution
    from pip_intoto.lockfiles.locked import Locked, Recorded
    from pip_intoto.lockfiles.writing import Vouched
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.policy.model import Policy
    from pip_intoto.verdict import Verdict
    from pip_intoto.verifier.vouching import Evidence

HELP = "write into a pylock.toml who vouches for each project"
EXAMPLES = """
  pip lock -r requirements.in -o pylock.toml
  pip-intoto lock pylock.toml

also of a project that the policy does not name, trusting whoever vouches for it today:
  pip-intoto lock pylock.toml --first-use requests --first-use urllib3
  pip-intoto lock pylock.toml --first-use-all

after an upgrade has written the lock anew, which forgets who vouched:
  pip-intoto lock pylock.toml --from HEAD:pylock.toml

in CI: 1 when the lock does not say what it should
  pip-intoto lock pylock.toml --check
"""

#: What to do with locks of other formats.
_EXPORTS = {
    "uv": "uv export --format pylock.toml -o pylock.toml",
    "pdm": "pdm export --format pylock -o pylock.toml",
}
_PIP_LOCK = "pip lock -r requirements.txt -o pylock.toml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lock``."""
    parser.add_argument("lock", metavar="LOCK", help="a pylock.toml, or pylock.NAME.toml")
    parser.add_argument(
        "--first-use",
        dest="first_uses",
        metavar="NAME",
        action="append",
        default=[],
        help="record whoever vouches for this project today, whoever did before; may be given"
        " again",
    )
    parser.add_argument(
        "--first-use-all",
        action="store_true",
        help="the same for every project that no rule names, and of which nothing is recorded",
    )
    parser.add_argument(
        "--from",
        dest="older",
        metavar="OLD",
        help="take over what an older lock has recorded: a file, or REVISION:PATH as in git",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; the exit status is 1 when something would be written",
    )
    parser.add_argument(
        "--python",
        metavar="PYTHON",
        help="the interpreter, or the virtual environment, whose files are verified; default: the"
        " one that runs pip-intoto",
    )
    parser.add_argument(
        "--all-files",
        action="store_true",
        help="verify every file that the lock allows, for whatever interpreter",
    )
    add_policy_options(parser)


def run(args: argparse.Namespace) -> int:
    """Verify, say what is recorded, and write it. Raises the errors of this package."""
    # Imported here for start-up time.
    from pip_intoto.lockfiles.trees import Disk
    from pip_intoto.lockfiles.writing import rewritten
    from pip_intoto.verifier.local import policy_of

    terminal = Terminal.of(args)
    locking = _Locking(args, terminal, policy_of(args.policy))
    by_line = locking.verified()
    if locking.stops:
        for checked in locking.stops:
            terminal.verdict(checked.verdict)
        terminal.warn(f"{locking.path}: nothing was written, for what stands above")
        return exit_status([each.verdict for each in locking.stops]) or BLOCKED
    vouched = locking.vouched(by_line)
    content = locking.content
    after = rewritten(content, locking.path, vouched)
    locking.tell(vouched, by_line)
    if after == content:
        terminal.report(f"{locking.path} says so already: nothing was written")
        return 0
    if args.check:
        terminal.report(f"{locking.path} does not say so: nothing was written", Tone.BAD)
        return BLOCKED
    if Disk().read(locking.path) != content:
        raise CommandError(
            f"{locking.path} was changed in the meantime: nothing was written",
            advice="Run it again.",
        )
    files.replace(locking.path, after)
    terminal.report(f"{locking.path}: written", Tone.GOOD)
    return 0


class _Locking:
    """One lock on its way. Packages are known by the lines that they begin in.

    ``stops`` are verdicts for which nothing is written.
    """

    def __init__(self, args: argparse.Namespace, terminal: Terminal, policy: Policy) -> None:
        # Imported here for start-up time.
        from pip_intoto.cli.verify.targets import interpreter_for
        from pip_intoto.lockfiles import pylock
        from pip_intoto.lockfiles.writing import lines_of

        self._args = args
        self._terminal = terminal
        self._policy = policy
        self.path = _pylock(Path(args.lock))
        self.content = files.read(self.path, LOCAL.lock_bytes)
        self._interpreter = interpreter_for(args, needed=True)
        self._lock = pylock.read(self.path, _Bytes(self.content), self._interpreter)
        self._whole = pylock.read(self.path, _Bytes(self.content), None).locked
        if not self._whole:
            raise NothingVerified(f"{self.path} pins nothing", expected="a lock with packages")
        self._positions = lines_of(self.content, self.path)
        self._first_uses: frozenset[str] = frozenset()
        self._before = self._prepared()
        self._evidence: Evidence | None = None
        self.stops: list[Checked] = []

    # --- what is known before -----------------------------------------------------------------

    def _prepared(self) -> dict[int, Locked]:
        """Say what each package is held against: what the lock says, or what an older one did."""
        from pip_intoto.verifier.naming import normalized
        from pip_intoto.verifier.vouching import with_older

        named = frozenset(map(normalized, self._args.first_uses))
        absent = named - {entry.name for entry in self._whole}
        if absent:
            raise CommandError(
                f"{self.path} has no {', '.join(sorted(absent))}",
                expected="--first-use with a project of the lock",
            )
        older = self._older()
        before = {}
        first_uses = set(named)
        for entry in self._whole:
            if entry.name in named:
                known = replace(entry, attested_by=(), recorded=None)
            else:
                known = with_older(entry, older)
                nobody = not (known.attested_by or known.recorded)
                if self._args.first_use_all and nobody and not self._policy.rule_for(entry.name):
                    first_uses.add(entry.name)
            before[entry.place.line] = known
        self._first_uses = frozenset(first_uses)
        return before

    def _older(self) -> tuple[Locked, ...]:
        if self._args.older is None:
            return ()
        # Imported here for start-up time.
        from pip_intoto.cli.verify.targets import older_lock
        from pip_intoto.lockfiles.trees import AbsentThen

        try:
            return older_lock(self._args.older, None).locked
        except AbsentThen as absent:
            self._terminal.tell(f"{absent}: nothing is taken over")
            return ()

    # --- the verdicts ---------------------------------------------------------------------------

    def verified(self) -> dict[int, list[Checked]]:
        """Judge each package as ``verify`` does, and against what is known of it.

        Raises CommandError for what could not be judged at all.
        """
        # Imported here for start-up time.
        from pip_intoto.sources.web import Web
        from pip_intoto.verifier.batch import Batch
        from pip_intoto.verifier.records import open_records
        from pip_intoto.verifier.vouching import Evidence
        from pip_intoto.verifier.wanted import InLock

        args = self._args
        for left_out in self._lock.left_out:
            what = f"{left_out.name} {left_out.version}".strip()
            self._terminal.detail(f"{left_out.place}: {what} is left out: {left_out.why}")
        wanted = [
            InLock(entry=self._with_pins(entry), lock=self._lock) for entry in self._lock.locked
        ]
        self._evidence = Evidence()
        with progress_for(self._terminal).task("Verifying", len(wanted)) as advance:
            batch = Batch(
                self._policy,
                web=None if args.offline else Web(DEFAULT, credentials=(args.index_url or "",)),
                index_url=args.index_url,
                interpreter=self._interpreter,
                all_files=args.all_files,
                keeper=self._evidence,
                records=open_records(),
                first_uses=self._first_uses,
                advance=advance,
            )
            checked = list(batch.check(wanted))
        if batch.interrupted:
            raise KeyboardInterrupt
        if batch.failures:
            raise batch.failures[0]
        self.stops = [each for each in checked if _stops(each.verdict)]
        by_line: dict[int, list[Checked]] = {}
        begins = sorted(self._positions)
        for each in checked:
            at = 0 if each.place is None else each.place.line
            by_line.setdefault(max(line for line in begins if line <= at), []).append(each)
        return by_line

    def _with_pins(self, entry: Locked) -> Locked:
        known = self._before[entry.place.line]
        return replace(entry, attested_by=known.attested_by, recorded=known.recorded)

    # --- what is written ------------------------------------------------------------------------

    def vouched(self, by_line: Mapping[int, Sequence[Checked]]) -> dict[int, Vouched]:
        """Say what the lock is to record of each package, by its position."""
        # Imported here for start-up time.
        from pip_intoto.verifier.authenticating import authenticator_with
        from pip_intoto.verifier.vouching import publishers, vouched

        assert self._evidence is not None  # noqa: S101 - `verified` has run
        authenticator = authenticator_with(self._policy.trust_root)
        revoked = tuple(each.identity for each in self._policy.revoked_identities)
        now = datetime.now(timezone.utc)
        found = {}
        for entry in self._whole:
            line = entry.place.line
            checked = by_line.get(line, ())
            published: dict[Distribution, Sequence[Identity]] = {}
            for each in checked:
                distribution = each.verdict.distribution
                documents = self._evidence.of(distribution)
                if documents:
                    published[distribution] = publishers(
                        documents, distribution, authenticator, revoked=revoked, now=now
                    )
            found[self._positions[line]] = vouched(
                self._before[line], checked, published, first_use=entry.name in self._first_uses
            )
        return found

    def tell(
        self, vouched: Mapping[int, Vouched], by_line: Mapping[int, Sequence[Checked]]
    ) -> None:
        """Say what is recorded of each package, and why nothing is."""
        same = 0
        for entry in self._whole:
            new = vouched[self._positions[entry.place.line]]
            title = f"{entry.name} {entry.version}".strip()
            if not (new.attested_by or new.recorded):
                why = self._why_not(entry, by_line.get(entry.place.line, ()))
                if entry.attested_by or entry.recorded:
                    was = _said_of(entry.attested_by, entry.recorded)
                    self._terminal.report(f"{title}: nothing is recorded any more: {why}", Tone.BAD)
                    self._terminal.report(f"  before: {was}")
                else:
                    self._terminal.tell(f"{title}: nothing is recorded: {why}", Tone.FAINT)
            elif (new.attested_by, new.recorded) == (entry.attested_by, entry.recorded):
                same += 1
            else:
                self._terminal.report(f"{title}: {_said(new)}")
                if entry.attested_by or entry.recorded:
                    was = _said_of(entry.attested_by, entry.recorded)
                    self._terminal.report(f"  before: {was}")
        if same:
            self._terminal.tell(f"{same} as before")

    def _why_not(self, entry: Locked, checked: Sequence[Checked]) -> str:
        if not checked:
            return "it is not for this interpreter (--python, --all-files)"
        statuses = {each.verdict.status for each in checked}
        if entry.name in self._first_uses:
            return "nobody attested it"
        if statuses == {Status.UNLISTED}:
            return f"no rule of the policy names it (--first-use {entry.name})"
        return ", ".join(sorted(status.value for status in statuses))


class _Bytes:
    """A file that was read already: what is verified is what is changed."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, _path: Path) -> bytes:
        return self._content


def _pylock(path: Path) -> Path:
    """Check that a file is called as a pylock.toml. Raises CommandError."""
    # Imported here for start-up time.
    from pip_intoto.lockfiles.reading import reader_for

    name = reader_for(path.name)
    if name == "pylock":
        # Nobody may ever write to a pipe; and nothing could be put in its place.
        if path.exists() and not path.is_file():
            raise CommandError(f"{path} is not a file", expected="a file that can be written anew")
        return path
    raise CommandError(
        f"{path.name} has no place for who vouches for a project"
        if name
        else f"{path} is not called as a pylock.toml is",
        expected="pylock.toml, or pylock.NAME.toml",
        found=path.name,
        advice=f"Write one beside it: {_EXPORTS.get(name or '', _PIP_LOCK)}",
    )


def _stops(verdict: Verdict) -> bool:
    """Whether a verdict keeps the lock from being written.

    What no rule names does not: whether it may be installed is another question.
    """
    if verdict.status is Status.UNREACHABLE:
        return True
    return verdict.action is Action.BLOCK and verdict.status is not Status.UNLISTED


def _said(new: Vouched) -> str:
    return _said_of(new.attested_by, new.recorded)


def _said_of(attested_by: Sequence[Identity], recorded: Recorded | None) -> str:
    """Name everybody who vouches: "published by github:acme/demo:release.yml; layout key 3f2a"."""
    # Imported here for start-up time.
    from pip_intoto.verification.wording import publisher, short_keyid

    said = [f"published by {publisher(each)}" for each in attested_by]
    if recorded is not None:
        said += [publisher(each) for each in recorded.identities if each not in attested_by]
        said += [f"layout key {short_keyid(key)}" for key in recorded.layout_keys]
        said += [f"as of {recorded.version}"]
    return "; ".join(said)
