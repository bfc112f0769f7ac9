"""Every error this package raises: one tree, each class with a stable code.

"They are wrong" (:class:`EvidenceInvalid`), "nothing is there" (:class:`EvidenceMissing`) and
"it could not be asked" (:class:`SourceUnreachable`) never share a class. A code, once released,
is never renamed; ``docs/reference/reasons.md`` gives cause and cure for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pip_intoto.verdict import SupplyChain


class PipIntotoError(Exception):
    """Base of all. Says what happened, what was expected, what was found, and what to do.

    ``place`` is where in the document or file it is: ``steps[2].expected_products[0]``,
    ``policy.toml:12``.
    """

    code: ClassVar[str] = "error"
    #: What to do next, unless the raiser knows better.
    advice: str = ""

    def __init__(
        self,
        message: str,
        *,
        expected: str = "",
        found: str = "",
        advice: str = "",
        place: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.found = found
        self.place = place
        if advice:
            self.advice = advice

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


# --- the evidence ---------------------------------------------------------------------------


class EvidenceError(PipIntotoError):
    """The evidence does not carry the distribution.

    ``station`` is the step or inspection of the root layout that failed, and ``chain`` what was
    found of all of them; both are empty where no layout could be believed.
    """

    station: str = ""
    chain: SupplyChain | None = None


class EvidenceMissing(EvidenceError):
    """Every source answered, and none has a layout."""

    code = "layout-missing"
    advice = (
        "Ask the project to publish evidence; if it does so elsewhere, name the place under"
        " `sources` in the policy."
    )


class AttestationMissing(EvidenceMissing):
    """Every source answered, and none has the attestation that the policy requires."""

    code = "attestation-missing"
    advice = (
        "Ask the project to publish attestations (on PyPI, releasing by Trusted Publishing does);"
        " if they lie elsewhere, name the place under `sources` in the policy."
    )


class ReleaseMissing(EvidenceMissing):
    """A lock pins a release, and no index has it; or none of its files fits."""

    code = "release-missing"
    advice = "Check the index that is asked (--index-url), or have the lock written again."


class Unpinned(EvidenceError):
    """No version is pinned, so that nobody can say which file would be installed."""

    code = "unverifiable"
    advice = "Pin the version and its digest, as lockfiles do."


class SourceUnreachable(EvidenceError):
    """A source could not be asked; this says nothing about the evidence."""

    code = "source-unreachable"
    advice = "Try again later; if it persists, ask whoever runs the server."


class EvidenceInvalid(EvidenceError):
    """Evidence is there, and fails."""


class LayoutExpired(EvidenceInvalid):
    """The layout's ``expires`` lies in the past."""

    code = "layout-expired"
    advice = (
        "Ask the project's owner to renew the layout. Until then, an [[exception]] that waives"
        " layout-expired has all else verified."
    )


class LayoutSignatureMissing(EvidenceInvalid):
    """No layout is signed by enough of the keys that the policy names."""

    code = "layout-signature-missing"
    advice = (
        "Ask the project's owner which keys are current. If the policy has them, do not install"
        " this file."
    )


class LayoutNotForProject(EvidenceInvalid):
    """The layout's keys serve several projects, and nothing ties it to this one."""

    code = "layout-not-for-project"
    advice = (
        "Ask the project's owner for a layout whose rules name the project's files, or pin this"
        " one with `layout-sha256` in the policy."
    )


class LayoutFeatureUnsupported(EvidenceInvalid):
    """The layout asks for something this verifier does not do, and must not skip."""

    code = "layout-feature-unsupported"
    advice = "Upgrade pip-intoto, or ask the project's owner for a layout without the feature."


class UnusableKey(LayoutFeatureUnsupported):
    """A key of a kind, size or spelling that no signature is checked with.

    Raised only when the key is used, so that callers can skip it with a note.
    """


class LayoutRollback(EvidenceInvalid):
    """An older layout came with a newer release."""

    code = "layout-rollback"
    advice = "Ask the project owner whether the older layout was meant to come back."


class LinkMissing(EvidenceInvalid):
    """A step of the layout has no link at all."""

    code = "link-missing"
    advice = "Ask the project to publish the reports of all its steps beside the file."


class LinkThresholdUnmet(EvidenceInvalid):
    """A step has links, but too few of its functionaries signed."""

    code = "link-threshold-unmet"
    advice = "Ask the project who carried out this step, and with which key."


class LinksDisagree(EvidenceInvalid):
    """Functionaries of one step report different artifacts, and no group reaches the threshold."""

    code = "links-disagree"
    advice = "Do not install this file before the project has explained the difference."


class RuleViolated(EvidenceInvalid):
    """An artifact rule of a step or inspection failed."""

    code = "rule-violated"
    advice = "Do not install this file before the project has explained the difference."


class ArtifactNotBound(EvidenceInvalid):
    """The chain verifies, but does not say anything about this file."""

    code = "artifact-not-bound"
    advice = "Ask the project for evidence of exactly this file; do not install it until then."


