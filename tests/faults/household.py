"""The roles in processes of their own, to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


class Household:
    """Starts, kills and stops `harken run ROLE` processes; each role's log is a file in `directory`."""

    def __init__(self, config: Path, directory: Path, **environment: str) -> None:
        self._config = config
        self._directory = directory
        self._environment = {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, role: str | None = None, *, slot: str = "1") -> None:
        """Start the process `name` (its role where not given otherwise)."""
        command = ["run", role or name, "--slot", slot, "--http-port", "0"]
        with (self._directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", "--config", str(self._config), *command],
                stderr=log,
                stdout=log,
                env=self._environment,
                cwd=self._directory,
            )

    def kill(self, name: str) -> None:
        """SIGKILL: no goodbye."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def terminate(self, name: str) -> int:
        """SIGTERM; returns the exit status, or raises TimeoutExpired after ten seconds."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(10)

    def alive(self, name: str) -> bool:
        """Whether it still runs."""
        return self._running[name].poll() is None

    def logs(self) -> str:
        """The end of every log, for a failure's message."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in self._directory.glob("*.log"))

    def close(self) -> None:
        """Kill whatever runs."""
        for name in list(self._running):
            self.kill(name)
