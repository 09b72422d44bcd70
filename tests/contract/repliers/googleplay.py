"""A review that nobody has answered yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors.googleplay import Config, Reply
from pipeline.mention import Kind, Mention
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.googleplay import APP, PRIVATE, Play, key_file, problem, review
from tests.fixtures.shapes import mention

POSTING = ":reply"


def settings(base: str, patience: float = PATIENCE) -> Config:
    account = SecretStr(key_file(base))
    return Config(service_account=account, apps=(APP,), timeout_secs=patience, api_base=base, reply=Reply())


def asked(review: str = "gp:a1", app: str = APP) -> Mention:
    return mention(f"googleplay:{app}/{review}", kind=Kind.REVIEW, reply_ref={"review": review, "app": app})


class GooglePlayHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Play().running() as play:
            play.reviews[APP] = [review("gp:a1")]
            yield Stand(
                config=settings(play.url),
                impatient=settings(play.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=asked(),
                cannot=asked(app="com.other.app"),
                secrets=(PRIVATE,),
                replies=lambda: [Given(f"{APP}/{id}/reply", text) for id, text in play.sent],
                refuse=play.refusal.append,
                lose=lambda: play.lose(POSTING),
                hang=lambda: play.hang(POSTING),
                fail=lambda: play.fail(POSTING, problem(503, "Unavailable")),
                limit=lambda seconds: play.fail(POSTING, problem(429, "Too many", Retry_After=str(seconds))),
            )


harness = GooglePlayHarness()