class ArtifactDigestMismatch(EvidenceInvalid):
    """The chain speaks of this filename, with another digest."""

    code = "artifact-digest-mismatch"
    advice = "Do not install this file: it is not the one that the project built."


class ArchiveAmbiguous(EvidenceInvalid):
    """Two tools could unpack different content from this archive."""

    code = "archive-ambiguous"
    advice = "Do not install this file: honest build tools do not write such archives."


class InspectionNotAllowed(EvidenceInvalid):
    """The layout wants a command run that the policy does not name."""

    code = "inspection-not-allowed"
    advice = "If you trust the command, add these very words to `inspections` in the policy."


class InspectionFailed(EvidenceInvalid):
    """An inspection ran, and did not succeed."""

    code = "inspection-failed"
    advice = "Ask the project what its inspection needs; do not install the file until it succeeds."


class MetadataMalformed(EvidenceInvalid):
    """A document is not what in-toto says it must be."""

    code = "metadata-malformed"
    advice = "Ask the project to publish its evidence again: what is there cannot be read."


class MetadataTooLarge(EvidenceInvalid):
    """A document, or the work it asks for, is over a limit."""

    code = "metadata-too-large"
    advice = "Ask the project for smaller evidence; the limits are in the reference documentation."


class IndexMismatch(EvidenceInvalid):
    """The file comes from another index than the policy binds the project to."""

    code = "index-mismatch"
    advice = (
        "Check --index-url and --extra-index-url: somebody may have put a project of the same"
        " name on the other index (dependency confusion)."
    )


class KeyRevoked(EvidenceInvalid):
    """What would verify rests on a key that the policy revokes."""

    code = "key-revoked"
    advice = "Ask the project for evidence that is signed with keys that nobody revoked."


class ResultSignatureMissing(EvidenceInvalid):
    """No verification result is signed by enough of the keys that were given."""

    code = "result-signature-missing"
    advice = "Ask whoever made the result which key is current, by another way than the file's own."


class ResultNotAccepted(EvidenceInvalid):
    """A verification result does not say what was asked for: another verifier, another policy."""

    code = "result-not-accepted"
    advice = "Have a result made by pip-intoto, by the policy that is meant to hold here."


class ResultNotCurrent(EvidenceInvalid):
    """A verification result is too old, or of a time that is yet to come."""

    code = "result-not-current"
    advice = "Have the files verified again, which makes a new result."


class ResultMissing(EvidenceError):
    """The verification result says nothing about this file."""

    code = "result-missing"
    advice = "Verify the file itself, or have a result made by a run that verifies it."


class BuildNotAllowed(EvidenceInvalid):
    """The policy says that this project is never built from source here."""

    code = "build-not-allowed"
    advice = "Choose a release that has a wheel (--only-binary), or change `build` in the policy."


class BuildRequirementUnverified(EvidenceInvalid):
    """A listed sdist wants a build requirement that nothing verifies."""

    code = "build-requirement-unverified"
    advice = 'List the build requirement in the policy, or set `build = "any"` for the project.'


class InstalledFilesChanged(EvidenceInvalid):
    """What lies in the environment is not what was installed."""

    code = "installed-files-changed"
    advice = (
        "Find out who changes files there; then reinstall the project (pip install"
        " --force-reinstall --no-deps), or make the environment anew."
    )


# --- identities and statements --------------------------------------------------------------


class SigstoreInvalid(EvidenceInvalid):
    """What Sigstore vouches for does not hold: certificate, log entry, or signature."""

    code = "sigstore-invalid"
    advice = "Do not install this file: its attestation was changed, or never was in the log."


class SigstoreUnavailable(EvidenceInvalid):
    """An identity has to be checked, and what checks it is not installed."""

    code = "sigstore-unavailable"
    advice = "Install it where pip-intoto is installed: pip install 'pip-intoto[sigstore]'."


class TrustRootExpired(EvidenceInvalid):
    """The trust root did not vouch any more when the signature was made."""

    code = "trust-root-expired"
    advice = "Name the current trust root as `trust-root` in the policy's [sigstore]."


class TrustRootNotYetValid(EvidenceInvalid):
    """The trust root did not vouch yet when the signature was made."""

    code = "trust-root-not-yet-valid"
    advice = "Name the trust root that held then as `trust-root` in the policy's [sigstore]."


class IdentityMismatch(EvidenceInvalid):
    """Somebody else signed: what their certificate says is not what is asked for.

    Which part of it, the classes below say.
    """

    advice = (
        "Find out from the project whether it releases from elsewhere now. If so, correct the"
        " identity in the policy; if not, do not install this file."
    )


class IssuerMismatch(IdentityMismatch):
    """Another identity provider vouches for who signed."""

    code = "identity-issuer-mismatch"


class SubjectMismatch(IdentityMismatch):
    """Another subject signed: another person, or another workflow."""

    code = "identity-subject-mismatch"


class RepositoryMismatch(IdentityMismatch):
    """A workflow of another repository signed."""

    code = "identity-repository-mismatch"


