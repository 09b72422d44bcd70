from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from connectors.webhook import Config, Connector
from pipeline.clock import SystemClock
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.mention import Mention, Removal
from pipeline.ports import Context, Page, Rejection
from tests.contract.connectors.webhook import SECRET, signed

GOOD = {"id": "1", "text": "late again", "author": "ana", "created_at": "2026-01-05T09:00:00Z"}


class Desk:
    """A connector that listens, read by hand, and a client in threads of their own."""

    def __init__(self, **settings: Any) -> None:
        self.clock = SystemClock()
        self.config = Config(port=0, secret=SecretStr(SECRET), **settings)
        self.connector = Connector(self.config, Context("inbox", (), self.clock))
        self.pages = cast(Any, self.connector.pages(None))
        next(self.pages)
        self.threads = ThreadPoolExecutor(8)

    def post(self, body: object, headers: dict[str, str] | None = None) -> Future[httpx2.Response]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.connector.port}{self.config.path}"

        def send() -> httpx2.Response:
            with httpx2.Client(trust_env=False, timeout=20) as client:
                return client.post(url, content=raw, headers=signed(raw) if headers is None else headers)

        return self.threads.submit(send)

    def page(self) -> Page:
        """The next page with items; taking it says that the one before is durable."""
        return next(page for page in cast(Iterator[Page], self.pages) if page.items)

    def answer(self, sent: Future[httpx2.Response]) -> httpx2.Response:
        """The answer to a request, going on meanwhile as if everything were durable."""
        while not sent.done():
            next(self.pages)
        return sent.result()


@contextmanager
def desk(**settings: Any) -> Iterator[Desk]:
    at = Desk(**settings)
    with closing(at.pages):
        yield at
    at.threads.shutdown()


@pytest.fixture(scope="module")
def refusing() -> Iterator[Desk]:
    """One listener for the requests that never reach a page."""
    with desk(max_items=10, max_body_bytes=60_000) as at:
        yield at


def test_an_answer_of_202_comes_only_when_the_page_is_durable() -> None:
    with desk(brand="Acme", source="shop") as at:
        sent = at.post(GOOD)
        page = at.page()
        assert not sent.done()
        (mention,) = page.items
        assert isinstance(mention, Mention)
        assert (mention.id, mention.brand, mention.via) == ("shop:1", "Acme", "inbox")
        answer = at.answer(sent)
        assert answer.status_code == 202
        assert answer.json() == {"accepted": 1, "rejected": []}


def test_a_page_that_never_became_durable_is_answered_503() -> None:
    at = Desk()
    with closing(at.pages):
        sent = at.post(GOOD)
        at.page()
    answer = sent.result()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert at.connector.port is None


def test_a_pipeline_that_is_slow_is_answered_503_and_the_request_is_not_taken_later() -> None:
    with desk(durable_timeout_seconds=0.2) as at:
        assert at.post(GOOD).result().status_code == 503
        assert [item for _ in range(2) for item in next(at.pages).items] == []


def test_requests_that_come_together_share_a_page() -> None:
    with desk() as at:
        sent = [at.post(GOOD | {"id": str(number)}) for number in range(6)]
        first = at.page()
        while sum(not one.done() for one in sent):
            next(at.pages)
        assert {one.result().status_code for one in sent} == {202}
        assert len(first.items) >= 1


def test_the_same_request_again_is_answered_202_again_with_the_same_ids() -> None:
    with desk() as at:
        ids = []
        for _ in range(2):
            sent = at.post(GOOD)
            (mention,) = at.page().items
            assert isinstance(mention, Mention)
            ids.append((mention.id, mention.revision))
            assert at.answer(sent).status_code == 202
        assert ids[0] == ids[1]


@pytest.mark.parametrize(
    "body",
    [
        [GOOD, GOOD | {"id": "2"}],
        (json.dumps(GOOD) + "\n\n" + json.dumps(GOOD | {"id": "2"}) + "\n").encode(),
        b"\n " + json.dumps([GOOD, GOOD | {"id": "2"}], indent=2).encode(),
    ],
    ids=["array", "lines", "indented"],
)
def test_an_array_and_json_lines_are_taken(body: object) -> None:
    with desk() as at:
        sent = at.post(body)
        assert [cast(Mention, item).native_id for item in at.page().items] == ["1", "2"]
        assert at.answer(sent).json()["accepted"] == 2


