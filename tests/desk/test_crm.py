from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from desk import crm_table
from desk.audit import Audit
from desk.crm import Crm, Known, Refreshed, forget
from desk.crm_table import CrmTable
from desk.facts import Facts
from desk.links import Links
from pipeline.clock import ManualClock
from pipeline.errors import ConfigError, SourceUnavailable
from pipeline.mention import Author, Removal
from pipeline.store import Store
from tests.desk.build import Room
from tests.fixtures.postgres import PostgresServer, store_in
from tests.store.samples import routed

HEADER = "account,segment,value,person\n"


class Office:
    """A store, and the CRM's file beside it."""

    def __init__(self, store: Store, clock: ManualClock, folder: Path) -> None:
        self.store, self.clock, self.path = store, clock, folder / "crm.csv"
        self.crm = Crm(store._db, clock, CrmTable(csv=self.path))
        self.links = Links(store._db, clock)
        self.room = Room(store, clock)

    def read(self, rows: str, header: str = HEADER, encoding: str = "utf-8") -> Refreshed:
        self.path.write_bytes((header + rows).encode(encoding))
        return self.crm.refresh()

    def hear(self, id: str, author: str, handle: str) -> None:
        said = routed(id)
        self.room.hear(replace(said, mention=replace(said.mention, author=Author(id=author, handle=handle))))
        Facts(self.store._db, self.clock).follow()


@pytest.fixture
def office(store: Store, clock: ManualClock, tmp_path: Path) -> Office:
    return Office(store, clock, tmp_path)


def test_value_and_segment_are_found_by_id_and_by_handle(office: Office) -> None:
    office.hear("x:1", "8611593", "Zelda_Q")
    found = office.read("x:@ZELDA_q,gold,1250.50,\nx:77,silver,,\nweb:9,,3,\n")
    assert found == Refreshed(rows=3, broken=0, problems=(), linked=0, unlinked=0)
    assert office.crm.lookup("x:8611593") == Known("gold", 1250.5)
    assert office.crm.lookup("x:@zelda_q") == Known("gold", 1250.5)
    assert office.crm.lookup("x:77") == Known("silver", None)
    assert office.crm.lookup("web:9") == Known("", 3)
    assert office.crm.lookup("x:7") is None


def test_an_id_goes_before_a_handle(office: Office) -> None:
    office.hear("x:1", "u1", "zelda")
    office.read("x:@zelda,by handle,1,\nx:u1,by id,2,\n")
    assert office.crm.lookup("x:u1") == Known("by id", 2)


def test_a_file_from_a_spreadsheet_program_is_read(office: Office) -> None:
    found = office.read('x:1,"gold, old",5\r\n\r\n', header="Account,Segment,Value\r\n", encoding="utf-8-sig")
    assert (found.rows, found.broken) == (1, 0)
    assert office.crm.lookup("x:1") == Known("gold, old", 5)


def test_broken_rows_are_named_with_their_lines_and_the_others_taken(office: Office) -> None:
    long = "s" * 201
    found = office.read(
        f"x:1,gold,1,\nnobody,gold,1,\nx:2,gold,much,\nx:3,gold\nx:4,gold,inf,\nx:5,{long},1,\nx:1,b,2,\n"
    )
    assert (found.rows, found.broken) == (1, 6)
    told = sorted(found.problems)
    assert [it.split(":")[0] for it in told] == [f"line {number}" for number in (3, 4, 5, 6, 7, 8)]
    for words, problem in zip(
        ("source:author_id", "'much'", "2 cells", "'inf'", "longer", "already"), told, strict=True
    ):
        assert words in problem
    assert office.crm.lookup("x:1") == Known("gold", 1)


def test_a_row_that_comes_again_on_another_page_is_named(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desk.crm.PAGE", 2)
    found = office.read("x:1,a,1,\nx:2,a,1,\nx:3,a,1,\nx:1,b,2,\n")
    assert (found.rows, found.problems) == (3, ("line 5: 'x:1' has a row already",))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,segment\nx:1,gold\n", "no column `account`"),
        (b"account;segment\nx:1;gold\n", "parted by commas"),
        (b"account,account\nx:1,x:2\n", "twice"),
        (b"account,segment\nx:1,\xe9\n", "not UTF-8"),
        (b'account,segment\nx:1,"gold\n', "not CSV"),
        (b"", "no column"),
        (b"account\nnobody\n", "not one row"),
    ],
)
def test_a_file_that_is_no_table_changes_nothing(office: Office, content: bytes, words: str) -> None:
    office.read("x:1,gold,1,\n")
    before = list(office.store.rows("crm", "crm_loads"))
    office.path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        office.crm.refresh()
    assert office.crm.lookup("x:1") == Known("gold", 1)
    assert list(office.store.rows("crm", "crm_loads")) == before


