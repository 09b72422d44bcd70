"""A business with 120 reviews and two things that are none, which is told of two reviews more and of a deleted one.
Behind a hostile server it is asked only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from connectors._trustpilot_hooks import Webhook
from connectors.trustpilot import Config
from connectors.trustpilot import Connector as Trustpilot
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.senders import Senders
from tests.fixtures.trustpilot import HOOK, KEY, SECRET, UNIT, name, pushed, review
from tests.fixtures.trustpilot import Trustpilot as Server


class TrustpilotHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        told = front is direct
        bodies = [pushed(("created", review(200)), ("updated", review(201))), pushed(("deleted", {"id": name(202)}))]

        def sent(body: bytes) -> Callable[[str], dict[str, Any]]:
            return lambda base: {"url": f"{base}/trustpilot/{HOOK}", "content": body}

        senders = Senders([sent(body) for body in bodies], lambda connector: cast(Trustpilot, connector).port, front)
        with Server().running() as server, senders.working():
            server.add(*(review(number, f"Review {number}", age=number) for number in range(1, 121)))
            server.add(review(300, createdAt="of late"), review(301, stars=9))

            def config(base: str) -> Config:
                return Config(
                    business_unit=UNIT,
                    api_key=SecretStr(KEY),
                    api_secret=SecretStr(SECRET),
                    webhook=Webhook(port=0, secret=SecretStr(HOOK), durable_timeout_secs=5) if told else None,
                    brand="Acme",
                    backfill=200,
                    poll_secs=0.3,
                    timeout_secs=1.5,
                    api_base=base,
                )

            def add(moment: datetime) -> str:
                made = review(1_000 + len(server.reviews), createdAt=moment.isoformat().replace("+00:00", "Z"))
                server.add(made)
                return f"trustpilot:{made['id']}"

            named = {f"trustpilot:{name(number)}" for number in range(1, 121)}
            pushes = {f"trustpilot:{name(200)}", f"trustpilot:{name(201)}", f"mention:trustpilot:{name(202)}"}
            ready = Ready(
                config=config(front(server.url)),
                source="trustpilot",
                expected=frozenset(named | pushes if told else named),
                bad=2,
                brand="Acme",
                secrets=(KEY, SECRET, HOOK, "token-1"),
                repeats=125,
                failing=config("http://127.0.0.1:9"),
                add=add,
                at_least=2,  # a token, then the first page
            )
            # Not as an argument by name: that is how its hostile part knows those that are sent to behind it too.
            pushing: dict[str, Any] = {"push": senders.push}
            yield replace(ready, **pushing) if told else ready


harness = TrustpilotHarness()
