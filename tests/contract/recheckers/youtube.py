"""YouTube with comments on one video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.recheckers import Stand, spoiling
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.youtube import settings
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told
from tests.fixtures.youtube import KEY, OURS, VIDEO, YouTubeServer, comment, name, refusal


class YouTubeHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with YouTubeServer().running() as youtube:

            def fill(number: int) -> list[Mention]:
                ids = [name(one) for one in range(number)]
                youtube.comments = [comment(id, "Acme is late") for id in ids]
                return [
                    mention(
                        f"youtube:{id}",
                        "Acme is late",
                        conversation=f"youtube:{id}",
                        brand="Acme",
                        reply_ref={"thread": id, "video": VIDEO, "channel": OURS},
                    )
                    for id in ids
                ]

            def remove(gone: Mention) -> None:
                youtube.comments = [one for one in youtube.comments if one["id"] != gone.native_id]

            def reword(said: Mention, text: str) -> None:
                now = clock.now().isoformat().replace("+00:00", "Z")
                for one in youtube.comments:
                    if one["id"] == said.native_id:
                        one["snippet"] |= {"textDisplay": text, "updatedAt": now}

            yield Stand(
                config=settings(youtube.url),
                impatient=settings(youtube.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                fill=fill,
                strange=[mention("youtube:nonsense")],
                remove=remove,
                reword=reword,
                spoil=spoiling(youtube),
                hang=lambda: youtube.hang(""),
                limited=lambda seconds: told(429, {}, Retry_After=str(seconds)),
                denied=refusal(400, "badRequest", "API key not valid. Please pass a valid API key."),
                secrets=(KEY,),
            )


harness = YouTubeHarness()