def test_a_removal_and_a_mention_in_wire_shape_are_taken() -> None:
    removal = {"schema": "removal/1", "source": "x", "reason": "deleted", "noticed_at": "2026-01-05T09:00:00Z"}
    mention = {"schema": "mention/1", "id": "x:1", "source": "x", "text": "a", "author": {"id": "u"}}
    with desk() as at:
        sent = at.post([mention | {"created_at": "2026-01-05T09:00:00Z"}, removal | {"mention": "x:1"}])
        first, second = at.page().items
        assert isinstance(first, Mention)
        assert isinstance(second, Removal)
        assert (first.id, second.mention) == ("x:1", "x:1")
        at.answer(sent)


def test_what_is_json_but_no_mention_is_dead_lettered_and_the_answer_says_so() -> None:
    with desk() as at:
        sent = at.post([GOOD, {"id": "2"}, 7])
        good, *bad = at.page().items
        assert isinstance(good, Mention)
        assert [(item.payload, item.reason) for item in bad if isinstance(item, Rejection)] == [
            (b'{"id": "2"}', "no text"),
            (b"7", "not a JSON object"),
        ]
        rejected = [{"index": 1, "reason": "no text"}, {"index": 2, "reason": "not a JSON object"}]
        assert at.answer(sent).json() == {"accepted": 1, "rejected": rejected}


NOW_WRONG = {"X-Harken-Timestamp": "1", "X-Harken-Signature": "sha256=00"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        NOW_WRONG,
        signed(b"{}"),
        signed(json.dumps(GOOD).encode(), secret="another-secret-altogether"),  # noqa: S106 - no secret
        signed(json.dumps(GOOD).encode(), at=1_000_000_000),
        {**signed(json.dumps(GOOD).encode()), "X-Harken-Timestamp": "9"},
        {"X-Harken-Timestamp": "٣", "X-Harken-Signature": "sha256=é"},
    ],
    ids=["none", "made up", "of another body", "another secret", "old", "another time", "not ASCII"],
)
def test_a_request_that_is_not_signed_rightly_and_lately_is_answered_401(
    headers: dict[str, str], refusing: Desk
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = refusing.post(GOOD, cast(Any, raw)).result()
    assert answer.status_code == 401
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "the body is not JSON"),
        (b"[1, ", 400, "the body is not JSON"),
        (b'{"id": 1}\n{"id": ', 400, "item 1 is not JSON"),
        (b"[" * 50_000, 400, "nested too deeply"),
        (b"", 422, "0 items"),
        (b"[]", 422, "0 items"),
        (b"[" + b"1," * 10 + b"1]", 422, "11 items where 1 to 10"),
        (b" " * 70_000, 413, "over 60,000 bytes"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_its_place(
    body: bytes, status: int, said: str, refusing: Desk
) -> None:
    answer = refusing.post(body).result()
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text


def test_only_the_path_and_post_are_answered(refusing: Desk) -> None:
    base = f"http://127.0.0.1:{refusing.connector.port}"
    with httpx2.Client(trust_env=False) as client:
        assert client.get(f"{base}/mentions").status_code == 405
        assert client.post(f"{base}/other").status_code == 404


def test_a_map_reads_a_sender_s_own_shape() -> None:
    with desk(map={"id": "ref", "text": "review.body", "rating": "stars", "created_at": "at"}, rating_max=5) as at:
        sent = at.post({"ref": 8, "review": {"body": "fine"}, "stars": 4, "at": 1767603600})
        (mention,) = at.page().items
        assert isinstance(mention, Mention)
        assert (mention.id, mention.text, mention.rating) == ("inbox:8", "fine", 0.8)
        at.answer(sent)


def test_an_address_that_is_taken_is_tried_again_later_and_a_wrong_one_refused() -> None:
    secret = SecretStr(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = Config(port=taken.getsockname()[1], secret=secret)
        with pytest.raises(SourceUnavailable, match="cannot listen on 127"):
            next(iter(Connector(config, Context("inbox", (), SystemClock())).pages(None)))
    with pytest.raises(SourceRefused, match="cannot listen"):
        next(iter(Connector(Config(host="192.0.2.1", secret=secret), Context("a", (), SystemClock())).pages(None)))


def test_a_client_that_sends_slowly_does_not_hold_up_the_end() -> None:
    at = Desk()
    with closing(at.pages), socket.create_connection(("127.0.0.1", at.connector.port or 0)) as slow:
        slow.sendall(b"POST /mentions HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        next(at.pages)
        at.pages.close()
        assert at.connector.port is None


@pytest.mark.parametrize("secret", ["short", "${X}"])
def test_a_secret_that_is_short_or_written_in_the_file_is_refused(secret: str) -> None:
    given: Any = SecretStr(secret) if secret == "short" else secret  # noqa: S105 - not one
    with pytest.raises(ValidationError) as refused:
        Config(secret=given)
    assert "secret" in str(refused.value)
