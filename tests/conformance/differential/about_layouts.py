"""Questions about the layouts of a case and its parameters, for known differences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.conformance.differential.engines import NOW
from tests.conformance.differential.reading import members, objects, rules_in, strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.metadata.strict_json import JsonValue
    from tests.conformance.differential.reading import Reading, View


def no_expiry(view: View) -> bool:
    return any(not members(layout.payload).get("expires") for layout in view.layouts.values())


def expires_now(view: View) -> bool:
    now = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    return any(members(layout.payload).get("expires") == now for layout in view.layouts.values())


def no_steps(view: View) -> bool:
    return any(members(layout.payload).get("steps") == [] for layout in view.layouts.values())


def readme_is_null(view: View) -> bool:
    return any(
        "readme" in members(layout.payload) and members(layout.payload)["readme"] is None
        for layout in view.layouts.values()
    )


def low_threshold(view: View) -> bool:
    for _, _, step in view.all_steps():
        threshold = step.get("threshold", 1)
        if isinstance(threshold, bool) or (isinstance(threshold, int) and threshold < 1):
            return True
    return False


def wrong_item_type(view: View) -> bool:
    return any(
        each.get("_type") != kind
        for layout in view.layouts.values()
        for name, kind in (("steps", "step"), ("inspect", "inspection"))
        for each in objects(members(layout.payload).get(name))
    )


def _names_of_items(view: View) -> Iterator[JsonValue]:
    for layout in view.layouts.values():
        for name in ("steps", "inspect"):
            for each in objects(members(layout.payload).get(name)):
                yield each.get("name")


def bad_item_name(view: View) -> bool:
    return any(
        not isinstance(name, str)
        or name in {"", ".", ".."}
        or len(name) > 200
        or re.search(r"[\x00-\x1f\x7f/\\]", name) is not None
        for name in _names_of_items(view)
    )


_EXTENSIONS = re.compile(
    r"rootcas|intermediatecas|trust_?bundles|functionaries|subjects|cert_?constraints"
    r"|expected_?(predicates|attributes)",
    re.IGNORECASE,
)


def extension(view: View) -> bool:
    return any(
        _EXTENSIONS.fullmatch(name) and value
        for layout in view.layouts.values()
        for each in (members(layout.payload), *objects(members(layout.payload).get("steps")))
        for name, value in each.items()
    )


def commands_of_no_words(view: View) -> bool:
    commands = [members(link.payload).get("command", []) for link in view.links]
    commands += [step.get("expected_command", []) for _, _, step in view.all_steps()]
    return any(
        isinstance(command, list) and len(strings(command)) < len(command) for command in commands
    )


def _braced(layout: Reading | None) -> list[str]:
    found: list[str] = []
    payload = members(None if layout is None else layout.payload)
    for name in ("steps", "inspect"):
        for each in objects(payload.get(name)):
            for member in ("expected_materials", "expected_products"):
                for rule in rules_in(each.get(member)):
                    found += rule
            found += strings(each.get("expected_command")) + strings(each.get("run"))
    return [word for word in found if "{" in word or "}" in word]


_PARAMETER = re.compile(r"\{[A-Za-z0-9_-]+\}")


def nothing_to_substitute(view: View) -> bool:
    return not view.case.parameters and any(map(_PARAMETER.search, _braced(view.layouts.get(""))))


def parameters_in_sublayout(view: View) -> bool:
    """Tell whether a layout that is not the root's has parameters."""
    return any(
        any(map(_PARAMETER.search, _braced(layout)))
        for folder, layout in view.layouts.items()
        if folder
    )


def widening_value(view: View) -> bool:
    return any(set("*?[") & set(value) for value in view.case.parameters.values()) and bool(
        _braced(view.layouts.get(""))
    )


def format_syntax(view: View) -> bool:
    return bool(view.case.parameters) and any(
        "{" in rest or "}" in rest
        for rest in (_PARAMETER.sub("", word) for word in _braced(view.layouts.get("")))
    )


def overlooked(view: View) -> bool:
    return any(
        re.search(r"\.link[^/]*$|(^|/)\.git(/|$)|\.pyc$|~$", name) for name in view.case.work
    )


def command(view: View) -> bool:
    return any(
        each.get("run") != ["true"]
        for layout in view.layouts.values()
        for each in objects(members(layout.payload).get("inspect"))
    )
