"""An app with some reviews, one of them answered, and two things that are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from connectors.googleplay import Config
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.googleplay import APP, PRIVATE, Play, key_file, review, when

OTHER = "com.acme.letters"


class GooglePlayHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with Play().running() as play:
            play.per_page = 3
            play.reviews = {
                APP: [review(f"gp:a{number}", age=60 * number) for number in range(5)] + [{"reviewId": "b"}],
                OTHER: [review(f"c{number}", age=60 * number) for number in range(3)] + [review("d", " \t ")],
            }
            said = {"text": "Sorry", "lastModified": when(play.now)}
            play.reviews[APP][2]["comments"].append({"developerComment": said})
            base = front(play.url)

            def config(base: str) -> Config:
                return Config(
                    service_account=SecretStr(key_file(base)),
                    apps=(APP, OTHER),
                    brand="Acme",
                    poll_secs=120,
                    timeout_secs=1.5,
                    api_base=base,
                )

            def add(moment: datetime) -> str:
                made = review(f"gp:new{len(play.reviews[APP])}", lastModified=when(moment))
                play.reviews[APP].append(made)
                return f"googleplay:{APP}/{made['reviewId']}"

            names = [*(f"{APP}/gp:a{number}" for number in range(5)), *(f"{OTHER}/c{number}" for number in range(3))]
            yield Ready(
                config=config(base),
                source="googleplay",
                expected=frozenset(f"googleplay:{name}" for name in [*names, f"{APP}/gp:a2/reply"]),
                bad=2,
                brand="Acme",
                secrets=(PRIVATE, PRIVATE.splitlines()[1]),
                repeats=len(names) + 1,
                failing=config("http://127.0.0.1:9"),
                add=add,
                at_least=3,
            )


harness = GooglePlayHarness()
