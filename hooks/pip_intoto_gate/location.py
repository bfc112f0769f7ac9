"""Where the policy lies, decided by the same code in the gate and in the package.

One file is in force: the first that exists of the places that :func:`candidates` lists. The
working directory is never one of them, and nothing that came with a distribution can be. A place
of which it cannot be told whether a policy is there stops everything: to pass it over would let
a weaker policy further down win.

Imports nothing that the interpreter has not loaded anyway (others only where they are needed),
because every pip run pays for it.
"""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

#: The variable that names a policy file.
VARIABLE = "INTOTO_POLICY"
#: The policy's place below the directories of the system and of the user.
_BELOW = ("pip-intoto", "policy.toml")
#: The policy's name in the environment's own directory (``sys.prefix``).
_IN_PREFIX = "pip-intoto.toml"

#: Symbolic links that a path may lead through, as in Linux itself.
_LINKS = 40


class PolicyUnusable(LookupError):
    """A place that counts holds something that cannot be the policy.

    ``code`` is ``policy-missing`` when nothing is there, else ``policy-invalid``.
    """

    def __init__(self, path: str, why: str, code: str = "policy-invalid", advice: str = "") -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why
        self.code = code
        self.advice = advice

    def __str__(self) -> str:
        return self.why


class Location:
    """The policy in force: its absolute ``path``, and ``how`` it was found.

    ``how`` is ``system``, ``variable``, ``user`` or ``prefix``.
    """

    __slots__ = ("how", "path")

    def __init__(self, path: str, how: str) -> None:
        self.path = path
        self.how = how

    def __repr__(self) -> str:
        return f"Location(path={self.path!r}, how={self.how!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Location):
            return NotImplemented
        return (self.path, self.how) == (other.path, other.how)

    def __hash__(self) -> int:
        return hash((self.path, self.how))


def locate(
    environ: Mapping[str, str] | None = None,
    prefix: str | None = None,
    platform: str | None = None,
    home: str | None = None,
) -> Location | None:
    """Find the policy in force; None when there is none.

    The arguments default to this process: ``os.environ``, ``sys.prefix``, ``sys.platform`` and
    the user's home directory.

    Raises PolicyUnusable when ``$INTOTO_POLICY`` is set to anything but an absolute path of a
    readable file that holds something, or when another place cannot be read.
    """
    environ = os.environ if environ is None else environ
    for place in candidates(environ, prefix, platform, home):
        if place.how == "variable":
            _refuse_odd_variable(place.path, _paths(platform))
        if _holds_a_file(place):
            return place
    return None


def candidates(
    environ: Mapping[str, str] | None = None,
    prefix: str | None = None,
    platform: str | None = None,
    home: str | None = None,
) -> list[Location]:
    """List every place a policy may take, first to last: what no wheel may write to.

    The value of ``$INTOTO_POLICY`` stands in the list as it is, absolute or not.
    """
    environ = os.environ if environ is None else environ
    prefix = sys.prefix if prefix is None else prefix
    paths = _paths(platform)
    platform = sys.platform if platform is None else platform
    if home is None:
        home = _home(environ, platform)
    found = []
    system = _system_directory(environ, platform)
    if _is_absolute(system, paths):
        found.append(Location(paths.join(system, *_BELOW), "system"))
    if VARIABLE in environ:
        found.append(Location(environ[VARIABLE], "variable"))
    user = _user_directory(environ, platform, home)
    if _is_absolute(user, paths):
        found.append(Location(paths.join(user, *_BELOW), "user"))
    if _is_absolute(prefix, paths):
        found.append(Location(paths.join(prefix, _IN_PREFIX), "prefix"))
    return found


def others_may_write(path: str | os.PathLike[str]) -> str | None:
    """Say who else could change or replace the file; None when nobody could.

    Looks at the file and at every directory and symbolic link on the way to it. Others are
    everybody but root and the user of this process. A directory in which others may create files
    does no harm when it is sticky, as ``/tmp`` is. A group that is the user's own, with no other
    member, is the user. A file that cannot be looked at is in doubt, and so refused.

    Modes say nothing on Windows: there the answer is None.
    """
    if os.name != "posix":
        return None
    # Not abspath: it would cut ".." away before the links in front of it are followed.
    pending = _components(os.path.join(os.getcwd(), os.fspath(path)))
    current = "/"
    links = 0
    try:
        reason = _weakness(current, os.lstat(current))
        while pending and reason is None:
            name = pending.pop()
            if name == "..":
                current = os.path.dirname(current)
                continue
            entry = os.path.join(current, name)
            status = os.lstat(entry)
            reason = _weakness(entry, status)
            if not stat.S_ISLNK(status.st_mode):
                current = entry
                continue
            links += 1
            if links > _LINKS:
                return f"{entry} leads through more than {_LINKS} symbolic links"
            target = os.readlink(entry)
            if target.startswith("/"):
                current = "/"
            pending.extend(_components(target))
    except OSError as error:
        return f"{error.filename or path} cannot be looked at ({error.strerror or error})"
    return reason


# --- the places -----------------------------------------------------------------------------


def _paths(platform: str | None) -> ModuleType:
    if platform is None:
        return os.path
    # Imported here because only a question about another platform needs the other module.
    if platform == "win32":
        import ntpath

        return ntpath
    import posixpath

    return posixpath