def test_a_reading_takes_the_place_of_the_one_before(office: Office) -> None:
    office.read("x:1,gold,1,\nx:2,gold,1,\n")
    office.read("x:2,silver,2,\n")
    assert (office.crm.lookup("x:1"), office.crm.lookup("x:2")) == (None, Known("silver", 2))
    assert len(list(office.store.rows("crm"))) == len(list(office.store.rows("crm_loads"))) == 1


def test_a_reading_that_dies_half_way_does_not_count(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.read("x:1,gold,1,\n")
    office.path.write_text(HEADER + "x:1,tin,0,\nx:2,tin,0,\n")
    monkeypatch.setattr("desk.crm.PAGE", 1)

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(
            Crm, "_read", lambda crm, load, _: crm._take(load, [crm_table.Row(2, "x:1", "tin", 0, None)]) and killed()
        )
        with pytest.raises(KeyboardInterrupt):
            office.crm.refresh()
    assert office.crm.lookup("x:1") == Known("gold", 1)
    office.crm.refresh()
    assert office.crm.lookup("x:1") == Known("tin", 0)
    assert len(list(office.store.rows("crm"))) == 2


def test_one_person_in_the_crm_is_evidence_for_a_link(office: Office, store: Store, clock: ManualClock) -> None:
    office.hear("x:1", "8611593", "zelda_q")
    found = office.read("x:@zelda_q,gold,1,p7\nweb:z,gold,1,p7\nweb:other,gold,1,p8\nx:@unheard,gold,1,p7\n")
    assert (found.linked, found.unlinked) == (1, 0)
    person = office.links.person_of("x:8611593")
    assert person.accounts == ("web:z", "x:8611593")
    assert [(it.evidence, it.actor) for it in person.links] == [("CRM", "system:crm")]
    assert "customer.linked" in {it.action for it in Audit(store._db, clock).entries()}
    assert office.read("x:@zelda_q,gold,1,p7\nweb:z,gold,1,p7\n").linked == 0


def test_reddit_is_not_linked_by_a_crm_either(office: Office) -> None:
    assert office.read("reddit:t2_1,gold,1,p7\nweb:z,gold,1,p7\nReddit:2,gold,1,p7\n").linked == 0
    assert office.links.person_of("web:z").id is None
    assert office.crm.lookup("reddit:t2_1") == Known("gold", 1)


def test_what_the_crm_takes_back_is_parted_and_what_people_said_stays(office: Office) -> None:
    office.read("x:1,,1,p\nx:2,,1,p\nx:3,,1,p\n")
    office.links.link("x:1", "web:1", "told us", "user:ana")
    found = office.read("x:1,,1,p\nx:2,,1,p\nx:3,,1,q\n")
    assert (found.linked, found.unlinked) == (0, 1)
    assert office.links.person_of("x:1").accounts == ("web:1", "x:1", "x:2")
    assert office.links.person_of("x:3").id is None


def test_a_link_that_a_person_took_back_is_not_brought_again(office: Office) -> None:
    rows = "x:1,,1,p\nx:2,,1,p\n"
    office.read(rows)
    office.links.unlink("x:1", "x:2", "user:ana")
    assert office.read(rows).linked == 0
    assert office.links.person_of("x:1").id is None


def test_a_person_with_too_many_accounts_is_nobody(office: Office) -> None:
    found = office.read("".join(f"x:{number},,1,unknown\n" for number in range(60)))
    assert (found.rows, found.broken, found.linked) == (60, 0, 0)
    assert "60 accounts" in found.problems[0]


def test_who_was_erased_is_forgotten_and_not_read_in_again(office: Office, clock: ManualClock) -> None:
    office.hear("x:1", "8611593", "zelda_q")
    office.read("x:8611593,gold,1,\nx:@zelda_q,gold,1,\nx:2,tin,0,\n")
    with office.store._db.write() as transaction:
        forget(transaction, "x:8611593")
    assert [found.row["account"] for found in office.store.rows("crm", "handles")] == ["x:2"]
    office.store.deliver([], [Removal(source="x", reason="erased", noticed_at=clock.now(), author="x:8611593")])
    assert office.read("x:8611593,gold,1,\nx:2,tin,0,\n").rows == 1
    assert office.crm.lookup("x:8611593") is None


def test_it_is_due_after_a_while_also_when_it_failed(office: Office, clock: ManualClock) -> None:
    assert office.crm.due()
    office.crm.step()  # there is no file yet
    assert not office.crm.due()
    clock.advance(3600)
    assert office.crm.due()
    office.read("x:1,gold,1,\n")
    later = Crm(office.store._db, clock, CrmTable(csv=office.path), timedelta(hours=2))
    clock.advance(7199)
    assert not later.due()
    clock.advance(1)
    assert later.due()
    later.step()
    assert not later.due()
    assert not Crm(office.store._db, clock).due()


# ----------------------------------------------------------------------------- SQL


def table_of(url: str, query: str) -> CrmTable:
    return CrmTable(url=SecretStr(url), query=query)


@pytest.fixture
def customers(tmp_path: Path) -> str:
    path = tmp_path / "customers.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE customers (handle TEXT, tier TEXT, revenue REAL, born TEXT)")
        db.execute("INSERT INTO customers VALUES ('8', 'gold', 1250.5, 'secret'), (NULL, 'tin', NULL, NULL)")
        db.commit()
    return f"sqlite:///{path}"


