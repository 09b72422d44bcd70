"""X with posts of Ana's, which it shows to the application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors.x import Config
from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.recheckers import Spoil, Stand
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import Told, told
from tests.fixtures.x_server import START, TOKEN, XServer, post, snowflake


class XHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with XServer().running() as x:

            def config(base: str, patience: float = PATIENCE) -> Config:
                shared = {"bearer_token": SecretStr(TOKEN), "recheck_posts_per_day": 10_000}
                return Config(api_base=base, timeout_secs=patience, **shared)

            def fill(number: int) -> list[Mention]:
                x.archive = [post("Acme is late", serial=one) for one in range(number)]
                ids = [snowflake(START, one) for one in range(number)]
                return [
                    mention(f"x:{id}", "Acme is late", conversation=f"x:{id}", brand="Acme", reply_ref={"id": id})
                    for id in ids
                ]

            def remove(gone: Mention) -> None:
                x.archive = [one for one in x.archive if gone.native_id not in one["edit_history_tweet_ids"]]

            def reword(said: Mention, text: str) -> None:
                (old,) = [one for one in x.archive if one["id"] == said.native_id]
                versions = [said.native_id, snowflake(clock.now())]
                thread = {"conversation_id": old["conversation_id"], "edit_history_tweet_ids": versions}
                x.archive[x.archive.index(old)] = post(text, clock.now(), **thread)

            def spoil(how: Spoil | None) -> None:
                x.spoil = how

            def hang() -> None:
                x.fault_of_next_post = "hang"

            def limited(seconds: int) -> Told:
                reset = str(round(clock.now().timestamp()) + seconds)
                return told(429, {"title": "Too Many Requests"}, x_rate_limit_reset=reset)

            yield Stand(
                config=config(x.url),
                impatient=config(x.url, IMPATIENCE),
                unreachable=config(NOBODY),
                fill=fill,
                strange=[mention("x:nonsense")],
                remove=remove,
                reword=reword,
                spoil=spoil,
                hang=hang,
                limited=limited,
                denied=told(401, {"title": "Unauthorized", "detail": "Unauthorized", "status": 401}),
                secrets=(TOKEN,),
            )


harness = XHarness()
