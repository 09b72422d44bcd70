"""An app with eight reviews, one of them answered, and two things that are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from connectors._appstore_api import Key
from connectors.appstore import Config
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.appstore import APP, ISSUER, KEY_ID, PRIVATE, AppStore, response, review


class AppStoreHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with AppStore().running() as store:
            store.per_page = 3
            store.reviews = {
                APP: [review(f"a{number}", age=60 * number) for number in range(5)] + [{"id": "b"}],
                "42": [review(f"c{number}", age=60 * number) for number in range(3)] + [review("d", " ", title=None)],
            }
            store.responses["a2"] = response("r2", "Sorry")
            store.base = front(store.url)
            key = Key(key_id=KEY_ID, issuer_id=ISSUER, private_key=SecretStr(PRIVATE))

            def config(base: str) -> Config:
                return Config(key=key, apps=(APP, "42"), brand="Acme", poll_secs=120, timeout_secs=1.5, api_base=base)

            def add(moment: datetime) -> str:
                made = review(f"new{len(store.reviews[APP])}", createdDate=moment.isoformat())
                store.reviews[APP].append(made)
                return f"appstore:{made['id']}"

            names = [*(f"a{number}" for number in range(5)), "r2", *(f"c{number}" for number in range(3))]
            yield Ready(
                config=config(store.base),
                source="appstore",
                expected=frozenset(f"appstore:{name}" for name in names),
                bad=2,
                brand="Acme",
                secrets=(PRIVATE,),
                repeats=len(names),
                failing=config("http://127.0.0.1:9"),
                add=add,
                at_least=2,
            )


harness = AppStoreHarness()
