"""``pip-intoto trust``: keys, identities and rules in the policy file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli import BLOCKED, FAILED, add_common
from pip_intoto.cli.terminal import Terminal
from pip_intoto.cli.trusted import as_json, as_text, needs
from pip_intoto.errors import CommandError, PolicyInvalid, PolicyMissing
from pip_intoto.policy.editing import open_draft
from pip_intoto.policy.extras import missing_extras
from pip_intoto.policy.file import load_policy
from pip_intoto.policy.model import NamedIdentity, NamedKey
from pip_intoto.policy.templates import TEMPLATES
from pip_intoto.verdict import Status
from pip_intoto.verification.wording import publisher
from pip_intoto_gate.location import PolicyUnusable, candidates, locate

if TYPE_CHECKING:
    import argparse

    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.policy.editing import Draft, OfferedIdentity, OfferedKey
    from pip_intoto.policy.model import (
        Policy,
        ProjectRule,
    )
    from pip_intoto.verdict import Verdict
    from pip_intoto.verification.trust import OwnerIdentity

COMMANDS = ("add", "list", "remove", "revoke")
HELP = "say who must stand behind which project"
EXAMPLES = """
  # demo must come with evidence whose layout alice has signed
  pip-intoto trust add demo --key alice.pub

  # whatever is installed of demo was published by this workflow, which Sigstore vouches for
  pip-intoto trust add demo --publisher github:acme/demo:release.yml

  # two of three owners, from this index only; first see what it would say of the newest release
  pip-intoto trust add demo --key alice.pub --key bob.pub --key carol=keys/c.pem --threshold 2 \\
      --index https://pypi.acme.example/simple/ --try

  # every project of a family, with evidence from a server of its own
  pip-intoto trust add 'acme-*' --key acme.pub \\
      --source beside --source 'https://meta.acme.example/{project}/{filename}.intoto.jsonl'

  # what is trusted; trust no longer; never again
  pip-intoto trust list
  pip-intoto trust remove demo
  pip-intoto trust revoke alice.pub --reason "laptop stolen"
"""

_ADD_EXAMPLES = """
  # the key is copied beside the policy, and its fingerprint is shown
  pip-intoto trust add demo --key alice.pub

  # a fingerprint to compare: openssl pkey -pubin -in key.pem -outform DER | sha256sum
  pip-intoto trust add demo --key alice=downloads/key.pem --try

  # an OpenPGP key of GnuPG's keyring, with the subkeys that sign
  pip-intoto trust add demo --gpg alice=7B3ABB26B97B655AB9296BD15B0BD02E1C768C43

  # it was built and published by a workflow; first see what that says of the newest release
  pip-intoto trust add demo --publisher github:acme/demo:release.yml \\
      --require slsa-build --require publish --try

  # the same as a layout of your own, to be read, changed and linted
  pip-intoto trust add demo --publisher github:acme/demo:release.yml --require slsa-build \\
      --as-layout demo.layout

  # statements by a person, and by a key of your own
  pip-intoto trust add demo --issuer https://accounts.google.com --subject ann@acme.example
  pip-intoto trust add demo --key tester.pub --require test-result

  # a key that the policy has already, by its name
  pip-intoto trust add demo-plugin --key alice
"""
_LIST_EXAMPLES = """
  pip-intoto trust list
  pip-intoto trust list --policy ci/policy.toml --format json
"""
_REMOVE_EXAMPLES = """
  pip-intoto trust remove demo
  pip-intoto trust remove 'acme-*'
