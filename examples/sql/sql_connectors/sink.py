"""The sink: a batch is one transaction, committed before the answer is 200."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from sesam_connector_sdk import Batch, Entity, FullSync, Rejected, Sink
from sqlalchemy import ColumnElement, Table, and_, case, func, not_, or_, select, true, update
from sqlalchemy.sql.dml import ReturningInsert

from .database import AWAY, LARGEST, Database, refusals
from .settings import SqlSettings

_ROWS = 500
"""Rows in a statement; a batch of as many costs one."""
_ID_BYTES = 1000
"""Longest ``_id``: PostgreSQL has no room for a much longer one in an index."""


class SqlSink(Sink[SqlSettings]):
    """Keep every entity as a row of the table that the pipe's ``url`` names.

    A deleted entity stays as a row that says so, for those who read what has changed. An
    incremental request never puts an older version in the place of a newer one. Only integers are
    compared, which is what ``_updated`` is in the hub's datasets. A full sync always writes, for
    it says what is true now, also where the hub has begun to count anew.
    """

    route = "/{table}"
    batch_size = _ROWS
    retryable = AWAY

    def open(self) -> None:
        """Get ready; the first request connects."""
        self.max_deletion_share = self.settings.max_deletion_share
        self.database = Database(self.settings)

    def check(self) -> None:
        """See whether the database answers."""
        self.database.check()

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def write(self, batch: Batch) -> None:
        """Write the batch, all of it or nothing."""
        table = self.database.table(batch.request.fields)
        if not len(batch):
            return
        stamp = batch.full_sync.id if batch.full_sync else None
        upsert = self._upsert(table, anyway=batch.request.push.is_full)
        with refusals(batch), self.database.transaction(table) as (connection, number):
            common = {"changed": number, "full_sync": stamp}
            for entities in _groups(batch.latest()):
                rows = [_row(entity) | common for entity in entities]
                written = set(connection.scalars(upsert, rows))
                for entity in entities:
                    if entity.id not in written:
                        batch.skip(entity, "the table has a newer version")

    def complete_full_sync(self, full_sync: FullSync) -> None:
        """Mark as deleted what the full sync did not bring; its guard undoes it."""
        table = self.database.table(full_sync.fields)
        there = not_(table.c.deleted)
        unseen = and_(there, table.c.full_sync.is_distinct_from(full_sync.id))
        with self.database.transaction(table) as (connection, number):
            total = connection.scalars(select(func.count()).select_from(table).where(there)).one()
            sweep = update(table).where(unseen).values(deleted=True, changed=number)
            full_sync.guard(connection.execute(sweep).rowcount, of=total)

    def _upsert(self, table: Table, *, anyway: bool) -> ReturningInsert[tuple[str]]:
        """The statement for one row, which returns its id if it wrote it.

        Args:
            table: The table.
            anyway: Also in the place of a newer row, unless this full sync has brought that.
        """
        insert = self.database.insert(table)
        new = insert.excluded
        same = and_(table.c.entity == new.entity, table.c.deleted == new.deleted)
        allowed: ColumnElement[bool] = func.coalesce(new.updated >= table.c.updated, true())
        if anyway:
            allowed = or_(allowed, table.c.full_sync.is_distinct_from(new.full_sync))
        return insert.on_conflict_do_update(
            index_elements=[table.c.id],
            set_={
                "updated": new.updated,
                "deleted": new.deleted,
                "entity": new.entity,
                # Who reads what has changed is not told of what has not.
                "changed": case((same, table.c.changed), else_=new.changed),
                "full_sync": new.full_sync,
            },
            where=allowed,
        ).returning(table.c.id)


def _row(entity: Entity) -> dict[str, Any]:
    """An entity's columns, its text as the hub sent it but for the reserved fields."""
    if len(entity.id.encode()) > _ID_BYTES:
        reason = f"_id is longer than {_ID_BYTES} bytes"
        raise Rejected(f"Nothing was written: {reason}.", entities=[entity.problem(reason)])
    updated = entity.updated
    comparable = isinstance(updated, int) and -LARGEST <= updated <= LARGEST
    return {
        "id": entity.id,
        "updated": updated if comparable else None,
        "deleted": entity.deleted,
        "entity": (entity.payload() or b"").decode(),
    }


def _groups(entities: Iterator[Entity]) -> Iterator[list[Entity]]:
    while group := list(itertools.islice(entities, _ROWS)):
        yield group
