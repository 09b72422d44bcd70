#!/usr/bin/env python3
"""Bluesky's own PDS for trying things and for tests: fetched from npm, started, stopped.

    python deploy/bluesky/pds.py fetch     # Node 22 and the server into var/bluesky: some minutes, 700 MB
    python deploy/bluesky/pds.py run       # and the server in the foreground, which forgets everything at its end

It needs npm (of whatever Node: the server runs on the one fetched), and no Python package.
"""
# ruff: noqa: T201, S603 - a script prints; it runs npm and node with its own arguments

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
VAR = HERE.parent.parent / "var" / "bluesky"
NODE = "22.23.3"
"""The server's native parts build with Node 22 and neither with 20 nor with 24."""

ATTEMPTS = 3
READY_SECS = 60.0
STOP_SECS = 10.0


class PdsError(Exception):
    """It could not be fetched or started; the text says why and what to do."""


def fetch(folder: Path = VAR) -> Path:
    """Fetch Node and the server unless what package.json names is there; returns the folder."""
    wanted = (HERE / "package.json").read_text() + NODE
    stamp = folder / "fetched"
    if stamp.is_file() and stamp.read_text() == wanted:
        return folder
    if shutil.which("npm") is None:
        raise PdsError("npm not found; install it (Debian: apt-get install npm)")
    for part in ("node", "server"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _npm(folder / "node", "install", "--no-save", f"node@{NODE}")
    shutil.copyfile(HERE / "package.json", folder / "server" / "package.json")
    shutil.copyfile(HERE / "pds.mjs", folder / "server" / "pds.mjs")
    _npm(folder / "server", "install", "--no-package-lock", node=node(folder))
    stamp.write_text(wanted)
    return folder


def node(folder: Path = VAR) -> Path:
    """The fetched Node's program."""
    found = sorted((folder / "node").glob("node_modules/**/node-*/bin/node"))
    if not found:
        raise PdsError(f"npm brought no Node {NODE} for this machine")
    return found[0]


def _npm(folder: Path, *arguments: str, node: Path | None = None) -> None:
    environment = dict(os.environ)
    if node is not None:
        environment["PATH"] = f"{node.parent}{os.pathsep}{environment['PATH']}"
        environment["npm_config_nodedir"] = str(node.parent.parent)  # build for this Node, not for the system's
    for attempt in range(1, ATTEMPTS + 1):
        command = ["npm", *arguments, "--no-fund", "--no-audit", "--loglevel", "error"]
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        if attempt < ATTEMPTS:
            time.sleep(5 * attempt)
    raise PdsError(f"npm failed {ATTEMPTS} times; its last words:\n{done.stdout[-2000:]}")


class Pds:
    """A running server; a context manager. `url` is where it is."""

    def __init__(self, folder: Path = VAR) -> None:
        self.url = ""
        self._log = folder / "pds.log"
        self._folder = folder

    def __enter__(self) -> Pds:
        shutil.copyfile(HERE / "pds.mjs", self._folder / "server" / "pds.mjs")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(node(self._folder)), "pds.mjs"],
                cwd=self._folder / "server",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        try:
            self.url = self._ready()
        except PdsError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOP_SECS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def wait(self) -> None:
        """Until it ends."""
        self._process.wait()

    def _ready(self) -> str:
        """What it says when it listens; lines of its log before that are passed over."""
        out = self._process.stdout
        until = time.monotonic() + READY_SECS
        while out is not None and select.select([out], [], [], max(0.0, until - time.monotonic()))[0]:
            line = out.readline()
            if not line:
                break
            if line.startswith(b'{"url"'):
                return str(json.loads(line)["url"])
        raise PdsError(f"the PDS did not start; its last words:\n{self._log.read_text(errors='replace')[-2000:]}")


def main() -> int:
    """Fetch, or fetch and run."""
    if sys.argv[1:] not in (["fetch"], ["run"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        fetch()
        if sys.argv[1] == "run":
            with Pds() as pds:
                print(f"a PDS at {pds.url}", flush=True)
                pds.wait()
    except PdsError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
