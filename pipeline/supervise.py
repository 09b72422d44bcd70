"""`harken up`: every role in a process of its own, started, watched and restarted by one command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import structlog

from pipeline.ports import Backoff, Clock

log = structlog.get_logger(__name__)

STOPPED = 3
"""Exit status of a process that only the operator can help: not restarted."""

RESTART = Backoff(first=0.5, factor=2.0, cap=30.0)
SETTLED_SECS = 60.0
"""A process that lived so long starts again with a fresh count of attempts."""

LEAVE_SECS = 10.0
SUPERVISED = "HARKEN_SUPERVISED"
"""Set in a child's environment: its standard input ends with its supervisor."""


@dataclass
class Child:
    """One process to keep running."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    attempts: int = 0
    restart_at: float = 0.0
    finished: bool = False
    given_up: bool = False


def harken(*arguments: str) -> list[str]:
    """The command line of another harken process in this environment."""
    return [sys.executable, "-m", "pipeline.cli", *arguments]


class Household:
    """Children that are kept running until the clock is stopped, then asked to leave."""

    def __init__(self, children: Sequence[Child], clock: Clock) -> None:
        self._children = children
        self._clock = clock

    def run(self) -> int:
        """Keep them; returns 0 when all left or finished well, STOPPED when one had to be given up."""
        try:
            while not self._clock.stopping:
                kept = [self._tended(child) for child in self._children]
                if not any(kept):
                    break
                self._clock.wait(0.2)
        finally:
            self._leave()
        return STOPPED if any(child.given_up for child in self._children) else 0

    def _tended(self, child: Child) -> bool:
        """Whether the child runs or will run again."""
        if child.given_up or child.finished:
            return False
        if child.process is None:
            if self._clock.monotonic() >= child.restart_at:
                self._start(child)
            return True
        status = child.process.poll()
        if status is None:
            return True
        child.process = None
        if status == 0:
            child.finished = True
            log.info("process finished", name=child.name)
            return False
        if status == STOPPED:
            child.given_up = True
            log.error("process stopped and is not restarted", name=child.name, remedy="see its last message")
            return False
        lived = self._clock.monotonic() - child.started
        child.attempts = 1 if lived > SETTLED_SECS else child.attempts + 1
        delay = RESTART.delay(child.attempts)
        child.restart_at = self._clock.monotonic() + delay
        log.warning("process ended", name=child.name, status=status, restart_secs=delay)
        return True

    def _start(self, child: Child) -> None:
        # Its own session, so that Ctrl-C in a terminal reaches this process alone, which then asks the children.
        # It reads this pipe's end when we die, even by SIGKILL, and leaves too.
        child.process = subprocess.Popen(  # noqa: S603 - our own command line
            child.command, start_new_session=True, stdin=subprocess.PIPE, env=os.environ | {SUPERVISED: "1"}
        )
        child.started = self._clock.monotonic()
        log.info("process started", name=child.name, pid=child.process.pid)

    def _leave(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = self._clock.monotonic() + LEAVE_SECS
        for process in running:
            try:
                process.wait(max(0.1, deadline - self._clock.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("process killed: it did not leave in time", pid=process.pid)
                os.kill(process.pid, signal.SIGKILL)
                process.wait()


def leave_with_parent(stop: Callable[[], None]) -> None:
    """In a supervised child: call `stop` when the supervisor is gone."""
    if SUPERVISED in os.environ:

        def wait() -> None:
            # Not sys.stdin: its lock, held here while we wait, would break the interpreter's exit.
            while os.read(0, 1):
                pass
            stop()

        threading.Thread(target=wait, name="parent", daemon=True).start()


def start_again() -> NoReturn:
    """Become a fresh process of the same command, with the same number, so that no supervisor takes it for a failure,
    whichever it is. Whatever this one held must have been given back."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line
