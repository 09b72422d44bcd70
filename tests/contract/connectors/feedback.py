"""People who fill in a form, one after the other; each presses Send again until thanked."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from connectors._feedback_form import Entry, Form
from connectors._feedback_traps import Tokens
from connectors.feedback import Config
from connectors.feedback import Connector as Feedback
from tests.contract.connectors import Front, Push, Pushes, Ready, direct
from tests.fixtures.senders import Senders

SECRET = "correct-horse-battery-staple"  # noqa: S105 - guards nothing but this test


def again(attempt: int) -> float:
    """A person who presses Send again soon, and then when they think of it."""
    return (20.0, 60.0, 300.0, 900.0, 3_600.0)[min(attempt, 5) - 1]


class FeedbackHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        tokens = Tokens(SecretStr(SECRET))
        filled = [{"message": f"Late again {n}", "token": tokens.issue("acme", datetime.now(UTC))} for n in range(9)]
        expected = set()
        for one in filled:
            stamp = tokens.read("acme", one["token"])
            assert stamp is not None
            expected.add(f"feedback:{tokens.reference('acme', stamp, Entry(one).content)}")

        def sent(one: dict[str, str]) -> Callable[[str], dict[str, Any]]:
            return lambda base: {"url": f"{base}/feedback/acme", "data": one}

        senders = Senders([sent(one) for one in filled], lambda connector: cast(Feedback, connector).port, front)
        numbers = itertools.count(100)

        def said(moment: datetime) -> Push:
            one = {"message": f"Late again {next(numbers)}", "token": tokens.issue("acme", moment)}
            stamp = tokens.read("acme", one["token"])
            assert stamp is not None
            id = f"feedback:{tokens.reference('acme', stamp, Entry(one).content)}"
            return Push(id, lambda base, _: {"url": f"{base}/feedback/acme", "data": one})

        forms, secret = {"acme": Form(brand="Acme")}, SecretStr(SECRET)
        with socket.create_server(("127.0.0.1", 0)) as taken, senders.working():
            yield Ready(
                config=Config(port=0, secret=secret, forms=forms, durable_timeout_secs=5, per_address=1000),
                source="feedback",
                expected=frozenset(expected),
                bad=0,
                brand="Acme",
                secrets=(SECRET,),
                repeats=9,
                push=senders.push,
                pushes=Pushes(said, again),
                failing=Config(port=taken.getsockname()[1], secret=secret, forms=forms),
            )


harness = FeedbackHarness()
