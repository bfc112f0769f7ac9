"""``pip-intoto check``: before publishing, see what those who install will see."""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.cli.outcomes import exit_status, summary_line
from pip_intoto.cli.targets import expand
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import (
    ArtifactDigestMismatch,
    ArtifactNotBound,
    CommandError,
    EvidenceError,
    LayoutExpired,
    LayoutSignatureMissing,
    LinkMissing,
    LinksDisagree,
    LinkThresholdUnmet,
    NothingVerified,
    RuleViolated,
)
from pip_intoto.limits import DEFAULT, LOCAL
from pip_intoto.maintainer.evidence import evidence_files, publishing
from pip_intoto.maintainer.evidence.publishing import Announcement, OwnerKey
from pip_intoto.maintainer.layouts.layout_source import DEFAULT_NAME, load_source
from pip_intoto.metadata.envelope import read_payload
from pip_intoto.metadata.keys import identity
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.names import BUNDLE_SUFFIX, ROOT_LAYOUT
from pip_intoto.policy.editing import open_draft
from pip_intoto.policy.model import Beside, Pep740
from pip_intoto.reports.lines import Tone
from pip_intoto.sources.fetching import offline
from pip_intoto.verdict import Action, Status
from pip_intoto.verification.trust import Owner
from pip_intoto.verifier.local import distribution_of, judge_with, policy_of
from pip_intoto.verifier.naming import kind_of
from pip_intoto.verifier.wanted import Pinned

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from pip_intoto.distribution import Distribution
    from pip_intoto.maintainer.evidence.bundling import Paper
    from pip_intoto.policy.model import NamedKey, Policy, ProjectRule
    from pip_intoto.verdict import Verdict

HELP = "before publishing, verify as those who install will, and say what to tell them"
EXAMPLES = """
  # with the owners of ./supply-chain.toml, and the evidence in dist-evidence/
  pip-intoto check dist/*

  # with these owners; where the evidence is going to lie
  pip-intoto check dist/demo-1.0-py3-none-any.whl --evidence dist-evidence --key alice.pub \\
      --publish-at 'https://meta.acme.example/{project}/{filename}.intoto.jsonl'

  # with the policy of somebody who installs it
  pip-intoto check dist/* --policy consumer/policy.toml
"""

