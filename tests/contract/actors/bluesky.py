"""A PDS with one account, which has liked nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.ports import Action, Clock
from tests.contract.actors import Done, Stand
from tests.contract.repliers.bluesky import CID, POST, over, question
from tests.fixtures.pds import PASSWORD, Pds


class BlueskyHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Pds().running() as pds:
            # A like is a record as an answer is, and fails like one.
            answers = over(pds, pds.handle_of_account, PASSWORD, question(), list, clock)

            def done(action: Action) -> list[Done]:
                assert action == "like"
                likes = [rkey for rkey, one in pds.likes.items() if one["subject"] == {"uri": POST, "cid": CID}]
                return [Done(f"at://{pds.did}/app.bsky.feed.like/{rkey}") for rkey in likes]

            yield Stand(
                config=answers.config,
                impatient=answers.impatient,
                unreachable=answers.unreachable,
                mention=answers.mention,
                cannot=answers.cannot,
                secrets=answers.secrets,
                done=done,
                refuse=lambda _, words: answers.refuse(words),
                lose=lambda _: answers.lose(),
                hang=lambda _: answers.hang(),
                fail=lambda _: answers.fail(),
                limit=lambda _, seconds: answers.limit(seconds),
            )


harness = BlueskyHarness()
