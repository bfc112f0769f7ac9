"""What stands for the placeholders, taken out of filenames."""

from __future__ import annotations

import pytest

from pip_intoto.distribution import Distribution, Kind
from pip_intoto.policy.placeholders import values_for


@pytest.mark.parametrize(
    ("name", "filename", "spelled"),
    [
        ("demo", "demo-1.0.tar.gz", ("demo", "1.0")),
        ("demo", "Demo-1.0.zip", ("Demo", "1.0")),
        # An old spelling of 1.0.post1: the version itself has a dash.
        ("demo", "demo-1.0-1.tar.gz", ("demo", "1.0-1")),
        ("acme-demo", "acme-demo-1.0-1.tar.gz", ("acme-demo", "1.0-1")),
        ("acme-demo", "acme_demo-1.0.tar.gz", ("acme_demo", "1.0")),
        # It is no file of this project; what it says is said all the same.
        ("demo", "other-demo-1.0.tar.gz", ("other-demo", "1.0")),
    ],
)
def test_an_sdists_name_ends_where_the_projects_name_does(
    name: str, filename: str, spelled: tuple[str, str]
) -> None:
    distribution = Distribution(name=name, version="", filename=filename, kind=Kind.SDIST)
    values = values_for(distribution)
    assert (values["distribution"], values["version"]) == spelled
