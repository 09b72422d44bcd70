"""FastStream on aiokafka as its first example has it: one message at a time, each result awaited. It reads and writes
the JSON itself."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from faststream import FastStream  # type: ignore[import-not-found]  # lives in an environment of its own
from faststream.kafka import KafkaBroker  # type: ignore[import-not-found]  # the same

from benchmarks.loops.told import Watch, told
from benchmarks.loops.work import Work


async def main() -> None:
    """`python -m benchmarks.loops.faststream_loop` with Told's arguments."""
    args = told()
    watch = Watch(args.warm, args.total)
    work = Work()
    broker = KafkaBroker(args.bootstrap, logger=None)
    app = FastStream(broker, logger=None)
    begun = False

    @broker.subscriber(args.source, group_id=f"bench-{uuid4().hex}", auto_offset_reset="earliest")  # type: ignore[untyped-decorator]  # see above
    @broker.publisher(args.target)  # type: ignore[untyped-decorator]  # see above
    async def handle(message: dict[str, Any]) -> dict[str, Any]:
        nonlocal begun
        # When a message comes, the result of the one before it has been written.
        if begun and not watch.over:
            watch.add(1)
            if watch.over:
                watch.report()
                app.exit()
        begun = True
        return work.tagged(message)

    await app.run()


if __name__ == "__main__":
    asyncio.run(main())