def test_a_query_is_read(office: Office, customers: str) -> None:
    query = "SELECT 'x:' || handle AS account, tier AS segment, revenue AS value, born FROM customers"
    crm = Crm(office.store._db, office.clock, table_of(customers, query))
    found = crm.refresh()
    assert (found.rows, found.problems) == (1, ("line 2: account '' is not source:author_id or source:@handle",))
    assert crm.lookup("x:8") == Known("gold", 1250.5)
    assert "secret" not in str(list(office.store.rows("crm")))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("DELETE FROM customers", "writes|readonly|no rows"),
        ("DROP TABLE customers", "writes"),
        ("SELECT 1 AS account FROM nowhere", "no such table"),
        ("SELECT tier FROM customers", "no column `account`"),
    ],
)
def test_a_query_that_only_reads_is_wanted(office: Office, customers: str, query: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Crm(office.store._db, office.clock, table_of(customers, query)).refresh()
    with closing(sqlite3.connect(customers.removeprefix("sqlite:///"))) as db:
        assert db.execute("SELECT count(*) FROM customers").fetchone() == (2,)


@pytest.mark.postgres
def test_a_query_on_postgresql_reads_and_cannot_write(
    tmp_path: Path, clock: ManualClock, postgres_url: str, postgres_server: PostgresServer
) -> None:
    store = store_in(tmp_path, clock)
    crm = Crm(
        store._db,
        clock,
        table_of(postgres_url, "SELECT 'x:' || n AS account, n AS value FROM generate_series(1, 2500) n"),
    )
    assert crm.refresh().rows == 2500
    assert crm.lookup("x:2500") == Known("", 2500)
    with pytest.raises(ConfigError, match="must be a SELECT"):
        Crm(store._db, clock, table_of(postgres_url, "CREATE TABLE evil (account text)")).refresh()
    gone = table_of("postgresql://nobody:hunter2@127.0.0.1:1/none", "SELECT 1 AS account")
    with pytest.raises(SourceUnavailable) as caught:
        Crm(store._db, clock, gone).refresh()
    assert "hunter2" not in str(caught.value)
    assert crm.lookup("x:1") == Known("", 1)
    store.close()


@pytest.mark.parametrize(
    ("table", "place"),
    [
        (CrmTable(), "desk.crm"),
        (CrmTable(csv=Path("a.csv"), url=SecretStr("sqlite:///a.db"), query="SELECT 1"), "desk.crm"),
        (CrmTable(csv=Path("a.csv"), query="SELECT 1"), "desk.crm.query"),
        (CrmTable(url=SecretStr("sqlite:///a.db")), "desk.crm.query"),
        (CrmTable(url=SecretStr("no url"), query="SELECT 1"), "desk.crm.url"),
        (CrmTable(url=SecretStr("mysql://u:pass@h/d"), query="SELECT 1"), "desk.crm.url"),
    ],
)
def test_a_table_that_cannot_be_is_refused_at_the_start(
    store: Store, clock: ManualClock, table: CrmTable, place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Crm(store._db, clock, table)
    assert [it.path for it in caught.value.problems] == [place]
    assert "pass@" not in str(caught.value)
