"""harken's loop: `pipeline.worker.Worker` with the settings that config.yaml comes with."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from benchmarks.loops.told import Watch, told
from benchmarks.loops.work import Work
from pipeline.bus.kafka import Config, KafkaBus
from pipeline.clock import SystemClock
from pipeline.config import WorkerSettings
from pipeline.ports import Record
from pipeline.store import Store
from pipeline.worker import Outcome, Output, Worker


class Handler:
    """The function over a batch."""

    def __init__(self) -> None:
        self._work = Work()

    def __call__(self, records: Sequence[Record]) -> Outcome:
        """One result a record."""
        return Outcome(publish=[(record.key, self._work(record.value)) for record in records])


def main() -> None:
    """`python -m benchmarks.loops.worker` with Told's arguments; `store` is a database of harken's."""
    args = told()
    clock = SystemClock()
    bus = KafkaBus(Config(servers=[args.bootstrap]), clock)
    store = Store(args.store, clock)
    store.upgrade()
    consumer = bus.consumer(f"bench-{uuid4().hex}", [args.source])
    output = Output(bus.producer(), args.target)
    worker = Worker("bench", consumer, Handler(), output, store, WorkerSettings(), clock)
    watch = Watch(args.warm, args.total)
    while not watch.over:
        watch.add(worker.step())
    watch.report()
    consumer.close()
    output.producer.close()
    bus.close()
    store.close()


if __name__ == "__main__":
    main()
