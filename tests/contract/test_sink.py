"""What every sink promises (pipeline/ports.py), held against a real destination of each."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pipeline import codec
from pipeline.errors import SinkUnavailable
from pipeline.mention import Author, Routed
from pipeline.ports import FromEnvironment, Settings
from pipeline.ports import Sink as SinkPort
from sinks import jsonl, webhook
from tests.sinks.deliveries import removal, routed
from tests.sinks.receiver import SECRET, Receiver, receiving


class Destination(ABC):
    """A sink's other end: how to make sinks for it, what it holds, and how it goes down and comes back."""

    config: Settings
    secrets: tuple[str, ...] = ()

    @abstractmethod
    def sink(self) -> SinkPort: ...

    @abstractmethod
    def held(self) -> dict[str, Routed]: ...

    @abstractmethod
    def effects(self) -> object:
        """Something that a delivery with any effect changes."""

    @abstractmethod
    def contacts(self) -> object:
        """Something that opening the destination changes."""

    @abstractmethod
    def go_down(self) -> None: ...

    @abstractmethod
    def come_back(self) -> None: ...


Factory = Callable[[Path], AbstractContextManager[Destination]]


class JsonlFiles(Destination):
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "out"
        self.config: jsonl.Config = jsonl.Config(path=self.folder / "mentions-{day}.jsonl")

    def sink(self) -> jsonl.Sink:
        return jsonl.Sink(self.config)

    def _files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("mentions-*.jsonl"))}

    def held(self) -> dict[str, Routed]:
        lines = [line for data in self._files().values() for line in data.splitlines()]
        records = [codec.decode(line) for line in lines]
        held = {record.mention.id: record for record in records if isinstance(record, Routed)}
        assert len(held) == len(lines), "a mention stands in the files twice"
        return held

    def effects(self) -> object:
        return self._files()

    def contacts(self) -> object:
        return self.folder.exists()

    def go_down(self) -> None:
        if self.folder.exists():
            self.folder.rename(self.folder.with_name("unmounted"))
        self.folder.write_text("not a folder")

    def come_back(self) -> None:
        self.folder.unlink()
        if self.folder.with_name("unmounted").exists():
            self.folder.with_name("unmounted").rename(self.folder)


class WebhookReceiver(Destination):
    secrets = (SECRET, "a-token")

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.config: webhook.Config = webhook.Config.model_validate(
            {
                "url": receiver.url,
                "secret": FromEnvironment(SECRET),
                "headers": {"Authorization": FromEnvironment("Bearer a-token")},
            }
        )

    def sink(self) -> webhook.Sink:
        return webhook.Sink(self.config)

    def held(self) -> dict[str, Routed]:
        return dict(self.receiver.held)

    def effects(self) -> object:
        return list(self.receiver.effects)

    def contacts(self) -> object:
        return self.receiver.connections

    def go_down(self) -> None:
        self.receiver.always = 503

    def come_back(self) -> None:
        self.receiver.always = None


@contextmanager
def _jsonl(folder: Path) -> Iterator[Destination]:
    yield JsonlFiles(folder)


@contextmanager
def _webhook(_folder: Path) -> Iterator[Destination]:
    with receiving() as receiver:
        yield WebhookReceiver(receiver)


ADAPTERS: dict[str, Factory] = {"jsonl": _jsonl, "webhook": _webhook}
"""Every sink by its module's name; a meta-test finds one that is missing."""


@pytest.fixture(params=sorted(ADAPTERS))
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    with ADAPTERS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def sink(destination: Destination) -> Iterator[SinkPort]:
    made = destination.sink()
    yield made
    made.close()


def test_building_a_sink_opens_nothing(destination: Destination) -> None:
    before = destination.contacts()
    destination.sink()
    assert destination.contacts() == before


def test_a_sink_can_be_built_and_closed_while_its_destination_is_down(destination: Destination) -> None:
    destination.go_down()
    destination.sink().close()


def test_there_is_one_result_for_each_delivery(destination: Destination, sink: SinkPort) -> None:
    batch = [routed(f"test:{number}") for number in range(5)]
    assert list(sink.deliver(batch)) == [None] * 5
    assert set(destination.held()) == {f"test:{number}" for number in range(5)}


def test_an_empty_batch_has_no_results(sink: SinkPort) -> None:
    assert list(sink.deliver([])) == []


def test_what_is_delivered_arrives_whole(destination: Destination, sink: SinkPort) -> None:
    delivery = routed(text='naïve 😡 "quoted"\nsecond line \u2028 \x00 end')
    sink.deliver([delivery])
    assert destination.held() == {"test:1": delivery.record}


