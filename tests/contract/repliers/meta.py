"""A page under whose post Ana has commented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from connectors._meta_graph import Account, Network
from connectors._meta_reply import Reply
from connectors.meta import Config
from pipeline.mention import Kind, Mention
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.meta import APP_SECRET, PAGE, POST, TOKEN, VERIFY, Meta, error, limited
from tests.fixtures.shapes import mention


def settings(base: str, patience: float = PATIENCE, network: Network = "facebook", **changes: Any) -> Config:
    fields: dict[str, Any] = {
        "network": network,
        "accounts": (Account(id=PAGE, access_token=SecretStr(TOKEN)),),
        "app_secret": SecretStr(APP_SECRET),
        "verify_token": SecretStr(VERIFY),
        "port": 0,
        "timeout_secs": patience,
        "api_base": base,
        "reply": Reply(private_pictures=True),
    }
    return Config(**(fields | changes))


def asked(id: str = "500_1", network: str = "facebook", place: str = POST, **changes: Any) -> Mention:
    ref = {"account": PAGE, "id": id, "top": id, "place": place}
    return mention(f"{network}:{id}", **({"reply_ref": ref, "kind": Kind.COMMENT} | changes))


class MetaHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Meta().running() as meta:

            def pictures(form: dict[str, str]) -> Sequence[str]:
                return tuple(
                    photo.get("alt_text_custom", "")
                    for photo, id in meta.posts("/photos")
                    if id == form.get("attachment_id")
                )

            def replies() -> list[Given]:
                return [Given(id, form["message"], tuple(pictures(form))) for form, id in meta.posts("500_1/comments")]

            yield Stand(
                config=settings(meta.url),
                impatient=settings(meta.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=asked(),
                cannot=asked(reply_ref={"account": "999", "id": "500_1", "top": "500_1", "place": POST}),
                secrets=(APP_SECRET, VERIFY, TOKEN),
                replies=replies,
                refuse=meta.refusal.append,
                lose=lambda: meta.post_fault("lose"),
                hang=lambda: meta.post_fault("hang"),
                fail=lambda: meta.post_fault(error(503, 2, "Service temporarily unavailable")),
                limit=lambda seconds: meta.post_fault(limited(seconds)),
            )


harness = MetaHarness()
