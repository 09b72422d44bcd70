"""The App Store with reviews of one app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.mention import Kind, Mention
from pipeline.ports import Clock
from tests.contract.recheckers import Stand, spoiling
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.appstore import asked, settings
from tests.fixtures.appstore import APP, PRIVATE, AppStore, problem, review
from tests.fixtures.shapes import mention


class AppStoreHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with AppStore().running() as store:

            def kept(id: str) -> Mention:
                refs = {"review": id, "app": APP}
                fields = {"title": "Late", "kind": Kind.REVIEW, "brand": "Acme", "reply_ref": refs}
                return mention(f"appstore:{id}", "It loses my parcels", **fields)

            def fill(number: int) -> list[Mention]:
                store.reviews[APP] = [review(f"a{one}") for one in range(number)]
                return [kept(f"a{one}") for one in range(number)]

            def remove(gone: Mention) -> None:
                store.reviews[APP] = [one for one in store.reviews[APP] if one["id"] != gone.native_id]

            def reword(said: Mention, text: str) -> None:
                for one in store.reviews[APP]:
                    one["attributes"] |= {"body": text} if one["id"] == said.native_id else {}

            yield Stand(
                config=settings(store.url),
                impatient=settings(store.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                fill=fill,
                strange=[asked(app="42"), mention("appstore:a1")],
                remove=remove,
                reword=reword,
                spoil=spoiling(store),
                hang=lambda: store.hang(""),
                limited=lambda seconds: problem(429, "Too many", Retry_After=str(seconds)),
                denied=problem(401, "Provide a properly signed token."),
                secrets=(PRIVATE,),
            )


harness = AppStoreHarness()
