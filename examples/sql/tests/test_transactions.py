"""What else happens at the same time: other writers, readers, and the end of the process."""

from __future__ import annotations

import http.client
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sesam_connector_sdk.testing import opened, pull, push
from sqlalchemy import Connection, Pool, event, text

from sql_connectors import SqlSink, SqlSource

from .support import CANARY, PASSWORD, PATIENCE, Place, Server, eventually, serving

FILLING = CANARY * 250


def waiting(connection: Connection) -> int:
    """How many transactions of PostgreSQL wait for another one."""
    found: int = connection.execute(
        text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    ).scalar_one()
    return found


def test_a_reader_never_passes_a_transaction_that_is_still_going_on(postgresql: str) -> None:
    """Of two transactions at once, a reader that goes from page to page sees both.

    The first one has its number and waits for a row; the second one is done, or waits for the
    first. In between the hub reads. Seen to fail when the numbers are those of a sequence of
    PostgreSQL's: the second one is read, and the first one, whose number is smaller, never is.
    """
    place = Place(postgresql, "interleaved")
    with serving(place.variables()) as server, ThreadPoolExecutor(2) as pool:
        assert server.post(place.path, [{"_id": "slow"}]).status == 200
        with place.connection() as held, place.connection() as looking:
            held.execute(text("SELECT * FROM interleaved WHERE id = 'slow' FOR UPDATE"))
            slow = pool.submit(server.post, place.path, [{"_id": "slow", "v": 2}])
            eventually(lambda: waiting(looking) == 1, "the first one waits for the row")
            quick = pool.submit(server.post, place.path, [{"_id": "quick"}])
            eventually(lambda: quick.done() or waiting(looking) == 2, "the second one has begun")
            read = server.get(place.path, since=1, limit=10).document
            assert not slow.done()
            held.rollback()
            assert [slow.result().status, quick.result().status] == [200, 200]
        border = max((each["_updated"] for each in read), default=1)
        read += server.get(place.path, since=border, limit=10).document

    assert sorted(each["_id"] for each in read) == ["quick", "slow"]


def test_many_writers_and_a_reader_lose_nothing(place: Place) -> None:
    """Ten pipes write to one table while the hub reads: every request is 200, every row is read."""
    written = [f"{writer}-{batch}" for writer in range(10) for batch in range(8)]
    seen: set[str] = set()
    with opened(SqlSink(place.settings())) as sink, opened(SqlSource(place.settings())) as source:
        push(sink, [{"_id": "first"}], path=place.path)

        def write(writer: int) -> list[int]:
            return [
                push(sink, [{"_id": f"{writer}-{batch}"}], path=place.path).status
                for batch in range(8)
            ]

        with ThreadPoolExecutor(10) as pool:
            writers = [pool.submit(write, writer) for writer in range(10)]
            since, done = 1, False
            while not done:
                done = all(each.done() for each in writers)
                page = pull(source, since=since, limit=3, path=place.path).entities
                seen |= {each["_id"] for each in page}
                since = page[-1]["_updated"] if page else since
                done = done and not page
        assert {status for each in writers for status in each.result()} == {200}

    assert seen == set(written)
    assert len({row["changed"] for row in place.rows().values()}) == len(written) + 1


def test_two_batches_of_the_same_entities_in_another_order_both_go_through(place: Place) -> None:
    """Two transactions that lock the same rows crosswise would end with one of them refused.

    Seen to fail on PostgreSQL when the numbers are those of a sequence.
    """
    names = [f"{n:03}" for n in range(400)]
    orders = [names, names[::-1]] * 6
    with opened(SqlSink(place.settings())) as sink, ThreadPoolExecutor(4) as pool:
        push(sink, [{"_id": each} for each in names], path=place.path)

        def write(order: list[str]) -> int:
            batch = [{"_id": each, "v": id(order)} for each in order]
            return push(sink, batch, path=place.path).status

        assert set(pool.map(write, orders)) == {200}


def test_all_may_make_the_tables_at_once(place: Place) -> None:
    """Eight processes begin at the same moment, with no table there: each writes.

    Seen to fail when nobody waits for whoever makes them.
    """
    begin = threading.Barrier(8)

    def write(number: int) -> int:
        with opened(SqlSink(place.settings())) as sink:
            begin.wait(PATIENCE)
            return push(sink, [{"_id": str(number)}], path=place.path).status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, range(8))) == [200] * 8
    assert place.living() == [str(number) for number in range(8)]


