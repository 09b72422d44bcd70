"""What every platform of the circle shares: a cable that can be cut."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any, ClassVar

from tests.fixtures.circle import Cable


class Wired(ABC):
    """A platform behind its cable (`tests/fixtures/circle.py` says what each has to do)."""

    name: ClassVar[str]
    secrets: ClassVar[Mapping[str, str]] = {}
    own: Mapping[str, Sequence[str]] = {}
    cannot: ClassVar[Mapping[str, str]] = {}
    tells_of_deletions: ClassVar[bool] = False
    """Or has to be asked."""
    cable: Cable
    source: Mapping[str, Any]

    def ready(self) -> bool:
        """Whether what is said from now on is heard; true where a first start reads back."""
        return True

    @abstractmethod
    def say(self, text: str, by: str) -> str: ...

    def answers(self, thing: str) -> Sequence[str]:
        raise NotImplementedError(self.cannot["answer"])

    def edit(self, thing: str, text: str) -> None:
        raise NotImplementedError(self.cannot["edit"])

    def delete(self, thing: str) -> None:
        raise NotImplementedError(self.cannot["delete"])


def cable_to(stack: ExitStack, port: int) -> Cable:
    """A cable to this port of ours, for as long as the stack lasts."""
    cable = Cable(port)
    stack.callback(cable.close)
    return cable


def in_seconds(moment: datetime) -> str:
    """As most platforms write a time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
