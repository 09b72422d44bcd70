"""A Mastodon server with posts of Ana's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from msgspec.structs import replace

from pipeline.mention import Author, Mention
from pipeline.ports import Clock
from tests.contract.recheckers import Stand, spoiling
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.mastodon import config
from tests.fixtures.mastodon import ANA, Mastodon
from tests.fixtures.mastodon_streams import TOKEN
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import Told, told


class MastodonHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Mastodon().running() as town:
            town.now = clock.now

            def one() -> Mention:
                status = town.post("Acme, where is my parcel?")
                refs = {"server": town.url, "id": status["id"], "visibility": "public", "acct": ANA}
                fields = {"author": Author(id=ANA, handle=ANA), "created_at": clock.now(), "reply_ref": refs}
                return mention(f"mastodon:{status['uri']}", "Acme, where is my parcel?", brand="Acme", **fields)

            def limited(seconds: int) -> Told:
                reset = datetime.fromtimestamp(clock.now().timestamp() + seconds, UTC).isoformat()
                headers = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": reset.replace("+00:00", "Z")}
                return told(429, {"error": "Too many requests"}, **headers)

            elsewhere = {"server": "https://other.example", "id": "1", "visibility": "public", "acct": ANA}
            yield Stand(
                config=config(town.url),
                impatient=config(town.url, IMPATIENCE).model_copy(update={"timeout_secs": IMPATIENCE}),
                unreachable=config(NOBODY),
                fill=lambda number: [one() for _ in range(number)],
                strange=[mention("mastodon:https://other.example/1", reply_ref=elsewhere), mention("mastodon:x")],
                remove=lambda gone: town.delete(gone.reply_ref["id"]),
                reword=lambda said, text: town.edit(said.reply_ref["id"], text),
                spoil=spoiling(town),
                hang=lambda: town.hang(""),
                limited=limited,
                denied=told(401, {"error": "The access token is invalid"}),
                secrets=(TOKEN,),
                moved=lambda said: replace(said, reply_ref=said.reply_ref | {"server": NOBODY}),
            )


harness = MastodonHarness()