"""
_REVOKE_EXAMPLES = """
  pip-intoto trust revoke stolen.pub --reason "laptop stolen 2026-10"
  pip-intoto trust revoke alice --reason "left the project"
  pip-intoto trust revoke github:acme/demo:old.yml --reason "anybody could run it"
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the four commands below ``trust``."""
    commands = parser.add_subparsers(dest="trust_command", metavar="COMMAND", required=True)

    add = _command(parser, commands, "add", "list a project, and who must stand behind it")
    add.add_argument("name", metavar="NAME", help='a project, or several with one "*" at the end')
    add.add_argument(
        "--key",
        dest="keys",
        metavar="KEY",
        action="append",
        default=[],
        help="public key of a project owner: FILE, NAME=FILE, or the name of a key in the policy;"
        " again for each owner. With --require and no --publisher, it signs what is required",
    )
    add.add_argument(
        "--publisher",
        dest="publishers",
        metavar="WHO",
        action="append",
        default=[],
        help="who signs attestations: github:OWNER/REPOSITORY[:WORKFLOW[@REF]], gitlab:…,"
        " google:ADDRESS, NAME=… for a name of its own, or the name of an identity in the policy;"
        " again for each who may",
    )
    add.add_argument(
        "--issuer", metavar="URL", help="with --subject, who vouches for somebody else who signs"
    )
    add.add_argument(
        "--subject", metavar="NAME", help="as the certificate from --issuer names them"
    )
    add.add_argument(
        "--require",
        metavar="WHAT",
        action="append",
        default=[],
        help=f"attestation that must be there: {', '.join(TEMPLATES)}; again for each"
        " (default with --publisher: publish)",
    )
    add.add_argument(
        "--as-layout",
        metavar="FILE",
        type=Path,
        help="write what is required as a layout of your own, to be read and changed",
    )
    add.add_argument(
        "--gpg",
        dest="openpgp",
        metavar="KEY",
        action="append",
        default=[],
        help="OpenPGP key of an owner in GnuPG's keyring: FINGERPRINT, or NAME=FINGERPRINT;"
        " again for each owner",
    )
    add.add_argument(
        "--gpg-home", metavar="DIR", help="where that keyring is (default: GnuPG's own directory)"
    )
    add.add_argument(
        "--threshold",
        metavar="N",
        type=int,
        help="how many of the owners must have signed the layout (default: all)",
    )
    add.add_argument("--index", metavar="URL", help="the index that the project must come from")
    add.add_argument(
        "--source",
        dest="sources",
        metavar="SOURCE",
        action="append",
        help='where evidence lies: "beside" (default), "pep740" (default as well where attestations'
        " are required), a URL with placeholders, or a directory; again for each source",
    )
    add.add_argument(
        "--inline", action="store_true", help="put the keys into the policy, instead of copies"
    )
    add.add_argument(
        "--try",
        dest="tries",
        action="store_true",
        help="first verify the newest release; write only when it verifies",
    )

    show = _command(parser, commands, "list", "show what the policy says")
    show.add_argument("--format", choices=("text", "json"), default="text", help="default: text")

    remove = _command(parser, commands, "remove", "take a project out of the policy")
    remove.add_argument("name", metavar="NAME", help="the project or pattern, as the policy has it")

    revoke = _command(
        parser, commands, "revoke", "refuse a key or identity in every role, from now on"
    )
    revoke.add_argument(
        "key",
        metavar="KEY",
        help="a public key file, the name of a key or identity, or a publisher: github:…",
    )
    revoke.add_argument("--reason", required=True, help="for those who run into it")
    revoke.add_argument(
        "--inline", action="store_true", help="put the key into the policy, instead of a copy"
    )

    for command, examples in (
        (add, _ADD_EXAMPLES),
        (show, _LIST_EXAMPLES),
        (remove, _REMOVE_EXAMPLES),
        (revoke, _REVOKE_EXAMPLES),
    ):
        command.epilog = "examples:\n" + examples.strip("\n")
        command.add_argument(
            "--policy", metavar="P", type=Path, help="a policy file (default: the one in force)"
        )


def run(args: argparse.Namespace) -> int:
    """Carry one of the commands out. Raises the errors of :mod:`pip_intoto.errors`."""
    terminal = Terminal.of(args)
    policy: Path | None = args.policy
    command: str = args.trust_command
    if command == "list":
        return _list(terminal, policy, to_programs=args.format == "json")
    path = _path_to_write(policy)
    if command == "remove":
        return _remove(terminal, path, args.name)
    if command == "revoke":
        return _revoke(terminal, path, args.key, args.reason, inline=args.inline)
    return _add(
        terminal,
        path,
        _Addition(
            name=args.name,
            keys=tuple(args.keys),
            openpgp=tuple(args.openpgp),
            publishers=tuple(args.publishers),
            issuer=args.issuer or "",
            subject=args.subject or "",
            require=tuple(dict.fromkeys(args.require)),
            as_layout=None if args.as_layout is None else args.as_layout.absolute(),
            gpg_home=args.gpg_home,
            threshold=args.threshold,
            index=args.index or "",
            sources=tuple(args.sources or ()),
            inline=args.inline,
            tries=args.tries,
        ),
    )


def _command(
    parser: argparse.ArgumentParser,
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    about: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        formatter_class=parser.formatter_class,
        allow_abbrev=False,
    )
    add_common(command)
    return command


# --- which file -----------------------------------------------------------------------------


def _path_to_write(named: Path | None) -> Path:
    """Choose the policy to change: the named one, the one in force, or where one would be."""
    if named is not None:
        return named.absolute()
    try:
        location = locate()
    except PolicyUnusable as unusable:
        # The variable says where the policy is to be: this is the moment to write it.
        if unusable.code == PolicyMissing.code and unusable.path:
            return Path(unusable.path)
        raise PolicyInvalid(
            f"no policy can be changed: {unusable}", advice=unusable.advice
        ) from None
    if location is not None:
        return Path(location.path)
    user = next((place.path for place in candidates() if place.how == "user"), None)
    if user is None:
        raise CommandError(
            "there is no policy yet, and no home directory to begin one in",
            advice="Say where it is to be: --policy FILE.",
        )
    return Path(user)


def _path_to_read(named: Path | None) -> Path:
    if named is not None:
        return named.absolute()
    path = _path_to_write(None)
    if not path.exists():
        raise PolicyMissing(
            "there is no policy here",
            expected="one of " + ", ".join(place.path for place in candidates() if place.path),
            advice="Write one with `pip-intoto trust add`.",
        )
    return path


# --- add ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Addition:
    name: str
    keys: tuple[str, ...]
    openpgp: tuple[str, ...]
    publishers: tuple[str, ...]
    issuer: str
    subject: str
    require: tuple[str, ...]
    as_layout: Path | None
    gpg_home: str | None
    threshold: int | None
    index: str
    sources: tuple[str, ...]
    inline: bool
    tries: bool


def _add(terminal: Terminal, path: Path, addition: _Addition) -> int:
    draft = before = open_draft(path)
    _check(addition)
    draft, keys = _with_keys(draft, addition)
    draft, identities = _with_identities(draft, addition)
    require = addition.require or (("publish",) if identities else ())
    signers = [_name(each) for each in identities]
    owners = [_name(each) for each in keys]
    if require and not signers:
        signers, owners = owners, []
    draft = draft.with_project(
        addition.name,
        owners,
        threshold=addition.threshold,
        index=addition.index,
        sources=[_source(source) for source in addition.sources],
        require=require,
        identities=signers,
        as_layout=addition.as_layout,
    )
    rule = draft.rule_named(addition.name)
    if rule is None:
        raise CommandError(f"{addition.name!r} is not the name of a project")
    for key in keys:
        terminal.tell(f"key {_name(key)}: {key.keytype}, sha256:{key.identity}{_origin(key)}")
    for each in identities:
        known = each.known
        where = "" if known is None else f" (in the policy, line {known.line})"
        terminal.tell(f"identity {_name(each)}: {publisher(each.identity)}{where}")
    if addition.tries:
        status = _show_trial(terminal, draft, rule)
        if status:
            terminal.tell(f"Nothing was written to {path}; without --try it would be.")
            return status
    draft.write()
    created = "Created" if before.original is None else "Changed"
    terminal.tell(f"{created} {path}: {rule.name} needs {needs(rule)}.")
    if addition.as_layout is not None:
        terminal.tell(
            f"What is required stands in {addition.as_layout}; check what you change in it with"
            " `pip-intoto layout lint`."
        )
    _warn_about(terminal, draft.policy, rule)
    return 0


def _check(addition: _Addition) -> None:
    if bool(addition.issuer) != bool(addition.subject):
        raise CommandError(
            "--issuer and --subject say together who signs",
            expected="--issuer https://… --subject NAME",
        )
    who = addition.keys or addition.openpgp or addition.publishers or addition.issuer
    if not who and addition.require:
        raise CommandError(
            "nobody is named who signs what is required",
            expected="--publisher github:OWNER/REPOSITORY:WORKFLOW, --issuer and --subject, or"
            " --key FILE",
        )
    if not who:
        raise CommandError(
            "no key is given",
            expected="--key FILE, or --gpg FINGERPRINT; or --publisher github:OWNER/REPOSITORY",
        )
    if addition.as_layout is not None and not (
        addition.require or addition.publishers or addition.issuer
    ):
        raise CommandError(
            "--as-layout writes down what is required, and nothing is",
            expected="--require, or --publisher",
        )
    mixed = (addition.keys or addition.openpgp) and (addition.publishers or addition.issuer)
    if addition.as_layout is not None and mixed:
        raise CommandError(
            "--as-layout writes a layout of your own, and keys sign layouts of others",
            expected="either --as-layout, or --key beside --publisher",
        )


def _name(offered: OfferedKey | OfferedIdentity) -> str:
    return offered.name if offered.known is None else offered.known.name


def _with_keys(draft: Draft, addition: _Addition) -> tuple[Draft, list[OfferedKey]]:
    offered: list[OfferedKey] = []
    # What is read, in the order of the two options.
    arguments = [(argument, False) for argument in addition.keys]
    arguments += [(argument, True) for argument in addition.openpgp]
    for argument, is_openpgp in arguments:
        key = (
            _from_gnupg(draft, argument, addition.gpg_home)
            if is_openpgp
            else draft.offered_key(argument)
        )
        twin = next((other for other in offered if other.identity == key.identity), None)
        if twin is not None:
            raise CommandError(
                f"{argument} is the same key as {twin.path or twin.name}",
                advice="Name each key once: a threshold counts the owners, not the files.",
            )
        offered.append(key)
        draft = draft.with_key(key, inline=addition.inline)
    return draft, offered


def _with_identities(draft: Draft, addition: _Addition) -> tuple[Draft, list[OfferedIdentity]]:
    offered: list[OfferedIdentity] = []
    for argument in addition.publishers:
        each = draft.offered_publisher(argument)
        if any(each.identity == other.identity for other in offered):
            raise CommandError(f"{argument} is named twice", advice="Name each publisher once.")
        offered.append(each)
        draft = draft.with_identity(each)
    if addition.issuer:
        offered.append(draft.offered_identity(addition.issuer, addition.subject))
        draft = draft.with_identity(offered[-1])
    return draft, offered


def _from_gnupg(draft: Draft, argument: str, home: str | None) -> OfferedKey:
    # Imported here because most keys are in PEM.
    from pip_intoto.gnupg import export

    name, equals, keyid = argument.rpartition("=")
    content = export(keyid, home)
    return draft.offered_openpgp_key(name if equals else f"gpg-{keyid[-16:].lower()}", content)


def _source(text: str) -> str:
    """A source as the policy has to spell it: a directory is meant from here, not from there."""
    if "://" in text or text in {"beside", "pep740"} or text.startswith("tuf:"):
        return text
    path = Path(text)
    if not path.is_dir():
        raise CommandError(
            f"{text!r} is not a source",
            expected='"beside", "pep740", a URL with placeholders, "tuf:NAME", or a directory that'
            " is there",
        )
    return str(path.absolute())


def _origin(key: OfferedKey) -> str:
    if key.known is not None:
        return f" (in the policy, line {key.known.line})"
    return f" ({key.path or 'from GnuPG'})"


def _warn_about(terminal: Terminal, policy: Policy, rule: ProjectRule) -> None:
    """Say what the reader may not expect of the new rule."""
    if policy.mode == "warn":
        terminal.tell(
            'The policy\'s mode is "warn": what does not verify is reported, and installed.'
        )
    revoked = {revoked.identity: revoked for revoked in policy.revoked}
    names = [
        key.name
        for key in policy.keys.values()
        if key.identity in revoked and any(key.key == owner.key for owner in rule.owners)
    ]
    if names:
        terminal.warn(f"these keys are revoked, and count for nothing: {', '.join(names)}")
    refused = {revoked.identity for revoked in policy.revoked_identities}
    gone = [each.principal for each in _identities_of(rule) if each.identity in refused]
    if gone:
        terminal.warn(f"these identities are revoked, and count for nothing: {', '.join(gone)}")
    _warn_about_extras(terminal, rule)
    now = datetime.now(timezone.utc)
    for owner in rule.owners:
        if invalid := owner.key.invalid_at(now):
            terminal.warn(f"the OpenPGP key {owner.key.keyid} counts for nothing: it {invalid}")
    try:
        location = locate()
    except PolicyUnusable:
        return
    if location is None or Path(location.path) != policy.path:
        held = "no policy is" if location is None else f"{location.path} is"
        terminal.warn(
            f"this policy is not in force here: {held}; --policy or $INTOTO_POLICY names it"
        )


def _keys_of(rule: ProjectRule) -> list[PublicKey]:
    required = [signer for each in rule.requirements for signer in each.signers]
    return [
        *(owner.key for owner in rule.owners),
        *(signer.key for signer in required if isinstance(signer, NamedKey)),
    ]


def _identities_of(rule: ProjectRule) -> list[NamedIdentity | OwnerIdentity]:
    """Those of a rule who are known by identities, wherever it names them."""
    required = [signer for each in rule.requirements for signer in each.signers]
    return [
        *rule.owner_identities,
        *(signer for signer in required if isinstance(signer, NamedIdentity)),
    ]


def _warn_about_extras(terminal: Terminal, rule: ProjectRule) -> None:
    for extra in missing_extras([rule]):
        terminal.warn(
            f"what checks this is not installed: pip install 'pip-intoto[{extra}]'; until then"
            f" nothing of {rule.name} verifies"
        )


def try_newest(policy: Policy, rule: ProjectRule) -> Verdict:
    """Verify the newest release of the project against a policy that may not be written yet.

    Raises CommandError when there is none to try it on.
    """
    if rule.is_glob:
        raise CommandError(
            f"{rule.name} stands for many projects, of which none can be tried",
            advice="Leave --try out, or try it with the name of one project.",
        )
    # Imported here for start-up time: only --try goes to the network.
    from pip_intoto.cli.targets import Judge

    return Judge(policy).newest(rule.name)


def _show_trial(terminal: Terminal, draft: Draft, rule: ProjectRule) -> int:
    """Print the verdict of the newest release; give the exit status, 0 when it verifies."""
    verdict = try_newest(draft.policy, rule)
    terminal.verdict(verdict)
    if verdict.status is Status.VERIFIED:
        return 0
    # Whatever the policy's mode makes of it: a rule should not begin with a failure.
    return FAILED if verdict.status is Status.UNREACHABLE else BLOCKED


# --- remove and revoke ----------------------------------------------------------------------


def _remove(terminal: Terminal, path: Path, name: str) -> int:
    draft = _existing(path)
    rule = draft.rule_named(name)
    after = draft.without_project(name)
    after.write()
    terminal.tell(f"Changed {path}: {name if rule is None else rule.name} is no longer listed.")
    if rule is not None:
        _warn_about_rest(terminal, after.policy, rule)
    return 0


def _warn_about_rest(terminal: Terminal, policy: Policy, gone: ProjectRule) -> None:
    other = None if gone.is_glob else policy.rule_for(gone.name)
    if other is not None:
        terminal.tell(f"{gone.name} now falls under {other.name}, which needs {needs(other)}.")
    elif policy.unlisted != "deny":
        terminal.tell(
            f'What no rule names is installed unverified (unlisted = "{policy.unlisted}").'
        )
    used = [key for rule in policy.projects for key in _keys_of(rule)]
    idle = [
        key.name
        for key in policy.keys.values()
        if key.key not in used and key.key in _keys_of(gone)
    ]
    still = {each.identity for rule in policy.projects for each in _identities_of(rule)}
    once = {each.identity for each in _identities_of(gone)}
    unused = [
        each.name
        for each in policy.identities.values()
        if each.identity in once and each.identity not in still
    ]
    if unused:
        terminal.tell(
            f"No rule uses these identities any more; they stay in [identities]:"
            f" {', '.join(unused)}."
        )
    if idle:
        terminal.tell(f"No rule uses these keys any more; they stay in [keys]: {', '.join(idle)}.")


def _revoke(terminal: Terminal, path: Path, argument: str, reason: str, *, inline: bool) -> int:
    draft = open_draft(path)
    if _names_identity(draft, argument):
        return _revoke_identity(terminal, draft, argument, reason)
    key = draft.offered_key(argument)
    after = draft.with_revoked(key, reason, inline=inline)
    after.write()
    terminal.tell(f"key {key.name}: {key.keytype}, sha256:{key.identity}")
    terminal.tell(
        f"Changed {path}: the key is revoked, whether as owner, functionary or in a sublayout."
    )
    for rule in after.policy.projects:
        _warn_about_owners(terminal, after.policy, rule, key.identity)
    return 0


def _names_identity(draft: Draft, argument: str) -> bool:
    if argument in draft.policy.identities:
        return True
    return ":" in argument and "=" not in argument and not Path(argument).exists()


def _revoke_identity(terminal: Terminal, draft: Draft, argument: str, reason: str) -> int:
    offered = draft.offered_publisher(argument)
    after = draft.with_revoked_identity(offered, reason)
    after.write()
    terminal.tell(f"identity {_name(offered)}: {publisher(offered.identity)}")
    terminal.tell(
        f"Changed {after.path}: the identity is revoked, whatever it signs, and whatever else it"
        " says of itself."
    )
    gone = {each.identity for each in after.policy.revoked_identities}
    for rule in after.policy.projects:
        for each in rule.requirements:
            left = {
                signer.principal
                for signer in each.signers
                if not (isinstance(signer, NamedIdentity) and signer.identity in gone)
            }
            named = any(
                isinstance(signer, NamedIdentity) and signer.identity == offered.identity
                for signer in each.signers
            )
            if named and len(left) < each.threshold:
                terminal.warn(
                    f"nothing of {rule.name} will verify until somebody else may sign its"
                    f" {each.name}"
                )
    return 0


def _warn_about_owners(
    terminal: Terminal, policy: Policy, rule: ProjectRule, just_revoked: str
) -> None:
    """Say when too few owners are left"""
    revoked = {revoked.identity for revoked in policy.revoked}
    by_key = {key.key: key.identity for key in policy.keys.values()}
    if all(by_key[owner.key] != just_revoked for owner in rule.owners):
        return
    left = {owner.principal for owner in rule.owners if by_key[owner.key] not in revoked}
    if len(left) < rule.threshold:
        terminal.warn(
            f"nothing of {rule.name} will verify until it has new keys: {len(left)} of the"
            f" {rule.threshold} principals that it needs are left"
        )


def _existing(path: Path) -> Draft:
    if not path.exists():
        raise PolicyMissing(f"there is no policy at {path}")
    return open_draft(path)


# --- list ---------------------------------------------------------------------------------


def _list(terminal: Terminal, named: Path | None, *, to_programs: bool) -> int:
    policy = load_policy(_path_to_read(named))
    if to_programs:
        print(json.dumps(as_json(policy), indent=2))
    else:
        for line in as_text(policy):
            terminal.report(line)
    return 0
