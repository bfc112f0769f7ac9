"""The index and the environments themselves: what is blocked elsewhere would happen without us."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import Backend, build_tool, sdist, wheel
from tests.integration import environments
from tests.integration.loopback import Delay, Endless, Paced, Redirect, Reset, Status, Truncated

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import MakeEnvironment
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index


@pytest.fixture
def unguarded(make_environment: MakeEnvironment) -> Environment:
    return make_environment(armed=False)


def get(url: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.status, response.read()


# --- environments ---------------------------------------------------------------------------


def test_without_the_gate_anything_is_installed(unguarded: Environment, index: Index) -> None:
    index.add(wheel("demo", requires=["other"]))
    index.add(wheel("other"))
    result = unguarded.pip("install", "demo", index=index)
    assert result.status == 0, result.output
    assert unguarded.installed() == {"demo-1.0", "other-1.0"}
    assert result.stderr == ""


@pytest.mark.parametrize("backend", list(Backend), ids=lambda backend: backend.value)
def test_without_the_gate_a_build_leaves_its_mark(
    backend: Backend, unguarded: Environment, index: Index, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    index.add(build_tool())
    index.add(sdist("demo", runs=mark, backend=backend))
    result = unguarded.pip("install", "demo", index=index)
    assert result.status == 0, result.output
    assert unguarded.installed() == {"demo-1.0"}
    assert mark.exists()


def test_without_the_gate_an_evil_build_requirement_runs(
    unguarded: Environment, index: Index, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    index.add(build_tool(runs=mark))
    index.add(sdist("demo", runs=tmp_path / "demo-ran", backend=Backend.SETUP_PY))
    assert unguarded.pip("install", "demo", index=index).status == 0
    assert mark.exists()


def test_data_members_land_in_the_prefix(unguarded: Environment, tmp_path: Path) -> None:
    path = wheel("demo", data={"data/pip-intoto.toml": b""}).write(tmp_path)
    assert unguarded.pip("install", path).status == 0
    assert "pip-intoto.toml" in unguarded.added()


def test_an_armed_environment_holds_the_gate_and_is_dormant(
    environment: Environment, index: Index
) -> None:
    names = {path.name for path in environment.site_packages.glob("pip_intoto*")}
    assert {"pip_intoto_gate.pth", "pip_intoto_gate.start", "pip_intoto_boot.py"} <= names
    index.add(wheel("demo"))
    result = environment.pip("install", "demo", index=index)
    assert result.status == 0, result.output
    assert "pip-intoto" not in result.output


def test_environments_of_one_template_do_not_touch_each_other(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    one, other = make_environment(armed=False), make_environment(armed=False)
    assert one.pip("install", wheel("demo").write(tmp_path)).status == 0
    one.rewrite(one.site_packages / "pip" / "__init__.py", "raise SystemExit(7)")
    assert one.pip("list").status == 7
    assert other.pip("list").status == 0
    assert other.installed() == frozenset()


def test_nothing_of_this_machine_reaches_a_child(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/somewhere")
    result = environment.pip("config", "list")
    assert "somewhere" not in result.output
    assert str(environment.home) in environment.pip("cache", "dir").stdout


def test_the_wheel_is_built_once_for_a_state_of_the_files() -> None:
    assert environments.built_wheel() == environments.built_wheel()
    assert environments.built_wheel().name.startswith("pip_intoto-")


# --- the index ------------------------------------------------------------------------------


def test_thirty_wheels_are_served_quickly(index: Index) -> None:
    for number in range(30):
        index.add(wheel(f"demo{number}"))
    started = time.monotonic()
    for number in range(30):
        assert get(index.origin + f"/files/demo{number}-1.0-py3-none-any.whl")[0] == 200
    assert time.monotonic() - started < 5
    assert len(index.asked("/files/*.whl")) == 30


def test_statuses_redirects_and_credentials(index: Index) -> None:
    index.put("/there", b"there")
    index.fault("/broken", Status(503))
    index.fault("/here", Redirect("/there"))
    assert get(index.origin + "/here") == (200, b"there")
    with pytest.raises(urllib.error.HTTPError, match="503") as broken:
        get(index.origin + "/broken")
    broken.value.close()
    index.require("user", "pass", "/there")
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        get(index.origin + "/there")
    refused.value.close()
    assert get(index.origin + "/there", Authorization="Basic dXNlcjpwYXNz") == (200, b"there")


def test_delays_paces_and_resets(index: Index) -> None:
    index.put("/late", b"late")
    index.put("/slow", b"s" * 300_000)
    index.fault("/late", Delay(0.2), times=1)
    index.fault("/slow", Paced(1_000_000))
    index.fault("/reset", Reset())
    started = time.monotonic()
    assert get(index.origin + "/late") == (200, b"late")
    assert time.monotonic() - started >= 0.2
    started = time.monotonic()
    assert len(get(index.origin + "/slow")[1]) == 300_000
    assert time.monotonic() - started >= 0.2
    with pytest.raises(OSError, match="reset"):
        get(index.origin + "/reset")


def test_endless_bodies_go_on_for_as_long_as_one_reads(index: Index) -> None:
    index.fault("/endless", Endless())
    with urllib.request.urlopen(index.origin + "/endless", timeout=10) as response:
        assert len(response.read(5_000_000)) == 5_000_000


def test_a_dropped_download_can_be_resumed(unguarded: Environment, index: Index) -> None:
    built = wheel("demo", modules={"demo.py": bytes(range(256)) * 4_000})
    index.add(built, metadata=False)
    index.fault("*.whl", Truncated(at=100_000), times=1)
    result = unguarded.pip("install", "--resume-retries=2", "demo", index=index)
    assert result.status == 0, result.output
    ranges = [request.headers.get("range") for request in index.asked("*.whl")]
    assert ranges[-1] == "bytes=100000-"
