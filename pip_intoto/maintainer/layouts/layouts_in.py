"""The layouts in what people name: a source, a layout file, a bundle, a directory of evidence."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError, EvidenceInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.documents import load, read_layout
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.layout_source import is_source, load_source
from pip_intoto.metadata.bundle import parse_bundle
from pip_intoto.metadata.envelope import read_payload
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.names import BUNDLE_SUFFIX
from pip_intoto.verification.functionaries import may_carry_out
from pip_intoto.verification.signatures import Keyring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from pip_intoto.metadata.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One layout, and what is known of it besides.

    ``names`` are those of keys, by identity, where a source gives them. ``stands_for`` are the
    steps of another layout found here for which it was signed, which makes it a sublayout (U1).
    ``form`` is None for a layout that nothing wraps.
    """

    layout: Layout
    origin: str
    form: authoring.Envelope | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    stands_for: tuple[str, ...] = ()


def layouts_in(path: Path, *, now: datetime) -> tuple[Found, ...]:
    """Every layout in ``path``, each once: first the roots, those that last longest before others.

    ``now`` (aware) is when a source would be built, and decides which OpenPGP signatures count.
    Raises CommandError where there is none, and what reading raises.
    """
    if path.is_dir():
        return _sorted(_in_directory(path), path, now)
    if is_source(path):
        source = load_source(path)
        names = {key.identity: name for name, key in source.keys.items()}
        layout = compile_layout(source, now=now)[1]
        return (Found(layout=layout, origin=str(path), form=source.envelope, names=names),)
    if path.name.endswith(BUNDLE_SUFFIX) or path.suffix == ".jsonl":
        return _sorted(_in_bundle(path), path, now)
    form, layout = read_layout(path)
    return (Found(layout=layout, origin=str(path), form=form),)


def layout_in(path: Path, *, now: datetime) -> Found:
    """The one layout that ``path`` is about: of several roots, the one that lasts longest.

    Raises as :func:`layouts_in` does.
    """
    return layouts_in(path, now=now)[0]


def steps_signed_for(
    layout: Layout, envelope: Envelope, *, now: datetime | None = None
) -> tuple[str, ...]:
    """The steps of ``layout`` for which functionaries signed ``envelope``."""
    try:
        signings = Keyring(layout.keys.values(), now=now).signings(envelope)
    except EvidenceInvalid:
        # More signatures than anybody checks.
        return ()
    return tuple(
        step.name
        for step in layout.steps
        if any(may_carry_out(signing, step) for signing in signings)
    )


def _in_bundle(path: Path) -> Iterator[tuple[Envelope, str]]:
    data = files.read(path, LOCAL.bundle_bytes)
    for document in parse_bundle(data, origin=str(path), limits=LOCAL).documents:
        yield document.envelope, document.origin


def _in_directory(path: Path) -> Iterator[tuple[Envelope, str]]:
    for each in sorted([*path.glob("*.layout"), *path.rglob("*.link")]):
        if each.is_file():
            with contextlib.suppress(EvidenceInvalid):
                yield load(each).envelope, str(each)


def _sorted(
    envelopes: Iterable[tuple[Envelope, str]], path: Path, now: datetime
) -> tuple[Found, ...]:
    layouts: dict[object, tuple[Layout, Envelope, str]] = {}
    fault: EvidenceInvalid | None = None
    for envelope, origin in envelopes:
        if not envelope.may_be_layout:
            continue
        try:
            payload = read_payload(envelope, limits=LOCAL)
        except EvidenceInvalid as error:
            error.place = f"{origin}: {error.place}".removesuffix(": ")
            fault = fault or error
            continue
        if isinstance(payload, Layout):
            layouts.setdefault(envelope.content, (payload, envelope, origin))
    if not layouts:
        raise fault or CommandError(
            f"there is no layout in {path}", expected="a bundle or a directory with a layout"
        )
    found = [
        Found(
            layout=layout,
            origin=origin,
            form=authoring.Envelope(envelope.kind),
            stands_for=tuple(
                dict.fromkeys(
                    step
                    for other, _, _ in layouts.values()
                    if other is not layout
                    for step in steps_signed_for(other, envelope, now=now)
                )
            ),
        )
        for layout, envelope, origin in layouts.values()
    ]
    # An owner may be a functionary as well: then two layouts can each seem to stand in for the
    # other, and both are shown as if they were roots.
    if all(each.stands_for for each in found):
        found = [Found(layout=each.layout, origin=each.origin, form=each.form) for each in found]
    by_expiry = sorted(found, key=lambda each: each.layout.expires, reverse=True)
    return tuple(sorted(by_expiry, key=lambda each: bool(each.stands_for)))
