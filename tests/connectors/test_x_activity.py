"""What X pushes: its challenge, its signature, its events, and how they go beside the stream or the searches."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import structlog
from pydantic import SecretStr, ValidationError

from connectors._x_activity import Activity
from connectors.x import Config, Connector
from pipeline.clock import ManualClock
from pipeline.errors import BadItem
from pipeline.mention import Kind, Mention, Removal
from pipeline.ports import Brand, Context, Page, Rejection
from tests.contract.repliers.x import account
from tests.fixtures.x_server import START, TOKEN, USERS, XServer, post

SECRET = "consumer-secret-1"  # noqa: S105  # the stand-in's application
ACME = Brand("acme", terms=("Acme",), own_accounts={"x": ("22",)})


def connector(x: XServer, **settings: Any) -> Connector:
    activity = {"consumer_secret": SecretStr(SECRET), "accounts": ("22",), "port": 0} | settings.pop("activity", {})
    config = {"bearer_token": SecretStr(TOKEN), "api_base": x.url, "batch_secs": 0.05, "activity": activity} | settings
    return Connector(Config(**config), Context("birds", (ACME,), ManualClock(START)))


class Reading:
    """A connector read in a thread of its own, as the collector does."""

    def __init__(self, source: Connector, cursor: str | None = None) -> None:
        self.source = source
        self.read: list[Page] = []
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(cursor,))

    def _run(self, cursor: str | None) -> None:
        try:
            with closing(self.source.pages(cursor)) as pages:  # type: ignore[type-var]  # a generator
                for page in pages:
                    self.read.append(page)
                    if self._stop.is_set():
                        return
        except Exception as error:  # seen by the test
            self.error = error

    @property
    def items(self) -> list[Any]:
        return [item for page in self.read for item in page.items]

    def wait(self, enough: Callable[[], bool]) -> None:
        patience = time.monotonic() + 20
        while not enough():
            assert self.error is None
            assert time.monotonic() < patience, "what was awaited did not come"
            time.sleep(0.01)

    @contextmanager
    def running(self) -> Iterator[Reading]:
        self._thread.start()
        try:
            self.wait(lambda: bool(self.source.port))
            yield self
        finally:
            self._stop.set()
            self._thread.join()


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def event(kind: str, payload: Any, uuid: str = "1", **data: Any) -> bytes:
    whole = {"event_uuid": uuid, "event_type": kind, "filter": {"user_id": "22"}, "payload": payload} | data
    return json.dumps({"data": whole}).encode()


def send(source: Connector, body: bytes, sign: str | None = None) -> httpx2.Response:
    headers = {"x-twitter-webhooks-signature": signature(body) if sign is None else sign}
    return httpx2.post(f"http://127.0.0.1:{source.port}/x", content=body, headers=headers, timeout=10)


def test_the_challenge_is_answered_with_the_consumer_secret(x_server: XServer) -> None:
    source = connector(x_server)
    with Reading(source).running():
        url = f"http://127.0.0.1:{source.port}/x"
        answer = httpx2.get(url, params={"crc_token": "MDk4-b3_Q=="})
        assert answer.json() == {"response_token": signature(b"MDk4-b3_Q==")}
        assert httpx2.get(url).status_code == 400


def test_no_event_can_be_had_signed_as_a_challenge(x_server: XServer) -> None:
    source = connector(x_server)
    with Reading(source).running():
        forged = event("post.mention.create", {"id": "1", "text": "never said", "author_id": "11"}).decode()
        answer = httpx2.get(f"http://127.0.0.1:{source.port}/x", params={"crc_token": forged})
    assert answer.status_code == 400
    assert "sha256" not in answer.text


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("post.mention.create", {}, Kind.POST),
        ("post.reply.create", {"referenced_tweets": [{"type": "replied_to", "id": "7"}]}, Kind.REPLY),
        ("post.quote.create", {"referenced_tweets": [{"type": "quoted", "id": "7"}]}, Kind.QUOTE),
    ],
)
def test_what_is_said_to_an_account_is_the_brands_and_may_be_answered(
    x_server: XServer, kind: str, changes: dict[str, Any], expected: Kind
) -> None:
    source = connector(x_server)
    with Reading(source).running() as reading:
        body = event(kind, post("where is my parcel?", **changes), includes={"users": USERS})
        assert send(source, body).status_code == 200
        (mention,) = reading.items
    assert isinstance(mention, Mention)
    assert (mention.kind, mention.brand, mention.author.handle) == (expected, "acme", "ana")
    assert mention.reply_ref["mentions"] == "22"


def test_a_deletion_is_a_removal(x_server: XServer) -> None:
    source = connector(x_server)
    with Reading(source).running() as reading:
        assert send(source, event("post.delete", {"id": "5", "author_id": "22"})).status_code == 200
        (removal,) = reading.items
    assert isinstance(removal, Removal)
    assert (removal.target, removal.reason) == ("mention:x:5", "deleted")


def test_one_delivered_twice_and_one_that_the_stream_brings_too_are_one_mention(x_server: XServer) -> None:
    source, one = connector(x_server), post("Acme, where is my parcel?")
    with Reading(source).running() as reading:
        assert send(source, event("post.mention.create", one)).status_code == 200
        assert send(source, event("post.mention.create", one)).status_code == 200
        assert send(source, event("post.reply.create", one, uuid="2")).status_code == 200
        reading.wait(lambda: x_server.listening > 0)
        x_server.push(one, post("Acme too", serial=9))
        reading.wait(lambda: len(reading.items) > 1)
    assert [item.text for item in reading.items] == [one["text"], "Acme too"]
    usage = {one.unit: one.used for page in reading.read for one in page.usage}
    assert usage["USD"] == pytest.approx(2 * 0.005 + 2 * 0.005), "two events and two posts of the stream"


@pytest.mark.parametrize("sign", ["", "sha256=", signature(b"another body"), signature(b"{}", "another secret")])
def test_what_x_did_not_sign_is_refused(x_server: XServer, sign: str) -> None:
    source = connector(x_server)
    with Reading(source).running() as reading:
        assert send(source, b"{}", sign).status_code == 401
        assert reading.items == []


def test_what_is_not_durable_in_time_is_sent_again_and_taken_once(x_server: XServer) -> None:
    source = connector(x_server, activity={"durable_timeout_secs": 0.2})
    body = event("post.mention.create", post("help"))
    with closing(source.pages(None)) as pages:  # type: ignore[type-var]  # a generator
        next(pages)
        late = send(source, body)
    assert (late.status_code, late.headers["Retry-After"]) == (503, "5")
    with Reading(source).running() as reading:
        assert send(source, body).status_code == 200
        assert [item.text for item in reading.items] == ["help"]


def test_the_consumer_secret_shows_nowhere(x_server: XServer, capfd: pytest.CaptureFixture[str]) -> None:
    source = connector(x_server)
    with structlog.testing.capture_logs() as lines, Reading(source).running() as reading:
        answers = [send(source, b"{}", "sha256=wrong"), send(source, b"nonsense"), send(source, event("x", {}))]
    said = [repr(source._config), repr(lines), *capfd.readouterr(), *(answer.text for answer in answers)]
    assert reading.error is None
    assert not [text for text in said if SECRET in text or TOKEN in text]


def test_unknown_events_are_ignored_with_a_log_and_odd_ones_do_no_harm(x_server: XServer) -> None:
    source = connector(x_server)
    with structlog.testing.capture_logs() as lines, Reading(source).running() as reading:
        assert send(source, event("spaces.start", {"id": "1"})).status_code == 200
        assert send(source, b'{"data": {"event_type": 5}}').status_code == 200
        assert send(source, b"{}").status_code == 200
        assert send(source, b"nonsense").status_code == 400
        assert send(source, event("post.mention.create", {"id": "1", "text": "nobody wrote it"})).status_code == 200
        (rejection,) = reading.items
    ignored = [line["event_type"] for line in lines if line["event"] == "an event that was not asked for"]
    assert ignored[:2] == ["spaces.start", "5"]
    assert isinstance(rejection, Rejection)
    with pytest.raises(BadItem, match="author_id"):
        source.parse(rejection.payload)


def test_while_the_stream_is_in_trouble_events_still_come(x_server: XServer) -> None:
    for _ in range(3):
        x_server.refuse("stream", 503)
    source = connector(x_server)
    with structlog.testing.capture_logs() as lines, Reading(source).running() as reading:
        assert send(source, event("post.mention.create", post("help"))).status_code == 200
        reading.wait(lambda: x_server.listening > 0)
        x_server.push(post("Acme live", serial=3))
        reading.wait(lambda: len(reading.items) == 2)
    waits = [line["again_secs"] for line in lines if line["event"] == "X is heard only as far as it pushes"]
    assert waits == [5, 10, 20]


def test_events_come_beside_searches_too(x_server: XServer) -> None:
    source = connector(x_server, mode="poll")
    with Reading(source).running() as reading:
        assert send(source, event("post.mention.create", post("help"))).status_code == 200
        assert len(reading.items) == 1


def test_the_address_is_registered_and_the_missing_subscriptions_are_made(x_server: XServer) -> None:
    x_server.subscriptions = [
        {"event_type": "post.delete", "filter": {"user_id": "22"}, "webhook_id": "77", "subscription_id": "9"},
        {"event_type": "post.mention.create", "filter": {"user_id": "22"}, "webhook_id": "1", "subscription_id": "8"},
    ]
    source = connector(x_server, activity={"url": "https://acme.example/x"})
    with Reading(source).running() as reading:
        reading.wait(lambda: len(x_server.subscriptions) == 5)
    assert [one["url"] for one in x_server.webhooks] == ["https://acme.example/x"]
    made = [(one["event_type"], one["filter"], one["webhook_id"]) for one in x_server.subscriptions[2:]]
    kinds = ["post.mention.create", "post.reply.create", "post.quote.create"]
    assert made == [(kind, {"user_id": "22"}, "77") for kind in kinds]


def test_an_address_that_x_gave_up_is_checked_again(x_server: XServer) -> None:
    x_server.webhooks = [{"id": "77", "url": "https://acme.example/x", "valid": False}]
    source = connector(x_server, activity={"url": "https://acme.example/x", "events": ("post.delete",)})
    with Reading(source).running() as reading:
        reading.wait(lambda: len(x_server.subscriptions) == 1)
    assert x_server.webhooks[0]["valid"]
    assert ("PUT", "/2/webhooks/77") in [(verb, path) for verb, path, _, _ in x_server.requests]


def test_answers_are_counted_with_what_they_cost_when_they_come_back(x_server: XServer) -> None:
    source = connector(x_server, reply=account())
    mine: dict[str, Any] = {"author_id": "22", "referenced_tweets": [{"type": "replied_to", "id": "7"}]}
    with Reading(source).running() as reading:
        assert send(source, event("post.create", post("Sorry!", **mine))).status_code == 200
        assert send(source, event("post.create", post("News!", START + timedelta(1), author_id="22"), "2")).is_success
    assert all(item.own for item in reading.items)
    usage = {one.unit: one.used for page in reading.read for one in page.usage}
    assert usage["answers"] == 1
    assert usage["USD"] == pytest.approx(2 * 0.005 + 0.010 + 0.015)


@pytest.mark.parametrize(
    "wrong",
    [
        {"consumer_secret": "in-the-file"},
        {"accounts": ()},
        {"accounts": ("@acme",)},
        {"url": "http://acme.example/x"},
        {"url": "https://acme.example:8443/x"},
        {"durable_timeout_secs": 10},
    ],
)
def test_wrong_settings_are_told(wrong: dict[str, object]) -> None:
    right = {"consumer_secret": SecretStr(SECRET), "accounts": ("22",)}
    assert Activity.model_validate(right)
    with pytest.raises(ValidationError):
        Activity.model_validate(right | wrong)
