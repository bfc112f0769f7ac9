"""Running a project's own build backend (PEP 517), in an environment of its own.

The library ``build`` does it, as ``python -m build`` would. It comes with the extra
``pip-intoto[maintainer]``, because only maintainers need it. What the backend says is kept, and
its end is shown when it fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from build import ProjectBuilder
    from build.env import DefaultIsolatedEnv

    from pip_intoto.maintainer.progress import Progress

#: Seconds between two looks at the clock.
_TICK = 0.2
_INSTALL = "Install it: pip install 'pip-intoto[maintainer]'"


@dataclass(frozen=True, slots=True)
class Backend:
    """A place where build backends run: isolated ones are installed there once."""

    _environment: DefaultIsolatedEnv | None
    _output: BinaryIO
    _progress: Progress

    def metadata(self, project: Path, folder: Path) -> Path:
        """Have the metadata of a wheel prepared below ``folder``; gives its ``*.dist-info``.

        Where the backend has no hook for that, it builds a wheel, and the metadata is that of the
        wheel. Raises CommandError.
        """
        with self._explained(project):
            builder = self._builder(project)
            with _ticking(self._progress, "preparing the metadata"):
                return Path(builder.metadata_path(folder))

    def wheel(self, project: Path, folder: Path) -> Path:
        """Have a wheel built into ``folder``; gives its path. Raises CommandError."""
        with self._explained(project):
            builder = self._builder(project)
            with _ticking(self._progress, "building a wheel"):
                return Path(builder.build("wheel", folder))

    def _builder(self, project: Path) -> ProjectBuilder:
        from build import ProjectBuilder

        environment = self._environment
        if environment is None:
            return ProjectBuilder(project, sys.executable, self._run)
        builder = ProjectBuilder.from_isolated_env(environment, project, self._run)
        with _ticking(self._progress, "installing what the build needs"):
            environment.install(builder.build_system_requires)
            environment.install(builder.get_requires_for_build("wheel"))
        return builder

    def _run(
        self,
        cmd: Sequence[str],
        cwd: str | None = None,
        extra_environ: Mapping[str, str] | None = None,
    ) -> None:
        subprocess.run(
            cmd,
            check=True,
            cwd=cwd,
            env={**os.environ, **(extra_environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    @contextmanager
    def _explained(self, project: Path) -> Iterator[None]:
        import build

        self._output.seek(0)
        self._output.truncate()
        try:
            # The library passes the warnings of backends on, again and again; they are for whoever
            # builds, and not for whoever looks at what is built.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except build.BuildBackendException as error:
            raise CommandError(
                "the build backend failed",
                found=self._tail() or str(error),
                advice="Try `python -m build` first: it runs the same backend.",
                place=str(error),
            ) from None
        except build.BuildException as error:
            raise CommandError(f"{project} cannot be built: {error}") from None
        except build.FailedProcessError as error:
            raise _no_environment(error.exception) from None
        except subprocess.CalledProcessError as error:
            raise _no_environment(error) from None

    def _tail(self) -> str:
        self._output.flush()
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - DEFAULT.backend_output))
        return _tail_of(self._output.read())


@contextmanager
def open_backend(*, isolated: bool = True, progress: Progress = SILENT) -> Iterator[Backend]:
    """A place for builds, until the context ends.

    ``isolated`` installs what the build needs into an environment made for it; else this
    program's own environment has to have it. Raises CommandError.
    """
    try:
        # Imported here because only maintainers have it.
        from build.env import DefaultIsolatedEnv
    except ImportError:
        raise CommandError("the library `build` is not there", advice=_INSTALL) from None
    with tempfile.TemporaryFile() as output:
        if isolated:
            with DefaultIsolatedEnv() as environment:
                yield Backend(environment, output, progress)
        else:
            yield Backend(None, output, progress)


@contextmanager
def _ticking(progress: Progress, label: str) -> Iterator[None]:
    """Count the seconds of something that does not say how far it is."""
    with progress.task(label) as advance:
        done = threading.Event()

        def tick() -> None:
            while not done.wait(_TICK):
                advance(_TICK)

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _no_environment(error: subprocess.CalledProcessError) -> CommandError:
    return CommandError(
        "the environment for the build cannot be made",
        found=_tail_of((error.stdout or b"") + (error.stderr or b"")) or str(error),
        advice="With --no-isolation, the build uses what is installed here.",
    )


def _tail_of(said: bytes) -> str:
    return said[-DEFAULT.backend_output :].decode(errors="replace").strip()
