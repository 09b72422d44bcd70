"""A member of a group in a process of its own, for the bus's contract suite to kill and to stop.

    python -m tests.contract.bus_member '{"adapter": …, "config": …, "group": …, "topic": …}'

It polls until it has records and prints `{"got": [[partition, offset], …]}`; for each line on its standard input it
commits them and prints `{"commit": "saved"}` or `{"commit": "fenced"}`.
"""

from __future__ import annotations

import json
import sys

from pipeline.clock import SystemClock
from pipeline.errors import Fenced
from tests.contract.test_bus import make_bus


def main() -> None:
    spec = json.loads(sys.argv[1])
    consumer = make_bus(spec["adapter"], spec["config"], SystemClock()).consumer(spec["group"], [spec["topic"]])
    records = consumer.poll(100, 0.5)
    while not records:
        records = consumer.poll(100, 0.5)
    print(json.dumps({"got": [[record.partition.number, record.offset] for record in records]}), flush=True)  # noqa: T201
    for _ in sys.stdin:
        try:
            consumer.commit({record.partition: record.offset + 1 for record in records})
            answer = "saved"
        except Fenced:
            answer = "fenced"
        print(json.dumps({"commit": answer}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
