"""A channel with some threads, one of them long, a comment that cannot be read, and a video with another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from connectors.youtube import Config
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.youtube import KEY, OURS, YouTubeServer, comment, name


class YouTubeHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with YouTubeServer().running() as youtube:
            youtube.comments = [comment(name(number), "Parcel is late", age=number) for number in range(5)]
            youtube.comments += [comment(name(7), " "), comment("?", "whose id is none")]
            youtube.comments.append(comment(name(9), "Acme?", channelId=f"UC{'b' * 22}", videoId="othervideo1"))
            replies = [f"{name(0)}.r{number}" for number in range(4)]
            youtube.replies[name(0)] = [comment(id, "So is mine", parentId=name(0)) for id in replies]
            names = [*replies, name(9), *(name(number) for number in range(5))]

            def config(base: str) -> Config:
                return Config(
                    api_key=SecretStr(KEY),
                    channels=(OURS,),
                    videos=("othervideo1",),
                    brand="Acme",
                    poll_secs=0.2,
                    timeout_secs=1.5,
                    daily_units=10**9,
                    api_base=base,
                )

            def add(moment: datetime) -> str:
                when = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
                made = comment(name(1_000 + len(youtube.comments)), "Late again", publishedAt=when, updatedAt=when)
                youtube.comments.append(made)
                return f"youtube:{made['id']}"

            yield Ready(
                config=config(front(youtube.url)),
                source="youtube",
                expected=frozenset(f"youtube:{id}" for id in names),
                bad=2,
                brand="Acme",
                secrets=(KEY,),
                repeats=len(names),
                failing=config("http://127.0.0.1:9"),
                add=add,
            )


harness = YouTubeHarness()