def _system_directory(environ: Mapping[str, str], platform: str) -> str:
    if platform == "win32":
        return environ.get("ProgramData") or environ.get("PROGRAMDATA") or "C:\\ProgramData"
    if platform == "darwin":
        return "/Library/Application Support"
    return "/etc"


def _user_directory(environ: Mapping[str, str], platform: str, home: str) -> str:
    if platform == "win32":
        return environ.get("APPDATA") or ""
    if platform == "darwin":
        return home + "/Library/Application Support" if home else ""
    configured = environ.get("XDG_CONFIG_HOME") or ""
    # The XDG specification: "If an implementation encounters a relative path in any of these
    # variables it should consider the path invalid and ignore it."
    if configured.startswith("/"):
        return configured
    return home + "/.config" if home else ""


def _home(environ: Mapping[str, str], platform: str) -> str:
    if platform == "win32":
        return ""
    home = environ.get("HOME") or ""
    if home.startswith("/"):
        return home.rstrip("/") or "/."
    if os.name != "posix":
        return ""
    # Imported here because HOME is nearly always set.
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir.rstrip("/")
    except KeyError:
        return ""


def _is_absolute(path: str, paths: ModuleType) -> bool:
    if paths.__name__ == "ntpath":
        # Without a drive, Windows completes the path from the working directory.
        return bool(paths.splitdrive(path)[0]) and bool(paths.isabs(path))
    return bool(paths.isabs(path))


def _refuse_odd_variable(value: str, paths: ModuleType) -> None:
    if not value:
        raise PolicyUnusable(
            value,
            f"${VARIABLE} is set, and empty",
            advice="Set it to the absolute path of a policy file, or unset it.",
        )
    if not _is_absolute(value, paths):
        raise PolicyUnusable(
            value,
            f"${VARIABLE} is {value!r}, which is not an absolute path",
            advice="Set it to an absolute path: the policy never depends on the working directory.",
        )


def _holds_a_file(place: Location) -> bool:
    """Whether a readable file is there; False when nothing is, where that is allowed."""
    named = place.how == "variable"
    origin = f"${VARIABLE} names {place.path}, which" if named else place.path
    try:
        status = os.stat(place.path)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(place.path):
            raise PolicyUnusable(
                place.path, f"{origin} is a symbolic link to nothing", "policy-missing"
            ) from None
        if named:
            raise PolicyUnusable(
                place.path,
                f"{origin} does not exist",
                "policy-missing",
                "Correct the variable, or unset it.",
            ) from None
        return False
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise PolicyUnusable(
            place.path,
            f"{origin} cannot be looked at ({why})",
            advice="Let this user read it: nobody can tell whether a policy is there.",
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise PolicyUnusable(place.path, f"{origin} is not a file")
    if not status.st_size:
        raise PolicyUnusable(
            place.path,
            f"{origin} is empty",
            advice="A policy begins with `version = 1`; `pip-intoto trust add` writes one.",
        )
    try:
        os.close(os.open(place.path, os.O_RDONLY))
    except OSError as error:
        raise PolicyUnusable(
            place.path,
            f"{origin} cannot be read ({error.strerror})",
            advice="Let this user read it.",
        ) from None
    return True


# --- who may write --------------------------------------------------------------------------


def _components(path: str) -> list[str]:
    """The path's components in reverse, so that ``pop`` takes them from the left."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _weakness(path: str, status: os.stat_result) -> str | None:
    """How others could write one file, directory or link; None when they could not."""
    mode = status.st_mode
    # An owner can always give himself the right to write, and in a sticky directory can replace
    # what is his; so links have to be owned as well, though their modes mean nothing.
    if status.st_uid not in (0, os.geteuid()):
        return f"{path} belongs to {_user_name(status.st_uid)}"
    if stat.S_ISLNK(mode):
        return None
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        return None
    if mode & stat.S_IWOTH:
        return f"{path} may be written by everybody (mode {stat.S_IMODE(mode):04o})"
    if mode & stat.S_IWGRP and not _is_own_group(path, status):
        return f"{path} may be written by its group (mode {stat.S_IMODE(mode):04o})"
    return None


def _is_own_group(path: str, status: os.stat_result) -> bool:
    """Whether the group is nobody but the owner: the private groups behind umask 002.

    Never for root's group, which containers hand to every user, and never where an access
    control list stands behind the group's bits.
    """
    if not status.st_gid or not status.st_uid:
        return False
    try:
        # Imported here because few files are writable by a group.
        import grp
        import pwd

        owner = pwd.getpwuid(status.st_uid)
        group = grp.getgrgid(status.st_gid)
        if "system.posix_acl_access" in getattr(os, "listxattr", lambda _: ())(path):
            return False
    except (ImportError, KeyError, OSError):
        return False
    return (
        owner.pw_gid == status.st_gid
        and group.gr_name == owner.pw_name
        and not set(group.gr_mem) - {owner.pw_name}
    )


def _user_name(uid: int) -> str:
    try:
        # Imported here because it is only said in an error.
        import pwd

        return f"the user {pwd.getpwuid(uid).pw_name}"
    except (ImportError, KeyError):
        return f"the user with id {uid}"
