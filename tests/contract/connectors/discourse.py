"""A forum of 60 posts and two things that are none, which pushes two posts more and that another was deleted. Behind a
hostile server it is asked only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from connectors._discourse_api import Account
from connectors._discourse_hooks import Webhook
from connectors.discourse import Config
from connectors.discourse import Connector as Discourse
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.discourse import ACCOUNT, HERE, KEY, SECRET, Forum, post, pushed, signed
from tests.fixtures.senders import Senders


class DiscourseHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        told = front is direct

        def sent(event: str, body: bytes) -> Callable[[str], dict[str, Any]]:
            return lambda base: {"url": f"{base}/discourse", "content": body, "headers": signed(body, event)}

        events = [
            sent("post_created", pushed(post(70))),
            sent("post_edited", pushed(post(71, version=2))),
            sent("post_destroyed", pushed(post(72))),
        ]
        senders = Senders(events, lambda connector: cast(Discourse, connector).port, front)
        with Forum().running() as forum, senders.working():
            forum.add(*(post(id, f"Parcel {id} is late", age=id) for id in range(1, 61)))
            forum.broken = [{"id": 99, "raw": "no topic"}, "no post"]

            def config(base: str) -> Config:
                return Config(
                    url=base,
                    account=Account(username=ACCOUNT, api_key=SecretStr(KEY)),
                    webhook=Webhook(port=0, secret=SecretStr(SECRET), durable_timeout_secs=5) if told else None,
                    brand="Acme",
                    backfill=100,
                    poll_secs=0.3,
                    timeout_secs=1.5,
                )

            def add(moment: datetime) -> str:
                id = 100 + len(forum.posts)
                written = moment.isoformat().replace("+00:00", "Z")
                forum.add(post(id, "Late again", created_at=written, updated_at=written))
                return f"discourse:{HERE}/7/{id}"

            named = {f"discourse:{HERE}/7/{id}" for id in range(1, 61)}
            pushes = {f"discourse:{HERE}/7/70", f"discourse:{HERE}/7/71", f"mention:discourse:{HERE}/7/72"}
            ready = Ready(
                config=config(front(forum.url)),
                source="discourse",
                expected=frozenset(named | pushes if told else named),
                bad=2,
                brand="Acme",
                secrets=(KEY, SECRET),
                repeats=55,
                failing=config("http://127.0.0.1:9"),
                add=add,
            )
            # Not as an argument by name: that is how its hostile part knows those that are sent to behind it too.
            pushing: dict[str, Any] = {"push": senders.push}
            yield replace(ready, **pushing) if told else ready


harness = DiscourseHarness()
