"""Programs from npm for tests against real servers: fetched into var/, all with one Node of our own, and run.

It needs npm (of whatever Node), and no Python package.
"""
# ruff: noqa: S603, T201 - it runs npm and node with its own arguments; a script prints

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_HERE = Path(__file__).resolve().parent
VAR = _HERE.parent / "var"
VERSION = "22.23.3"
"""The native parts of Bluesky's servers build with Node 22 and neither with 20 nor with 24; Prism runs on any."""

READY_SECS = 120.0
STOP_SECS = 10.0
_RETRY = _HERE / "retry"
_LAST_WORDS = 2_000


class NodeError(Exception):
    """It could not be fetched or started; the text says why and what to do."""


class Project:
    """What a folder's package.json names, installed in `folder` beside a copy of its scripts (`*.mjs`).

    `prepare` is a script that is run there once, after the installation.
    """

    def __init__(self, source: Path, folder: Path, prepare: str | None = None) -> None:
        self.folder = folder
        self._source = source
        self._prepare = prepare

    @property
    def log(self) -> Path:
        """What its program said when it last ran."""
        return self.folder / "log"

    def fetch(self) -> None:
        """Fetch it and Node unless they are there, one process at a time. Raises NodeError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (VAR / "node.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._fetch()

    def _fetch(self) -> None:
        for file in self._source.glob("*.mjs"):
            shutil.copyfile(file, self.folder / file.name)
        package = self._source / "package.json"
        wanted = f"{VERSION}\n{package.read_text()}"
        if self._prepare:
            wanted += (self._source / self._prepare).read_text()
        stamp = self.folder / "fetched"
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        node = _fetched_node()
        shutil.copyfile(package, self.folder / package.name)
        # Native parts are built for this Node, not for the system's.
        path = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
        _npm(self.folder, "install", "--no-package-lock", PATH=path, npm_config_nodedir=str(node.parent.parent))
        if self._prepare:
            done = _run(self.folder, str(node), self._prepare)
            if done.returncode != 0:
                raise NodeError(f"{self._prepare} failed:\n{done.stdout[-_LAST_WORDS:]}")
        stamp.write_text(wanted)

    def start(
        self, *arguments: str, environment: Mapping[str, str] | None = None, heard: bool = False
    ) -> subprocess.Popen[bytes]:
        """Its Node with these arguments, in the background. Standard input is a pipe, whose end tells a program that
        listens to it that we are gone; what it prints goes to `log`, or, if it is to be heard, into a pipe."""
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [str(_node()), *arguments],
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if heard else log,
                stderr=log,
            )

    def wait_until(self, ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        """Until the program is ready. Raises NodeError when it ends, or is not in time."""
        until = time.monotonic() + READY_SECS
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                said = self.log.read_text(errors="replace")[-_LAST_WORDS:]
                raise NodeError(f"{self.folder.name} did not start; its last words:\n{said}")
            time.sleep(0.05)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it, with force when it does not go."""
    process.terminate()
    try:
        process.wait(timeout=STOP_SECS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def command(usage: str | None, project: Project, run: Callable[[str], None]) -> int:
    """What `fetch`, and `run WHAT`, do on the command line; the status to exit with. `run` returns when it ends."""
    if sys.argv[1:] != ["fetch"] and (len(sys.argv) != 3 or sys.argv[1] != "run"):
        print(usage, file=sys.stderr)
        return 2
    try:
        project.fetch()
        if sys.argv[1] == "run":
            run(sys.argv[2])
    except NodeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _node() -> Path:
    """The fetched Node's program."""
    found = sorted((VAR / "node").glob("node_modules/**/node-*/bin/node"))
    if not found:
        raise NodeError(f"npm brought no Node {VERSION} for this machine")
    return found[0]


def _fetched_node() -> Path:
    stamp = VAR / "node" / "fetched"
    if not stamp.is_file() or stamp.read_text() != VERSION:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        _npm(stamp.parent, "install", "--no-save", f"node@{VERSION}")
        stamp.write_text(VERSION)
    return _node()


def _npm(folder: Path, *arguments: str, **environment: str) -> None:
    if shutil.which("npm") is None:
        raise NodeError("npm not found; install it (Debian: apt-get install npm)")
    done = _run(folder, str(_RETRY), "npm", *arguments, "--no-fund", "--no-audit", "--loglevel", "error", **environment)
    if done.returncode != 0:
        raise NodeError(f"npm failed time and again; its last words:\n{done.stdout[-_LAST_WORDS:]}")


def _run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
