"""The heartbeat of a member of the embedded bus: a daemon thread, so that a long batch does not cost the member its
place, while a dead process loses it within one lease. The same split as in Kafka's client (session.timeout.ms and
max.poll.interval.ms, KIP-62)."""

from __future__ import annotations

import threading

from pipeline.bus.embedded_file import BusFile
from pipeline.bus.embedded_member import Member
from pipeline.bus.embedded_retention import milliseconds, sweep
from pipeline.errors import BusUnavailable, HarkenError
from pipeline.ports import Clock

_BEATS_PER_LEASE = 3  # as Kafka advises for heartbeat.interval.ms
_SWEEP = 1000


class Heart:
    """Beats three times a lease for the incarnation it was told, until stopped, or while the member gives a sign of
    its own (`touch`) at least every `stall_secs`. Each beat also takes expired records away, so that retention
    holds where nothing is written any more."""

    def __init__(self, file: BusFile, member: Member, clock: Clock, stall_secs: float) -> None:
        self._file = file
        self._member = member
        self._clock = clock
        self._stall_secs = stall_secs
        self._touched = clock.monotonic()
        self._incarnation = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat {member.group}", daemon=True)

    def touch(self) -> None:
        """Note that the member is at work."""
        self._touched = self._clock.monotonic()

    def beat_for(self, incarnation: str) -> None:
        """Beat for this incarnation from now on."""
        self._incarnation = incarnation
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._stop.set()

    def _run(self) -> None:
        # The thread waits by itself, not on the clock: a clock that a test moves would be moved by it without end.
        while not self._stop.wait(self._member.lease / 1000 / _BEATS_PER_LEASE):
            if self._clock.monotonic() - self._touched > self._stall_secs:
                continue
            now = milliseconds(self._clock.now())
            try:
                with self._file.writing() as db:
                    self._member.beat(db, self._incarnation, now)
                    sweep(db, now, _SWEEP)
            except BusUnavailable:
                continue  # nobody else can write either, so nobody can take the place meanwhile
            except HarkenError:
                break  # the file is damaged; the member meets the same error and tells
        self._file.close()