#: A layout that lasts less is worth a word.
_SOON = timedelta(days=30)
#: What a maintainer can do, where the usual advice is for those who install.
_ADVICE = {
    LayoutExpired.code: "Sign a later end with `pip-intoto layout renew`, and bundle again.",
    LayoutSignatureMissing.code: f"`pip-intoto layout status {ROOT_LAYOUT}` says who has signed,"
    " and how the others sign. Then bundle again.",
    LinkMissing.code: "Carry out the step with a key that the layout names for it, and bundle"
    " again.",
    LinkThresholdUnmet.code: "Have the step carried out by as many as the layout asks for, each"
    " with a key that it names, and bundle again.",
    LinksDisagree.code: "`pip-intoto compare` says how two builds of a wheel differ.",
    RuleViolated.code: "Either something changed between two steps: record the steps again,"
    " beginning with empty folders. Or the rule is too narrow: correct it in"
    f" {DEFAULT_NAME}.",
    ArtifactNotBound.code: "No step recorded this file: carry out the one that makes it, and bundle"
    " again.",
    ArtifactDigestMismatch.code: "The file is not the one that the step recorded. If you built it"
    " again, bundle the links of that build; if not, find out who changed it.",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``check``."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a wheel or sdist, or a directory of them"
    )
    parser.add_argument(
        "--evidence",
        metavar="DIR",
        type=Path,
        help="where the evidence lies (default: dist-evidence for files in dist, else beside them)",
    )
    parser.add_argument(
        "--policy", metavar="FILE", type=Path, help="verify with this policy, which stays as it is"
    )
    parser.add_argument(
        "--key",
        dest="keys",
        metavar="KEY",
        action="append",
        default=[],
        help="public key of a project owner, FILE or NAME=FILE; again for each owner"
        f" (default: the owners in {DEFAULT_NAME})",
    )
    parser.add_argument(
        "--threshold",
        metavar="N",
        type=int,
        help="how many of the owners must have signed the layout (default: all)",
    )
    parser.add_argument(
        "--publish-at",
        dest="sources",
        metavar="SOURCE",
        action="append",
        default=[],
        help='where the evidence is going to lie: "beside" (default), or a URL with placeholders,'
        " as in `trust add --source`; again for each place",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Verify every file, report, and give the exit status. Raises the errors of this package."""
    terminal = Terminal.of(args)
    sources = tuple(map(publishing.check_source, args.sources))
    targets = _files(args.files)
    checked = [_File.of(path, args.evidence) for path in targets]
    consumer = _consumer(args, [file.distribution.name for file in checked])
    verdicts = [_judged(file, consumer.policy) for file in checked]
    announcements = _announcements(checked, consumer, sources)
    report = _Report(
        files=checked,
        verdicts=verdicts,
        status=exit_status(verdicts),
        announcements=announcements,
        sources=sources,
        needs=(*_needs(checked), *(line for each in announcements for line in each.needs)),
        warnings=_warnings(checked),
    )
    if args.format == "json":
        sys.stdout.write(report.as_json())
    else:
        report.show(terminal)
    terminal.tell(summary_line(verdicts))
    return report.status


def _files(targets: Sequence[str]) -> list[Path]:
    found = []
    for target in expand(targets):
        if isinstance(target, Pinned):
            raise CommandError(
                f"there is no file {target.name}=={target.version}",
                expected="files that are going to be published",
            )
        found.append(target)
    if not found:
        raise NothingVerified("there is nothing to check")
    return list(dict.fromkeys(found))


# --- a file and its evidence ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file to be published, and its evidence: ``papers`` is empty where none can be read.

    ``over`` says which limit of those who fetch its bundle is exceeded, if one is.
    """

    path: Path
    distribution: Distribution
    folder: Path
    papers: tuple[Paper, ...]
    layouts: tuple[Layout, ...]
    over: str

    @classmethod
    def of(cls, path: Path, evidence: Path | None) -> _File:
        folder = evidence_files.find_folder(path, evidence)
        bundle = folder / evidence_files.bundle_name(path.name)
        papers: tuple[Paper, ...] = ()
        over = ""
        if bundle.is_file():
            # The verdict will say what is wrong with it.
            with suppress(EvidenceError):
                papers, _ = evidence_files.read_bundle(bundle)
            size = bundle.stat().st_size
            over = evidence_files.too_large_for_others(papers, size, DEFAULT)
        elif (directory := folder / evidence_files.directory_name(path.name)).is_dir():
            papers, _ = evidence_files.read_folder(directory)
        return cls(
            path=path,
            distribution=distribution_of(path),
            folder=folder,
            papers=papers,
            layouts=tuple(_layouts(papers)),
            over=over,
        )

    @property
    def bundle(self) -> Path:
        return self.folder / evidence_files.bundle_name(self.path.name)


def _layouts(papers: Iterable[Paper]) -> Iterator[Layout]:
    for paper in papers:
        if paper.document.envelope.may_be_layout:
            with suppress(EvidenceError):
                payload = read_payload(paper.document.envelope, limits=LOCAL)
                if isinstance(payload, Layout):
                    yield payload


# --- whom consumers trust -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Consumer:
    """Somebody who installs the files: their policy, and the names of its keys."""

    policy: Policy
    keys: tuple[OwnerKey, ...]

    def keys_of(self, rule: ProjectRule) -> tuple[OwnerKey, ...]:
        wanted = [identity(owner.key) for owner in rule.owners]
        return tuple(key for key in self.keys if key.sha256 in wanted)


def _consumer(args: argparse.Namespace, names: Iterable[str]) -> _Consumer:
    if args.policy is not None:
        if args.keys or args.threshold is not None:
            raise CommandError(
                "--policy cannot be used with --key and --threshold",
                expected="either a policy, or the keys of the owners",
            )
        policy = policy_of(args.policy)
        return _Consumer(
            policy=policy,
            keys=tuple(map(_of_named, policy.keys.values())),
        )
    if args.keys:
        return _derived(names, args.keys, (), args.threshold)
    if not Path(DEFAULT_NAME).is_file():
        raise CommandError(
            "whose keys must have signed the layout is not said",
            expected=f"--key FILE of each owner, --policy FILE, or a {DEFAULT_NAME} here",
        )
    source = load_source(Path(DEFAULT_NAME))
    threshold = source.threshold if args.threshold is None else args.threshold
    return _derived(names, (), source.owners, threshold)


def _derived(
    names: Iterable[str],
    arguments: Sequence[str],
    owners: Sequence[NamedKey],
    threshold: int | None,
) -> _Consumer:
    """Make the policy that `trust add` would make with these keys; nothing of it is written."""
    with tempfile.TemporaryDirectory(prefix="pip-intoto-") as folder:
        draft = open_draft(Path(folder) / "policy.toml")
        offered = [draft.offered_key(argument) for argument in arguments]
        offered += [
            draft.offered_openpgp_key(key.name, _of_named(key).text.encode()) for key in owners
        ]
        for each in offered:
            draft = draft.with_key(each, inline=True)
        called = [each.name for each in offered]
        for name in dict.fromkeys(names):
            draft = draft.with_project(name, called, threshold=threshold)
    policy = draft.policy
    principals = {key.identity: key.principal for key in owners}
    rules = tuple(
        replace(
            rule,
            owners=tuple(
                Owner(owner.key, principals.get(identity(owner.key), owner.principal))
                for owner in rule.owners
            ),
        )
        for rule in policy.projects
    )
    return _Consumer(
        policy=replace(policy, projects=rules),
        keys=tuple(
            OwnerKey(
                name=each.name,
                sha256=each.identity,
                text=_text(each.content),
                principal=principals.get(each.identity, each.name),
            )
            for each in offered
        ),
    )


def _of_named(key: NamedKey) -> OwnerKey:
    if key.path is not None:
        text = _text(files.read(key.path, DEFAULT.key_bytes))
    else:
        text = publishing.public_text(key.key)
    return OwnerKey(name=key.name, sha256=key.identity, text=text, principal=key.principal)


def _text(data: bytes) -> str:
    """The key alone, without what people write above it."""
    content = data.decode("utf-8", "replace")
    start, end = content.find("-----BEGIN "), content.rfind("-----END ")
    if start < 0 or end < 0:
        return content
    return content[start : content.index("-----", end + 5) + 5].replace("\r\n", "\n") + "\n"


def _judged(file: _File, policy: Policy) -> Verdict:
    """Verify as somebody who finds the evidence beside the file."""
    on_disk = (Beside(), Pep740(on_disk=True))
    rules = tuple(
        replace(rule, sources=on_disk if rule.requirements or rule.own_layout else on_disk[:1])
        for rule in policy.projects
    )
    rule = policy.rule_for(file.distribution.name)
    distribution = replace(
        file.distribution,
        url=(file.folder.absolute() / file.path.name).as_uri(),
        # It is going to be on the index that the policy names.
        index=None if rule is None or not rule.index else rule.index,
    )
    # What somebody's policy would only warn about should not be published either.
    policy = replace(policy, projects=rules, mode="enforce", unlisted="deny")
    verdict = judge_with(distribution, policy, offline, limits=DEFAULT)
    if verdict.status is Status.MISSING:
        verdict = replace(verdict, advice=f"`pip-intoto bundle {file.path}` makes it.")
    elif verdict.reason in _ADVICE:
        verdict = replace(verdict, advice=_ADVICE[verdict.reason])
    return replace(verdict, distribution=file.distribution)


# --- what to say ----------------------------------------------------------------------------


def _announcements(
    checked: Sequence[_File], consumer: _Consumer, sources: tuple[str, ...]
) -> tuple[Announcement, ...]:
    found = []
    for name in dict.fromkeys(file.distribution.name for file in checked):
        rule = consumer.policy.rule_for(name)
        # Whoever trusts attestations alone has no keys to be given.
        if rule is None or not rule.owners:
            continue
        found.append(
            Announcement(
                project=name,
                keys=consumer.keys_of(rule),
                threshold=rule.threshold,
                sources=sources or tuple(source.spelled for source in rule.sources),
                index=rule.index,
            )
        )
    return tuple(found)


def _needs(checked: Sequence[_File]) -> tuple[str, ...]:
    lines = [
        line for file in checked for layout in file.layouts for line in publishing.needs_of(layout)
    ]
    return tuple(dict.fromkeys(lines))


def _warnings(checked: Sequence[_File]) -> tuple[str, ...]:
    now = datetime.now(timezone.utc)
    found: list[str] = []
    for file in checked:
        name = file.path.name
        found += [
            f"{name}: the layout expires on {layout.expires:%Y-%m-%d}; renew it before it does"
            for layout in file.layouts
            if now <= layout.expires < now + _SOON
        ]
        if file.over:
            found.append(f"{name}: its evidence is larger than what is read of others: {file.over}")
        if file.papers and not file.bundle.is_file():
            found.append(
                f"{name}: its evidence is a directory, which is found beside the file only;"
                " `pip-intoto bundle --pack` makes one file of it"
            )
    for place in dict.fromkeys((file.path.parent, file.folder) for file in checked):
        found += _about_folders(*place, {file.path for file in checked})
    return tuple(dict.fromkeys(found))


def _about_folders(dist: Path, evidence: Path, checked: set[Path]) -> list[str]:
    distributions = [path.name for path in dist.iterdir() if kind_of(path.name) is not None]
    bundles = (
        [path.name for path in evidence.iterdir() if path.name.endswith(BUNDLE_SUFFIX)]
        if evidence.is_dir()
        else []
    )
    found = []
    for bundle, meant in sorted(publishing.astray(bundles, distributions).items()):
        what = (
            f"is looked for as {meant}{BUNDLE_SUFFIX}" if meant else f"belongs to no file in {dist}"
        )
        found.append(f"{evidence / bundle} {what}")
    found += [
        f"{dist / name} has no evidence"
        for name in sorted(distributions)
        if dist / name not in checked
        and evidence_files.bundle_name(name) not in bundles
        and not (evidence / evidence_files.directory_name(name)).is_dir()
    ]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    files: Sequence[_File]
    verdicts: Sequence[Verdict]
    status: int
    announcements: tuple[Announcement, ...]
    sources: tuple[str, ...]
    needs: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> str:
        # Imported here because only this format needs it.
        from pip_intoto.reports import machine

        report: dict[str, object] = {
            "schema": machine.SCHEMA,
            "exit-status": self.status,
            "verdicts": [machine.described(verdict) for verdict in self.verdicts],
        }
        report["files"] = [
            {
                "filename": file.path.name,
                "evidence": str(file.bundle) if file.papers else None,
                "addresses": [
                    publishing.address_of(source, file.distribution) for source in self.sources
                ],
            }
            for file in self.files
        ]
        report["announcements"] = [
            {
                "project": each.project,
                "commands": each.commands,
                "fingerprints": dict(each.fingerprints),
                "threshold": each.threshold,
                "sources": list(each.sources),
            }
            for each in self.announcements
        ]
        report["policy-needs"] = list(self.needs)
        report["warnings"] = list(self.warnings)
        return machine.dumped(report)

    def show(self, terminal: Terminal) -> None:
        for verdict in self.verdicts:
            terminal.verdict(verdict, trace=verdict.action is not Action.PASS)
        for warning in self.warnings:
            terminal.warn(warning)
        if self.status:
            # What does not verify should not be published, wherever.
            return
        terminal.report()
        terminal.report("Where the evidence has to lie", Tone.TITLE)
        if self.sources:
            for file in self.files:
                terminal.report(f"  {file.bundle}")
                for source in self.sources:
                    terminal.report(f"    {publishing.address_of(source, file.distribution)}")
        else:
            for host, where in publishing.HOSTS:
                terminal.report(f"  {host}: {where}")
        for each in self.announcements:
            terminal.report()
            terminal.report(f"For the README, what users of {each.project} type", Tone.TITLE)
            terminal.report()
            terminal.report(each.commands.rstrip("\n"))
            terminal.report()
            terminal.report("It shows these fingerprints; let users find them elsewhere, too:")
            for name, fingerprint in each.fingerprints:
                terminal.report(f"  {name}  {fingerprint}")
        if self.needs:
            terminal.report()
            terminal.report(
                "And in their policy, in the project's rule unless said otherwise", Tone.TITLE
            )
            for line in self.needs:
                terminal.report(f"  {line}")
