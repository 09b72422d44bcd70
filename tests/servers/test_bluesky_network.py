"""The whole way with Bluesky's own servers (identities, accounts, the view of the apps) and harken's roles as they run:
what is posted opens a case, the answer hangs where it belongs, what is edited, deleted or deactivated follows, and a
stream that breaks off loses nothing."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from connectors.bluesky import Config, Connector
from pipeline.clock import SystemClock
from pipeline.errors import SourceUnavailable
from pipeline.ports import Brand, Context
from tests.faults.household import Household
from tests.fixtures.bluesky_network import Account, Bluesky, Relay
from tests.fixtures.ear import heard
from tests.fixtures.pictures import PNG
from tests.pipeline.test_commands import Shell

PATIENCE = 120.0
ROLES = ("collect", "enrich", "route", "deliver", "desk")


class World:
    """The network, a Jetstream of it, an account of the brand's, and harken running."""

    def __init__(
        self,
        network: Bluesky,
        jetstream: Relay,
        brand: Account,
        password: str,
        shell: Shell,
        household: Household,
    ) -> None:
        self.network, self.jetstream, self.brand, self.password = network, jetstream, brand, password
        self.shell, self.household = shell, household

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not happen within {PATIENCE:g} s\n{self.household.logs()}")
            time.sleep(0.2)
        return found

    def cases(self, author: Account, *options: str) -> list[dict[str, Any]]:
        """What is open of this author."""
        found: list[dict[str, Any]] = self.shell.json("case", "list", "--customer", f"bluesky:{author.did}", *options)
        return found

    def case(self, author: Account) -> dict[str, Any]:
        """The only one, when it is there."""
        (case,) = self.until(lambda: self.cases(author), f"the case of {author.handle}")
        return dict(case)

    def said(self, case: dict[str, Any]) -> list[str]:
        """What its author said in it."""
        return [str(one["text"]) for one in self.shell.json("case", "show", case["id"])["said"]]

    def reply(self, case: dict[str, Any], text: str) -> None:
        """An agent answers what was said last."""
        sent = self.shell.json("case", "reply", case["id"], text, "--send", "--as", "kim")
        assert sent["draft"]["state"] == "queued"

    def story(self, uri: str) -> dict[str, Any]:
        """What harken tells of a post; nothing where it does not know it."""
        with suppress(AssertionError):
            return dict(self.shell.json("explain", f"bluesky:{uri}"))
        return {}

    def filtered(self, uri: str) -> str | None:
        """Why nobody needs to see a post; None where somebody does, or where it is not here yet."""
        routed = self.story(uri).get("routed") or {"decision": {}}
        return dict(routed["decision"]).get("filtered")

    def archived(self, author: Account) -> list[str]:
        """The author's posts as the sink got them."""
        files = self.shell.directory.glob("var/out/*.jsonl")
        lines = [line for path in files for line in path.read_bytes().split(b"\n")[:-1]]  # none that is being written
        return [id for line in lines if author.did in (id := str(json.loads(line)["mention"]["id"]))]

    def written(self, word: str) -> list[str]:
        """The files of the installation in which it stands: of a database, in the rows of its tables."""
        found = []
        for path in self.shell.directory.rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # some come and go
                found += [path.name] * (word.encode() in contents(path))
        return found

    @property
    def at_rest(self) -> bool:
        """Whether all that was taken in has arrived."""
        ledger = self.shell.json("ledger")
        return bool(ledger["balanced"] and not ledger["in_flight"])


def contents(path: Path) -> bytes:
    """What can be read in a file; of an SQLite database its rows (between them it leaves bytes of rows that it moved,
    which only a VACUUM takes)."""
    if path.name.endswith(("-wal", "-shm", "-journal")):  # they belong to a database
        return b""
    if not (content := path.read_bytes()).startswith(b"SQLite format 3"):
        return content
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=PATIENCE)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return b"".join(repr(row).encode() for name in tables for row in database.execute(f'SELECT * FROM "{name}"'))  # noqa: S608 - its own tables' names


def acme(account: Account) -> Brand:
    return Brand("acme", terms=("acme",), own_accounts={"bluesky": (account.did,)})


