"""A Mastodon server with posts under two hashtags, a mention, a direct message, and two that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from connectors.mastodon import Config, Server
from tests.contract.connectors import Front, Ready, direct
from tests.contract.repliers import NOBODY
from tests.fixtures.mastodon import Mastodon
from tests.fixtures.mastodon_listening import standing
from tests.fixtures.mastodon_streams import TOKEN


class MastodonHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with Mastodon().running() as town:
            town.socket_url, town.events_url = front(town.socket_url), front(town.events_url)
            first = town.post("My #acme parcel is lost")
            posts = [
                first,
                town.post("Mine too #Acme", "ben@near.example", reply_to=first["id"]),
                town.post("@care where is my parcel?"),
                town.post("@care my address is Elm Street 1", visibility="direct"),
                town.post("We are on it", "care"),
                town.post("Best #parcels ever"),
            ]
            town.post("#acme by nobody", account={"acct": ""})
            town.notify("mention", {"id": "1", "content": "no uri"})

            def config(url: str) -> Config:
                server = Server(url=url, access_token=SecretStr(TOKEN))
                return Config(
                    servers=(server,),
                    hashtags=("acme", "parcels"),
                    memory=folder / "seen",
                    batch_secs=0.3,
                    timeout_secs=1.5,
                    silence_secs=1.5,
                )

            def put_clock(moment: datetime) -> None:
                town.now = standing(moment)

            def add(moment: datetime) -> str:
                put_clock(moment)
                return f"mastodon:{town.post('#acme is late again')['uri']}"

            yield Ready(
                config=config(front(town.url)),
                source="mastodon",
                expected=frozenset(f"mastodon:{post['uri']}" for post in posts),
                bad=2,
                secrets=(TOKEN,),
                repeats=len(posts),
                failing=config(NOBODY),
                add=add,
                time=put_clock,
                at_least=3,  # the server, the account, the stream
            )


harness = MastodonHarness()
