"""A whole harken in a folder, with its bus, as `harken serve` has it: for the pages that look at the flow itself."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from pipeline import config
from pipeline.clock import ManualClock
from pipeline.codec import encode
from pipeline.mention import Mention, Routed, Tags
from pipeline.store import DeadLetter, Taken
from pipeline.wiring import Parts
from tests.console.pages.test_session_pages import signed_in, token
from tests.desk.staff import accounts_of, person
from tests.fixtures.postgres import migrated_file

HOSTILE = "<script>alert(1)</script>{{ 7*7 }}\u202egnp.exe'\""


class Plant:
    """Its parts and its application."""

    def __init__(self, folder: Path, clock: ManualClock, **settings: Any) -> None:
        self.clock = clock
        written = {
            "brands": {"acme": {"terms": ["acme"]}},
            "bus": {"type": "embedded", "path": str(folder / "bus.db")},
            "store": {"url": f"sqlite:///{folder}/store.db"},
            "sources": {"reviews": {"type": "replay", "path": str(folder / "none.csv")}},
            "sinks": {"archive": {"type": "jsonl", "path": str(folder / "out.jsonl")}},
            **settings,
        }
        (folder / "store.db").write_bytes(migrated_file())
        path = folder / "config.yaml"
        path.write_text(json.dumps(written), encoding="utf-8")
        self.parts = Parts(config.load(path, sections={"sources"}), clock)
        self.parts.accounts = accounts_of(self.parts.store, clock)
        self.parts.prepare()
        self.parts.bus.apply(self.parts.topics)
        self.app = self.parts.application()
        self.services = self.app.state.services
        self.store = self.parts.store

    def browser(self, name: str, *roles: str) -> Browser:
        person(self.parts.accounts, name, *roles)
        return Browser(self, name)

    def takes(self, mention: Mention, tags: Tags, via: str = "reviews") -> None:
        """It came all the way and was decided by the rules in force."""
        self.store.take_in(via, None, [Taken(mention.id, mention.source, "d", mention.created_at)], [], [], True)
        decision = self.parts.router.route(mention, tags, self.clock.now())
        self.store.deliver([Routed(mention, tags, decision)], sinks=["archive"])

    def dies(self, mention: Mention, reason: str = "it broke", role: str = "route") -> DeadLetter:
        self.store.take_in("reviews", None, [Taken(mention.id, mention.source, "d", mention.created_at)], [], [], True)
        letter = DeadLetter(
            id=f"{role}:{mention.id}",
            intake_id=mention.id,
            source=mention.source,
            via="reviews",
            role=role,
            stage="rules",
            place=f"{self.parts.config.file.topics.enriched}[0]@7",
            reason=reason,
            payload=encode(mention),
            died_at=self.clock.now(),
        )
        self.store.bury([letter])
        return letter

    def close(self) -> None:
        self.parts.close()


class Browser:
    """Somebody signed in who reads pages and sends forms."""

    def __init__(self, plant: Plant, name: str) -> None:
        self.client = signed_in(plant, name)  # type: ignore[arg-type]  # it only needs its `app`
        self.csrf = token(self.client)

    def see(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return html.unescape(answer.text) if status == 200 else answer.text

    def raw(self, path: str) -> str:
        return self.client.get(path).text

    def send(self, path: str, status: int = 303, **fields: Any) -> Any:
        answer = self.client.post(path, data={"csrf": self.csrf, **fields})
        assert answer.status_code == status, answer.text
        return answer

    def done(self, path: str, **fields: Any) -> str:
        """What the page after it says."""
        return self.see(self.send(path, **fields).headers["location"])
