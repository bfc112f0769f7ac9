"""Where the policy lies. Every question is put to this Python, and to the oldest supported one."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from pip_intoto_gate import location

HOOKS = Path(__file__).parents[3] / "hooks"

_ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pip_intoto_gate import location
name, arguments = sys.argv[2], json.loads(sys.argv[3])
try:
    found = getattr(location, name)(**arguments)
    if isinstance(found, location.Location):
        found = [found.how, found.path]
    elif isinstance(found, list):
        found = [[place.how, place.path] for place in found]
    print(json.dumps(["found", found]))
except location.PolicyUnusable as error:
    print(json.dumps(["unusable", [error.code, error.path, str(error), error.advice]]))
"""


def _interpreter(version: str) -> str | None:
    roots = [os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")]
    for root in filter(None, roots):
        # Another user's home may be closed to this one.
        with contextlib.suppress(PermissionError):
            for python in sorted(Path(root).glob(f"versions/{version}.*/bin/python")):
                return str(python)
    python_on_path = shutil.which(f"python{version}")
    if python_on_path is None:
        return None
    # A pyenv shim is there for every version, and starts only the chosen ones.
    works = subprocess.run([python_on_path, "-c", ""], capture_output=True, check=False)
    return None if works.returncode else python_on_path


class Unusable(Exception):
    def __init__(self, code: str, path: str, why: str, advice: str) -> None:
        super().__init__(why)
        self.code, self.path, self.why, self.advice = code, path, why, advice


_LOADED = """
import os, sys
before = set(sys.modules) - {"__future__"}  # loaded early where the gate is armed
sys.path.insert(0, sys.argv[1])
from pip_intoto_gate import location
location.locate()
print(sorted(set(sys.modules) - before))
"""


@dataclass(frozen=True)
class Ask:
    python: str

    def __call__(self, name: str, **arguments: object) -> object:
        answer = subprocess.run(
            [self.python, "-I", "-c", _ASK, str(HOOKS), name, json.dumps(arguments)],
            capture_output=True,
            check=False,
            text=True,
            cwd="/",
        )
        assert answer.returncode == 0, answer.stderr
        outcome, value = json.loads(answer.stdout)
        if outcome == "unusable":
            raise Unusable(*value)
        return value


@pytest.fixture(params=["this", "3.8"])
def ask(request: pytest.FixtureRequest) -> Ask:
    if request.param == "this":
        return Ask(sys.executable)
    python = _interpreter("3.8")
    if python is None:
        pytest.skip("there is no Python 3.8 on this machine")
    return Ask(python)


@dataclass(frozen=True)
class Machine:
    """A home, a prefix, and the environment that names them."""

    home: Path
    prefix: Path
    environ: dict[str, str]

    @property
    def arguments(self) -> dict[str, object]:
        return {"environ": self.environ, "prefix": str(self.prefix), "platform": "linux"}

    @property
    def user_policy(self) -> Path:
        return self.home / ".config/pip-intoto/policy.toml"

    @property
    def prefix_policy(self) -> Path:
        return self.prefix / "pip-intoto.toml"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if Path("/etc/pip-intoto/policy.toml").exists():
        pytest.skip("this machine has a policy of its own")
    home, prefix = tmp_path / "home", tmp_path / "prefix"
    home.mkdir()
    prefix.mkdir()
    return Machine(home, prefix, {"HOME": str(home)})


def write(path: Path, text: str = "version = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


# --- the order ------------------------------------------------------------------------------


def test_the_places_on_linux_are_system_variable_user_prefix(ask: Ask) -> None:
    assert ask(
        "candidates",
        environ={"HOME": "/home/u", "INTOTO_POLICY": "/p/policy.toml"},
        prefix="/venv",
        platform="linux",
    ) == [
        ["system", "/etc/pip-intoto/policy.toml"],
        ["variable", "/p/policy.toml"],
        ["user", "/home/u/.config/pip-intoto/policy.toml"],
        ["prefix", "/venv/pip-intoto.toml"],
    ]


def test_the_places_on_macos(ask: Ask) -> None:
    assert ask("candidates", environ={"HOME": "/Users/u"}, prefix="/venv", platform="darwin") == [
        ["system", "/Library/Application Support/pip-intoto/policy.toml"],
        ["user", "/Users/u/Library/Application Support/pip-intoto/policy.toml"],
        ["prefix", "/venv/pip-intoto.toml"],
    ]


def test_the_places_on_windows(ask: Ask) -> None:
    assert ask(
        "candidates",
        environ={"ProgramData": "D:\\Data", "APPDATA": "C:\\Users\\u\\AppData\\Roaming"},
        prefix="C:\\venv",
        platform="win32",
    ) == [
        ["system", "D:\\Data\\pip-intoto\\policy.toml"],
        ["user", "C:\\Users\\u\\AppData\\Roaming\\pip-intoto\\policy.toml"],
        ["prefix", "C:\\venv\\pip-intoto.toml"],
    ]


def test_a_windows_place_without_a_drive_is_none(ask: Ask) -> None:
    found = ask(
        "candidates",
        environ={"ProgramData": "\\Data", "APPDATA": "Roaming"},
        prefix="C:\\venv",
        platform="win32",
    )
    assert found == [["prefix", "C:\\venv\\pip-intoto.toml"]]


@pytest.mark.parametrize("value", ["", "config", "./config"])
def test_a_relative_XDG_CONFIG_HOME_is_ignored(ask: Ask, value: str) -> None:
    found = ask(
        "candidates",
        environ={"HOME": "/home/u", "XDG_CONFIG_HOME": value},
        prefix="/venv",
        platform="linux",
    )
    assert ["user", "/home/u/.config/pip-intoto/policy.toml"] in found  # type: ignore[operator]


def test_XDG_CONFIG_HOME_names_the_users_directory(ask: Ask) -> None:
    found = ask(
        "candidates",
        environ={"HOME": "/home/u", "XDG_CONFIG_HOME": "/conf"},
        prefix="/venv",
        platform="linux",
    )
    assert ["user", "/conf/pip-intoto/policy.toml"] in found  # type: ignore[operator]


def test_the_working_directory_is_never_a_place(ask: Ask) -> None:
    found = ask(
        "candidates",
        environ={"HOME": "home", "XDG_CONFIG_HOME": "config"},
        prefix="venv",
        platform="linux",
    )
    assert isinstance(found, list)
    assert all(path.startswith("/") for _, path in found)
    assert not any("venv" in path or path.startswith("home") for _, path in found)


def test_no_policy_anywhere_is_none(ask: Ask, machine: Machine) -> None:
    assert ask("locate", **machine.arguments) is None


def test_the_users_policy_comes_before_the_environments(ask: Ask, machine: Machine) -> None:
    write(machine.prefix_policy)
    assert ask("locate", **machine.arguments) == ["prefix", str(machine.prefix_policy)]
    write(machine.user_policy)
    assert ask("locate", **machine.arguments) == ["user", str(machine.user_policy)]


def test_the_variable_comes_before_the_users_policy(
    ask: Ask, machine: Machine, tmp_path: Path
) -> None:
    write(machine.user_policy)
    named = write(tmp_path / "named.toml")
    machine.environ["INTOTO_POLICY"] = str(named)
    assert ask("locate", **machine.arguments) == ["variable", str(named)]


def test_the_systems_policy_comes_before_the_variable(ask: Ask) -> None:
    found = ask(
        "candidates",
        environ={"ProgramData": "C:\\D", "INTOTO_POLICY": "C:\\p.toml"},
        prefix="C:\\v",
        platform="win32",
    )
    assert isinstance(found, list)
    assert [how for how, _ in found] == ["system", "variable", "prefix"]


# --- what stops everything ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "code", "why"),
    [
        ("", "policy-invalid", "$INTOTO_POLICY is set, and empty"),
        (
            "policy.toml",
            "policy-invalid",
            "$INTOTO_POLICY is 'policy.toml', which is not an absolute path",
        ),
        (
            "{tmp}/absent.toml",
            "policy-missing",
            "$INTOTO_POLICY names {tmp}/absent.toml, which does not exist",
        ),
        (
            "{tmp}/directory",
            "policy-invalid",
            "$INTOTO_POLICY names {tmp}/directory, which is not a file",
        ),
        (
            "{tmp}/empty.toml",
            "policy-invalid",
            "$INTOTO_POLICY names {tmp}/empty.toml, which is empty",
        ),
        (
            "{tmp}/dangling.toml",
            "policy-missing",
            "$INTOTO_POLICY names {tmp}/dangling.toml, which is a symbolic link to nothing",
        ),
        (
            "{tmp}/empty.toml/below",
            "policy-missing",
            "$INTOTO_POLICY names {tmp}/empty.toml/below, which does not exist",
        ),
        (
            "{tmp}/pipe",
            "policy-invalid",
            "$INTOTO_POLICY names {tmp}/pipe, which is not a file",
        ),
    ],
)
def test_a_variable_that_names_no_policy_stops_everything(
    ask: Ask, machine: Machine, tmp_path: Path, value: str, code: str, why: str
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "empty.toml").touch()
    (tmp_path / "dangling.toml").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    write(machine.user_policy)
    machine.environ["INTOTO_POLICY"] = value.format(tmp=tmp_path)
    with pytest.raises(Unusable) as caught:
        ask("locate", **machine.arguments)
    assert caught.value.code == code
    assert caught.value.why == why.format(tmp=tmp_path)


def test_a_null_byte_in_the_variable_stops_everything(ask: Ask, machine: Machine) -> None:
    machine.environ["INTOTO_POLICY"] = "/p\0.toml"
    with pytest.raises(Unusable, match="cannot be looked at"):
        ask("locate", **machine.arguments)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_policy_stops_everything(ask: Ask, machine: Machine) -> None:
    write(machine.user_policy).chmod(0)
    with pytest.raises(Unusable, match="cannot be read"):
        ask("locate", **machine.arguments)


def test_a_users_policy_that_is_a_dangling_link_is_not_passed_over(
    ask: Ask, machine: Machine
) -> None:
    write(machine.prefix_policy)
    machine.user_policy.parent.mkdir(parents=True)
    machine.user_policy.symlink_to("/nowhere/policy.toml")
    with pytest.raises(Unusable) as caught:
        ask("locate", **machine.arguments)
    assert caught.value.code == "policy-missing"


def test_a_link_to_a_policy_is_one(ask: Ask, machine: Machine, tmp_path: Path) -> None:
    machine.prefix_policy.symlink_to(write(tmp_path / "shared.toml"))
    assert ask("locate", **machine.arguments) == ["prefix", str(machine.prefix_policy)]


def test_without_HOME_the_password_database_says_where_home_is(ask: Ask) -> None:
    found = ask("candidates", environ={}, prefix="/venv", platform="linux")
    assert isinstance(found, list)
    assert [how for how, _ in found] == ["system", "user", "prefix"]


# --- who may write --------------------------------------------------------------------------


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A file that nobody else may write, in a directory of the same kind."""
    directory = tmp_path / "private"
    directory.mkdir(0o700)
    return write(directory / "policy.toml")


def test_a_file_of_ones_own_is_fine(ask: Ask, private: Path) -> None:
    assert ask("others_may_write", path=str(private)) is None


def test_a_file_of_roots_is_fine(ask: Ask) -> None:
    assert ask("others_may_write", path="/etc/passwd") is None


@pytest.mark.parametrize(
    ("mode", "who"), [(0o666, "everybody"), (0o646, "everybody"), (0o662, "everybody")]
)
def test_a_file_that_everybody_may_write_is_refused(
    ask: Ask, private: Path, mode: int, who: str
) -> None:
    private.chmod(mode)
    expected = f"{private} may be written by {who} (mode {mode:04o})"
    assert ask("others_may_write", path=str(private)) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another group")
@pytest.mark.parametrize("group", [0, 1])
def test_a_file_that_a_group_may_write_is_refused(ask: Ask, private: Path, group: int) -> None:
    os.chown(private, 0, group)
    private.chmod(0o664)
    expected = f"{private} may be written by its group (mode 0664)"
    assert ask("others_may_write", path=str(private)) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(ask: Ask, private: Path) -> None:
    os.chown(private, 54321, 0)
    expected = f"{private} belongs to the user with id 54321"
    assert ask("others_may_write", path=str(private)) == expected


def test_a_directory_above_that_others_may_write_is_refused(ask: Ask, tmp_path: Path) -> None:
    directory = tmp_path / "open"
    path = write(directory / "below/policy.toml")
    directory.chmod(0o777)
    expected = f"{directory} may be written by everybody (mode 0777)"
    assert ask("others_may_write", path=str(path)) == expected


def test_a_sticky_directory_above_is_fine(ask: Ask, tmp_path: Path) -> None:
    directory = tmp_path / "sticky"
    path = write(directory / "policy.toml")
    directory.chmod(0o1777)
    assert ask("others_may_write", path=str(path)) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_somebody_elses_sticky_directory_is_refused(ask: Ask, tmp_path: Path) -> None:
    directory = tmp_path / "sticky"
    path = write(directory / "policy.toml")
    directory.chmod(0o1777)
    os.chown(directory, 54321, 0)
    assert ask("others_may_write", path=str(path)) == (
        f"{directory} belongs to the user with id 54321"
    )


def test_a_link_is_followed_to_the_directory_of_its_target(ask: Ask, tmp_path: Path) -> None:
    directory = tmp_path / "open"
    target = write(directory / "policy.toml")
    directory.chmod(0o777)
    link = tmp_path / "link.toml"
    link.symlink_to(target)
    expected = f"{directory} may be written by everybody (mode 0777)"
    assert ask("others_may_write", path=str(link)) == expected


def test_a_link_in_a_directory_that_others_may_write_is_refused(
    ask: Ask, tmp_path: Path, private: Path
) -> None:
    directory = tmp_path / "open"
    directory.mkdir()
    link = directory / "policy.toml"
    link.symlink_to(private)
    directory.chmod(0o777)
    expected = f"{directory} may be written by everybody (mode 0777)"
    assert ask("others_may_write", path=str(link)) == expected


def test_a_linked_directory_and_dots_are_followed_as_the_system_does(
    ask: Ask, tmp_path: Path
) -> None:
    path = write(tmp_path / "open/a/policy.toml")
    (tmp_path / "link").symlink_to("open/a")
    (tmp_path / "open").chmod(0o777)
    # `link/..` is `open`, whatever it looks like.
    through = f"{tmp_path}/link/../a/{path.name}"
    expected = f"{tmp_path / 'open'} may be written by everybody (mode 0777)"
    assert ask("others_may_write", path=through) == expected


def test_links_in_a_circle_are_refused(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    answer = ask("others_may_write", path=str(tmp_path / "a"))
    assert isinstance(answer, str)
    assert "leads through more than 40 symbolic links" in answer


def test_what_is_not_there_is_in_doubt(ask: Ask, tmp_path: Path) -> None:
    answer = ask("others_may_write", path=str(tmp_path / "absent"))
    assert answer == f"{tmp_path / 'absent'} cannot be looked at (No such file or directory)"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("group", "refused"), [("daemon", False), ("users", True)], ids=["own", "shared"]
)
def test_a_group_that_is_the_users_own_is_the_user(group: str, *, refused: bool) -> None:
    # With umask 002, which goes with such groups, every file of the user is writable by it.
    try:
        user, gid = pwd.getpwnam("daemon"), grp.getgrnam(group).gr_gid
    except KeyError:
        pytest.skip("this system has no such user or group")
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = write(Path(directory) / "policy.toml")
        os.chown(directory, user.pw_uid, gid)
        os.chown(path, user.pw_uid, gid)
        path.chmod(0o664)
        os.seteuid(user.pw_uid)
        try:
            found = location.others_may_write(path)
        finally:
            os.seteuid(0)
    assert found == (f"{path} may be written by its group (mode 0664)" if refused else None)


# --- the price ------------------------------------------------------------------------------


def test_it_imports_nothing_that_the_interpreter_has_not_loaded(ask: Ask) -> None:
    loaded = subprocess.run(
        [
            ask.python,
            "-I",
            "-c",
            _LOADED,
            str(HOOKS),
        ],
        capture_output=True,
        check=True,
        text=True,
        env={"HOME": "/nonexistent"},
    ).stdout.strip()
    assert loaded == "['__future__', 'pip_intoto_gate', 'pip_intoto_gate.location']"
