"""Bluesky's whole firehose through the connector, on one core: what of it a thousand events a second take, and how many
it takes at most.

A Jetstream host is asked for posts, and sends some 50 a second with the markers of accounts. Here it sends everything,
as a host that does not choose would: the connector has to read each event and leave most of them.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from benchmarks.machine import ROOT, BenchError, environment, on_one_core
from benchmarks.measures import Bench
from benchmarks.results import Gate, Row
from benchmarks.texts import BRANDS
from connectors.bluesky import Config, Connector
from pipeline.clock import SystemClock
from pipeline.mention import Mention
from pipeline.ports import Brand, Context, Rejection
from tests.fixtures.jetstream import Jetstream, tid

RATE = 1_000
"""Events a second: about what the network sends in all."""

TERMS = 200
SHARE = Gate(0.5, at_most=True)

MIX = {
    "app.bsky.feed.like": 0.57,
    "app.bsky.graph.follow": 0.14,
    "app.bsky.feed.repost": 0.09,
    "app.bsky.feed.post": 0.05,
    "app.bsky.graph.block": 0.02,
    "app.bsky.actor.profile": 0.01,
    "delete": 0.10,
    "identity": 0.01,
    "account": 0.01,
}
"""Of all events; one in twenty of the deletions is of a post."""

HITS = 0.01
"""Posts that name one of the terms."""

_PEOPLE = 20_000
_STEP_SECS = 0.02
_START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_CID = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
_BRAND = re.compile("|".join(BRANDS))


def measure(bench: Bench) -> Iterator[Row]:
    """At the network's rate, then as fast as it goes."""
    seconds = bench.scaled(30, 6)
    bench.say(f"firehose: {RATE:,} events a second for {seconds} s")
    paced = _run(bench, RATE * seconds, RATE)
    share = paced["cpu_seconds"] / paced["seconds"]
    note = f"{paced['events'] / paced['seconds']:,.0f} events/s came, {paced['mentions']} mentions"
    yield Row("firehose", f"{RATE:,} events/s of all kinds, {TERMS} terms", share, "of a core", gate=SHARE, note=note)
    count = bench.scaled(200_000, 40_000)
    bench.say(f"firehose: {count:,} events at once")
    flood = _run(bench, count, 0)
    note = f"{flood['events'] / flood['seconds']:,.0f}/s of the clock, with the host that sends them"
    yield Row("firehose", "as many as one core takes", flood["events"] / flood["cpu_seconds"], "events/s", note=note)