@pytest.fixture(scope="module")
def world(bluesky_network: Bluesky, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with bluesky_network.jetstream() as jetstream:
        yield from living(bluesky_network, jetstream, tmp_path_factory.mktemp("bluesky"))


def living(network: Bluesky, jetstream: Relay, folder: Path) -> Iterator[World]:
    brand = network.account("care")
    password = brand.app_password()
    source = {
        "type": "bluesky",
        "hosts": [jetstream.url],
        "memory": "var/bluesky.authors",
        "silence_secs": 3_600,
        "reply": {"handle": brand.handle, "password": "${APP_PASSWORD}", "service": network.pds},
    }
    shell = Shell(
        folder,
        brands={"acme": {"terms": ["acme"], "own_accounts": {"bluesky": [brand.did]}}},
        sources={"bluesky": source},
        sinks={"archive": {"type": "jsonl", "path": "var/out/{day}.jsonl"}},
        desk={"cases": True},
        log={"format": "text"},
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("APP_PASSWORD", password)
        shell.run("users", "add", "kim", "--role", "agent")
        household = Household(folder / "config.yaml", folder)
        made = World(network, jetstream, brand, password, shell, household)
        for role in ROLES:
            household.start(role)
        try:
            made.until(lambda: jetstream.followed, "listening")
            yield made
        finally:
            household.close()


def test_a_post_is_answered_in_its_thread_and_our_answer_opens_no_case(world: World) -> None:
    network, shell = world.network, world.shell
    ana, ben = network.account("ana"), network.account("ben")
    root = ben.post("What a week")
    picture = ana.picture(PNG, "An empty doorstep")
    asked = ana.answer("My acme parcel never arrived, I want a refund!", root, root, embed=picture)
    case = world.case(ana)
    assert (case["queue"], case["brand"]) == ("service", "acme")
    assert asked["uri"] in str(shell.json("queue", "list", "service", "--limit", "500"))
    assert ana.handle in shell.run("case", "show", case["id"])
    (media,) = world.story(asked["uri"])["routed"]["mention"]["media"]
    assert media["alt"] == "An empty doorstep"
    assert media["url"].endswith(f"/{ana.did}/{picture['images'][0]['image']['ref']['$link']}")

    world.reply(case, "I'm sorry. Which parcel was it?")
    (answer,) = world.until(lambda: network.replies(asked["uri"]), "the answer in the AppView")
    assert answer["author"]["did"] == world.brand.did
    assert answer["record"]["text"] == "I'm sorry. Which parcel was it?"
    assert answer["record"]["reply"] == {"root": root, "parent": asked}
    assert network.replies(root["uri"])[0]["uri"] == asked["uri"]
    ours = {"uri": answer["uri"], "cid": answer["cid"]}
    world.until(lambda: world.filtered(ours["uri"]) == "own", "our answer's return")
    assert world.cases(world.brand) == world.cases(world.brand, "--closed") == []

    ana.answer("The blue one", root, ours)
    world.until(lambda: world.said(case)[-1] == "The blue one", "what she says to that")
    assert [one["id"] for one in world.cases(ana)] == [case["id"]]

    shell.run("case", "like", case["id"], f"bluesky:{asked['uri']}", "--as", "kim")
    world.until(lambda: network.post(asked["uri"])["likeCount"] == 1, "the like in the AppView")
    assert len(network.replies(asked["uri"])) == 1


def test_what_we_answer_in_the_app_counts_and_who_quotes_it_is_heard(world: World) -> None:
    gil = world.network.account("gil")
    asked = gil.post("My acme kettle broke after two days, I want a refund")
    case = world.case(gil)
    ours = world.brand.answer("We are on it", asked, asked)
    world.until(lambda: [one["state"] for one in world.cases(gil)] == ["replied"], "our answer's return")
    assert world.said(case) == ["My acme kettle broke after two days, I want a refund", "We are on it"]
    quote = gil.post("See how they put me off", embed={"$type": "app.bsky.embed.record", "record": ours})
    world.until(lambda: world.story(quote["uri"]).get("routed"), "the quote")
    mention = world.story(quote["uri"])["routed"]["mention"]
    assert (mention["kind"], mention["brand"], mention["parent"]) == ("quote", "acme", f"bluesky:{ours['uri']}")


def test_an_edit_replaces_what_was_said_and_a_deletion_takes_it_away(world: World) -> None:
    dan = world.network.account("dan")
    asked = dan.post("My acme order is late and nobody answers: a violet piano")
    case = world.case(dan)
    edited = dan.put(asked["uri"], "My acme order is late and nobody answers: a scarlet piano")
    world.until(lambda: "scarlet" in str(world.said(case)), "the edit")
    assert len(world.said(case)) == 1
    assert world.written("scarlet")
    world.reply(case, "We look into it.")
    (answer,) = world.until(lambda: world.network.replies(asked["uri"]), "the answer to the edited post")
    assert answer["record"]["reply"] == {"root": edited, "parent": edited}

    dan.delete(asked["uri"])
    world.until(lambda: not world.cases(dan), "the withdrawal")
    assert [one["state"] for one in world.cases(dan, "--closed")] == ["withdrawn"]
    world.until(lambda: not world.written("violet") + world.written("scarlet"), "the end of every copy")
    assert world.story(asked["uri"])["tombstone"]["reason"] == "deleted"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("deactivated", "my parcel is three weeks late"),
        ("takendown", "you charged my card twice"),
        ("deleted", "the lamp came broken, how do I return it?"),
    ],
)
def test_who_speaks_to_our_account_is_heard_without_a_term_until_they_leave(
    world: World, status: str, words: str
) -> None:
    eve = world.network.account("eve")
    spoken_to = f"@{world.brand.handle}"
    link = {"$type": "app.bsky.richtext.facet#mention", "did": world.brand.did}
    facet = {"index": {"byteStart": 0, "byteEnd": len(spoken_to)}, "features": [link]}
    asked = eve.post(f"{spoken_to} {words}", facets=[facet])
    assert world.case(eve)["brand"] == "acme"
    eve.leave(status)
    world.until(lambda: not world.cases(eve), "the withdrawal")
    world.until(lambda: not world.written(words), "the end of every copy")
    assert world.story(asked["uri"])["removed_at"]


