"""YouTube with the brand's channel, which has written nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors._youtube_reply import Reply
from connectors.youtube import Config
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told
from tests.fixtures.youtube import CLIENT, KEY, OURS, VIDEO, YouTubeServer, name, refusal

ASKED = name(1)


def settings(base: str, patience: float = PATIENCE) -> Config:
    client, secret, token = CLIENT
    reply = Reply(
        channel_id=OURS,
        client_id=client,
        client_secret=SecretStr(secret),
        refresh_token=SecretStr(token),
        token_uri=f"{base}/token",
    )
    return Config(api_key=SecretStr(KEY), api_base=base, timeout_secs=patience, reply=reply)


class YouTubeHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with YouTubeServer().running() as youtube:
            yield Stand(
                config=settings(youtube.url),
                impatient=settings(youtube.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=mention(f"youtube:{ASKED}", reply_ref={"thread": ASKED, "video": VIDEO, "channel": OURS}),
                cannot=mention("youtube:x", reply_ref={}),
                secrets=(KEY, *CLIENT[1:]),
                replies=lambda: [Given(id, text) for id, text in youtube.given],
                refuse=lambda words: youtube.fail("/comments", refusal(403, "forbidden", words)),
                lose=youtube.lose_post,
                hang=lambda: youtube.hang("/comments"),
                fail=lambda: youtube.fail("/comments", told(503, {})),
                limit=lambda seconds: youtube.fail("/comments", told(429, {}, Retry_After=str(seconds))),
            )


harness = YouTubeHarness()
