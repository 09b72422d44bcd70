"""google-api-python-client, pointed at the stand-in for YouTube."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.fixtures import youtube
from tests.fixtures.circle import Cable
from tests.servers.platforms.wired import Wired, cable_to, in_seconds


class YouTube(Wired):
    """google-api-python-client, pointed at the stand-in."""

    name = "youtube"
    secrets = {"YOUTUBE_KEY": youtube.KEY, "YOUTUBE_SECRET": youtube.CLIENT[1], "YOUTUBE_TOKEN": youtube.CLIENT[2]}
    own = {"youtube": ["@AcmeCare"]}

    def __init__(self, server: youtube.YouTubeServer, cable: Cable) -> None:
        self.cable, self._youtube = cable, server
        self.source = {
            "type": "youtube",
            "api_key": "${YOUTUBE_KEY}",
            "channels": [youtube.OURS],
            "poll_secs": 0.5,
            "daily_units": 1_000_000_000,
            "reserve_units": 900_000_000,
            "api_base": cable.url,
            "recheck": {"per_hour": 100_000},
            "reply": {
                "channel_id": youtube.OURS,
                "client_id": youtube.CLIENT[0],
                "client_secret": "${YOUTUBE_SECRET}",
                "refresh_token": "${YOUTUBE_TOKEN}",
                "token_uri": f"{cable.url}/token",
            },
        }

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[YouTube]:
        with ExitStack() as stack:
            server = youtube.YouTubeServer()
            stack.enter_context(server.running())
            yield cls(server, cable_to(stack, int(server.url.rpartition(":")[2])))

    def say(self, text: str, by: str) -> str:
        id, at = youtube.name(len(self._youtube.comments)), in_seconds(datetime.now(UTC))
        changes = {"authorChannelId": {"value": f"UC{by * 8}"[:24]}, "authorDisplayName": f"@{by}"}
        self._youtube.comments.append(youtube.comment(id, text, 0, **changes, publishedAt=at, updatedAt=at))
        return id

    def answers(self, thing: str) -> Sequence[str]:
        return [str(one["snippet"]["textDisplay"]) for one in self._youtube.replies.get(thing, ())]

    def edit(self, thing: str, text: str) -> None:
        (one,) = [one for one in self._youtube.comments if one["id"] == thing]
        later = in_seconds(datetime.now(UTC) + timedelta(seconds=1))
        one["snippet"] = one["snippet"] | {"textDisplay": text, "updatedAt": later}

    def delete(self, thing: str) -> None:
        self._youtube.comments = [one for one in self._youtube.comments if one["id"] != thing]
        self._youtube.replies = {id: below for id, below in self._youtube.replies.items() if id != thing}
