"""The JSON lines sink beyond its contract: files, crashes, full disks."""

from __future__ import annotations

import itertools
import json
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.errors import SinkUnavailable
from pipeline.mention import Author, Mention, Removal
from pipeline.ports import Delivery
from sinks.jsonl import Config, Sink
from tests.sinks.deliveries import MORNING, removal, routed


@pytest.fixture
def sink(tmp_path: Path) -> Sink:
    return made(tmp_path)


def made(folder: Path) -> Sink:
    return Sink(Config(path=folder / "mentions-{day}.jsonl"))


def lines(folder: Path) -> dict[str, list[str]]:
    """Each file's mention ids, in order."""
    return {
        path.name: [json.loads(line)["mention"]["id"] for line in path.read_text().splitlines()]
        for path in sorted(folder.glob("mentions-*.jsonl"))
    }


def index_of(folder: Path) -> Path:
    (index,) = folder.glob(".mentions-*.sqlite3")
    return index


def test_each_day_of_routing_has_its_file(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1"), routed("test:2", after=24 * 60), routed("test:3")])
    assert lines(tmp_path) == {
        "mentions-2026-01-05.jsonl": ["test:1", "test:3"],
        "mentions-2026-01-06.jsonl": ["test:2"],
    }


def test_a_revision_of_another_day_leaves_no_line_behind(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1", text="old words"), routed("test:2")])
    sink.deliver([routed("test:1", text="new words", after=24 * 60)])
    assert lines(tmp_path) == {"mentions-2026-01-05.jsonl": ["test:2"], "mentions-2026-01-06.jsonl": ["test:1"]}


def test_a_removal_leaves_no_byte_of_the_mention_in_the_folder(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1", text="unmistakable words"), routed("test:2")])
    sink.deliver([removal("test:1")])
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"unmistakable" not in left
    assert lines(tmp_path) == {"mentions-2026-01-05.jsonl": ["test:2"]}


def test_a_mention_that_comes_late_after_its_removal_stays_away(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([removal("test:1"), removal(author="test:bo")])
    sink.deliver([routed("test:1"), routed("test:2", author=Author(id="bo"))])
    assert lines(tmp_path) == {}


def test_an_author_who_comes_back_is_written_again(sink: Sink, tmp_path: Path) -> None:
    gone = removal(author="test:ana", after=60)
    sink.deliver([routed("test:1"), gone, routed("test:2", after=61), gone])
    assert lines(tmp_path) == {"mentions-2026-01-05.jsonl": ["test:2"]}


def test_a_mention_that_was_hidden_for_a_while_survives_the_old_removal(sink: Sink, tmp_path: Path) -> None:
    hidden = removal("test:1", after=60)
    sink.deliver([routed("test:1"), hidden, routed("test:1", after=61), hidden])
    assert lines(tmp_path) == {"mentions-2026-01-05.jsonl": ["test:1"]}


def test_a_removal_noticed_by_a_slow_clock_takes_it_away_for_good(sink: Sink, tmp_path: Path) -> None:
    batch = [routed("test:1", after=10), removal("test:1", after=5)]
    sink.deliver(batch)
    sink.deliver(batch)
    assert lines(tmp_path) == {}


def test_a_new_decision_on_the_same_words_replaces_the_old(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1")])
    sink.deliver([routed("test:1", decided_at=MORNING.replace(hour=12))])
    (path,) = tmp_path.glob("*.jsonl")
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["decision"]["decided_at"] == "2026-01-05T12:00:00Z"


def test_text_that_is_no_unicode_is_refused_alone(sink: Sink, tmp_path: Path) -> None:
    results = sink.deliver([routed("test:1"), routed("test:2", text="\ud800"), routed("test:3")])
    assert [result is None for result in results] == [True, False, True]
    assert lines(tmp_path) == {"mentions-2026-01-05.jsonl": ["test:1", "test:3"]}


# ------------------------------------------------------------------------ crashes


def test_a_crash_between_the_file_and_the_index_doubles_nothing(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1")])
    index = index_of(tmp_path)
    shutil.copy(index, tmp_path / "before")
    batch = [routed("test:2"), routed("test:1", text="edited", after=24 * 60)]
    sink.deliver(batch)
    after = lines(tmp_path)
    shutil.move(tmp_path / "before", index)
    made(tmp_path).deliver(batch)
    assert lines(tmp_path) == after


def test_a_crash_after_the_new_line_and_before_the_old_one_went_is_put_right(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1")])
    old = tmp_path / "mentions-2026-01-05.jsonl"
    shutil.copy2(old, tmp_path / "before")
    sink.deliver([routed("test:1", after=24 * 60)])
    shutil.move(tmp_path / "before", old)
    made(tmp_path).deliver([])
    assert lines(tmp_path) == {"mentions-2026-01-05.jsonl": [], "mentions-2026-01-06.jsonl": ["test:1"]}


def test_a_line_that_a_crash_cut_short_is_cut_off(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1")])
    path = tmp_path / "mentions-2026-01-05.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    sink.deliver([routed("test:2")])
    assert lines(tmp_path) == {path.name: ["test:1", "test:2"]}


def test_a_file_that_a_crash_left_unfinished_is_removed(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1")])
    left = tmp_path / "mentions-2026-01-05.jsonl.unfinished"
    left.write_text("half of it")
    other = tmp_path / "somebody's.unfinished"
    other.write_text("not ours")
    sink.deliver([])
    assert not left.exists()
    assert other.exists()


def test_without_its_index_it_reads_the_files_again(sink: Sink, tmp_path: Path) -> None:
    batch = [routed("test:1"), routed("test:2", after=24 * 60)]
    sink.deliver(batch)
    before = lines(tmp_path)
    index_of(tmp_path).unlink()
    restarted = made(tmp_path)
    restarted.deliver(batch)
    assert lines(tmp_path) == before
    restarted.deliver([removal("test:2", after=48 * 60)])
    assert lines(tmp_path)["mentions-2026-01-06.jsonl"] == []


def test_a_restored_backup_does_not_bring_back_what_was_taken_back(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1", text="unmistakable"), routed("test:2")])
    path = tmp_path / "mentions-2026-01-05.jsonl"
    backup = path.read_bytes()
    sink.deliver([removal("test:1")])
    path.write_bytes(backup)
    sink.deliver([])
    assert lines(tmp_path) == {path.name: ["test:2"]}


def test_a_file_that_somebody_removed_is_forgotten(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1")])
    (tmp_path / "mentions-2026-01-05.jsonl").unlink()
    sink.deliver([routed("test:1")])
    assert lines(tmp_path) == {"mentions-2026-01-05.jsonl": ["test:1"]}


def test_lines_of_others_are_left_as_they_are(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1")])
    path = tmp_path / "mentions-2026-01-05.jsonl"
    path.write_bytes(b"# a note\n" + path.read_bytes())
    sink.deliver([removal("test:1")])
    assert path.read_bytes() == b"# a note\n"


# ------------------------------------------------------------------------ unavailable


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """Let the system refuse to write any file beyond `size` bytes, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("second", [routed("test:2", text="x" * 3000), routed("test:0", text="y" * 3000, after=1)])
def test_a_full_disk_leaves_nothing_half_written(sink: Sink, tmp_path: Path, second: Delivery) -> None:
    sink.deliver([routed("test:0", text="x" * 300_000)])
    sink.deliver([routed("test:1")])
    path = tmp_path / "mentions-2026-01-05.jsonl"
    before = path.read_bytes()
    appends = second.key.startswith("test:2")
    limit = len(before) + 1000 if appends else 1000  # a rewrite makes a new file
    with no_file_over(limit), pytest.raises(SinkUnavailable):
        sink.deliver([second])
    assert path.read_bytes() == before
    assert sink.deliver([second]) == [None]
    assert sorted(lines(tmp_path)[path.name]) == ["test:0", "test:1", "test:2"][: 3 if appends else 2]
    assert not list(tmp_path.glob("*.unfinished"))


def test_files_that_another_process_is_writing_are_unavailable(
    sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.jsonl._LOCK_TIMEOUT_SECS", 0.0)
    sink.deliver([routed("test:1")])
    with closing(sqlite3.connect(index_of(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SinkUnavailable, match="locked"):
            sink.deliver([routed("test:2")])
    assert sink.deliver([routed("test:2")]) == [None]


def test_a_damaged_index_is_said_to_be_removable(sink: Sink, tmp_path: Path) -> None:
    sink.deliver([routed("test:1")])
    index_of(tmp_path).write_bytes(b"no database at all" * 100)
    with pytest.raises(SinkUnavailable, match="remove that file"):
        sink.deliver([routed("test:2")])


# ------------------------------------------------------------------------ settings


@pytest.mark.parametrize("path", ["out.jsonl", "{day}/out.jsonl", "{day}-{day}.jsonl", "{day}-{hour}.jsonl"])
def test_a_path_names_the_day_once_in_its_last_part(path: str) -> None:
    with pytest.raises(ValidationError, match=r"holds \{day\} once"):
        Config.model_validate({"path": path})


# ------------------------------------------------------------------------ whatever comes, in whatever portions

_ids = st.sampled_from(["test:1", "test:2", "test:3"])
_minutes = st.sampled_from([0, 10, 20, 24 * 60, 24 * 60 + 10])
_authors = st.sampled_from(["ana", "bo"])
_deliveries = st.one_of(
    st.builds(lambda id, after: routed(id, text=f"{id} at {after}", after=after), _ids, _minutes),
    st.builds(lambda id, after: removal(id, after=after + 5), _ids, _minutes),
    st.builds(lambda author, after: removal(author=f"test:{author}", after=after + 5), _authors, _minutes),
)


@settings(max_examples=30, deadline=None)
@given(
    deliveries=st.lists(_deliveries, max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=4),
    repeats=st.booleans(),
)
def test_portions_and_repeats_make_no_difference(deliveries: list[Delivery], cuts: list[int], repeats: bool) -> None:
    """The same deliveries at once, and in portions each of which comes twice, end in the same lines."""
    with tempfile.TemporaryDirectory() as at_once, tempfile.TemporaryDirectory() as portioned:
        made(Path(at_once)).deliver(deliveries)
        bounds = sorted({0, len(deliveries), *(cut for cut in cuts if cut < len(deliveries))})
        for start, end in itertools.pairwise(bounds):
            for _ in range(1 + repeats):
                assert set(made(Path(portioned)).deliver(deliveries[start:end])) <= {None}
        one, other = contents(Path(at_once)), contents(Path(portioned))
    assert one == other == expected(deliveries)


def contents(folder: Path) -> dict[str, str]:
    found = [
        (mention["id"], mention["text"])
        for path in folder.glob("*.jsonl")
        for mention in (json.loads(line)["mention"] for line in path.read_text().splitlines())
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def expected(deliveries: list[Delivery]) -> dict[str, str]:
    """What must be left, worked out the slow way."""
    held: dict[str, Mention] = {}
    removed: dict[str, datetime] = {}
    seen: set[str] = set()
    for delivery in deliveries:
        record = delivery.record
        if isinstance(record, Removal):
            if delivery.key in seen:
                continue
            seen.add(delivery.key)
            until = record.noticed_at
            if record.mention in held:
                until = max(until, noticed(held.pop(record.mention)))
            for id, mention in list(held.items()):
                if record.author == author(mention) and noticed(mention) <= until:
                    del held[id]
            removed[record.target] = max(until, removed.get(record.target, until))
            continue
        mention = record.mention
        targets = (f"mention:{mention.id}", f"author:{author(mention)}")
        if any(target in removed and noticed(mention) <= removed[target] for target in targets):
            continue
        if mention.id not in held or held[mention.id].revision < mention.revision:
            held[mention.id] = mention
    return {id: mention.text for id, mention in held.items()}


def author(mention: Mention) -> str:
    return f"{mention.source}:{mention.author.id}"


def noticed(mention: Mention) -> datetime:
    return mention.collected_at or mention.revision
