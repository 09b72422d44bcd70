"""Reddit with some comments and submissions, three of which cannot be read or are gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from connectors.reddit import Config
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.reddit import AGENT, APP, RedditServer, comment, submission


class RedditHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with RedditServer().running() as reddit:
            reddit.comments = [comment(f"c{number}", f"Parcel {number} is late", age=number) for number in range(6)]
            reddit.comments += [comment("bad", "no time", created_utc="yesterday"), {"kind": "t1"}]
            reddit.comments += [comment("gone", "[deleted]", author="[deleted]", author_fullname=None)]
            reddit.submissions = [submission(f"s{number}", f"Acme {number}", age=number) for number in range(3)]
            names = {*(f"reddit:t1_c{number}" for number in range(6)), *(f"reddit:t3_s{number}" for number in range(3))}

            def config(base: str) -> Config:
                return Config(
                    client_id=APP[0],
                    client_secret=SecretStr(APP[1]),
                    user_agent=AGENT,
                    subreddits=("acme", "parcels"),
                    brand="Acme",
                    poll_secs=0.2,
                    timeout_secs=1.5,
                    oauth_base=base,
                    token_base=base,
                )

            def add(moment: datetime) -> str:
                made = comment(f"added{len(reddit.comments)}", "Late again", created_utc=moment.timestamp())
                reddit.comments.append(made)
                return f"reddit:{made['data']['name']}"

            yield Ready(
                config=config(front(reddit.url)),
                source="reddit",
                expected=frozenset({*names, "mention:reddit:t1_gone"}),
                bad=2,
                brand="Acme",
                secrets=(APP[1],),
                repeats=10,
                failing=config("http://127.0.0.1:9"),
                add=add,
                at_least=2,  # a token, then the first page
            )


harness = RedditHarness()
