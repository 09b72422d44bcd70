"""A room in which people answer: cases from Mastodon, drafts, a platform in memory, and the sender between them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from desk.desk import Desk, QueueRules
from desk.draft_records import DraftView
from desk.drafts import Drafts
from desk.eligibility import Account
from desk.handling import By
from desk.macros import Macros
from desk.macros import read as read_macros
from desk.replies import Outcome, Sender
from desk.tone import Tone
from pipeline.clock import ManualClock
from pipeline.errors import Trouble
from pipeline.mention import Intent, Language, Tags
from pipeline.ports import Backoff
from pipeline.store import Store
from tests.desk.build import ANA, Room
from tests.fixtures.replier import PostingReplier

VIA = "mastodon"
US = Account(VIA, "us", "acme")
FIRST = f"{VIA}:1"
BACKOFF: Mapping[Trouble, Backoff] = {"network": Backoff(first=5, factor=2, cap=60)}

MACROS = read_macros(
    """
values:
  links.returns: https://acme.example/returns
macros:
  - name: late_parcel
    title: A parcel is late
    intents: [complaint]
    topics: [delivery]
    texts:
      en: "Hello {customer.first_name}, I'm sorry that your parcel is late ({case.reference})."
      de: "Hallo {customer.first_name}, es tut mir leid."
  - name: how_to_return
    intents: [question]
    texts:
      en: "You can send it back: {links.returns}"
""",
    "macros.yaml",
)


@cache
def tone() -> Tone:
    """One for all tests: it remembers nothing, and is slow to make."""
    return Tone()


def tags(*intents: str, topics: tuple[str, ...] = (), language: str = "en") -> Tags:
    return Tags(
        brand="acme",
        language=Language(language, 1, "source"),
        intents=tuple(Intent(name, 0.9) for name in intents),
        topics=topics,
    )


class Desks(Room):
    """A room with drafts in it; `take` and `ready` say in a word what most tests begin with."""

    def __init__(
        self, store: Store, clock: ManualClock, *, macros: Macros = MACROS, approval: Any = "draft_only"
    ) -> None:
        super().__init__(store, clock)
        self.clock = clock
        desk = Desk(queues={"service": QueueRules(approval=approval)}, macros=macros, vias={VIA: US})
        self.drafts = Drafts(store._db, clock, self.cases, desk, tone())
        self.platform = PostingReplier()
        self.outcomes: list[Outcome] = []
        self.sender = self.another_sender()

    def another_sender(self) -> Sender:
        def told(via: str, outcome: Outcome) -> None:
            self.outcomes.append(outcome)

        return Sender(self.store._db, self.clock, self.cases, {VIA: self.platform}, {VIA: BACKOFF}, told)

    def hears(self, id: str = FIRST, **changes: Any) -> str:
        """Somebody says something; returns the case."""
        return self.say(id, **({"via": VIA} | changes)).id

    def takes(self, case: str, by: By = ANA) -> By:
        """Somebody takes the case; returns them with their token."""
        return By(by.user, self.cases.claim(case, by.user).lease.token)

    def takes_over(self, case: str, by: By) -> By:
        return By(by.user, self.cases.take_over(case, by.user, "they went home").lease.token)

    def ready(self, text: str = "We are looking for it.", **changes: Any) -> tuple[By, DraftView]:
        """A case that Ana holds, and her draft."""
        case = self.hears(**changes)
        by = self.takes(case)
        return by, self.drafts.write(case, by, text)

    def queued(self, text: str = "We are looking for it.", *, awaiting: bool = False, **changes: Any) -> DraftView:
        by, draft = self.ready(text, **changes)
        return self.drafts.send(draft.id, by, may_send=True, awaiting=awaiting)

    def comes_back(self, native_id: str = "re-1", parent: str = FIRST) -> None:
        """Our own answer arrives on the stream."""
        self.own(f"{VIA}:{native_id}", parent, via=VIA, url=f"https://social.example/{native_id}")

    def step(self) -> int:
        return self.sender.step()
