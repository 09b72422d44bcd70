"""Who has called before a server stops is answered, though they had not asked yet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn

from pipeline.clock import SystemClock
from pipeline.commands import serve


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """An application that says yes."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"yes"})


def wait_for(what: Callable[[], object]) -> None:
    clock = SystemClock()
    for _ in range(3000):
        if what():
            return
        clock.wait(0.01)
    raise AssertionError("it never came about")


def test_a_caller_who_had_not_asked_yet_is_heard_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "ASK_SECS", 20.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(answers, log_config=None, access_log=False, ws="none", lifespan="off")
        server = serve.Patient(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener.dup()]}, daemon=True)
        thread.start()
        with socket.create_connection(listener.getsockname(), timeout=30) as caller:
            wait_for(lambda: server.server_state.connections)
            server.should_exit = True
            wait_for(lambda: not any(it.is_serving() for it in server.servers))
            caller.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            told = b""
            while part := caller.recv(1000):
                told += part
        thread.join(30)
    assert told.startswith(b"HTTP/1.1 200")
    assert told.endswith(b"yes")
    assert not thread.is_alive()
