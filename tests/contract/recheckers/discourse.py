"""A forum with posts of one topic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.recheckers import Stand, spoiling
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.discourse import asked, settings
from tests.fixtures.discourse import HERE, KEY, Forum, post
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told


class DiscourseHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Forum().running() as forum:

            def fill(number: int) -> list[Mention]:
                numbers = range(2, number + 2)
                forum.add(*(post(one) for one in numbers))
                refs = asked().reply_ref
                return [
                    mention(
                        f"discourse:{HERE}/7/{one}",
                        "The parcel is late",
                        conversation=f"discourse:{HERE}/7",
                        brand="Acme",
                        reply_ref=refs | {"number": str(one), "post": str(one)},
                    )
                    for one in numbers
                ]

            def remove(gone: Mention) -> None:
                del forum.posts[int(gone.reply_ref["post"])]

            def reword(said: Mention, text: str) -> None:
                changes = {"raw": text, "cooked": f"<p>{text}</p>", "updated_at": clock.now().isoformat(), "version": 2}
                forum.posts[int(said.reply_ref["post"])] |= changes

            yield Stand(
                config=settings(forum.url),
                impatient=settings(forum.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                fill=fill,
                strange=[mention("discourse:forum.example/7/3", reply_ref=asked().reply_ref), mention("discourse:x")],
                remove=remove,
                reword=reword,
                spoil=spoiling(forum),
                hang=lambda: forum.hang(""),
                limited=lambda seconds: told(429, {"errors": ["Slow down"], "extras": {"wait_seconds": seconds}}),
                denied=told(401, {"errors": ["No such user"]}),
                secrets=(KEY,),
            )


harness = DiscourseHarness()
