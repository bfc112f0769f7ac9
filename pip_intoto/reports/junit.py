"""A run as JUnit XML, for services that show tests: GitLab, Jenkins, Azure, actions for GitHub.

A suite is a file that names distributions, a case is a distribution. Only what is verified passes.
What blocks has failed, or is an error where a source could not be asked; all that is let through
without being verified is skipped, so that nobody counts it as verified. The form is the one that
Jenkins checks; the others take it as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pip_intoto.reports import wording
from pip_intoto.reports.lines import (
    decided,
    error_lines,
    one_line,
    parts,
    printable,
    subject,
    trace_lines,
)
from pip_intoto.verdict import Action, Status

if TYPE_CHECKING:
    from pip_intoto.account import Account, Checked
    from pip_intoto.errors import PipIntotoError

#: The suite of distributions that no file names.
_UNNAMED = "targets"
#: The suite of what is not about one distribution.
_OF_THE_RUN = "run"


def render(account: Account) -> str:
    """Render an XML document."""
    root = Element("testsuites", name="pip-intoto verify")
    named: dict[str, list[Checked]] = {}
    for each in account.checked:
        name = _UNNAMED if each.place is None else each.place.path.as_posix()
        named.setdefault(name, []).append(each)
    for name, checked in named.items():
        suite = _suite(root, name, account)
        for each in checked:
            _case(suite, each)
    _run(root, account)
    _count(root)
    # One time for all: nobody measured single distributions.
    root.set("time", f"{(account.ended - account.began).total_seconds():.3f}")
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(root: Element, name: str, account: Account) -> Element:
    return SubElement(
        root, "testsuite", name=one_line(name), timestamp=f"{account.began:%Y-%m-%dT%H:%M:%S}"
    )


# --- distributions --------------------------------------------------------------------------


def _case(suite: Element, checked: Checked) -> None:
    verdict = checked.verdict
    # Case and class stay the same while a lock has the same file, so that services see a history.
    case = SubElement(
        suite,
        "testcase",
        name=subject(verdict.distribution),
        classname=_word(verdict.distribution.name),
    )
    if verdict.status is not Status.VERIFIED or verdict.action is Action.BLOCK:
        SubElement(
            case, _result(checked), type=verdict.reason, message=printable(verdict.summary)
        ).text = _detail(checked)
    if checked.notes:
        SubElement(case, "system-out").text = printable("\n".join(checked.notes))


def _result(checked: Checked) -> str:
    if checked.verdict.action is not Action.BLOCK:
        return "skipped"
    return "error" if checked.verdict.status is Status.UNREACHABLE else "failure"


def _detail(checked: Checked) -> str:
    verdict = checked.verdict
    said = [f"{subject(verdict.distribution)}: {decided(verdict)}", verdict.summary]
    if checked.place is not None:
        said.append(f"at: {one_line(str(checked.place))}")
    said += [f"{label}: {text}" for label, text in parts(verdict)]
    said += [line.text for line in trace_lines(verdict.trace)]
    return "\n".join(map(printable, said))


def _word(name: str) -> str:
    # Jenkins takes dots for packages of classes.
    return one_line(name).replace(".", "-") or "-"


# --- the run --------------------------------------------------------------------------------


def _run(root: Element, account: Account) -> None:
    suite = _suite(root, _OF_THE_RUN, account)
    coverage = SubElement(suite, "testcase", name="coverage", classname=_OF_THE_RUN)
    if not account.checked and not account.exit_status:
        SubElement(coverage, "skipped", message="nothing has changed")
    elif not account.counts[Status.VERIFIED]:
        _fail(coverage, "error", "nothing-verified", "nothing was verified")
    elif wording.falls_short(account):
        _fail(coverage, "failure", "fail-under", f"coverage: {wording.coverage(account)}")
    SubElement(
        coverage, "system-out"
    ).text = f"{wording.buckets(account.counts)}\ncoverage: {wording.coverage(account)}"
    for failure in account.failures:
        case = SubElement(suite, "testcase", name=_title(failure), classname=_OF_THE_RUN)
        told = printable("\n".join(error_lines(failure)))
        _fail(case, "error", failure.code, printable(failure.message)).text = told
    if account.interrupted:
        case = SubElement(suite, "testcase", name="interrupted", classname=_OF_THE_RUN)
        _fail(case, "error", "interrupted", "what was not checked by then is not counted")


def _fail(case: Element, how: str, kind: str, message: str) -> Element:
    return SubElement(case, how, type=kind, message=message)


def _title(failure: PipIntotoError) -> str:
    return one_line(failure.place or failure.message)


# --- totals ---------------------------------------------------------------------------------


def _count(root: Element) -> None:
    """Write the numbers that each suite and the whole must have."""
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in root:
        counts = {
            "tests": sum(1 for _ in suite.iter("testcase")),
            "failures": sum(1 for _ in suite.iter("failure")),
            "errors": sum(1 for _ in suite.iter("error")),
            "skipped": sum(1 for _ in suite.iter("skipped")),
        }
        for name, count in counts.items():
            suite.set(name, str(count))
            totals[name] += count
    # Of all suites together there are no skipped ones in this form.
    del totals["skipped"]
    for name, count in totals.items():
        root.set(name, str(count))
