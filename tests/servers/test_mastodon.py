"""Mastodon against a real third-party server (PyPI `mastodon_mock`): what its own streams, pages, threads, keys and
faults make of the connector, over both wires."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from pydantic import SecretStr

from connectors._mastodon_reply import Reply
from connectors.mastodon import Config, Connector, Rechecker, Replier, Server
from pipeline.clock import SystemClock
from pipeline.collect import own
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Kind, Media, Mention, Removal
from pipeline.ports import Brand, Context
from tests.fixtures.ear import Ear, heard
from tests.fixtures.pictures import PNG, Gallery

CONFIG = """
[server]
host = "127.0.0.1"
port = {port}
[streaming]
heartbeat_seconds = 0.5
[rate_limit]
enabled = false
[[seed.accounts]]
username = "care"
access_token = "care-token-4711"
[[seed.accounts]]
username = "ana"
access_token = "ana-token-4711"
[[seed.accounts]]
username = "ben"
access_token = "ben-token-4711"
"""
PATIENCE = 60.0


class Relay:
    """Stands between us and the server, and can cut every connection."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._open: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._behind))
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pipe, args=(one, other), daemon=True).start()

    @staticmethod
    def _pipe(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        while self._open:
            with closing(self._open.pop()) as one, suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.cut()


class Mock:
    """The server, and what people do there."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, by: str = "ana", **request: Any) -> Any:
        headers = {"Authorization": f"Bearer {by}-token-4711"}
        answer = httpx2.request(method, self.url + path, headers=headers, timeout=20, **request)
        answer.raise_for_status()
        return answer.json()

    def post(self, text: str, by: str = "ana", **fields: Any) -> dict[str, Any]:
        status: dict[str, Any] = self.call("POST", "/api/v1/statuses", by, json={"status": text, **fields})
        return status

    def fault(self, path: str, status: int, count: int = 1, **headers: str) -> None:
        effect = {"type": "status", "status": status, "headers": {k.replace("_", "-"): v for k, v in headers.items()}}
        self.call("POST", "/api/v1/_mock/faults", json={"match": {"path": path}, "effect": effect, "count": count})


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """The server's port, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    (folder / "mm.toml").write_text(CONFIG.format(port=port))
    command = [str(Path(sys.executable).with_name("mastodon_mock")), "serve", "--in-memory", "--config", "mm.toml"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as server:
        try:
            until = time.monotonic() + PATIENCE
            while True:
                with suppress(httpx2.HTTPError):
                    if httpx2.get(f"http://127.0.0.1:{port}/api/v1/streaming/health", timeout=2).status_code == 200:
                        break
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
            yield port
        finally:
            server.kill()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("mastodon")) as port:
        yield port


@pytest.fixture
def relay(port: int) -> Iterator[Relay]:
    with closing(Relay(port)) as relay:
        yield relay


@pytest.fixture
def mock(port: int) -> Iterator[Mock]:
    mock = Mock(f"http://127.0.0.1:{port}")
    yield mock
    httpx2.delete(f"{mock.url}/api/v1/_mock/faults", timeout=20)


@pytest.fixture(params=["auto", "sse"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def domain(mock: Mock) -> str:
    return str(mock.call("GET", "/api/v2/instance")["domain"])


def acme(mock: Mock) -> Brand:
    return Brand("acme", terms=("Acme",), own_accounts={"mastodon": (f"care@{domain(mock)}",)})


def config(url: str, transport: str = "auto", **settings: Any) -> Config:
    token = SecretStr("care-token-4711")
    return Config(
        servers=(Server(url=url, access_token=token),),
        transport=transport,
        reply=Reply(server=url, access_token=token, private_pictures=True),
        batch_secs=0.05,
        **settings,
    )


def settled(ear: Ear) -> bool:
    return bool(ear.cursor) and '"behind"' not in str(ear.cursor)


def test_a_question_its_edit_our_answer_and_its_deletion(relay: Relay, mock: Mock, transport: str) -> None:
    brand = acme(mock)
    context = Context("toots", (brand,), SystemClock())
    settings = config(relay.url, transport)
    with heard(Connector(settings, context)) as ear:
        ear.until(lambda: settled(ear))
        status = mock.post(f"Where is my parcel, #acme? ({transport})")
        ear.until(lambda: status["uri"] in {one.native_id for one in ear.items if isinstance(one, Mention)})
        asked = next(one for one in ear.items if isinstance(one, Mention) and one.native_id == status["uri"])
        assert (asked.kind, asked.author.id) == (Kind.POST, f"ana@{domain(mock)}")

        sent = Replier(settings, context).reply(asked, "Sorry, it is on its way", f"key-{transport}")
        ear.until(lambda: any(isinstance(one, Mention) and one.native_id == sent for one in ear.items))
        ours = next(one for one in ear.items if isinstance(one, Mention) and one.native_id == sent)
        assert own(ours, [brand])
        assert (ours.kind, ours.parent, ours.conversation) == (Kind.REPLY, asked.id, asked.id)
        below = mock.call("GET", f"/api/v1/statuses/{status['id']}/context")["descendants"]
        assert [(one["uri"], one["in_reply_to_id"]) for one in below] == [(sent, status["id"])]

        mock.call("PUT", f"/api/v1/statuses/{status['id']}", json={"status": "It came, thank you #acme"})
        ear.until(lambda: "It came, thank you #acme" in ear.texts)
        assert ear.mention("It came, thank you #acme").id == asked.id
        assert ear.mention("It came, thank you #acme").edited_at

        mock.call("DELETE", f"/api/v1/statuses/{status['id']}")
        ear.until(lambda: isinstance(ear.items[-1], Removal))
    assert ear.texts[-1] == f"- mention:{asked.id}"


def test_a_forced_disconnect_loses_nothing(relay: Relay, mock: Mock, transport: str) -> None:
    connector = Connector(config(relay.url, transport), Context("toots", (acme(mock),), SystemClock()))
    said = [f"{number} #acme {transport}" for number in range(45)]
    heard_so_far: list[str] = []
    cursor = None
    with heard(connector) as ear:
        ear.until(lambda: settled(ear))
        mock.post(said[0])
        ear.until(lambda: said[0] in ear.texts)
        relay.cut()
        for text in said:
            mock.post(f"then {text}")
        with pytest.raises(SourceUnavailable):
            ear.until(lambda: False)
        heard_so_far, cursor = ear.texts, ear.cursor
    with heard(connector, cursor) as again:
        again.until(lambda: bool(again.gaps))
        heard_so_far += again.texts
    assert [text for text in heard_so_far if text.startswith("then") and text.endswith(transport)] == [
        f"then {text}" for text in said
    ]
    assert again.gaps[0].repaired


def test_a_limit_with_retry_after_is_obeyed(relay: Relay, mock: Mock) -> None:
    mock.post("Limited #acme")
    mock.fault("/api/v1/timelines/tag/acme", 429, Retry_After="2")
    with heard(Connector(config(relay.url), Context("toots", (acme(mock),), SystemClock()))) as ear:
        started = time.monotonic()
        ear.until(lambda: "Limited #acme" in ear.texts)
    assert time.monotonic() - started >= 2
    mock.fault("/api/v2/instance", 429, Retry_After="77")
    with (
        heard(Connector(config(relay.url), Context("toots", (), SystemClock()))) as ear,
        pytest.raises(SourceUnavailable) as failure,
    ):
        ear.until(lambda: False)
    assert (failure.value.trouble, failure.value.retry_after) == ("rate_limited", 77)


def test_an_answer_is_given_once_with_its_picture_and_refused_in_the_servers_words(relay: Relay, mock: Mock) -> None:
    context = Context("toots", (acme(mock),), SystemClock())
    settings = config(relay.url)
    with heard(Connector(settings, context)) as ear:
        status = mock.post("@care my address is Elm Street 1", visibility="direct")
        ear.until(lambda: status["uri"] in {one.native_id for one in ear.items if isinstance(one, Mention)})
        asked = ear.mention("@care my address is Elm Street 1")
    assert asked.kind is Kind.MESSAGE
    assert asked.brand == "acme"
    with Gallery().running() as gallery:
        picture = Media(url=gallery.hang_up("/label.png", PNG), alt="The label")
        sent = Replier(settings, context).reply(asked, "Thank you", "key-picture", [picture])
        assert Replier(settings, context).reply(asked, "Thank you", "key-picture", [picture]) == sent
    (ours,) = mock.call("GET", f"/api/v1/statuses/{status['id']}/context")["descendants"]
    assert (ours["visibility"], ours["in_reply_to_id"]) == ("direct", status["id"])
    assert [one["description"] for one in ours["media_attachments"]] == ["The label"]
    assert [one["acct"] for one in ours["mentions"]] == ["ana"]
    replier = Replier(settings, context)
    with pytest.raises(ReplyRefused, match="too long"):
        replier.reply(asked, "a" * 501, "key-long")
    assert replier.act("like", asked, "", "key-like") == asked.native_id
    assert mock.call("GET", f"/api/v1/statuses/{status['id']}", "care")["favourited"]


def test_what_was_deleted_while_nobody_listened_is_found_by_asking(relay: Relay, mock: Mock) -> None:
    context = Context("toots", (acme(mock),), SystemClock())
    with heard(Connector(config(relay.url), context)) as ear:
        posts = [mock.post(f"{number} #acme to ask about") for number in range(3)]
        ear.until(lambda: {f"{number} #acme to ask about" for number in range(3)} <= set(ear.texts))
    mentions = [ear.mention(f"{number} #acme to ask about") for number in range(3)]
    mock.call("DELETE", f"/api/v1/statuses/{posts[0]['id']}")
    mock.call("PUT", f"/api/v1/statuses/{posts[1]['id']}", json={"status": "Reworded #acme"})
    gone, anew = Rechecker(config(relay.url), context).recheck(mentions)
    assert isinstance(gone, Removal)
    assert gone.mention == mentions[0].id
    assert isinstance(anew, Mention)
    assert (anew.id, anew.text) == (mentions[1].id, "Reworded #acme")


def test_no_token_is_logged(relay: Relay, mock: Mock, capfd: pytest.CaptureFixture[str]) -> None:
    connector = Connector(config(relay.url), Context("toots", (acme(mock),), SystemClock()))
    with structlog.testing.capture_logs() as lines, heard(connector) as ear:
        ear.until(lambda: settled(ear))
    assert lines
    assert "care-token-4711" not in str([lines, *capfd.readouterr()])