def test_who_comes_to_a_new_file_while_another_one_writes_waits(tmp_path: Path) -> None:
    """The file is not in WAL mode yet, and somebody writes to it: the batch is written after that.

    The other one ends when the sink's connection goes on after the switch to WAL, which was refused
    until then. Seen to fail when the switch is tried once.
    """
    place = Place(f"sqlite:///{tmp_path}/{CANARY}.sqlite", "notes")
    switch = "PRAGMA journal_mode = WAL"
    statements: list[str] = []

    def listen(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(note)

    def note(statement: str) -> None:
        if switch in statements:
            held.rollback()
        statements.append(statement)

    with opened(SqlSink(place.settings())) as sink, place.connection() as held:
        held.exec_driver_sql("BEGIN IMMEDIATE")
        event.listen(Pool, "connect", listen)
        try:
            answer = push(sink, [{"_id": "1"}], path=place.path)
        finally:
            event.remove(Pool, "connect", listen)
    assert answer.accepted
    assert statements.count(switch) == 2
    assert place.living() == ["1"]


def test_a_new_file_that_stays_locked_is_503(tmp_path: Path) -> None:
    """Who waits for the switch to WAL waits no longer than DATABASE_TIMEOUT.

    Seen to fail when the switch is tried until it is done.
    """
    place = Place(f"sqlite:///{tmp_path}/{CANARY}.sqlite", "notes")
    settings = place.settings(database_timeout=0.1)
    with opened(SqlSink(settings)) as sink, place.connection() as held:
        held.exec_driver_sql("BEGIN IMMEDIATE")
        release = threading.Timer(PATIENCE, held.rollback)
        release.start()
        answer = push(sink, [{"_id": "1"}], path=place.path)
        release.cancel()
    assert answer.status == 503


HOLD = """
CREATE TRIGGER hold BEFORE INSERT ON {table} WHEN NEW.id = '1999' BEGIN
    SELECT count(*) FROM (
        WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 1e9)
        SELECT n FROM counted
    );
END
"""
"""Keeps SQLite busy for minutes, and nobody but whoever inserts the last row of a large batch."""


def half_written(place: Place, connection: Connection) -> Callable[[], object]:
    """Says when a large batch of the process is written in part; it gets no further."""
    if place.is_postgresql:
        connection.execute(place.sql("SELECT * FROM {table} WHERE id = '0999' FOR UPDATE"))
        looking = connection
        return lambda: waiting(looking)
    connection.execute(place.sql(HOLD))
    connection.commit()
    # SQLite writes ahead when its memory is full, long before the end of the transaction.
    log = Path(place.url.removeprefix("sqlite:///") + "-wal")
    before = log.stat().st_size
    return lambda: log.stat().st_size > before


def test_killed_in_the_middle_of_a_batch_nothing_of_it_is_there(place: Place) -> None:
    """SIGKILL when a part of 2000 rows is written: the hub sees no answer, the table no change.

    Seen to fail when each group of rows is a transaction of its own.
    """
    batch = [{"_id": f"{n:04}", "filling": FILLING} for n in range(2_000)]
    with serving(place.variables()) as server, place.connection() as connection:
        assert server.post(place.path, [{"_id": "0999"}]).status == 200
        is_so = half_written(place, connection)
        with ThreadPoolExecutor(1) as pool:
            post = pool.submit(server.post, place.path, batch)
            eventually(is_so, "a part was written")
            server.kill()
            assert isinstance(
                post.exception(PATIENCE), (ConnectionError, http.client.HTTPException)
            )
        connection.rollback()
        if not place.is_postgresql:
            connection.execute(text("DROP TRIGGER hold"))
            connection.commit()
    assert {name: row["entity"] for name, row in place.rows().items()} == {"0999": "{}"}

    with serving(place.variables()) as server:
        assert server.post(place.path, batch).status == 200
        assert len(place.rows()) == 2_000


def test_killed_after_a_200_everything_is_there(place: Place) -> None:
    """The process is gone as soon as it has answered, and nothing went with it."""
    with serving(place.variables()) as server:
        assert server.post(place.path, [{"_id": "1"}]).status == 200
        server.kill()
        assert list(place.rows()) == ["1"]


def test_a_locked_database_is_503_and_nothing_is_written(place: Place) -> None:
    """Somebody holds a lock for longer than DATABASE_TIMEOUT; later the same is written."""
    with opened(SqlSink(place.settings())) as patient:
        assert push(patient, [{"_id": "1"}], path=place.path).accepted
    settings = place.settings(database_timeout=1.0)
    with opened(SqlSink(settings)) as sink, place.connection() as held:
        held.execute(place.sql("UPDATE {table} SET deleted = true"))
        answer = push(sink, [{"_id": "2"}, {"_id": "1", "v": 2}], path=place.path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        held.rollback()
        assert list(place.rows()) == ["1"]
        assert push(sink, [{"_id": "2"}], path=place.path).accepted


@pytest.mark.parametrize(
    "url",
    ["sqlite:////no/such/folder/CANARY.sqlite", "postgresql://nobody:CANARY@127.0.0.1:1/none"],
    ids=["sqlite", "postgresql"],
)
def test_a_database_that_is_away_is_503_and_says_no_secret(url: str) -> None:
    """Reading and writing alike; the process comes up all the same, and is not ready.

    Seen to fail when the address is logged.
    """
    place = Place(url, "notes")
    with serving(place.variables(DATABASE_TIMEOUT="2")) as server:
        answers = [
            server.post(place.path, [{"_id": "1", "v": CANARY}]),
            server.get(place.path),
            server.get("/readyz"),
        ]
        assert [answer.status for answer in answers] == [503] * 3


def test_a_database_that_is_there_is_ready(server: Server) -> None:
    """/readyz asks both connectors, and each asks the database."""
    assert server.get("/readyz").status == 200


def test_tables_that_may_not_be_made_are_503(postgresql: str) -> None:
    """A user without the right to, which another user of the database can mend."""
    with Place(postgresql, "any").connection() as owner:
        owner.execute(text(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'"))
        owner.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        owner.commit()
    place = Place(postgresql.replace("//tests:", "//guest:"), "forbidden")
    with opened(SqlSink(place.settings())) as sink:
        answer = push(sink, [{"_id": "1"}], path=place.path)
    assert answer.status == 503
    assert "InsufficientPrivilege" in answer.document["detail"]


def test_a_database_that_was_restarted_is_found_again(postgresql: str) -> None:
    """Connections that the database has closed are not used: the next request is 200.

    Seen to fail without `pool_pre_ping`.
    """
    place = Place(postgresql, "restarted")
    with opened(SqlSink(place.settings())) as sink, place.connection() as other:
        push(sink, [{"_id": "1"}], path=place.path)
        other.execute(
            text(
                # Waits, in milliseconds, until each has ended.
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
        assert push(sink, [{"_id": "2"}], path=place.path).accepted
