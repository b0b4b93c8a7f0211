"""The database: its connections, the shape of its tables, and the numbers that order the rows.

A table has a row for every entity, deleted ones too: whoever reads what has changed must hear of
them. ``changed`` is the number of the transaction that changed the row last.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sesam_connector_sdk import (
    Batch,
    DestinationNotAllowed,
    Rejected,
    TargetRefusedUs,
    TargetUnavailable,
)
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    MetaData,
    Select,
    String,
    Table,
    Text,
    create_engine,
    event,
    exc,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from .settings import NUMBERS, SqlSettings

Insert = sqlite.Insert | postgresql.Insert
_INSERTS: dict[str, Callable[[Table], Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}

_ALONE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(5470)"}
"""Waits for whoever else makes the tables, here or in another process, until they are made."""

AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
"""What the library raises when the database is away, locked, or has no connection left."""

LARGEST = 2**63 - 1
"""The largest integer that a column holds."""

_PAUSE = 0.01
"""Seconds between two looks whether a SQLite file is free."""

_PAGE = 50
"""Rows that are fetched at once. A reader holds them, and each may be as large as an entity."""


class Database:
    """The database that the settings name. Connects when it is first needed, and serves all
    threads.

    Args:
        settings: Address, tables and timeouts.
    """

    def __init__(self, settings: SqlSettings) -> None:
        self._engine = _engine(settings)
        self._metadata = MetaData()
        self._tables = {name: _table(name, self._metadata) for name in settings.sql_tables}
        self._numbers = Table(
            NUMBERS,
            self._metadata,
            Column("name", String(40), primary_key=True),
            Column("last", BigInteger, nullable=False),
        )
        self._complete = False

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def check(self) -> None:
        """Ask the database for something that every one has."""
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def table(self, fields: Mapping[str, str]) -> Table:
        """The table that a request names.

        Args:
            fields: The fields of its route.

        Raises:
            DestinationNotAllowed: It is not among the settings' tables.
        """
        found = self._tables.get(fields["table"])
        if found is None:
            raise DestinationNotAllowed(
                "This table is not listed in SQL_TABLES. Add it there, or mend the pipe's url."
            )
        return found

    def insert(self, table: Table) -> Insert:
        """An INSERT that knows ON CONFLICT, which is no part of standard SQL."""
        return _INSERTS[self._engine.dialect.name](table)

    @contextlib.contextmanager
    def transaction(self, table: Table) -> Iterator[tuple[Connection, int]]:
        """A transaction and its number. Committed at the end of the block, undone by any error.

        Numbers become visible in their order: taking one locks the table's row in NUMBERS, and the
        lock lasts until the transaction has ended, so nobody takes the next one before. A sequence
        of the database's own, or a clock, would not do: of two transactions the later number could
        be committed first, and a reader that has seen it never asks for the earlier one again. So
        writers to one table take turns. That spares them deadlocks, too.
        """
        self._make_tables()
        with self._engine.begin() as connection:
            yield connection, self._number(connection, table)

    @contextlib.contextmanager
    def rows(self, query: Select[Any]) -> Iterator[Iterable[Any]]:
        """The rows of a query, fetched a page at a time, all as of one moment."""
        self._make_tables()
        options = {"stream_results": True, "yield_per": _PAGE}
        with (
            self._engine.connect() as connection,
            # Closed before its connection, also where the reader has not come to the end.
            connection.execute(query, execution_options=options) as found,
        ):
            yield found

    def _number(self, connection: Connection, table: Table) -> int:
        first = self.insert(self._numbers).values(name=table.name, last=1)
        last = self._numbers.c.last
        statement = first.on_conflict_do_update(index_elements=["name"], set_={"last": last + 1})
        number: int = connection.scalars(statement.returning(last)).one()
        return number

    def _make_tables(self) -> None:
        if self._complete:
            return
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(_ALONE[connection.dialect.name])
                self._metadata.create_all(connection)
        except exc.ProgrammingError as error:
            raise TargetUnavailable(
                f"The tables are missing, and the user may not make them ({_name(error)})."
            ) from error
        self._complete = True


@contextlib.contextmanager
def refusals(batch: Batch) -> Iterator[None]:
    """Say what it means when the database refuses a statement, beside being away.

    Raises:
        Rejected: It will never take these values. Which entity has them it says in words that may
            quote the values, so only a batch of one, as the hub sends it then, names its entity.
        TargetRefusedUs: It refuses the table, or the user.
    """
    try:
        yield
    except (exc.DataError, exc.IntegrityError) as error:
        reason = f"the database can never take it ({_name(error)})"
        alone = [each.problem(reason) for each in batch] if len(batch) == 1 else []
        raise Rejected(f"Nothing was written: {reason}.", entities=alone) from error
    except exc.ProgrammingError as error:
        raise TargetRefusedUs(
            f"The database refuses the statement ({_name(error)}): see whether the table has the"
            " columns that it should, and whether the user may write to it."
        ) from error


def _name(error: exc.DBAPIError) -> str:
    """The driver's name for what happened; its text may quote a value."""
    return type(error.orig).__name__


def _table(name: str, metadata: MetaData) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Text, primary_key=True),
        Column("updated", BigInteger),
        Column("deleted", Boolean, nullable=False),
        Column("entity", Text, nullable=False),
        Column("changed", BigInteger, nullable=False),
        Column("full_sync", Text),
        Index(f"{name}_changed", "changed", "id"),
    )


def _engine(settings: SqlSettings) -> Engine:
    url, seconds = settings.url(), settings.database_timeout
    pool: dict[str, Any] = {
        "pool_size": settings.pool_size,
        "max_overflow": 0,
        "pool_timeout": seconds,
        "pool_pre_ping": True,
        "hide_parameters": True,  # they are somebody's data, and errors show them otherwise
    }
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": seconds}, **pool)
        event.listen(engine, "connect", lambda made, _record: _keep_what_is_written(made, seconds))
        return engine
    limits = {
        "connect_timeout": math.ceil(seconds),
        "tcp_user_timeout": math.ceil(seconds * 1000),
        "options": f"-c statement_timeout={math.ceil(seconds * 1000)}",
    }
    # With a stricter level, whoever waited for a number would be refused instead of getting it.
    return create_engine(url, connect_args=limits, isolation_level="READ COMMITTED", **pool)


def _keep_what_is_written(connection: sqlite3.Connection, seconds: float) -> None:
    """Readers do not hold up the writer, and a commit is on the disk when it returns."""
    _write_ahead(connection, time.monotonic() + seconds)
    connection.execute("PRAGMA synchronous = FULL")


def _write_ahead(connection: sqlite3.Connection, deadline: float) -> None:
    """Switch the file to WAL, where it stays; asked again, it has nothing to do.

    The switch reads the file, and then wants to write. SQLite never waits between the two, for two
    that do so would wait for each other: with its timeout or without, it refuses at once whoever
    comes while another one writes or switches.
    """
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE)
