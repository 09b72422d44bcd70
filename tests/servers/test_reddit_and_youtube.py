"""The whole way on the embedded default, with Reddit's and YouTube's own clients pointed at stand-ins: what is said
opens a case, what is answered stands under it, what is edited or deleted follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.household import Household
from tests.fixtures import reddit as reddit_things
from tests.fixtures import youtube as youtube_things
from tests.fixtures.reddit import RedditServer
from tests.fixtures.stand_in import Told, told
from tests.fixtures.youtube import YouTubeServer, name
from tests.pipeline.test_commands import Shell

SECRETS = {
    "REDDIT_SECRET": reddit_things.APP[1],
    "REDDIT_PASSWORD": reddit_things.ACCOUNT[1],
    "YOUTUBE_KEY": youtube_things.KEY,
    "YOUTUBE_SECRET": youtube_things.CLIENT[1],
    "YOUTUBE_TOKEN": youtube_things.CLIENT[2],
}
PATIENCE = 120.0


def settings(reddit: RedditServer, youtube: YouTubeServer) -> dict[str, Any]:
    return {
        "brands": {"acme": {"terms": ["acme"], "own_accounts": {"reddit": ["AcmeCare"], "youtube": ["@AcmeCare"]}}},
        "desk": {"cases": True},
        "log": {"format": "text"},
        "sources": {
            "reddit": {
                "type": "reddit",
                "client_id": reddit_things.APP[0],
                "client_secret": "${REDDIT_SECRET}",
                "user_agent": reddit_things.AGENT,
                "subreddits": ["acme"],
                "poll_secs": 0.5,
                "oauth_base": reddit.url,
                "token_base": reddit.url,
                "recheck": {"per_hour": 100_000},
                "reply": {"username": reddit_things.ACCOUNT[0], "password": "${REDDIT_PASSWORD}"},
            },
            "youtube": {
                "type": "youtube",
                "api_key": "${YOUTUBE_KEY}",
                "channels": [youtube_things.OURS],
                "poll_secs": 0.5,
                "daily_units": 1_000_000_000,
                "api_base": youtube.url,
                "recheck": {"per_hour": 100_000},
                "reply": {
                    "channel_id": youtube_things.OURS,
                    "client_id": youtube_things.CLIENT[0],
                    "client_secret": "${YOUTUBE_SECRET}",
                    "refresh_token": "${YOUTUBE_TOKEN}",
                    "token_uri": f"{youtube.url}/token",
                },
            },
        },
    }


class World:
    """Both platforms, a desk, and harken running."""

    def __init__(self, reddit: RedditServer, youtube: YouTubeServer, shell: Shell, household: Household) -> None:
        self.reddit, self.youtube, self.shell, self.household = reddit, youtube, shell, household

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not happen within {PATIENCE:g} s\n{self.household.logs()}")
            time.sleep(0.2)

    def cases(self) -> dict[str, str]:
        """The cases by their authors."""
        return {str(it["author"]): str(it["id"]) for it in self.shell.json("case", "list")}

    def said(self, author: str) -> str:
        """All that is shown of a case."""
        return str(self.shell.json("case", "show", self.cases()[author]))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for key, secret in SECRETS.items():
        monkeypatch.setenv(key, secret)
    with RedditServer().running() as reddit, YouTubeServer().running() as youtube:
        shell = Shell(tmp_path, **settings(reddit, youtube))
        shell.run("users", "add", "kim", "--role", "agent")
        household = Household(tmp_path / "config.yaml", tmp_path)
        made = World(reddit, youtube, shell, household)
        for role in ("collect", "enrich", "route", "deliver", "desk"):
            household.start(role)
        try:
            yield made
        finally:
            household.close()


def test_from_what_is_said_to_the_answer_and_back(world: World) -> None:
    now = datetime.now(UTC)
    reddit, youtube, shell = world.reddit, world.youtube, world.shell
    asked = "acme lost my parcel, I want a refund"
    reddit.comments.append(reddit_things.comment("c1", asked, created_utc=now.timestamp()))
    when = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    times: dict[str, Any] = {"publishedAt": when, "updatedAt": when}
    youtube.comments.append(youtube_things.comment(name(1), asked, **times))
    people = {"reddit:t2_ana", "youtube:UCanaanaanaanaanaanaana1"}
    world.until(lambda: set(world.cases()) == people, "both cases")

    for case in world.cases().values():
        sent = shell.json("case", "reply", case, "I'm sorry. Which parcel was it?", "--send", "--as", "kim")
        assert sent["draft"]["state"] == "queued"
    world.until(lambda: reddit.given and youtube.given, "both answers")
    assert reddit.own[0]["data"]["parent_id"] == "t1_c1"
    assert list(youtube.replies) == [name(1)]

    reddit.fail("/comments", told(503, {}))
    youtube.fail("/commentThreads", Told(200, b"{"))
    ours = reddit.own[0]
    ours["data"]["created_utc"] = now.timestamp() + 1
    reddit.comments.append(ours)
    edited = asked.replace("parcel", "piano")
    reddit.comments[0] = reddit_things.comment("c1", edited, created_utc=now.timestamp(), edited=now.timestamp() + 2)
    later = now.strftime("%Y-%m-%dT%H:%M:59Z")
    youtube.comments[0] = youtube_things.comment(name(1), edited, **(times | {"updatedAt": later}))
    for who in people:
        world.until(lambda who=who: "piano" in world.said(who), f"the edit of {who}")  # type: ignore[misc]  # mypy cannot type a lambda's default
    assert set(world.cases()) == people

    reddit.comments[0] = reddit_things.comment(
        "c1", "[deleted]", author="[deleted]", author_fullname=None, created_utc=now.timestamp()
    )
    youtube.comments.clear()
    world.household.kill("collect")
    world.household.start("collect")
    world.until(lambda: not world.cases(), "both deletions")
    assert len(reddit.given) == len(youtube.given) == 1
    assert not [secret for secret in SECRETS.values() if secret in world.household.logs()]
