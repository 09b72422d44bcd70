"""The webhook sink beyond its contract: what an answer means, what is sent, what is never shown."""

from __future__ import annotations

import hashlib
import hmac
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline import codec
from pipeline.errors import SinkUnavailable
from pipeline.ports import FromEnvironment
from sinks.webhook import Config, Sink
from tests.sinks.deliveries import removal, routed
from tests.sinks.receiver import SECRET, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def config(url: str, **settings: Any) -> Config:
    return Config.model_validate({"url": url, "secret": FromEnvironment(SECRET)} | settings)


@pytest.fixture
def sink(receiver: Receiver) -> Iterator[Sink]:
    made = Sink(config(receiver.url), now=lambda: 1_767_603_600.7)
    yield made
    made.close()


def test_the_body_is_the_record_and_the_signature_covers_time_and_body(receiver: Receiver, sink: Sink) -> None:
    batch = [routed(text="grüße"), removal("test:1")]
    sink.deliver(batch)
    assert [codec.decode(request.body) for request in receiver.requests] == [delivery.record for delivery in batch]
    first = receiver.requests[0]
    assert first.path == "/mentions"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["x-harken-timestamp"] == "1767603600"
    wanted = hmac.new(SECRET.encode(), b"1767603600." + first.body, hashlib.sha256).hexdigest()
    assert first.headers["x-harken-signature"] == f"sha256={wanted}"


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    receiver.always = 204
    receiver.answer_body = b""
    sink = Sink(config(receiver.url, secret=None))
    assert sink.deliver([routed()]) == [None]
    sink.close()
    assert not [name for name in receiver.requests[0].headers if name.startswith("x-harken")]


def test_every_attempt_of_a_delivery_carries_the_same_key(receiver: Receiver, sink: Sink) -> None:
    receiver.statuses = [503]
    with pytest.raises(SinkUnavailable):
        sink.deliver([routed()])
    sink.deliver([routed()])
    first, second = (request.headers["idempotency-key"] for request in receiver.requests)
    assert first == second == routed().key


def test_a_key_with_any_characters_fits_a_header(receiver: Receiver, sink: Sink) -> None:
    sink.deliver([routed("rss:https://example.org/größe\r\nX-Evil: 1")])
    headers = receiver.requests[0].headers
    assert headers["idempotency-key"].startswith("rss:https://example.org/gr%C3%B6%C3%9Fe%0D%0AX-Evil:%201")
    assert "x-evil" not in headers


def test_one_connection_serves_many_deliveries(receiver: Receiver, sink: Sink) -> None:
    sink.deliver([routed(f"test:{number}") for number in range(10)])
    sink.deliver([routed("test:11")])
    assert receiver.connections == 1


def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver, sink: Sink) -> None:
    receiver.answer_body = b"x" * 5_000_000
    assert sink.deliver([routed("test:1"), routed("test:2")]) == [None, None]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 413, 422])
def test_a_refusal_concerns_that_one_alone(receiver: Receiver, sink: Sink, status: int) -> None:
    receiver.statuses = [status]
    results = sink.deliver([routed("test:1"), routed("test:2")])
    assert results[0] is not None
    assert str(status) in results[0]
    assert results[1] is None
    assert set(receiver.held) == {"test:2"}


@pytest.mark.parametrize("status", [301, 302, 307, 401, 407, 408, 425, 429, 500, 502, 503, 504])
def test_any_other_answer_is_tried_again(receiver: Receiver, sink: Sink, status: int) -> None:
    receiver.statuses = [status]
    with pytest.raises(SinkUnavailable, match=str(status)):
        sink.deliver([routed()])
    assert sink.deliver([routed()]) == [None]
    assert set(receiver.held) == {"test:1"}


def test_a_redirect_is_not_followed(receiver: Receiver, sink: Sink) -> None:
    receiver.statuses = [307]
    receiver.answer_headers = {"Location": receiver.url.replace("/mentions", "/elsewhere")}
    with pytest.raises(SinkUnavailable, match="not followed"):
        sink.deliver([routed()])
    assert [request.path for request in receiver.requests] == ["/mentions"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "99999999999999999999"}, 3600.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 05 Jan 2026 09:02:00 GMT", "Date": "Mon, 05 Jan 2026 09:00:00 GMT"}, 120.0),
        ({"Retry-After": "Mon, 05 Jan 2026 08:00:00 GMT", "Date": "Mon, 05 Jan 2026 09:00:00 GMT"}, 0.0),
    ],
)
def test_the_pause_that_the_destination_asks_for_is_passed_on(headers: dict[str, str], seconds: float | None) -> None:
    with _raw_server(_answer("503 Busy", headers)) as port:
        sink = Sink(config(f"http://127.0.0.1:{port}"))
        with pytest.raises(SinkUnavailable) as caught:
            sink.deliver([routed()])
        sink.close()
    assert caught.value.retry_after == seconds


