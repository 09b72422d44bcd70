"""A forum with a post that can be liked, and whose author can be written to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pipeline.ports import Action, Clock
from tests.contract.actors import Done, Stand
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.discourse import asked, settings
from tests.fixtures.discourse import HERE, KEY, Forum, post
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told

_AT: Mapping[Action, str] = {"like": "/post_actions.json", "message": "/posts.json"}


class DiscourseHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Forum().running() as forum:
            forum.add(post(3))
            mine = asked()

            def done(action: Action) -> list[Done]:
                if action == "like":
                    return [Done(f"{HERE}/7/{id}") for id in forum.liked] * forum.likes
                messages = [sent for sent in forum.messages.values() if sent[1]["target_recipients"] == "ana"]
                return [Done(f"{HERE}/{topic}/1", body["raw"]) for topic, body in messages]

            yield Stand(
                config=settings(forum.url),
                impatient=settings(forum.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=mine,
                cannot=mention("discourse:forum.example/7/3", reply_ref=mine.reply_ref),
                secrets=(KEY,),
                done=done,
                refuse=lambda action, words: forum.fail(_AT[action], told(422, {"errors": [words]})),
                lose=lambda action: forum.lose(_AT[action]),
                hang=lambda action: forum.hang(_AT[action]),
                fail=lambda action: forum.fail(_AT[action], told(503, {"errors": ["Service Unavailable"]})),
                limit=lambda action, seconds: forum.fail(
                    _AT[action], told(429, {"errors": ["Slow down"], "extras": {"wait_seconds": seconds}})
                ),
            )


harness = DiscourseHarness()
