"""People who fill in a form, one after the other; each presses Send again until thanked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import httpx2
from pydantic import SecretStr

from connectors._feedback_form import Entry, Form
from connectors._feedback_traps import Tokens
from connectors.feedback import Config
from connectors.feedback import Connector as Feedback
from pipeline.ports import Connector
from tests.contract.connectors import Ready

SECRET = "correct-horse-battery-staple"  # noqa: S105 - guards nothing but this test


class FeedbackHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path) -> Iterator[Ready]:
        senders: list[threading.Thread] = []
        ended = threading.Event()
        tokens = Tokens(SecretStr(SECRET))
        filled = [{"message": f"Late again {n}", "token": tokens.issue("acme", datetime.now(UTC))} for n in range(9)]
        expected = set()
        for one in filled:
            stamp = tokens.read("acme", one["token"])
            assert stamp is not None
            expected.add(f"feedback:{tokens.reference('acme', stamp, Entry(one).content)}")

        def send(port: int) -> None:
            with httpx2.Client(trust_env=False) as client:
                for one in filled:
                    try:
                        client.post(f"http://127.0.0.1:{port}/feedback/acme", data=one, timeout=5)
                    except httpx2.HTTPError:
                        return  # the run has ended
                    if ended.is_set():
                        return

        def push(connector: Connector) -> None:
            port = cast(Feedback, connector).port
            assert port is not None
            senders.append(threading.Thread(target=send, args=(port,)))
            senders[-1].start()

        forms, secret = {"acme": Form(brand="Acme")}, SecretStr(SECRET)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            try:
                yield Ready(
                    config=Config(port=0, secret=secret, forms=forms, durable_timeout_secs=5, per_address=1000),
                    source="feedback",
                    expected=frozenset(expected),
                    bad=0,
                    brand="Acme",
                    secrets=(SECRET,),
                    repeats=9,
                    push=push,
                    failing=Config(port=taken.getsockname()[1], secret=secret, forms=forms),
                )
            finally:
                ended.set()
                for sender in senders:
                    sender.join()


harness = FeedbackHarness()
