"""What we send to Discourse, held against Discourse's own OpenAPI document by Prism, which answers as it says and
refuses with 422 what it does not allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr

from connectors._discourse_api import Account, Api, Declined
from connectors._discourse_reply import Reply
from connectors.discourse import Config, Connector, Rechecker, Replier
from pipeline.clock import ManualClock
from pipeline.errors import HarkenError
from pipeline.mention import Media
from pipeline.ports import Context
from tests.contract.repliers.discourse import asked
from tests.fixtures.discourse import ACCOUNT, HERE, KEY
from tests.fixtures.pictures import PNG, Gallery
from tests.fixtures.prism import serving
from tests.fixtures.stand_in import Asked, StandIn, Told, told

CLOCK = ManualClock(datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
CONTEXT = Context("forum", (), CLOCK)


class Judge(StandIn):
    """Passes everything on to Prism; `verdicts` are its answers: method, path, and what it found wrong."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._prism = url
        self.verdicts: list[tuple[str, str, str]] = []
        self.answers: dict[str, Told] = {}

    def handle(self, asked: Asked) -> Told:
        sent = {
            name: asked.headers[name] for name in ("api-key", "api-username", "content-type") if name in asked.headers
        }
        answer = httpx2.request(
            asked.method, self._prism + asked.path, params=asked.query, content=asked.body, headers=sent, timeout=20
        )
        wrong = answer.text if answer.status_code >= 400 else ""
        self.verdicts.append((asked.method, asked.path, wrong))
        found = next((told for path, told in self.answers.items() if asked.path.startswith(path)), None)
        return found or Told(answer.status_code, answer.content, {"Content-Type": "application/json"})

    def judged(self) -> list[tuple[str, str]]:
        """What was asked for, all of it allowed."""
        assert not [verdict for verdict in self.verdicts if verdict[2]]
        return [(method, path) for method, path, _ in self.verdicts]


@pytest.fixture(scope="module")
def prism() -> Iterator[str]:
    with serving("discourse.json") as url:
        yield url


@pytest.fixture
def judge(prism: str) -> Iterator[Judge]:
    with Judge(prism).running() as judge:
        yield judge


def replier(judge: Judge) -> Replier:
    account = Reply(username=ACCOUNT, api_key=SecretStr(KEY), private_pictures=True)
    return Replier(Config(url=judge.url, reply=account), CONTEXT)


def test_prism_refuses_what_the_document_does_not_allow(judge: Judge) -> None:
    api = Api(judge.url, Account(username=ACCOUNT, api_key=SecretStr(KEY)), 20, CLOCK)
    with pytest.raises(Declined):
        api.post("posts.json", {"raw": "Hello", "topic_id": "seven"})
    with pytest.raises(AssertionError):
        judge.judged()


def test_looking_at_the_newest_posts_and_below_is_allowed(judge: Judge) -> None:
    shown = [{"id": 60, "topic_id": 7, "post_number": 2, "user_id": 1, "username": "ana", "raw": "Late"}]
    judge.answers["/posts.json"] = told(200, {"latest_posts": [shown[0] | {"created_at": "2026-01-05T08:00:00.000Z"}]})
    account = Account(username=ACCOUNT, api_key=SecretStr(KEY))
    connector = Connector(Config(url=judge.url, account=account, backfill=2), CONTEXT)
    with closing(cast(Any, connector.pages(None))) as run:
        for _ in zip(run, range(200), strict=False):
            if len(judge.verdicts) > 1:
                break
    assert judge.judged() == [("GET", "/posts.json")] * 2
    assert judge.asked[1].query == {"before": ["60"]}


def test_what_became_of_a_post_is_asked_as_documented(judge: Judge) -> None:
    with suppress(HarkenError):  # what Prism makes up is no post
        Rechecker(Config(url=judge.url), CONTEXT).recheck([asked(3)])
    assert judge.judged() == [("GET", "/posts/3.json")]


def test_an_answer_with_a_picture_is_sent_as_documented(judge: Judge) -> None:
    judge.answers["/t/7.json"] = told(200, {"post_stream": {"posts": [], "stream": [4]}})
    judge.answers["/uploads.json"] = told(200, {"short_url": "upload://abc.png"})
    judge.answers["/posts.json"] = told(200, {"topic_id": 7, "post_number": 8})
    with Gallery().running() as gallery:
        media = [Media(url=gallery.hang_up("/label.png", PNG), alt="The label")]
        assert replier(judge).reply(asked(3), "This is the label", "key", media) == f"{HERE}/7/8"
    assert judge.judged() == [
        ("GET", "/t/7.json"),
        ("GET", "/t/7/posts.json"),
        ("POST", "/uploads.json"),
        ("POST", "/posts.json"),
    ]


def test_a_like_and_a_private_message_are_sent_as_documented(judge: Judge) -> None:
    assert replier(judge).act("like", asked(3), "", "key") == f"{HERE}/7/3"
    judge.answers["/t/external_id/"] = told(404, {})
    judge.answers["/posts.json"] = told(200, {"topic_id": 9, "post_number": 1})
    assert replier(judge).act("message", asked(3), "Please send us the number", "key") == f"{HERE}/9/1"
    like, _, message = judge.judged()
    assert (like, message) == (("POST", "/post_actions.json"), ("POST", "/posts.json"))
