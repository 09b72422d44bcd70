"""A page under whose post Ana has commented: it can like her comment, hide it, and write to her once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from pipeline.ports import Action, Clock
from tests.contract.actors import Done, Stand
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.meta import asked, settings
from tests.fixtures.meta import APP_SECRET, POST, TOKEN, VERIFY, Meta, error, limited


class MetaHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Meta().running() as meta:

            def done(action: Action) -> list[Done]:
                if action == "message":
                    sent = [(msgspec.json.decode(form["message"]), form, id) for form, id in meta.posts("me/messages")]
                    assert all(form["recipient"] == '{"comment_id":"500_1"}' for _, form, _ in sent)
                    return [Done(f"m_{id}", body["text"]) for body, _, id in sent]
                if action == "like":
                    return [Done("500_1")] if meta.posts("500_1/likes") else []
                hidden = [form for form, _ in meta.posts("500_1") if form.get("is_hidden") == "true"]
                return [Done("500_1")] if hidden else []

            yield Stand(
                config=settings(meta.url),
                impatient=settings(meta.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=asked(),
                cannot=asked(reply_ref={"account": "999", "id": "500_1", "top": "500_1", "place": POST}),
                secrets=(APP_SECRET, VERIFY, TOKEN),
                done=done,
                refuse=lambda _, words: meta.refusal.append(words),
                lose=lambda _: meta.post_fault("lose"),
                hang=lambda _: meta.post_fault("hang"),
                fail=lambda _: meta.post_fault(error(503, 2, "Service temporarily unavailable")),
                limit=lambda _, seconds: meta.post_fault(limited(seconds)),
            )


harness = MetaHarness()
