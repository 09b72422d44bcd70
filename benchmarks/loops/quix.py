"""Quix Streams, with its defaults: at least once, a checkpoint every five seconds and at the end."""

from __future__ import annotations

from uuid import uuid4

from quixstreams import Application  # type: ignore[import-not-found]  # lives in an environment of its own

from benchmarks.loops.told import Watch, told
from benchmarks.loops.work import Work


def main() -> None:
    """`python -m benchmarks.loops.quix` with Told's arguments."""
    args = told()
    watch = Watch(args.warm, args.total)
    app = Application(
        broker_address=args.bootstrap,
        consumer_group=f"bench-{uuid4().hex}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        on_message_processed=lambda *_: watch.add(1),
        loglevel="WARNING",
    )
    source = app.topic(args.source, key_deserializer="bytes", value_deserializer="bytes")
    target = app.topic(args.target, key_serializer="bytes", value_serializer="bytes")
    app.dataframe(source).apply(Work()).to_topic(target)
    # It returns after its last checkpoint: results flushed, offsets committed, consumer closed.
    app.run(count=args.total, collect=False)
    watch.report()


if __name__ == "__main__":
    main()
