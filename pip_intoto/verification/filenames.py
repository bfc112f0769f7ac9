"""Names of files: their last segment, and what those of wheels and sdists mean."""

from __future__ import annotations


def last_segment(name: str) -> str:
    """Return what stands behind the last slash."""
    return name.rpartition("/")[2]


def parsed(filename: str) -> tuple[object, ...] | None:
    """Return what a wheel's or sdist's filename means, comparable, the project's name first.

    None when it means nothing.
    """
    lowered = filename.lower()
    if not lowered.endswith((".whl", ".tar.gz", ".zip")):
        return None
    # Here for start-up time: filenames are nearly always exact.
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    try:
        if lowered.endswith(".whl"):
            # Compressed tags, "py2.py3-none-any", multiply when they are expanded: a name of a
            # few hundred characters may stand for millions. They are compared as they are.
            stem, *tags = filename[: -len(".whl")].rsplit("-", 3)
            name, version, build, _ = parse_wheel_filename(f"{stem}-py3-none-any.whl")
            return name, version, build, *(frozenset(tag.lower().split(".")) for tag in tags)
        return (*parse_sdist_filename(filename), lowered.endswith(".zip"))
    except (InvalidSdistFilename, InvalidWheelFilename):
        return None
