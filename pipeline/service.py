"""One process: the roles it was asked for, each on a thread, with its metrics, until it is told to stop or one of
them cannot go on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from pipeline.clock import SystemClock
from pipeline.collect import Supervisor
from pipeline.collector import spare_the_collector
from pipeline.config import Config, Source
from pipeline.errors import HarkenError, SourceRefused, Stop, Unavailable
from pipeline.http import serving
from pipeline.metrics import LAG
from pipeline.patience import Interrupted, patiently
from pipeline.timers import desk_loops, spike_loops, store_loops
from pipeline.wiring import LOOPS, Parts
from pipeline.worker import Beat

log = structlog.get_logger(__name__)

LEAVE_SECS = 9.0
"""How long a stopping process waits for its threads: under the ten seconds that supervisors commonly allow."""

LAG_SECS = 5.0

WATCH_SECS = 2.0
"""How often a process asks whether other documents are in force than those it was made with."""


class Service:
    """Runs roles. `run` returns when all have finished or the clock is stopped, and raises the Stop that ended it."""

    def __init__(
        self, config: Config, roles: Sequence[str], clock: SystemClock, *, slot: str = "", sources: Sequence[str] = ()
    ) -> None:
        self.parts = Parts(config, clock)
        self._roles = roles
        self._slot = slot
        self._only = sources
        self._clock = clock
        self._threads: list[threading.Thread] = []
        self._beats: list[threading.Thread] = []
        self._supervisors: list[Supervisor] = []
        self._refused: dict[str, str] = {}
        self._fatal: HarkenError | None = None
        self._ready = False
        self.outdated = False
        """Whether it ended because other documents are in force by now: the process is to start again."""

    def run(self) -> None:
        """Prepare, work, leave. Waits out a bus or a database that is not there yet."""
        http = self.parts.config.file.http
        with serving(http.host, http.port, self._dead_threads, self._not_ready):
            try:
                self.start()
                watch = watching(self.parts, self._roles, self._renew)
                threading.Thread(target=watch, name="documents", daemon=True).start()
                while not self._clock.stopping and any(thread.is_alive() for thread in self._threads):
                    self._clock.wait(0.2)
                if self._refused and not self._clock.stopping:
                    raise SourceRefused("; ".join(f"{name}: {why}" for name, why in self._refused.items()))
            except Interrupted:
                pass
            finally:
                self.leave()
        if self._fatal:
            raise self._fatal

    def start(self) -> None:
        """Start every role on its thread."""
        patiently(self._clock, "store", self.parts.prepare)
        patiently(self._clock, "bus", lambda: self.parts.bus.apply(self.parts.topics))
        for role in self._roles:
            if role in LOOPS:
                self._start_worker(role)
            if role == "spikes":
                for loop in spike_loops(self.parts):
                    self._spawn(loop.name, loop.run)
            if role == "deliver":
                for loop in store_loops(self.parts):
                    self._spawn(loop.name, loop.run)
                for dispatcher in self.parts.dispatchers():
                    self._spawn(f"sink-{dispatcher.name}", dispatcher.run)
            if role == "collect":
                self._start_sources()
            if role == "desk":
                self._start_desk()
        spare_the_collector()
        threading.Thread(target=self._watch_lag, name="lag", daemon=True).start()
        self._ready = True

    def leave(self) -> None:
        """Stop the clock, wait for the threads to finish what they hold, close everything."""
        self._clock.stop()
        deadline = self._clock.monotonic() + LEAVE_SECS
        everything = [*self._threads, *self._beats]
        for thread in everything:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        late = [thread.name for thread in everything if thread.is_alive()]
        if late:
            log.warning("left before all had finished; nothing is lost, it will be done again", threads=late)
        else:
            self.parts.close()

    @property
    def fatal(self) -> HarkenError | None:
        """What ended a role for good, if anything did."""
        return self._fatal

    def stop_if_asked(self) -> None:
        """Raise what ended a role for good, or Interrupted when the process was asked to stop: for who waits here."""
        if self._fatal:
            raise self._fatal
        if self._clock.stopping:
            raise Interrupted("asked to stop")

    def _start_worker(self, role: str) -> None:
        member = f"{role}-{self._slot}" if self._slot else None
        worker = patiently(self._clock, "bus", lambda: self.parts.worker(role, member))
        self._spawn(role, worker.run)
        self._start_beat(role, lambda: worker.handled)

    def _start_beat(self, role: str, handled: Callable[[], int]) -> None:
        name = f"{role}-{self._slot or os.getpid()}"
        beat = Beat(self.parts.store, name, role, handled, self._clock)
        self._spawn(f"beat-{role}", beat.run, self._beats)

    def _start_sources(self) -> None:
        self._start_beat("collect", lambda: sum(it.taken_in for it in self._supervisors))
        for source in self.parts.config.sources:
            if not self._only or source.name in self._only:
                self._spawn(f"source-{source.name}", partial(self._listen, source))
                self._spawn(f"recheck-{source.name}", partial(self._recheck, source), self._beats)

    def _listen(self, source: Source) -> None:
        supervisor = patiently(self._clock, "bus", lambda: self.parts.supervisor(source))
        self._supervisors.append(supervisor)
        supervisor.run()
        if supervisor.refused:
            self._refused[source.name] = supervisor.refused

    def _recheck(self, source: Source) -> None:
        rechecking = patiently(self._clock, "bus", lambda: self.parts.rechecking(source))
        if rechecking:
            rechecking.run()

    def _start_desk(self) -> None:
        self._start_beat("desk", lambda: 0)
        self.parts.desk  # noqa: B018 - made here, so that what is wrong with it is told at once
        patiently(self._clock, "store", self.parts.keeper.take_charge)
        for loop in desk_loops(self.parts):
            self._spawn(loop.name, loop.run)

    def _spawn(self, name: str, target: Callable[[], None], among: list[threading.Thread] | None = None) -> None:
        def guarded() -> None:
            try:
                target()
            except Interrupted:
                pass
            except HarkenError as error:
                self._fatal = error
                log.error("role stopped", thread=name, reason=str(error))
                self._clock.stop()
            except Exception as error:
                self._fatal = Stop(f"{name}: {type(error).__name__}: {error}")
                log.exception("role failed", thread=name)
                self._clock.stop()

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        (self._threads if among is None else among).append(thread)  # a beat alone is no work that goes on
        thread.start()

    def _watch_lag(self) -> None:
        while not self._clock.wait(LAG_SECS):
            try:
                for role, records in self.parts.lag([role for role in LOOPS if role in self._roles]):
                    LAG.labels(role).set(records)
            except Unavailable as error:
                log.debug("lag unknown", reason=str(error))

    def _renew(self) -> None:
        self.outdated = True
        self._clock.stop()

    def _dead_threads(self) -> dict[str, str]:
        if self._fatal:
            return {"process": str(self._fatal)}
        return {}

    def _not_ready(self) -> dict[str, str]:
        wrong = self._dead_threads()
        if not self._ready:
            wrong["start"] = "still starting, or waiting for the bus or the store"
            return wrong
        try:
            self.parts.store.ping()
        except Unavailable as error:
            wrong["store"] = str(error)
        try:
            self.parts.lag()
        except Unavailable as error:
            wrong["bus"] = str(error)
        return wrong | {f"source {name}": reason for name, reason in self._refused.items()}


def watching(parts: Parts, roles: Sequence[str], changed: Callable[[], None]) -> Callable[[], None]:
    """What waits until other documents are in force than these parts were made with, or until the clock is stopped, and
    calls `changed` in the first case."""

    def watch() -> None:
        while not parts.clock.wait(WATCH_SECS):
            try:
                newer = parts.outdated(roles)
            except Unavailable as error:
                log.debug("documents unknown", reason=str(error))
                continue
            if newer:
                log.info("other documents are in force: starting again", **newer)
                changed()
                return

    return watch


class Stopper:
    """What ends the process when it is asked to; `asked` tells that from an end of our own."""

    def __init__(self, clock: SystemClock) -> None:
        self.asked = False
        self._clock = clock

    def __call__(self) -> None:
        """End: the batch in hand is finished first."""
        self.asked = True
        self._clock.stop()


def stop_on_signals(clock: SystemClock) -> Stopper:
    """SIGTERM and SIGINT ask politely."""
    stop = Stopper(clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
    return stop
