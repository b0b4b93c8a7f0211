"""The source: what has changed in a table, in the order in which it did."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
from sesam_connector_sdk import IntegerSince, PullRequest, Source
from sqlalchemy import Select, Table, select

from .database import AWAY, LARGEST, Database
from .settings import SqlSettings

_PROPERTIES = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


class SqlSource(Source[SqlSettings]):
    """Give the rows of the table that the pipe's ``url`` names, deleted ones too.

    ``_updated`` is the number of the transaction that changed a row last. All rows of a transaction
    have the same, so the SDK never ends a page between them.
    """

    route = "/{table}"
    since = IntegerSince()
    is_chronological = True
    retryable = AWAY

    def open(self) -> None:
        """Get ready; the first request connects."""
        self.database = Database(self.settings)

    def check(self) -> None:
        """See whether the database answers."""
        self.database.check()

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def read(self, request: PullRequest) -> Iterator[dict[str, Any]]:
        """Yield the rows; leaving the generator gives its connection back."""
        table = self.database.table(request.fields)
        with self.database.rows(_query(table, request)) as rows:
            for identity, changed, deleted, entity in rows:
                yield {
                    "_id": identity,
                    "_updated": changed,
                    "_deleted": deleted,
                    **_PROPERTIES.decode(entity),
                }


def _query(table: Table, request: PullRequest) -> Select[Any]:
    query = select(table.c.id, table.c.changed, table.c.deleted, table.c.entity)
    query = query.order_by(table.c.changed, table.c.id)
    if request.since is None:
        return query
    since = max(0, min(request.since, LARGEST))  # a larger one is beyond every number there is
    if request.limit is not None:
        return query.where(table.c.changed > since)
    # A run without pages may have ended between two rows of a transaction.
    return query.where(table.c.changed >= since)
