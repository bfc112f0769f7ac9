"""Every cap in one place: nothing in this package is bounded by a literal elsewhere.

The figures follow from the verifier's memory limit: 16 MB of ``{}`` take 470 MB once parsed,
so that 4 MiB a document leave ample room in 512 MiB. What people name on the command line
themselves may be larger (:data:`LOCAL`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds, everything else a count."""

    # One document
    document_bytes: int = 4 * 1024 * 1024
    #: one bundle
    bundle_bytes: int = 8 * 1024 * 1024
    #: lines of one bundle
    bundle_lines: int = 4_096
    #: objects and lists inside each other
    json_depth: int = 64
    #: digits of an integer
    json_digits: int = 19
    #: characters of one number that is no integer
    json_float_text: int = 64
    # One layout
    steps: int = 256
    keys: int = 512
    rules: int = 20_000
    #: conditions on attestations and links
    attributes: int = 256
    #: certificates of authorities, roots and intermediates together
    certificates: int = 64
    #: characters of one certificate
    certificate_text: int = 32 * 1024
    #: what certificates must say, for all steps together
    certificate_constraints: int = 1_024
    #: certificates from a signer's to a root
    certificate_path: int = 8
    #: steps that are taken in search of all roots of one certificate
    certificate_tries: int = 512
    #: signatures of one document
    signatures: int = 64
    #: tries of one signature with one key, for one document
    signature_checks: int = 4_096
    #: characters of a name, a pattern, or any other word
    text: int = 4_096
    # One attestation, or one provenance object of them
    attestations: int = 256
    #: characters of what a log holds of one signature
    log_entry_text: int = 256 * 1024
    #: from one entry of a log to its root
    inclusion_hashes: int = 64
    #: timestamps of one signature
    timestamps: int = 8
    #: a trust root
    trust_root_bytes: int = 1024 * 1024
    # One link
    #: materials of one link, and as many products
    artifacts: int = 200_000
    # One chain
    #: sublayouts inside each other
    sublayout_depth: int = 8
    documents: int = 4_096
    #: choices of links that are tried
    choices: int = 64
    #: rules times artifacts that only a glob can decide, and what compiling globs takes
    pattern_matches: int = 20_000_000
    #: compiled patterns that are kept
    pattern_cache: int = 4_096
    #: sublayouts that are verified, all levels together
    sublayouts: int = 256
    #: signatures times keys that are tried, all documents of one chain together
    chain_signature_checks: int = 100_000
    #: operations of conditions, over all documents and sublayouts of one chain together
    chain_condition_steps: int = 5_000_000
    # The conditions of one step, inspection, or predicate
    #: operations, elements, and every 64 characters read, all expressions of a list together
    condition_steps: int = 500_000
    #: characters and elements that they may make
    condition_made: int = 1_000_000
    #: operations inside each other
    condition_depth: int = 64
    #: characters of a regular expression
    condition_pattern: int = 256
    # One archive
    archive_members: int = 100_000
    archive_bytes: int = 2 * 1024 * 1024 * 1024
    #: how many times the size of an archive its content may be
    archive_ratio: int = 1_000
    #: a wheel's RECORD, or the directory of a zip
    archive_record_bytes: int = 32 * 1024 * 1024
    # One comparison of two archives
    #: a member whose text is compared line by line
    compared_text: int = 256 * 1024
    #: lines between the first and the last that differ, all members together
    compared_lines: int = 2_000
    #: members that are compared line by line, and that are shown of each kind
    compared_members: int = 100
    #: lines of one member's differences that are shown
    compared_shown: int = 120
    #: characters of one such line
    compared_width: int = 300
    # One comparison of two layouts
    #: pairs of rules that are held against each other before two lists count as different
    compared_rules: int = 20_000
    #: characters of one pattern times those of another that are compared
    compared_patterns: int = 40_000
    #: rules of one list that are lined up with those of another
    aligned_rules: int = 2_000
    #: rules of one list that are searched for those that do nothing
    searched_rules: int = 100
    # One fetch
    fetch_seconds: int = 30
    #: fetches for one distribution
    fetches: int = 1_024
    fetches_at_once: int = 8
    redirects: int = 5
    retries: int = 2
    #: seconds without a byte before a connection counts as dead
    silence_seconds: int = 15
    #: the longest pause that a server may ask for before it is asked again
    retry_after_seconds: int = 30
    # One server, in one run of the command line
    #: requests without a connection, no answer between them, after which it is given up
    host_refusals: int = 3
    #: requests without an answer, none between them, after which it is given up
    host_silences: int = 16
    #: requests that ran out of time, after which silence is borne for less long
    host_timeouts: int = 8
    #: seconds of silence that are borne then
    short_silence_seconds: int = 3
    # The evidence of one distribution
    #: all of it together
    evidence_bytes: int = 32 * 1024 * 1024
    # One TUF repository
    tuf_root_bytes: int = 512 * 1024
    tuf_timestamp_bytes: int = 16 * 1024
    tuf_snapshot_bytes: int = 2 * 1024 * 1024
    #: metadata of one role that lists targets
    tuf_targets_bytes: int = 4 * 1024 * 1024
    #: roots after the one that the policy names
    tuf_rotations: int = 128
    #: roles that are asked for one target
    tuf_delegations: int = 32
    #: what is kept of one repository, so that it cannot show an older state later
    tuf_state_bytes: int = 8 * 1024 * 1024
    #: repositories of which something is kept
    tuf_states: int = 64
    # One run over many distributions
    #: distributions that are judged at the same time
    judged_at_once: int = 8
    #: distributions that are looked at before those in front of them are decided
    look_ahead: int = 1_024
    #: one distribution, with all its evidence; the file itself, where it is needed, has its own
    distribution_seconds: int = 300
    # One distribution from an index, for the command line
    page_bytes: int = 32 * 1024 * 1024
    #: the same where it is read inside pip, for what it says of provenance
    provenance_page_bytes: int = 8 * 1024 * 1024
    #: comments and the like in a page that is HTML: each may be searched for its end to the last
    page_comments: int = 100
    #: characters of a file's name, as file systems have it
    filename: int = 255
    download_bytes: int = 4 * 1024 * 1024 * 1024
    download_seconds: int = 900
    # What is remembered from run to run
    #: seconds in which evidence, and pages of an index, are not asked for again
    evidence_fresh_seconds: int = 3_600
    #: seconds after which a verdict is made anew, however long its layout lasts
    verdict_fresh_seconds: int = 86_400
    #: all evidence that is kept; the oldest goes first
    evidence_cache_bytes: int = 256 * 1024 * 1024
    #: files that are kept of it
    evidence_cache_entries: int = 50_000
    #: all verdicts that are kept; the oldest go first
    verdict_cache_bytes: int = 64 * 1024 * 1024
    #: verdicts that are kept
    verdict_cache_entries: int = 20_000
    #: one verdict that is kept
    verdict_bytes: int = 1024 * 1024
    #: what is noted of one address
    address_record_bytes: int = 4 * 1024
    # The local record of layouts
    #: projects that are remembered; those that were verified longest ago go first
    layout_records: int = 20_000
    #: what is remembered of one project
    layout_record_bytes: int = 2 * 1024
    #: seconds by which layouts for files of one version may expire one before the other
    layout_record_slack_seconds: int = 86_400
    #: how long a process waits for another one that writes
    record_lock_seconds: int = 2
    # An export
    #: the list of what an export holds
    manifest_bytes: int = 64 * 1024 * 1024
    # One command that the policy allows
    inspection_seconds: int = 60
    #: what a command may say before it is stopped
    inspection_output: int = 8 * 1024 * 1024
    #: what is hashed of a directory before or after a command
    recorded_bytes: int = 8 * 1024 * 1024 * 1024
    # The verifier process
    address_space: int = 512 * 1024 * 1024
    cpu_seconds: int = 300
    #: one line from the gate: a bundle in base64, and room for what goes with it
    message_bytes: int = 16 * 1024 * 1024
    #: lines from the gate that wait while something is verified
    backlog_bytes: int = 96 * 1024 * 1024
    #: lines of one trace
    trace_entries: int = 400
    #: an interpreter that is asked what it is, or compiles the gate
    interpreter_seconds: int = 60
    #: one listing of GnuPG's keyring
    gnupg_seconds: int = 30
    # One step that is recorded
    #: one answer of git's, such as what it tracks
    git_seconds: int = 120
    #: files and folders that are looked at, recorded or not
    entries: int = 2_000_000
    #: characters that are kept of each stream of a command
    recorded_output: int = 512 * 1024
    #: one pip that `doctor` or `demo` runs
    rehearsal_seconds: int = 180
    # One lockfile
    lock_bytes: int = 32 * 1024 * 1024
    #: projects of one lock, all files that it includes together
    lock_entries: int = 50_000
    #: files of one project, or digests
    lock_files: int = 2_000
    #: requirements files inside each other
    requirements_depth: int = 32
    #: requirements files that one includes, however often
    requirements_files: int = 512
    # One verification result
    #: how far the clock of whoever made it may be ahead of this one's
    clock_skew_seconds: int = 300
    # The policy
    policy_bytes: int = 1024 * 1024
    #: one key file
    key_bytes: int = 64 * 1024
    # What is installed
    #: the record that the gate leaves of an install
    install_record_bytes: int = 64 * 1024 * 1024
    #: files of one project that are named as changed, as missing, or as added
    installed_findings: int = 1_000
    #: what is read of METADATA, INSTALLER and direct_url.json
    install_text_bytes: int = 64 * 1024
    #: one installed file whose size RECORD does not tell
    installed_file_bytes: int = 2 * 1024 * 1024 * 1024
    # The maintainer's commands
    #: source files with the same content and name that a member of a wheel may come from
    alike_sources: int = 64
    #: the end of what a build backend said, when it failed
    backend_output: int = 2 * 1024


DEFAULT = Limits()
#: For files that the user names on the command line.
LOCAL = Limits(
    document_bytes=256 * 1024 * 1024,
    bundle_bytes=256 * 1024 * 1024,
    evidence_bytes=512 * 1024 * 1024,
)