def test_a_stream_that_breaks_off_loses_nothing_and_doubles_nothing(world: World) -> None:
    fay = world.network.account("fay")
    posted = [fay.post("acme lost my parcel 0")["uri"]]
    world.until(lambda: world.archived(fay), "the first")
    for how in ("reset", "close", "slow"):
        world.jetstream.end(how)
        posted += [fay.post(f"acme lost my parcel {number} by {how}")["uri"] for number in range(5)]
        world.jetstream.end(how)
    world.household.kill("collect")
    posted.append(fay.post("acme lost my parcel while nobody listened")["uri"])
    world.household.start("collect")
    world.until(lambda: len(world.archived(fay)) >= len(posted) and world.at_rest, "every post")
    assert sorted(world.archived(fay)) == sorted(f"bluesky:{uri}" for uri in posted)
    assert world.shell.json("gaps") == []
    assert world.password not in world.household.logs()


@pytest.mark.parametrize("version", [1, 2])
def test_neither_wire_loses_or_doubles_anything_when_it_breaks_off(bluesky_network: Bluesky, version: Any) -> None:
    gus = bluesky_network.account("gus")
    said = [f"{number} things for acme" for number in range(12)]
    texts: list[str] = []
    with bluesky_network.jetstream() as jetstream:
        config = Config(hosts=(jetstream.url,), version=version, silence_secs=3_600)
        connector = Connector(config, Context("bluesky", (acme(gus),), SystemClock()))
        with heard(connector) as ear:
            ear.pull()
            gus.post(said[0])
            ear.until(lambda: said[0] in ear.texts)
            jetstream.end("reset")
            for text in said[1:]:
                gus.post(text)
            with pytest.raises(SourceUnavailable):
                ear.until(lambda: False)
            texts += ear.texts
        with heard(connector, ear.cursor) as again:
            again.until(lambda: said[-1] in again.texts)
            texts += again.texts
    assert texts == said
    assert not again.gaps