def test_redelivery_has_no_second_effect(destination: Destination, sink: SinkPort) -> None:
    batch = [routed("test:1"), routed("test:2"), removal("test:2")]
    sink.deliver(batch)
    effects = destination.effects()
    assert list(sink.deliver(batch)) == [None] * 3
    assert destination.effects() == effects
    assert set(destination.held()) == {"test:1"}


def test_redelivery_to_a_new_process_has_no_second_effect(destination: Destination, sink: SinkPort) -> None:
    batch = [routed("test:1"), routed("test:2", after=5)]
    sink.deliver(batch)
    effects = destination.effects()
    restarted = destination.sink()
    assert list(restarted.deliver(batch)) == [None, None]
    restarted.close()
    assert destination.effects() == effects


def test_the_same_delivery_twice_in_a_batch_counts_once(destination: Destination, sink: SinkPort) -> None:
    assert list(sink.deliver([routed(), routed()])) == [None, None]
    assert len(destination.held()) == 1


def test_a_newer_revision_replaces_the_older(destination: Destination, sink: SinkPort) -> None:
    sink.deliver([routed(text="Acme lost my parcel"), routed("test:2")])
    newer = routed(text="Acme found my parcel", after=10)
    assert list(sink.deliver([newer])) == [None]
    held = destination.held()
    assert held["test:1"] == newer.record
    assert set(held) == {"test:1", "test:2"}


def test_a_newer_revision_in_the_same_batch_replaces_the_older(destination: Destination, sink: SinkPort) -> None:
    newer = routed(text="Acme found my parcel", after=10)
    sink.deliver([routed(), newer])
    assert destination.held() == {"test:1": newer.record}


def test_an_older_revision_that_comes_late_changes_nothing(destination: Destination, sink: SinkPort) -> None:
    newer = routed(text="Acme found my parcel", after=10)
    sink.deliver([newer])
    assert list(sink.deliver([routed()])) == [None]
    assert destination.held() == {"test:1": newer.record}


def test_a_removal_takes_the_mention_away(destination: Destination, sink: SinkPort) -> None:
    sink.deliver([routed("test:1"), routed("test:2")])
    assert list(sink.deliver([removal("test:1")])) == [None]
    assert set(destination.held()) == {"test:2"}


def test_a_removal_of_an_author_takes_all_of_theirs_away(destination: Destination, sink: SinkPort) -> None:
    other = routed("test:3", author=Author(id="bo"))
    sink.deliver([routed("test:1"), routed("test:2"), other])
    assert list(sink.deliver([removal(author="test:ana")])) == [None]
    assert set(destination.held()) == {"test:3"}


def test_a_removal_of_what_it_never_had_is_no_error(destination: Destination, sink: SinkPort) -> None:
    assert list(sink.deliver([removal("test:9"), removal(author="test:nobody"), routed()])) == [None] * 3
    assert set(destination.held()) == {"test:1"}


def test_a_destination_that_is_down_gets_everything_once_it_is_back(destination: Destination, sink: SinkPort) -> None:
    sink.deliver([routed("test:1")])
    batch = [routed("test:2"), routed("test:1", text="edited", after=10)]
    destination.go_down()
    for _ in range(2):
        with pytest.raises(SinkUnavailable):
            sink.deliver(batch)
    destination.come_back()
    assert list(sink.deliver(batch)) == [None, None]
    assert destination.held() == {"test:2": batch[0].record, "test:1": batch[1].record}


def test_closing_twice_is_harmless(sink: SinkPort) -> None:
    sink.deliver([routed()])
    sink.close()
    sink.close()


def test_no_secret_is_printed(destination: Destination, sink: SinkPort) -> None:
    destination.go_down()
    with pytest.raises(SinkUnavailable) as caught:
        sink.deliver([routed()])
    shown = [str(caught.value), repr(caught.value), repr(destination.config), str(destination.config), repr(sink)]
    shown.append(json.dumps(destination.config.model_dump(mode="json")))
    assert not [text for text in shown for secret in destination.secrets if secret in text]


def test_a_sink_may_be_used_from_another_thread_than_built_it(destination: Destination, sink: SinkPort) -> None:
    sink.deliver([routed("test:1")])
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.extend(sink.deliver([routed("test:2")])))
    thread.start()
    thread.join()
    assert results == [None]
    assert set(destination.held()) == {"test:1", "test:2"}
