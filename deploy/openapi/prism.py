#!/usr/bin/env python3
"""Prism, which answers as an OpenAPI document says and refuses (422) what the document does not allow: for tests of
what we send to platforms that cannot be run here.

    python deploy/openapi/prism.py fetch              # Prism and the documents into var/openapi: 80 MB
    python deploy/openapi/prism.py run discourse.json # and Prism in the foreground, on a free port

It needs npm, and no Python package. Where the system's Node is older than 20, one is fetched too.
"""
# ruff: noqa: T201, S603 - a script prints; it runs npm and node with its own arguments

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
VAR = HERE.parent.parent / "var" / "openapi"

NODE = "22.23.3"
"""Fetched from npm where the system's is too old."""
OLDEST = 20

ATTEMPTS = 3
READY_SECS = 60.0
STOP_SECS = 10.0


class PrismError(Exception):
    """It could not be fetched or started; the text says why and what to do."""


def fetch(folder: Path = VAR) -> Path:
    """Fetch what package.json names unless it is there, and write its documents; returns the folder."""
    wanted = "".join((HERE / name).read_text() for name in ("package.json", "documents.mjs"))
    stamp = folder / "fetched"
    if stamp.is_file() and stamp.read_text() == wanted:
        return folder
    if shutil.which("npm") is None:
        raise PrismError("npm not found; install it (Debian: apt-get install npm)")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "documents.mjs"):
        shutil.copyfile(HERE / name, folder / name)
    _npm(folder, *(() if _new_enough("node") else (f"node@{NODE}",)))
    written = _run(folder, node(folder), "documents.mjs")
    if written.returncode != 0:
        raise PrismError(f"the documents cannot be written:\n{written.stdout[-2000:]}")
    stamp.write_text(wanted)
    return folder


def node(folder: Path = VAR) -> str:
    """The program that runs Node: the system's, or the one fetched."""
    if _new_enough("node"):
        return "node"
    found = sorted(folder.glob("node_modules/**/node-*/bin/node"))
    if not found:
        raise PrismError(f"npm brought no Node {NODE} for this machine; install Node {OLDEST} or later")
    return str(found[0])


def _new_enough(program: str) -> bool:
    said = _run(HERE, program, "--version").stdout.removeprefix("v").partition(".")[0] if shutil.which(program) else ""
    return said.isdigit() and int(said) >= OLDEST


def _npm(folder: Path, *packages: str) -> None:
    command = ["npm", "install", *packages, "--no-package-lock", "--no-fund", "--no-audit", "--loglevel", "error"]
    for attempt in range(1, ATTEMPTS + 1):
        done = _run(folder, *command)
        if done.returncode == 0:
            return
        if attempt < ATTEMPTS:
            time.sleep(5 * attempt)
    raise PrismError(f"npm failed {ATTEMPTS} times; its last words:\n{done.stdout[-2000:]}")


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


class Prism:
    """A running Prism for one document of the folder (or anywhere); a context manager. `url` is where it is."""

    def __init__(self, document: str, folder: Path = VAR) -> None:
        self._document = document
        self._folder = folder
        self._log = folder / "prism.log"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Prism:
        program = "node_modules/@stoplight/prism-cli/dist/index.js"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [node(self._folder), program, "mock", "-h", "127.0.0.1", "-p", str(self._port), self._document],
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._ready()
        except PrismError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_SECS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> None:
        """Until it ends."""
        self._process.wait()

    def _ready(self) -> None:
        until = time.monotonic() + READY_SECS
        while time.monotonic() < until and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)
        raise PrismError(f"Prism did not start; its last words:\n{self._log.read_text(errors='replace')[-2000:]}")


def main() -> int:
    """Fetch, or fetch and run."""
    if sys.argv[1:] != ["fetch"] and (len(sys.argv) != 3 or sys.argv[1] != "run"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        folder = fetch()
        if sys.argv[1] == "run":
            with Prism(sys.argv[2], folder) as prism:
                print(f"Prism at {prism.url}", flush=True)
                prism.wait()
    except PrismError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
