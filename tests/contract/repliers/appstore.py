"""A review that nobody has answered yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors._appstore_api import Key
from connectors.appstore import Config, Reply
from pipeline.mention import Kind, Mention
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.appstore import APP, ISSUER, KEY_ID, PRIVATE, AppStore, problem, review
from tests.fixtures.shapes import mention

POSTING = "/customerReviewResponses"


def settings(base: str, patience: float = PATIENCE) -> Config:
    key = Key(key_id=KEY_ID, issuer_id=ISSUER, private_key=SecretStr(PRIVATE))
    return Config(key=key, apps=(APP,), timeout_secs=patience, api_base=base, reply=Reply())


def asked(review: str = "a1", app: str = APP) -> Mention:
    return mention(f"appstore:{review}", kind=Kind.REVIEW, reply_ref={"review": review, "app": app})


class AppStoreHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with AppStore().running() as store:
            store.reviews[APP] = [review("a1")]
            yield Stand(
                config=settings(store.url),
                impatient=settings(store.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=asked(),
                cannot=asked(app="42"),
                secrets=(PRIVATE,),
                replies=lambda: [Given(id, text) for _, text, id in store.sent],
                refuse=store.refusal.append,
                lose=lambda: store.lose(POSTING),
                hang=lambda: store.hang(POSTING),
                fail=lambda: store.fail(POSTING, problem(503, "Unavailable")),
                limit=lambda seconds: store.fail(POSTING, problem(429, "Too many", Retry_After=str(seconds))),
            )


harness = AppStoreHarness()
