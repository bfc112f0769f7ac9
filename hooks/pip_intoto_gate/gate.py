"""The gate: what is asked of the verifier when, and what is done about the answers.

Two places in pip are guarded, because neither is enough alone:

1. **Before any byte is unpacked and any code runs.** Source archives wait here for their
   verdict, and so do directories and checkouts. Wheels only hand over their digest: nothing of
   a wheel runs before it is installed, and while pip resolves and downloads, the evidence for
   all of them is fetched.
2. **At installation.** One sweep over everything, all or nothing: each file is hashed again,
   each verdict is held against that digest, the metadata that pip resolved with is compared
   with the wheel's, and nothing may overwrite the policy or the gate.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from pip_intoto_gate import addresses, cases, children, location, pages, records, wheels
from pip_intoto_gate.blocked import Blocked
from pip_intoto_gate.cases import Case
from pip_intoto_gate.conversation import Failure
from pip_intoto_gate.digests import FileDigests, StreamedDigests, copy_privately
from pip_intoto_gate.fetching import Errand, Fetcher, Refused
from pip_intoto_gate.protection import Protection, places_of
from pip_intoto_gate.requirements import is_wheel, name_of, page_of, parse_filename, wanted_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pip_intoto_gate.conversation import Conversation
    from pip_intoto_gate.opening import Opening

logger = logging.getLogger("pip.pip_intoto")

#: pip's own level between INFO and DEBUG: what `-v` shows.
_VERBOSE = 15

#: How provenance is asked for where an index names it (PEP 740).
_INTEGRITY = "application/vnd.pypi.integrity.v1+json, */*;q=0.1"

#: The project that this gate belongs to; it may replace the gate when somebody asks for it.
OWN_NAME = "pip-intoto"


class Gate:
    """One pip process, from its first prepared requirement to its end."""

    def __init__(self, site_packages: str, opening: Opening, context: dict[str, Any]) -> None:
        self._site_packages = site_packages
        self._opening = opening
        self._settings = opening.settings
        self._context = context
        self._streamed = StreamedDigests()
        self._files = FileDigests()
        self._private = ""
        self._copies = 0
        self._verifier: Conversation | None = None
        self._ready: dict[str, Any] | None = None
        #: Everything ever announced; a case's number is its place, counted from 1.
        self._cases: list[Case] = []
        #: (URL, what it is a build requirement of) → the case that counts.
        self._current: dict[tuple[str, str], Case] = {}
        #: The requirements being prepared, innermost last.
        self._preparing: list[Any] = []
        #: What a build under way is for, innermost last: "demo 1.0" or "".
        self._building_for: list[str] = [str(context.get("building_for") or "")]
        #: Digests of wheels built in this run, and what each was built from.
        self._built: dict[str, Case] = {}
        #: A case's number → the addresses that the index page of its file gives for provenance.
        self._provenance: dict[int, set[str]] = {}
        #: URL → the metadata that pip resolved with before it had the file.
        self._resolved_with: dict[str, Any] = {}
        #: Digests that the sweep let through, each with the places looked at: see `_places_of`.
        self._cleared: dict[str, tuple[str, ...]] = {}
        #: Digests that the sweep let through, each with the case whose verdict covers it.
        self._covered: dict[str, Case] = {}
        #: The digest of the wheel that is being installed.
        self._installing = ""
        self._protection = Protection(site_packages, self._settings.verifier[-1])
        #: The sweep let pip-intoto itself through, which may replace what is protected here.
        self._gate_may_go = False
        #: Whether pip began to prepare anything: only then is there something to sum up.
        self._opened = False
        self._owner = os.getpid()
        atexit.register(self.close)

    # --- whether and with what ------------------------------------------------------------

    def open(self, session: Any) -> None:
        """Start the verifier, unless one is running. ``session`` is pip's."""
        if self._verifier is not None:
            return
        unusable = self._opening.unusable
        if unusable is not None:
            raise Blocked(
                unusable.code,
                f"The policy cannot be used: {unusable.why}.",
                expected=f"a policy file at {unusable.path}"
                if os.path.isabs(unusable.path)
                else "the absolute path of a policy file",
                advice=unusable.advice,
            )
        if not self._opening.policy:
            raise Blocked(
                "policy-missing",
                "Verification is enabled in this environment, and there is no policy to verify by.",
                expected="one of " + ", ".join(place.path for place in location.candidates()),
                found="none of them",
                advice="Write one with `pip-intoto trust add`; to install without verification,"
                " run `pip-intoto disable`.",
            )
        self._verifier = self._opening.verifier()
        self._verifier.fetch_with(Fetcher(session, self._evidence_belongs_to).submit)
        self._opened = True

    def close(self) -> None:
        """End the verifier, say what was done, and leave nothing behind."""
        if os.getpid() != self._owner:
            return
        self._hang_up()
        if self._opened and not self._context.get("silent"):
            self._summarise()
        if self._private:
            shutil.rmtree(self._private, ignore_errors=True)
            self._private = ""
        self._cases.clear()
        self._current.clear()

    def child_runner(self, runnable_pip: str) -> str:
        """A script that runs ``runnable_pip`` with this gate in front of it."""
        return children.write_runner(
            self._private_directory(),
            runnable_pip,
            os.path.join(self._site_packages, "pip_intoto_boot.py"),
            {
                "policy": self._opening.policy,
                "sha256": self._opening.policy_sha256,
                "verifier": self._settings.verifier,
                "seconds": self._settings.seconds,
                "building_for": self._building_for[-1],
                # While something is being prepared, the child fills a build environment and
                # its output is pip's to show; else it is what `pip --python` was asked for.
                "silent": self._verifier is not None,
            },
        )

    # --- gate 1: before unpacking, before code --------------------------------------------

    def announce(self, req: Any) -> Case:
        """Tell the verifier what pip has chosen, so that evidence is fetched meanwhile."""
        link = req.link
        if link.is_vcs:
            kind = "vcs"
        elif req.editable or link.is_existing_dir():
            kind = "directory"
        else:
            kind = "wheel" if link.is_wheel else "sdist"
        return self._case(req, kind, link.filename if kind in ("wheel", "sdist") else "")

    def start_preparing(self, req: Any) -> None:
        """What follows is done for ``req``; where there is no file, the policy decides first."""
        case = self.announce(req)
        if not case.is_file:
            self._ask(case, None)
            self._enforce(case)
        self._preparing.append(req)

    def stop_preparing(self) -> None:
        """Back to whatever was being prepared before."""
        self._preparing.pop()

    def before_unpacking(self, path: str) -> None:
        """Hold the archive at ``path`` until its verdict is there."""
        if not self._preparing:
            raise Blocked(
                "pip-unsupported",
                f"pip wants to unpack {path} for no requirement that is known.",
                advice="Please report this, with the version of pip.",
            )
        self._decide(self._preparing[-1], path)

    def start_running_code(self, req: Any) -> None:
        """Hold ``req`` before its build backend is called; wheels only hand over a digest."""
        building_for = self._building_for[-1]
        # A directory was decided about before it was prepared: there is no file to hash.
        if req.local_file_path and not os.path.isdir(req.local_file_path):
            case = self._decide(req, req.local_file_path, wait=not is_wheel(req))
            if not is_wheel(req) and case.verdict and case.verdict.get("build") == "verified":
                building_for = f"{case.name} {case.announcement['version']}"
        self._building_for.append(building_for)

    def stop_running_code(self) -> None:
        """The build backend has been called."""
        self._building_for.pop()

    def private_copy(self, path: str) -> str:
        """A copy of a local file that nobody else can change; the original is not read again."""
        self._copies += 1
        directory = os.path.join(self._private_directory(), str(self._copies))
        os.mkdir(directory, 0o700)
        target = os.path.join(directory, os.path.basename(path))
        self._files.remember(target, copy_privately(path, target))
        return target

    def watch(self, response: Any, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Hash what pip downloads while it streams."""
        return self._streamed.watch(response, chunks)

    def resolved_with(self, req: Any, distribution: Any) -> None:
        """Remember the metadata that pip goes by before it has the file."""
        if distribution is not None:
            self._resolved_with[req.link.url_without_fragment] = distribution

    def built(self, path: str | None, source: Any) -> None:
        """Accept the wheel that was just built from ``source``, for this run only."""
        if path is None:
            return
        case = self._current.get(self._key(source))
        if case is None or case.verdict is None:
            raise Blocked(
                "artifact-not-bound",
                f"{os.path.basename(path)} was built from something that was never verified.",
                found=str(source),
            )
        self._built[self._files.of(path)] = case

    # --- gate 2: before installing --------------------------------------------------------

    def settle(self, reqs: Iterable[Any]) -> None:
        """Collect the verdicts on wheels that are about to be used."""
        waiting = [req for req in reqs if req.link and req.local_file_path and is_wheel(req)]
        # All are asked about before the first is waited for.
        for case in [self._decide(req, req.local_file_path, wait=False) for req in waiting]:
            self._enforce(case)

    def sweep(self, reqs: Iterable[Any], scheme_of: Callable[[Any], Any]) -> None:
        """Check everything that is about to be installed; all of it passes, or none."""
        reqs = list(reqs)
        self.settle(reqs)
        for req in reqs:
            if req.local_file_path and is_wheel(req):
                self._check_wheel(req, scheme_of(req))
            else:
                self._check_source(req)
        if len(self._building_for) == 1:
            # The verifier ends before the first file is installed, so that an install may
            # replace anything, pip-intoto and its dependencies included. Build requirements
            # that pip installs in its own process go elsewhere, and more questions follow.
            self._hang_up()

    def before_installing(self, name: str, path: str, scheme: Any) -> None:
        """The last look at one wheel, with the directories that it really goes to."""
        sha256 = self._files.of(path)
        if sha256 not in self._cleared:
            raise Blocked(
                "artifact-digest-mismatch",
                f"{os.path.basename(path)} is not the file that was verified.",
                expected="one of the digests that passed the sweep",
                found=f"sha256 {sha256}",
                advice="Something changes files while pip runs; find out what before you go on.",
                note="Files checked before this one may have been installed.",
            )
        if self._cleared[sha256] != places_of(name, scheme):
            own = self._gate_may_go and name == OWN_NAME
            self._protection.check_wheel(name, path, scheme, may_replace_gate=own)
        self._installing = sha256

    def after_installing(self, name: str, path: str, scheme: Any) -> None:
        """Leave a record of the install. That it cannot be left is no reason to fail."""
        if self._context.get("silent") or len(self._building_for) > 1:
            return  # a build environment, which nobody looks at later
        case = self._covered[self._installing]
        ready = self._ready or {}
        policy = {
            "sha256": ready.get("sha256") or self._opening.policy_sha256,
            "mode": ready.get("mode"),
        }
        _, version = parse_filename(os.path.basename(path), name)
        try:
            record = records.content(case, path, self._installing, policy)
            records.leave(name, version, scheme, record)
        except Exception as error:
            logger.log(_VERBOSE, "pip-intoto leaves no record of %s: %s", name, error)

    def before_moving(self, scheme: Any, target: str) -> None:
        """The last look at what pip now moves from a temporary ``scheme`` to ``--target``."""
        self._protection.check_move(scheme, target, may_replace_gate=self._gate_may_go)

    # --- questions and answers ------------------------------------------------------------

    def _key(self, link: Any) -> tuple[str, str]:
        return (link.url_without_fragment, self._building_for[-1])

    def _case(self, req: Any, kind: str, filename: str) -> Case:
        key = self._key(req.link)
        case = self._current.get(key)
        if case is not None and case.announcement["filename"] == filename:
            return case
        parsed_name, version = parse_filename(filename, name_of(req))
        name = name_of(req) or parsed_name
        listed_name, listed_version = parse_filename(req.link.filename, name)
        if listed_name == name and listed_version:
            # pip chose this version by the link. Whatever the server calls the file, an exception
            # for another version is not for this one.
            version = listed_version
        announcement = {
            "name": name,
            "version": version,
            "filename": filename,
            "kind": kind,
            "url": key[0],
            "index": page_of(req.link.comes_from),
            # A directory that a page or `--find-links` lists is named by nobody here, even when
            # the project is.
            "requested": bool(req.user_supplied)
            and (kind in ("wheel", "sdist") or req.original_link is not None),
            "building_for": key[1],
        }
        case = self._open_case(announcement, wanted_by(req))
        self._current[key] = case
        return case

    def _open_case(self, announcement: dict[str, Any], why: str) -> Case:
        case = Case(len(self._cases) + 1, announcement, why)
        self._cases.append(case)
        self._running().send({"type": "announce", "id": case.number, "distribution": announcement})
        return case

    def _decide(self, req: Any, path: str, *, wait: bool = True) -> Case:
        """Ask about the file at ``path``; with ``wait``, enforce the answer."""
        sha256 = self._streamed.take(addresses.without_user(req.link.url_without_fragment), path)
        if sha256 is not None:
            self._files.remember(path, sha256)
        sha256 = self._files.of(path)
        built_from = self._built.get(sha256)
        if built_from is not None:
            return built_from
        kind = "wheel" if is_wheel(req) else "sdist"
        # The name that a server gave in Content-Disposition is known only now.
        case = self._case(req, kind, os.path.basename(path))
        if case.sha256 not in (None, sha256):
            raise Blocked(
                "artifact-digest-mismatch",
                f"{case.title} changed while pip ran.",
                expected=f"sha256 {case.sha256}",
                found=f"sha256 {sha256}",
                why=case.why,
                advice="Something changes files while pip runs; find out what before you go on.",
            )
        self._ask(case, path, sha256)
        if wait:
            self._enforce(case)
        return case

    def _ask(self, case: Case, path: str | None, sha256: str | None = None) -> None:
        if not case.asked:
            case.asked = True
            case.sha256 = sha256
            self._running().send(
                {"type": "decide", "id": case.number, "sha256": sha256, "path": path}
            )

    def _enforce(self, case: Case) -> None:
        """Wait for the verdict, and stop pip when it says so; each time, should pip go on."""
        if case.verdict is None:
            self._collect(case)
        verdict = case.verdict or {}
        if verdict.get("action") not in ("pass", "warn"):
            raise Blocked(
                str(verdict.get("reason")),
                str(verdict.get("summary")),
                expected=str(verdict.get("expected") or ""),
                found=str(verdict.get("found") or ""),
                advice=str(verdict.get("advice") or ""),
                why=case.why,
                note=cases.note(case),
            )

    def _collect(self, case: Case) -> None:
        try:
            ready = self._running().ready()
            self._ready = ready
            self._protection.add_policy(ready["protected"])
            verdict = self._running().verdict(case.number)
        except Failure as failure:
            if not self._only_warns():
                raise _blocked_by(failure, case) from failure
            verdict = dict(_verdict_of(failure), sha256=case.sha256)
        if verdict.get("sha256") != case.sha256:
            raise Blocked(
                "artifact-digest-mismatch",
                f"The verdict is about another file than {case.title}.",
                expected=f"a verdict on sha256 {case.sha256}",
                found=f"a verdict on sha256 {verdict.get('sha256') or '(none)'}",
                advice="Run `pip-intoto doctor`, and install nothing before it says all is well.",
                why=case.why,
            )
        case.verdict = verdict
        # `unlisted = "warn"` is said once, in the summary; what `mode = "warn"` lets pass, here.
        is_denied = self._ready is not None and self._ready.get("unlisted") == "deny"
        if verdict["action"] == "warn" and (verdict["status"] != "unlisted" or is_denied):
            logger.warning("%s", cases.warning(case))

    def _only_warns(self) -> bool:
        """Whether the policy is known, and its mode is `warn`; until then everything blocks."""
        return self._ready is not None and self._ready.get("mode") == "warn"

    def _running(self) -> Conversation:
        if self._verifier is None:
            raise Blocked(
                "verifier-unavailable",
                "pip wants something verified after the verifier has left.",
                advice="Please report this, with the version of pip.",
            )
        return self._verifier

    def _hang_up(self) -> None:
        if self._verifier is not None:
            self._verifier.close()
            self._verifier = None

    def _evidence_belongs_to(self, number: object, url: str) -> Errand:
        """What may be fetched of ``url``, if it is derived from the distribution or the policy."""
        if not isinstance(number, int) or not 0 < number <= len(self._cases):
            raise Refused("no such distribution")
        about = self._cases[number - 1].announcement
        own = str(about["url"])
        if addresses.is_beside(own, url):
            return Errand(own)
        # The page that pip has this very link from, and nobody else's.
        page = str(about["index"] or "").partition("#")[0]
        filename = about["filename"]
        if page and url == page:
            named = self._provenance.setdefault(number, set())
            return Errand(
                own,
                pages.ACCEPT,
                lambda base, body: named.update(pages.provenance_of(filename, body, base)),
            )
        integrity = addresses.integrity_of(page, about["name"], about["version"], filename)
        if url in self._provenance.get(number, ()) or (integrity and url == integrity):
            return Errand(own, _INTEGRITY)
        # Evidence is asked for long before pip's own thread waits for a verdict; but never before
        # the verifier has said what the policy's templates are.
        if addresses.fits_any(self._running().ready()["templates"], url):
            # Some are the Integrity API of an index, which has a form for people as well.
            return Errand(own, _INTEGRITY)
        raise Refused("this address belongs to no evidence of the distribution")

    # --- the sweep, in parts --------------------------------------------------------------

    def _check_wheel(self, req: Any, scheme: Any) -> None:
        path = req.local_file_path
        name = name_of(req)
        sha256 = self._files.of(path)
        case = self._built.get(sha256)
        if case is None:
            case = self._decide(req, path)
        else:
            self._enforce(case)
            if case.name != name:
                # What an sdist or a checkout is called is known for sure only once it is built.
                case = self._check_name(req, case)
        try:
            self._check_metadata(req, case, path)
            own = self._may_replace_gate(name, req)
            self._protection.check_wheel(name, path, scheme, may_replace_gate=own)
            self._gate_may_go = self._gate_may_go or own
        except wheels.Unreadable as error:
            raise Blocked(
                "archive-ambiguous",
                f"{case.title} cannot be read as a wheel.",
                expected="an archive that every tool unpacks alike",
                found=str(error),
                advice="Do not install this file: honest build tools do not write such archives.",
                why=case.why,
            ) from error
        self._cleared[sha256] = places_of(name, scheme)
        self._covered[sha256] = case

    def _check_metadata(self, req: Any, case: Case, path: str) -> None:
        """What pip resolved with must stand in the wheel, where the wheel is what was verified.

        An index can describe a wheel apart from the wheel (PEP 658), and so make pip install
        whatever it likes beside it.
        """
        resolved = self._resolved_with.get(req.link.url_without_fragment)
        if resolved is None or (case.verdict or {}).get("status") == "unlisted":
            return
        for field, wheel, other in wheels.metadata_differences(path, resolved.metadata):
            mismatch = Blocked(
                "metadata-mismatch",
                f"The index says other things about {case.title} than the file itself.",
                expected=f"{f'{field}: {wheel}' if wheel else f'no {field}'}, as in the wheel",
                found=f"{f'{field}: {other}' if other else f'no {field}'}, as the index has it",
                advice="Do not install from this index before whoever runs it has explained that.",
                why=case.why,
            )
            if not self._only_warns():
                raise mismatch
            logger.warning("%s", mismatch)

    def _check_source(self, req: Any) -> None:
        """Something that pip installs without a wheel: it must have passed gate 1."""
        case = self._current.get(self._key(req.link)) if req.link else None
        if case is None or case.verdict is None:
            raise Blocked(
                "artifact-not-bound",
                f"{req} would be installed without having been looked at.",
                advice="Please report this, with the version of pip.",
            )
        self._enforce(case)

    def _check_name(self, req: Any, built_from: Case) -> Case:
        announcement = dict(built_from.announcement, name=name_of(req))
        case = self._open_case(announcement, built_from.why)
        self._ask(case, None, built_from.sha256)
        self._enforce(case)
        built_from.renamed = True
        return case

    def _may_replace_gate(self, name: str, req: Any) -> bool:
        """Only pip-intoto itself may, when it was verified or asked for by name."""
        return name == OWN_NAME and (
            bool(req.user_supplied)
            or any(
                case.name == OWN_NAME
                and case.verdict is not None
                and case.verdict["status"] in ("verified", "exempt")
                for case in self._cases
            )
        )

    # --- odds and ends --------------------------------------------------------------------

    def _private_directory(self) -> str:
        if not self._private:
            self._private = tempfile.mkdtemp(prefix="pip-intoto-")
        return self._private

    def _summarise(self) -> None:
        if logger.isEnabledFor(logging.INFO):
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"pip-intoto: {cases.summary(self._cases)}\n")
                sys.stderr.flush()


def _verdict_of(failure: Failure) -> dict[str, Any]:
    return {
        "status": "unreachable",
        "action": "warn",
        "reason": failure.reason,
        "summary": failure.summary,
        "expected": failure.expected,
        "found": failure.found,
        "advice": failure.advice,
    }


def _blocked_by(failure: Failure, case: Case) -> Blocked:
    return Blocked(
        failure.reason,
        failure.summary,
        failure.expected,
        failure.found,
        failure.advice,
        why=case.why,
    )
