"""What a target of alerts promises, and what can come of a message."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from pydantic import Field

from pipeline.ports import Settings
from spikes._notice import Notice


class Told(NamedTuple):
    """The target has it. `note` says what was not perfect about it."""

    note: str = ""


class Later(NamedTuple):
    """Not now: `reason` for a person, without a secret. `doubtful`: it may have got it all the same. `retry_after` in
    seconds where the target named a delay."""

    reason: str
    doubtful: bool = False
    retry_after: float | None = None


class Refused(NamedTuple):
    """It will not take this message, however often it is sent."""

    reason: str


Outcome = Told | Later | Refused


class Target(Protocol):
    """Somewhere to tell people, or programs, of incidents. Building it opens nothing; each call makes a connection of
    its own, and gives up within the settings' time-out for every wait.

    `keyed`: whoever gets the same message twice does not see it twice, by its key. `edits`: what was told is replaced
    by what is told later, so that every change may be sent. `sleeps`: quiet hours hold for it. `repeats`: where it is
    not keyed and nobody knows what became of an attempt, it is sent again and says so; else it is not.
    """

    keyed: bool
    edits: bool
    sleeps: bool
    repeats: bool

    def send(self, notice: Notice, *, repeated: bool) -> Outcome:
        """Send it. `repeated`: an earlier attempt may have arrived; a target that is not keyed writes that on top."""
        ...


class TargetSettings(Settings):
    """What every target has: `timeout_secs` for each wait, and whether `quiet_hours` hold for it."""

    timeout_secs: float = Field(10.0, gt=0, le=60)
    quiet_hours: bool = True


class UnkeyedSettings(TargetSettings):
    """`when_unsure` is what to do after an attempt that was not answered: `repeat` it, and say so in the message, a
    few times; or `leave` it, and call the next in the playbook."""

    when_unsure: Literal["repeat", "leave"] = "repeat"
