"""Trustpilot with reviews of one business unit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.mention import Kind, Mention
from pipeline.ports import Clock
from tests.contract.recheckers import Stand, spoiling
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.trustpilot import settings
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told
from tests.fixtures.trustpilot import KEY, SECRET, UNIT, Trustpilot, name, review


class TrustpilotHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Trustpilot().running() as server:

            def fill(number: int) -> list[Mention]:
                server.add(*(review(one) for one in range(number)))
                return [
                    mention(
                        f"trustpilot:{name(one)}",
                        "It came late",
                        title="Late",
                        rating=0.4,
                        kind=Kind.REVIEW,
                        brand="Acme",
                        reply_ref={"review": name(one), "unit": UNIT},
                    )
                    for one in range(number)
                ]

            def remove(gone: Mention) -> None:
                del server.reviews[gone.native_id]

            def reword(said: Mention, text: str) -> None:
                server.reviews[said.native_id] |= {"text": text, "updatedAt": clock.now().isoformat()}

            yield Stand(
                config=settings(server.url),
                impatient=settings(server.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                fill=fill,
                strange=[mention("trustpilot:x"), mention(f"trustpilot:{name(1)}", reply_ref={"unit": "another"})],
                remove=remove,
                reword=reword,
                spoil=spoiling(server),
                hang=lambda: server.hang(""),
                limited=lambda seconds: told(429, {}, Retry_After=str(seconds)),
                denied=told(401, {"message": "Unauthorized"}),
                secrets=(KEY, SECRET),
            )


harness = TrustpilotHarness()
