"""The application with the whole desk behind it: two queues, promises, macros, an account that may answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.testclient import TestClient

from desk import macros
from desk.calendar_settings import calendars_from
from desk.desk import Desk, QueueRules
from desk.drafts import Drafts
from desk.eligibility import Account
from desk.feed import Feed
from desk.figures import Figures
from desk.keeper import Keeper
from desk.links import Links
from desk.policies import policy_from
from desk.presence import Agents
from desk.users import User
from pipeline.clock import ManualClock
from pipeline.mention import Intent, Language, Sentiment, Tags
from pipeline.ports import Brand
from pipeline.store import Store
from pipeline.wiring.relevance import Terms
from spikes.detection import Detection, Evidence, Key, Severity
from spikes.detection import Kind as DetectionKind
from spikes.incidents import Incidents
from tests.console.build import House
from tests.desk.build import Room

ANSWERS = """
values: {links.help: acme.example/help}
macros:
  - name: sorry
    title: Say sorry
    texts:
      en: "Hello {customer.first_name}, we are sorry. See {links.help}, ask for {agent.name}."
      de: "Hallo {customer.first_name}, es tut uns leid."
    intents: [complaint]
  - name: thanks
    texts: {en: "Thank you!"}
    intents: [praise]
    networks: [x]
"""

ANGRY = Tags(
    brand="acme",
    language=Language(code="en", confidence=0.9, by="detector"),
    sentiment=Sentiment(label="negative", score=-0.6, words=(("lost", -1.3),)),
    intents=(Intent(name="complaint", score=0.9, words=("lost",)),),
    topics=("delivery",),
    reach=120,
)


def desk() -> Desk:
    """Service promises an answer within half an hour; marketing has every answer approved."""
    calendars = calendars_from({"always": {"timezone": "Europe/Berlin", "hours": {"mon-sun": "00:00-24:00"}}}, path="c")
    promises = policy_from("soon", {"calendar": "always", "first_response": "30m"}, calendars, path="p")
    return Desk(
        queues={"service": QueueRules(policy=promises), "marketing": QueueRules(approval="always")},
        macros=macros.read(ANSWERS, "macros.yaml"),
        calendars=calendars,
        vias={"ours": Account("mastodon", "brand", "acme")},
    )


class Work(House):
    """The house with everything in it."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        database, rules, feed = store._db, desk(), Feed(store._db, clock)
        room = Room(store, clock)
        super().__init__(
            store,
            clock,
            feed=feed,
            desk=rules,
            drafts=Drafts(database, clock, room.cases, rules),
            agents=Agents(database, clock, rules),
            keeper=Keeper(database, clock, rules, feed),
            figures=Figures(database, clock),
            links=Links(database, clock),
            incidents=Incidents(database, clock),
            listening=Terms(database, store, clock, [Brand("acme", ("acme",))], []),
        )

    def says(self, id: str = "mastodon:1", **changes: Any) -> str:
        """A customer says something; returns the id of the case it is in."""
        changes = {"tags": ANGRY, "via": "ours", "queue": "service"} | changes
        return self.room.say(id, **changes).id

    def agent(self, name: str = "ana", *roles: str) -> Api:
        """Somebody with these roles, calling."""
        user = self.person(name, *(roles or ("agent",)))
        return Api(self.client(user), user)


def storm(work: Work, posts: int = 12) -> str:
    """A firestorm of so many people, counted and gathered, each in a case; returns the incident's id."""
    onset = work.clock.now() - timedelta(minutes=20)
    for number in range(posts):
        said_at = onset + timedelta(minutes=number)
        work.says(f"x:storm{number}", author=f"angry{number}", created_at=said_at, text=f"acme left me there, {number}")
    seen = Detection(
        key=Key("acme"),
        at=onset + timedelta(minutes=15),
        onset=onset,
        kind=DetectionKind.FIRESTORM,
        severity=Severity.MAJOR,
        score=0.95,
        evidence=Evidence(minutes=15, mentions=posts, authors=posts, negative_authors=posts, negative=posts),
    )
    incidents = work.services.incidents
    with work.services.database.write() as transaction:
        id = incidents.detected(transaction, seen).id
    incidents.gather()
    return id


class Api:
    """One person's calls, below /api/v1; each says with which status it was answered."""

    def __init__(self, client: TestClient, user: User) -> None:
        self.client, self.user = client, user

    def get(self, path: str, status: int = 200, /, **query: Any) -> Any:
        return self._done(self.client.get(f"/api/v1{path}", params=query), status)

    def post(self, path: str, status: int = 200, /, **body: Any) -> Any:
        return self._done(self.client.post(f"/api/v1{path}", json=body), status)

    def put(self, path: str, status: int = 200, /, **body: Any) -> Any:
        return self._done(self.client.put(f"/api/v1{path}", json=body), status)

    def delete(self, path: str, status: int = 200, /, **query: Any) -> Any:
        return self._done(self.client.delete(f"/api/v1{path}", params=query), status)

    def holding(self, case: str) -> int:
        """Take the case; returns the token."""
        token: int = self.post(f"/cases/{case}/claim")["lease"]["token"]
        return token

    @staticmethod
    def _done(answer: Any, status: int) -> Any:
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        return answer.json() if answer.content else None
