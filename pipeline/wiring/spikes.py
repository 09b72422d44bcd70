"""The parts that watch for firestorms and tell of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.wiring.base import Base

if TYPE_CHECKING:
    from pipeline.roles import SpikesHandler
    from spikes._quiet import Quiet
    from spikes._target import Target
    from spikes.alerts import Alerts
    from spikes.family import Family
    from spikes.following import Follower
    from spikes.incidents import Incidents
    from spikes.listener import Listener
    from spikes.playbooks import Playbooks
    from spikes.sending import Fate, Sender
    from spikes.upkeep import Upkeep


class SpikeParts(Base):
    """What the role spikes works with."""

    @cached_property
    def listener(self) -> Listener:
        """What counts and watches."""
        from spikes.counts import Counts
        from spikes.listener import Listener
        from spikes.watch import Watch

        spikes = self.config.file.spikes
        counts = Counts(self.database, self.clock, spikes.keep_hours)
        return Listener(self.database, self.clock, counts, Watch(spikes.sensitivity, self.incidents.detected))

    @cached_property
    def spikes_handler(self) -> SpikesHandler:
        """What the role spikes does with a batch; it knows which partitions have more."""
        from pipeline.roles import SpikesHandler

        group, topic = self.group("spikes"), self.inputs["spikes"]
        return SpikesHandler(self.listener.take, lambda: self.bus.lag(group, topic), self.clock)

    @cached_property
    def incidents(self) -> Incidents:
        """The incidents, in the store's database."""
        from spikes.incidents import Incidents

        return Incidents(self.database, self.clock, playbooks=self.playbooks)

    def remind(self) -> int:
        """Write down what was promised of incidents and not done in time; returns how much."""
        from spikes.reminding import remind

        return remind(self.incidents)

    def family(self) -> Family:
        """What lets later cases of an incident join its family."""
        from spikes.family import Family

        return Family(self.database, self.clock, self.incidents)

    @cached_property
    def alert_targets(self) -> Mapping[str, Target]:
        """Whom alerts may be sent to, by name; raises ConfigError with every problem."""
        from spikes.notify import targets_from

        return targets_from(self.config.file.alerts.targets)

    @cached_property
    def playbooks(self) -> Playbooks:
        """What is done about incidents; raises ConfigError with every problem."""
        from spikes.playbooks import load, read

        settings, text = self.config.file.alerts, self.config.texts.get("playbooks")
        brands, targets = [brand.name for brand in self.config.brands], list(settings.targets)
        if text is None:
            return load(settings.playbooks, targets=targets, brands=brands)
        return read(text, "playbooks", targets=targets, brands=brands)

    @cached_property
    def quiet_hours(self) -> Quiet | None:
        """When only what cannot wait is told; raises ConfigError with every problem."""
        from spikes._quiet import quiet_from

        return quiet_from(self.config.file.alerts.quiet_hours)

    @cached_property
    def alerts(self) -> Alerts:
        """What is to be told of incidents, to whom, and when."""
        from spikes.alerts import Alerts
        from spikes.following import note

        return Alerts(self.database, self.clock, self.playbooks, self.alert_targets, self.quiet_hours, note(self.clock))

    def alert_sender(self, heard: Callable[[str, Fate], None]) -> Sender:
        """What sends the alerts that are due; `heard` hears what came of each."""
        from spikes.sending import Sender

        targets, quiet = self.alert_targets, self.quiet_hours
        return Sender(self.database, self.clock, self.alerts, self.playbooks, targets, quiet, heard)

    def follower(self) -> Follower:
        """What lets alerts know of incidents."""
        from spikes.following import Follower

        public = self.config.file.serve.public_url.rstrip("/")
        address = f"{public}/incidents/" if public else ""
        return Follower(self.database, self.clock, self.incidents, self.alerts, lambda id: address and f"{address}{id}")

    def upkeep(self) -> Upkeep:
        """What adds up counts and clears them away."""
        from spikes.upkeep import Upkeep

        spikes = self.config.file.spikes
        return Upkeep(self.database, self.clock, spikes.keep_hours, spikes.history_days)
