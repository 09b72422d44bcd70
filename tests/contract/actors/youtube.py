"""YouTube with a comment on a video of the brand's channel, which may hide it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.ports import Action, Clock
from tests.contract.actors import Done, Stand
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.youtube import ASKED, settings
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told
from tests.fixtures.youtube import CLIENT, KEY, OURS, VIDEO, YouTubeServer, refusal

_AT = "/comments/setModerationStatus"


class YouTubeHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        refs = {"thread": ASKED, "video": VIDEO, "channel": OURS}
        with YouTubeServer().running() as youtube:

            def done(action: Action) -> list[Done]:
                assert action == "hide"
                assert {status for _, status in youtube.moderated} <= {"heldForReview"}
                return [Done(id) for id in dict.fromkeys(id for id, _ in youtube.moderated)]

            yield Stand(
                config=settings(youtube.url),
                impatient=settings(youtube.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=mention(f"youtube:{ASKED}", reply_ref=refs),
                cannot=mention(f"youtube:{ASKED}", reply_ref=refs | {"channel": "UCbenbenbenbenbenbenben1"}),
                secrets=(KEY, *CLIENT[1:]),
                done=done,
                refuse=lambda _, words: youtube.fail(_AT, refusal(403, "forbidden", words)),
                lose=lambda _: youtube.lose(_AT),
                hang=lambda _: youtube.hang(_AT),
                fail=lambda _: youtube.fail(_AT, told(503, {})),
                limit=lambda _, seconds: youtube.fail(_AT, told(429, {}, Retry_After=str(seconds))),
            )


harness = YouTubeHarness()
