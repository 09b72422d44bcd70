"""A Mastodon server with a question; what puts the author's name in front of an answer is not counted as its text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pydantic import SecretStr

from connectors._mastodon_reply import Reply
from connectors.mastodon import Config, Server
from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.mastodon import ANA, Mastodon
from tests.fixtures.mastodon_streams import TOKEN
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told

_POST = "/api/v1/statuses"


def question(town: Mastodon, visibility: str = "public") -> Mention:
    """Somebody's post, as the connector hands it on."""
    status = town.post("Where is my parcel?", visibility=visibility)
    refs = {"server": town.url, "id": status["id"], "visibility": visibility, "acct": ANA}
    return mention(f"mastodon:{status['uri']}", reply_ref=refs)


def config(url: str, patience: float = PATIENCE) -> Config:
    """Answers on the server there."""
    token = SecretStr(TOKEN)
    reply = Reply(server=url, access_token=token, timeout_secs=patience, private_pictures=True)
    return Config(servers=(Server(url=url, access_token=token),), reply=reply)


class MastodonHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Mastodon().running() as town:
            town.now = clock.now
            asked = question(town)
            elsewhere = asked.reply_ref | {"server": "https://other.example", "visibility": "direct"}

            def replies() -> list[Given]:
                ours = [one for one in town.statuses.values() if one["in_reply_to_id"] == asked.reply_ref["id"]]
                return [
                    Given(
                        one["uri"],
                        town.sources[one["id"]].removeprefix(f"@{ANA} "),
                        tuple(picture["description"] for picture in one["media_attachments"]),
                    )
                    for one in ours
                ]

            def limit(seconds: int) -> None:
                reset = clock.now().timestamp() + seconds
                headers = {"x_ratelimit_limit": "300", "x_ratelimit_remaining": "0"}
                town.fail(_POST, told(429, {"error": "Too many requests"}, x_ratelimit_reset=_iso(reset), **headers))

            yield Stand(
                config=config(town.url),
                impatient=config(town.url, IMPATIENCE),
                unreachable=config(NOBODY),
                mention=asked,
                cannot=mention("mastodon:https://other.example/1", reply_ref=elsewhere),
                secrets=(TOKEN,),
                replies=replies,
                refuse=lambda words: town.fail(_POST, told(422, {"error": words})),
                lose=lambda: town.lose(_POST),
                hang=lambda: town.hang(_POST),
                fail=lambda: town.fail(_POST, told(503, {"error": "Service temporarily unavailable"})),
                limit=limit,
            )


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


harness = MastodonHarness()