class WorkflowMismatch(IdentityMismatch):
    """Another workflow of the repository signed."""

    code = "identity-workflow-mismatch"


class RefMismatch(IdentityMismatch):
    """The workflow ran for another branch or tag."""

    code = "identity-ref-mismatch"


class EnvironmentMismatch(IdentityMismatch):
    """The workflow ran in another deployment environment."""

    code = "identity-environment-mismatch"


class PredicateMissing(EvidenceInvalid):
    """Who may attest did, and not with a predicate of the type that is asked for."""

    code = "predicate-missing"
    advice = "Ask the project to publish that attestation as well."


class PredicateNegative(EvidenceInvalid):
    """The statement says that something failed."""

    code = "predicate-negative"
    advice = "Do not install this file: those who looked at it say that it failed."


class StatementForAnotherFile(EvidenceInvalid):
    """A statement has this file's digest under another file's name."""

    code = "statement-for-another-file"
    advice = "Do not install this file: it was attested under another name."


class StatementForAnotherProject(EvidenceInvalid):
    """A statement is about a file of another project."""

    code = "statement-for-another-project"
    advice = "Do not install this file: what attests it is about another project."


class AttributeViolated(EvidenceInvalid):
    """A condition on what a statement or link says does not hold."""

    code = "attribute-violated"
    advice = "Do not install this file before the project has explained the difference."


class AttributeMissing(EvidenceInvalid):
    """A condition asks for something that the statement does not say."""

    code = "attribute-missing"
    advice = (
        "Ask the project for attestations that say it, or have the condition, which stands in the"
        " layout or in your policy, do without (`has(…)` tests for presence)."
    )


class AttributeUnusable(EvidenceInvalid):
    """A condition cannot be evaluated: its syntax, its result, or what it costs."""

    code = "attribute-unusable"
    advice = "Correct the condition, or ask whoever wrote the layout to."


class AttributesUnsupported(LayoutFeatureUnsupported):
    """There are conditions, and what evaluates them is not installed."""

    code = "attributes-unsupported"
    advice = "Install it where pip-intoto is installed: pip install 'pip-intoto[cel]'."


# --- what was seen before -------------------------------------------------------------------


class SignerChanged(EvidenceInvalid):
    """Somebody else vouches for the project than the lock pins."""

    code = "signer-changed"
    advice = (
        "Find out from the project whether it releases from elsewhere now. If so, write the lock"
        " again with `pip-intoto lock`; if not, do not install this file."
    )


class EvidenceDowngrade(EvidenceMissing):
    """The release that was pinned had evidence, and this later one has none."""

    code = "evidence-downgrade"
    advice = (
        "Ask the project why it ships none any more. If that was meant, write an [[exception]]"
        " that waives evidence-downgrade."
    )


# --- TUF ------------------------------------------------------------------------------------


class TufInvalid(EvidenceInvalid):
    """A TUF repository's metadata does not verify."""

    code = "tuf-invalid"
    advice = "Do not install this file before whoever runs the repository has explained it."


class TufExpired(TufInvalid):
    """A TUF repository's metadata has expired: it is old, or somebody keeps newer from coming."""

    code = "tuf-expired"
    advice = "Ask whoever runs the repository; somebody may keep newer metadata from arriving."


class TufRollback(TufInvalid):
    """A TUF repository shows older metadata than it did before."""

    code = "tuf-rollback"
    advice = "Do not install this file: the repository shows an older state than it did before."


class TufUnavailable(EvidenceInvalid):
    """A TUF repository is named, and what reads it is not installed."""

    code = "tuf-unavailable"
    advice = "Install it where pip-intoto is installed: pip install 'pip-intoto[tuf]'."


# --- the policy -----------------------------------------------------------------------------


class PolicyError(PipIntotoError):
    """The consumer's own file is at fault; nothing was verified."""


class PolicyMissing(PolicyError):
    """Verification is enabled, and there is no policy."""

    code = "policy-missing"
    advice = (
        "Write one with `pip-intoto trust add`; to install without verification, run"
        " `pip-intoto disable`."
    )


class PolicyInvalid(PolicyError):
    """The policy file cannot be used as it stands."""

    code = "policy-invalid"
    advice = "Correct the policy file; `pip-intoto status` reads it again."


# --- the command ----------------------------------------------------------------------------


class VerifierFailed(PipIntotoError):
    """Verification failed in a way that nobody expected."""

    code = "verifier-unavailable"
    advice = "Please report it, with what `pip-intoto explain` says of this file."


class CommandError(PipIntotoError):
    """The command could not do its work: usage, configuration, files that cannot be read."""

    code = "usage"


class NoSuchProject(CommandError):
    """The index was asked, and does not have the project."""


class LockfileInvalid(PipIntotoError):
    """A lockfile cannot be read: what it pins is not guessed."""

    code = "lockfile-invalid"
    advice = "Have the tool that wrote the file write it again."


class NothingVerified(PipIntotoError):
    """There was nothing to verify, which is never success."""

    code = "nothing-verified"
    advice = "Check the targets on the command line."
