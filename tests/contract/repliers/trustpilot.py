"""Trustpilot with one review that has no reply yet. It shows the last one only; what was posted is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors._trustpilot_reply import Reply
from connectors.trustpilot import Config
from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told
from tests.fixtures.trustpilot import KEY, SECRET, UNIT, USER, Trustpilot, name, review


def settings(base: str, patience: float = PATIENCE, replace: bool = True) -> Config:
    return Config(
        business_unit=UNIT,
        api_key=SecretStr(KEY),
        api_secret=SecretStr(SECRET),
        api_base=base,
        timeout_secs=patience,
        reply=Reply(business_user=USER, replace=replace),
    )


def asked(number: int = 1) -> Mention:
    return mention(f"trustpilot:{name(number)}", reply_ref={"review": name(number), "unit": UNIT})


class TrustpilotHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Trustpilot().running() as server:
            server.add(review(1))

            yield Stand(
                config=settings(server.url),
                impatient=settings(server.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=asked(),
                cannot=mention("trustpilot:elsewhere", reply_ref={"review": name(1), "unit": "another"}),
                secrets=(KEY, SECRET, "token-1"),
                replies=lambda: [Given(f"{id}.reply", text) for id, text in server.posted],
                refuse=server.refusal.append,
                lose=lambda: server.lose("/reply"),
                hang=lambda: server.hang("/reply"),
                fail=lambda: server.fail("/reply", told(503, {"message": "Service Unavailable"})),
                limit=lambda seconds: server.fail("/reply", told(429, {}, Retry_After=str(seconds))),
            )


harness = TrustpilotHarness()