def test_what_was_answered_before_an_interruption_is_not_sent_again(receiver: Receiver, sink: Sink) -> None:
    batch = [routed("test:1"), routed("test:2"), routed("test:3")]
    receiver.statuses = [200, 422, 503]
    with pytest.raises(SinkUnavailable):
        sink.deliver(batch)
    results = sink.deliver(batch)
    assert [result is None for result in results] == [True, False, True]
    assert len(receiver.requests) == 4


def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        sink = Sink(config(f"http://127.0.0.1:{unused.getsockname()[1]}"))
        with pytest.raises(SinkUnavailable, match=r"127\.0\.0\.1 cannot be reached"):
            sink.deliver([routed()])
        sink.close()


def test_no_answer_in_time_is_unavailable() -> None:
    with _raw_server(b"") as port:
        sink = Sink(config(f"http://127.0.0.1:{port}", timeout_secs=0.05))
        with pytest.raises(SinkUnavailable, match=r"did not answer in 0\.05 s"):
            sink.deliver([routed()])
        sink.close()


def test_a_status_counts_even_when_the_rest_of_the_answer_stalls() -> None:
    with _raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") as port:
        sink = Sink(config(f"http://127.0.0.1:{port}", timeout_secs=0.2))
        assert sink.deliver([routed()]) == [None]
        sink.close()


def test_an_answer_that_is_no_http_is_unavailable() -> None:
    with _raw_server(b"SSH-2.0-OpenSSH_9.9\r\n\r\n") as port:
        sink = Sink(config(f"http://127.0.0.1:{port}"))
        with pytest.raises(SinkUnavailable, match="RemoteProtocolError"):
            sink.deliver([routed()])
        sink.close()


def test_text_that_is_no_unicode_is_refused_alone(receiver: Receiver, sink: Sink) -> None:
    results = sink.deliver([routed("test:1", text="\ud800"), routed("test:2")])
    assert results[0] is not None
    assert results[1] is None


# ------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "ftp://example.org/x"}, "http or https"),
        ({"url": "example.org/x"}, "http or https"),
        ({"url": "file:///etc/passwd"}, "http or https"),
        ({"url": "http://"}, "http or https"),
        ({"url": "http://[oops"}, "http or https"),
        ({"url": "http://example.org:99999"}, "http or https"),
        ({"url": "https://ana:hunter2@example.org"}, "user name or password"),
        ({"secret": "written-in-the-file-itself"}, "taken from the environment"),
        ({"secret": FromEnvironment("short")}, "at least 16 characters"),
        ({"headers": {"X Y": "z"}}, "no name for a header"),
        ({"headers": {"X-Y": "z\r\nX-Evil: 1"}}, "what no header can"),
        ({"headers": {"Idempotency-Key": "z"}}, "set by harken"),
        ({"timeout_secs": 0}, "greater than 0"),
        ({"timeout_secs": 61}, "less than or equal to 60"),
        ({"retries": 3}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        Config.model_validate({"url": "https://example.org/x"} | settings)
    assert "hunter2" not in str(caught.value.errors(include_input=False, include_url=False))


def test_neither_address_nor_headers_nor_answers_are_logged(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answer_body = b"a private answer"
    sink = Sink(config(f"{receiver.url}?token=t0ken", headers={"X-Api-Key": FromEnvironment("k3y")}))
    with caplog.at_level(logging.WARNING):
        sink.deliver([routed()])
        receiver.always = 500
        with pytest.raises(SinkUnavailable) as caught:
            sink.deliver([routed("test:2")])
    sink.close()
    assert receiver.requests[0].headers["x-api-key"] == "k3y"
    out = capsys.readouterr()
    shown = caplog.text + out.out + out.err + str(caught.value)
    assert not [word for word in ("t0ken", "k3y", "a private answer", SECRET) if word in shown]


# ------------------------------------------------------------------------ a server that speaks as it is told


def _answer(status: str, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Length: 0", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


class _raw_server:
    """Answers the first connection with these bytes and then says nothing more until the client is gone."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(self._answer)
            while connection.recv(65_536):
                pass

    def __enter__(self) -> int:
        self._thread.start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._thread.join(timeout=5)
        self._listener.close()
