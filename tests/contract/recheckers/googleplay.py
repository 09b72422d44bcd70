"""Google Play with reviews of one app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.mention import Kind, Mention
from pipeline.ports import Clock
from tests.contract.recheckers import Stand, spoiling
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.googleplay import asked, settings
from tests.fixtures.googleplay import APP, PRIVATE, Play, problem, review, when
from tests.fixtures.shapes import mention


class GooglePlayHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Play().running() as play:

            def kept(id: str) -> Mention:
                fields = {"kind": Kind.REVIEW, "brand": "Acme", "reply_ref": {"review": id, "app": APP}}
                return mention(f"googleplay:{APP}/{id}", "It loses my parcels", **fields)

            def fill(number: int) -> list[Mention]:
                play.reviews[APP] = [review(f"gp:{one}") for one in range(number)]
                return [kept(f"gp:{one}") for one in range(number)]

            def remove(gone: Mention) -> None:
                play.reviews[APP] = [one for one in play.reviews[APP] if one["reviewId"] != gone.reply_ref["review"]]

            def reword(said: Mention, text: str) -> None:
                for one in play.reviews[APP]:
                    if one["reviewId"] == said.reply_ref["review"]:
                        one["comments"][0]["userComment"] |= {"text": text, "lastModified": when(clock.now())}

            yield Stand(
                config=settings(play.url),
                impatient=settings(play.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                fill=fill,
                strange=[asked(app="com.other.app"), mention("googleplay:x")],
                remove=remove,
                reword=reword,
                spoil=spoiling(play),
                hang=lambda: play.hang(""),
                limited=lambda seconds: problem(429, "Too many", Retry_After=str(seconds)),
                denied=problem(401, "Request had invalid authentication credentials."),
                secrets=(PRIVATE,),
            )


harness = GooglePlayHarness()
