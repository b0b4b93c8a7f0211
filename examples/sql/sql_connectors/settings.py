"""The variables that both connectors read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

import msgspec
from sesam_connector_sdk import Secret, Settings
from sesam_connector_sdk.settings import Count, Seconds
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

NUMBERS = "sesam_numbers"
"""The table in which each of the others has the number of its last transaction."""

# In lower case, for some databases tell cases apart and others do not. Short enough for an index
# to be named after it.
_TABLE = re.compile(r"[a-z_][a-z0-9_]{0,39}", re.ASCII)
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


class SqlSettings(Settings):
    """Which database, which tables, and how long to wait."""

    database_url: Secret
    """Where the database is: ``postgresql://user:password@host/name``, or ``sqlite:///file``."""

    sql_tables: tuple[str, ...]
    """Tables that pipes may write to and read from; no other is touched. Made when missing."""

    max_deletion_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """Largest share of a table that the end of a full sync may delete: 0.5 is half of it."""

    database_timeout: Seconds = 20.0
    """Seconds that the database gets for a statement, for a connection, or to release a lock."""

    pool_size: Count = 12
    """Connections that the sink keeps, and the source as many. Keep it at THREADS."""

    def url(self) -> URL:
        """The database's address, with the driver that is installed for it."""
        found = make_url(self.database_url.reveal())
        return found.set(drivername=_DRIVERS.get(found.drivername, found.drivername))

    def problems(self) -> Iterable[str]:
        """Say which database or table cannot be used."""
        try:
            url = self.url()
        except (ArgumentError, ValueError):  # the latter from a port that is no number
            yield "DATABASE_URL is no address of a database. Set postgresql://... or sqlite:///..."
        else:
            if url.drivername not in _DRIVERS.values():
                yield "DATABASE_URL is of a database that is not known. Set postgresql or sqlite."
            elif url.database in (None, "", ":memory:"):
                yield "DATABASE_URL names no database. What is written would be gone in the end."
        if not self.sql_tables:
            yield "SQL_TABLES names no table."
        if any(not _TABLE.fullmatch(name) or name == NUMBERS for name in self.sql_tables):
            yield (
                f"SQL_TABLES holds a name that is taken, {NUMBERS}, or that is not made of"
                " 1 to 40 of a-z, 0-9 and _."
            )