def frames(count: int, texts: Sequence[str], seed: int = 5) -> Iterator[str]:
    """So many events in version 2 of the protocol; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - the same events in every run
    kinds, weights = list(MIX), list(MIX.values())
    known = terms()
    for seq in range(1, count + 1):
        kind = chance.choices(kinds, weights)[0]
        moment = _START + timedelta(seconds=seq / RATE)
        did = _did(chance)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body = _body(kind, did, moment, chance, texts, known)
        name = kind if kind in ("identity", "account") else "commit"
        payload = {"$type": f"network.bsky.jetstream.subscribeEvents#{name}", "seq": seq, "did": did}
        yield json.dumps({"$type": "message", "payload": payload | {"time": stamp, "witnessedAt": stamp} | body})


def terms() -> list[str]:
    """What is listened for: words, and phrases of two."""
    chance = random.Random(3)  # noqa: S311 - the same terms in every run
    words = ["".join(chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(4)) for _ in range(TERMS)]
    return [f"{word} phone" if number % 4 == 0 else word for number, word in enumerate(words)]


def _body(
    kind: str, did: str, moment: datetime, chance: random.Random, texts: Sequence[str], known: Sequence[str]
) -> dict[str, Any]:
    if kind == "identity":
        return {"identity": {"did": did, "handle": f"user{chance.randrange(_PEOPLE)}.bsky.social", "seq": 1}}
    if kind == "account":
        away = chance.random() < 0.2
        return {"account": {"did": did, "active": not away, "seq": 1} | ({"status": "deactivated"} if away else {})}
    rev, rkey = tid(moment), tid(moment - timedelta(microseconds=chance.randrange(10_000)))
    if kind == "delete":
        posts = chance.random() < 0.05
        collection = "app.bsky.feed.post" if posts else chance.choice(["app.bsky.feed.like", "app.bsky.graph.follow"])
        written = tid(moment - timedelta(hours=chance.randrange(1, 500)))
        return {"operation": "delete", "collection": collection, "rkey": written, "rev": rev}
    record: dict[str, Any] = {"$type": kind, "createdAt": moment.isoformat(timespec="milliseconds")}
    if kind == "app.bsky.feed.post":
        record |= _post(chance, texts, known)
    elif kind == "app.bsky.actor.profile":
        record |= {"displayName": "Somebody", "description": chance.choice(texts)}
    elif kind.startswith("app.bsky.graph."):
        record["subject"] = _did(chance)
    else:
        record["subject"] = _ref(chance)
    return {"operation": "create", "collection": kind, "rkey": rkey, "rev": rev, "cid": _CID, "record": record}


def _post(chance: random.Random, texts: Sequence[str], known: Sequence[str]) -> dict[str, Any]:
    text = _BRAND.sub("someone", chance.choice(texts))
    if chance.random() < HITS:
        text = f"{text} {chance.choice(known)}"
    post: dict[str, Any] = {"text": text, "langs": [chance.choice(["en", "en", "ja", "pt", "de"])]}
    if chance.random() < 0.4:
        post["reply"] = {"root": _ref(chance), "parent": _ref(chance)}
    if chance.random() < 0.2:
        blob = {"$type": "blob", "ref": {"$link": _CID}, "mimeType": "image/jpeg", "size": 300_000}
        images = [{"alt": chance.choice(texts) if chance.random() < 0.3 else "", "image": blob}]
        post["embed"] = {"$type": "app.bsky.embed.images", "images": images}
    elif chance.random() < 0.15:
        link = {"$type": "app.bsky.richtext.facet#link", "uri": "https://news.example/today"}
        post["facets"] = [{"index": {"byteStart": 0, "byteEnd": 5}, "features": [link]}]
    return post


def _did(chance: random.Random) -> str:
    return f"did:plc:{chance.randrange(_PEOPLE):024d}"


def _ref(chance: random.Random) -> dict[str, str]:
    rkey = tid(_START - timedelta(seconds=chance.randrange(100_000)))
    return {"uri": f"at://{_did(chance)}/app.bsky.feed.post/{rkey}", "cid": _CID}


# ------------------------------------------------------------------------------------------------------- processes


def _run(bench: Bench, count: int, rate: int) -> dict[str, Any]:
    file = bench.folder / f"firehose-{rate}.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(f"{frame}\n" for frame in frames(count, bench.texts))
    memory = bench.folder / f"firehose-{rate}.authors"
    with _host(file, rate) as url:
        return on_one_core("benchmarks.firehose", "listen", url, str(count), str(memory))


@contextmanager
def _host(file: Path, rate: int) -> Iterator[str]:
    """A host that sends the file's frames to whoever connects, in a process of its own; its address."""
    command = [sys.executable, "-m", "benchmarks.firehose", "serve", str(file), str(rate)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as host:
        try:
            url = host.stdout.readline().decode().strip() if host.stdout else ""
            if not url:
                raise BenchError("the host of the firehose did not start")
            yield url
        finally:
            host.communicate()  # the end of its input ends it


def serve(file: Path, rate: int) -> None:
    """Be the host until the input ends: `rate` frames a second from the first connection on, or (0) all at once."""
    lines = file.read_text(encoding="utf-8").splitlines()
    host = Jetstream(versions=(2,), replay_all=True)
    if not rate:
        for line in lines:
            host.raw(line)
    with host.running():
        print(host.url, flush=True)
        if rate:
            _feed(host, lines, rate)
        sys.stdin.read()


def _feed(host: Jetstream, lines: Sequence[str], rate: int) -> None:
    while not host.requests:
        time.sleep(_STEP_SECS)
    begun, sent = time.monotonic(), 0
    while sent < len(lines):
        due = min(len(lines), int((time.monotonic() - begun) * rate))
        for line in lines[sent:due]:
            host.raw(line)
        sent = due
        time.sleep(_STEP_SECS)


def listen(url: str, last: int, memory: Path) -> dict[str, Any]:
    """Read to the event numbered `last`; seconds of the clock and of our CPU from the first page to the last."""
    names = terms()
    brands = [Brand(f"brand {at}", terms=tuple(names[at : at + 10])) for at in range(0, TERMS, 10)]
    source = Connector(Config(hosts=(url,), memory=memory), Context("firehose", brands, SystemClock()))
    first, mentions, seq, begun, cpu = 0, 0, 0, 0.0, 0.0
    with closing(cast(Any, source.pages(None))) as pages:
        for page in pages:
            if any(isinstance(item, Rejection) for item in page.items):
                raise BenchError(f"the connector cannot read what the host sends: {page.items}")
            mentions += sum(isinstance(item, Mention) for item in page.items)
            if page.cursor is not None:
                seq = json.loads(page.cursor)["seq"]
                if not first:
                    first, begun, cpu = seq, time.perf_counter(), time.process_time()
            if seq >= last:
                break
    took = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    return took | {"events": seq - first, "mentions": mentions}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        print(json.dumps(listen(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
