"""A Mastodon server with a question that can be liked, and whose author can be written to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from pipeline.ports import Action, Clock
from tests.contract.actors import Done, Stand
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.mastodon import config, question
from tests.fixtures.mastodon import ANA, CARE, Mastodon
from tests.fixtures.mastodon_streams import TOKEN
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told

_AT: Mapping[Action, str] = {"like": "/favourite", "message": "/api/v1/statuses"}


class MastodonHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Mastodon().running() as town:
            town.now = clock.now
            asked = question(town)
            elsewhere = asked.reply_ref | {"server": "https://other.example", "visibility": "direct"}

            def done(action: Action) -> list[Done]:
                if action == "like":
                    return [Done(one["uri"]) for one in town.statuses.values() if one.get("favourited")]
                return [
                    Done(one["uri"], town.sources[id].removeprefix(f"@{ANA} "))
                    for id, one in town.statuses.items()
                    if one["account"]["acct"] == CARE and (one["visibility"], town.sources[id][:1]) == ("direct", "@")
                ]

            def limit(action: Action, seconds: int) -> None:
                reset = datetime.fromtimestamp(clock.now().timestamp() + seconds, UTC).isoformat()
                headers = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": reset.replace("+00:00", "Z")}
                town.fail(_AT[action], told(429, {"error": "Too many requests"}, **headers))

            yield Stand(
                config=config(town.url),
                impatient=config(town.url, IMPATIENCE),
                unreachable=config(NOBODY),
                mention=asked,
                cannot=mention("mastodon:https://other.example/1", reply_ref=elsewhere),
                secrets=(TOKEN,),
                done=done,
                refuse=lambda action, words: town.fail(_AT[action], told(422, {"error": words})),
                lose=lambda action: town.lose(_AT[action]),
                hang=lambda action: town.hang(_AT[action]),
                fail=lambda action: town.fail(_AT[action], told(503, {"error": "Service temporarily unavailable"})),
                limit=limit,
            )


harness = MastodonHarness()
