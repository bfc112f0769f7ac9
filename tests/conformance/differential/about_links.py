"""Questions about the links of a case and where they stand, for known differences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.metadata.digests import ACCEPTED
from tests.conformance.differential.engines import reference_reads
from tests.conformance.differential.reading import members, public_of, rules_in, strings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pip_intoto.maintainer.authoring import JsonObject
    from tests.conformance.differential.known_in_rules import RuleDifference
    from tests.conformance.differential.reading import Reading, View


def name_of_another_step(view: View) -> bool:
    return any(
        file.is_a("link") and members(file.payload).get("name") != step.get("name")
        for file, _, step in view.expected_files
    )


def place_is_no_matter(view: View) -> bool:
    """Tell whether a document counts where the reference does not look for it."""
    data = {file.path: file.data for file in view.files}
    for file in view.files:
        for _, _, public in view.signers[file.path]:
            for folder, layout, step in view.all_steps():
                if layout is file or (
                    file.is_a("link") and members(file.payload).get("name") != step.get("name")
                ):
                    continue
                keys = members(members(layout.payload).get("keys"))
                for keyid in strings(step.get("pubkeys")):
                    path = f"{folder}{step.get('name')}.{keyid[:8]}.link"
                    if (
                        public_of(members(keys.get(keyid))) == public
                        and data.get(path) != file.data
                    ):
                        return True
    return False


def root_elsewhere(view: View) -> bool:
    """Tell whether a layout that all owners signed has another name than the root's."""
    owners = {key.public for key in view.case.owners}
    return any(
        folder and owners <= {public for _, _, public in view.signers[layout.path]}
        for folder, layout in view.layouts.items()
    )


def _reports(view: View) -> Iterator[tuple[JsonObject, list[Reading]]]:
    """Yield the steps with the files that the reference finds for them."""
    for folder, _, step in view.all_steps():
        paths = {
            f"{folder}{step.get('name')}.{keyid[:8]}.link" for keyid in strings(step.get("pubkeys"))
        }
        yield step, [file for file in view.files if file.path in paths]


def dissent(view: View) -> bool:
    for _, files in _reports(view):
        links = [members(file.payload) for file in files if file.is_a("link")]
        if any(
            one.get(side) != other.get(side)
            for side in ("materials", "products")
            for one in links
            for other in links
        ):
            return True
    return False


def unreadable_beside_others(view: View) -> bool:
    return any(not reference_reads(file.data) for file, _, _ in view.expected_files)


def sublayout_beside_others(view: View) -> bool:
    return any(
        len(files) > 1 and any(file.is_a("layout") for file in files) for _, files in _reports(view)
    )


def _sides(view: View) -> Iterator[JsonObject]:
    for link in view.links:
        for side in ("materials", "products"):
            yield members(members(link.payload).get(side))


def abnormal_artifact(view: View) -> bool:
    return any(
        not name
        or "\0" in name
        or re.match(r"[A-Za-z]:", name) is not None
        or {".", ".."} & set(re.split(r"[/\\]", name))
        or ("" in re.split(r"[/\\]", name) and not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", name))
        for side in _sides(view)
        for name in side
    )


def _digests(view: View) -> list[dict[str, str]]:
    return [
        {name: str(value) for name, value in members(each).items()}
        for side in _sides(view)
        for each in side.values()
    ]


def malformed_digest(view: View) -> bool:
    return any(
        name in ACCEPTED and not re.fullmatch(f"[0-9a-f]{{{ACCEPTED[name]}}}", value)
        for each in _digests(view)
        for name, value in each.items()
    )


def no_artifacts(view: View) -> bool:
    """Tell whether a link has no materials or products, not even empty ones."""
    return any(not {"materials", "products"} <= members(link.payload).keys() for link in view.links)


def opaque_null(view: View) -> bool:
    return any(
        name in members(link.payload) and members(link.payload)[name] is None
        for link in view.links
        for name in ("byproducts", "environment")
    )


def in_rules(difference: RuleDifference) -> Callable[[View], bool]:
    def applies(view: View) -> bool:
        rules = [
            rule
            for _, _, step in view.all_steps()
            for member in ("expected_materials", "expected_products")
            for rule in rules_in(step.get(member))
        ]
        names = [name for side in _sides(view) for name in side]
        return difference.applies(_digests(view), names, rules)

    return applies
