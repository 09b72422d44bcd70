#!/usr/bin/env python3
"""Prism, which answers as an OpenAPI document says and refuses (422) what the document does not allow: for tests of
what we send to platforms that cannot be run here.

    python -m deploy.openapi.prism fetch              # Prism and the documents into var/openapi: 80 MB, and Node 22
    python -m deploy.openapi.prism run discourse.json # and Prism in the foreground, on a free port

It needs npm, and no Python package.
"""
# ruff: noqa: T201 - a script prints

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from deploy.node import VAR, NodeError, Project, command, stop

PROJECT = Project(Path(__file__).resolve().parent, VAR / "openapi", prepare="documents.mjs")


class Prism:
    """A running Prism for a document of the project's folder (or anywhere); a context manager. `url` is where it is."""

    _process: subprocess.Popen[bytes]

    def __init__(self, document: str) -> None:
        self._document = document
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Prism:
        program = "node_modules/@stoplight/prism-cli/dist/index.js"
        place = ("-h", "127.0.0.1", "-p", str(self._port))
        self._process = PROJECT.start(program, "mock", *place, self._document)
        try:
            PROJECT.wait_until(self._answers, self._process)
        except NodeError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)

    def wait(self) -> None:
        """Until it ends."""
        self._process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def _run(document: str) -> None:
    with Prism(document) as prism:
        print(f"Prism at {prism.url}", flush=True)
        prism.wait()


if __name__ == "__main__":
    sys.exit(command(__doc__, PROJECT, _run))
