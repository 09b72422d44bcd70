#!/usr/bin/env python3
"""Bluesky's own servers for trying things and for tests: fetched from npm, started, stopped (network.mjs says which).

    python -m deploy.bluesky.network fetch           # Node 22 and the servers into var/: some minutes, 700 MB
    python -m deploy.bluesky.network run DATABASE    # and they in the foreground, printing what happens there

DATABASE is the URL of an empty PostgreSQL database for the AppView's index; the others forget everything at their end.
It needs npm, and no Python package.
"""
# ruff: noqa: T201 - a script prints

from __future__ import annotations

import io
import json
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.node import VAR, NodeError, Project, command, stop

PROJECT = Project(Path(__file__).resolve().parent, VAR / "bluesky")

Event = dict[str, Any]


class Network:
    """The running servers; a context manager. `pds` and `appview` are where they are.

    `hear` is called with every event of the PDS's firehose in order (`kind`, `did` and `body` as Jetstream names them),
    by a thread of its own.
    """

    def __init__(self, database: str, hear: Callable[[Event], object]) -> None:
        self.pds = self.appview = ""
        self._database = database
        self._hear = hear
        self._files = tempfile.TemporaryDirectory(prefix="harken-bluesky-")
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Network:
        environment = {"DATABASE_URL": self._database, "TMPDIR": self._files.name}
        self._process = PROJECT.start("network.mjs", environment=environment, heard=True)
        self._reader.start()
        try:
            PROJECT.wait_until(lambda: bool(self.pds), self._process)
        except NodeError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)
        self._reader.join()
        self._files.cleanup()

    def wait(self) -> None:
        """Until it ends."""
        self._reader.join()

    def _read(self) -> None:
        """What they say: first where they are, then what happens; a line of a log is passed over."""
        with self._process.stdout or io.BytesIO() as lines:
            for line in lines:
                if line.startswith(b'{"pds":'):
                    said = json.loads(line)
                    self.appview, self.pds = said["appview"], said["pds"]
                elif line.startswith(b'{"kind":'):
                    self._hear(json.loads(line))


def _run(database: str) -> None:
    with Network(database, print) as network:
        print(f"a PDS at {network.pds}, an AppView at {network.appview}", flush=True)
        network.wait()


if __name__ == "__main__":
    sys.exit(command(__doc__, PROJECT, _run))
