"""A PDS with one account. `over` makes the same of any PDS behind a StandIn: tests/servers does so with a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from connectors._bluesky_reply import Reply
from connectors.bluesky import Config
from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.pds import PASSWORD, Pds
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import StandIn, told

CID = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
POST = "at://did:plc:ana/app.bsky.feed.post/3l3qo2vuowo2b"
_PUT = "com.atproto.repo.putRecord"


def question(uri: str = POST, cid: str = CID) -> Mention:
    """Somebody's post, as the connector hands it on."""
    refs = {"uri": uri, "cid": cid, "root_uri": uri, "root_cid": cid}
    return mention(f"bluesky:{uri}", reply_ref=refs)


def alts(record: dict[str, Any]) -> tuple[str, ...]:
    """The descriptions of a post's pictures."""
    return tuple(image["alt"] for image in record.get("embed", {}).get("images", ()))


def over(
    server: StandIn, handle: str, password: str, asked: Mention, replies: Callable[[], list[Given]], clock: Clock
) -> Stand:
    def config(service: str, patience: float = PATIENCE) -> Config:
        reply = Reply(
            handle=handle,
            password=SecretStr(password),
            service=service,
            timeout_secs=patience,
            private_pictures=True,
        )
        return Config(reply=reply)

    def limit(seconds: int) -> None:
        reset = str(round(clock.now().timestamp()) + seconds)
        body = {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}
        server.fail(_PUT, told(429, body, ratelimit_limit="1500", ratelimit_remaining="0", ratelimit_reset=reset))

    return Stand(
        config=config(server.url),
        impatient=config(server.url, IMPATIENCE),
        unreachable=config(NOBODY),
        mention=asked,
        cannot=mention(asked.id),
        secrets=(password,),
        replies=replies,
        refuse=lambda words: server.fail(_PUT, told(400, {"error": "InvalidRequest", "message": words})),
        lose=lambda: server.lose(_PUT),
        hang=lambda: server.hang(_PUT),
        fail=lambda: server.fail(_PUT, told(503, {"error": "UpstreamFailure", "message": "try later"})),
        limit=limit,
    )


class BlueskyHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Pds().running() as pds:

            def replies() -> list[Given]:
                posts = f"at://{pds.did}/app.bsky.feed.post/"
                found = [(rkey, one) for rkey, one in pds.records.items() if one["reply"]["parent"]["uri"] == POST]
                return [Given(posts + rkey, one["text"], alts(one)) for rkey, one in found]

            yield over(pds, pds.handle_of_account, PASSWORD, question(), replies, clock)


harness = BlueskyHarness()
