"""A page under whose post are comments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.recheckers import Stand, spoiling
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.meta import asked, settings
from tests.fixtures.meta import APP_SECRET, PAGE, POST, TOKEN, VERIFY, Meta, error, limited


class MetaHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Meta().running() as meta:

            def fill(number: int) -> list[Mention]:
                ids = [f"500_{one}" for one in range(1, number + 1)]
                meta.nodes |= {id: {"id": id, "message": "Acme lost my parcel"} for id in ids}
                return [asked(id, conversation=f"facebook:{POST}", brand="Acme") for id in ids]

            def remove(gone: Mention) -> None:
                del meta.nodes[gone.native_id]

            def reword(said: Mention, text: str) -> None:
                meta.nodes[said.native_id] |= {"message": text}

            others = {"id": "500_1", "top": "500_1", "place": POST}
            yield Stand(
                config=settings(meta.url),
                impatient=settings(meta.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                fill=fill,
                strange=[
                    asked(reply_ref=others | {"account": "999"}),
                    asked(reply_ref=others | {"account": PAGE, "theirs": "yes"}),
                    asked(reply_ref={"account": PAGE, "id": "../me"}),
                    asked(reply_ref={}),
                ],
                remove=remove,
                reword=reword,
                spoil=spoiling(meta),
                hang=lambda: meta.hang(""),
                limited=limited,
                denied=error(401, 190, "Invalid OAuth access token."),
                secrets=(APP_SECRET, VERIFY, TOKEN),
            )


harness = MetaHarness()
