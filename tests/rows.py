"""A target of rows that sinks keep in step with a source: by a stamp, or by listing its ids.

Run as a program, it serves a sink of this module by its name: ``python rows.py StampedSink``.
"""

# ruff: noqa: D102  # what a hook does is documented where it is declared

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from sesam_connector_sdk import Batch, Entity, FullSync, Settings, Sink, TargetUnavailable, serve

PATIENCE_SECONDS = 20.0


class RowsSettings(Settings):
    """Where the rows are."""

    notes_file: str
    """File of the database."""

    share: float = 1.0
    """Largest share of it that a full sync may delete."""


class RowsSink(Sink[RowsSettings]):
    """Keeps rows. An entity may say in ``do`` what is to become of it."""

    def open(self) -> None:
        self.max_deletion_share = self.settings.share
        self.lock = threading.Lock()
        self.rows = sqlite3.connect(self.settings.notes_file, check_same_thread=False)
        self.rows.execute("PRAGMA synchronous = OFF")
        with self.rows:
            self.rows.execute("CREATE TABLE IF NOT EXISTS rows (id PRIMARY KEY, json, stamp)")

    def close(self) -> None:
        self.rows.close()

    def write(self, batch: Batch) -> None:
        stamp = batch.full_sync.id if batch.full_sync else None
        for entity in batch:
            self.obey(batch, entity)
            with self.lock, self.rows:
                if entity.deleted:
                    self.rows.execute("DELETE FROM rows WHERE id = ?", [entity.id])
                elif entity.data.get("do") != "reject":
                    row = (entity.id, entity.json, stamp)
                    self.rows.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", row)

    def obey(self, batch: Batch, entity: Entity) -> None:
        """Do what an entity says."""
        order = entity.data.get("do")
        if order == "reject":
            batch.reject(entity, "it says reject")
        elif order == "fail":
            raise TargetUnavailable
        elif order == "wait":
            Path(f"{self.settings.notes_file}.begun").touch()
            _wait_for(Path(f"{self.settings.notes_file}.gate"))


class StampedSink(RowsSink):
    """Stamps each row with its full sync, and sweeps those with another stamp."""

    def complete_full_sync(self, full_sync: FullSync) -> None:
        with self.lock, self.rows:
            (total,) = self.rows.execute("SELECT count(*) FROM rows").fetchone()
            old = "FROM rows WHERE stamp IS NOT ?"
            (count,) = self.rows.execute(f"SELECT count(*) {old}", [full_sync.id]).fetchone()
            full_sync.guard(count, of=total)
            self.rows.execute(f"DELETE {old}", [full_sync.id])


class ListingSink(RowsSink):
    """Lists its ids, and deletes what it is told did not come."""

    def list_ids(self, full_sync: FullSync) -> Iterable[str]:  # noqa: ARG002  # one table is all
        with self.lock:
            listed = self.rows.execute("SELECT id FROM rows").fetchall()
        return (each for (each,) in listed)

    def complete_full_sync(self, full_sync: FullSync) -> None:
        with self.lock, self.rows:
            gone = [(each,) for each in full_sync.unseen]
            self.rows.executemany("DELETE FROM rows WHERE id = ?", gone)


SWEEPERS: tuple[type[RowsSink], ...] = (StampedSink, ListingSink)


def held(file: Path | str) -> list[str]:
    """The ids of the rows, as the file has them."""
    rows = sqlite3.connect(file)
    try:
        return [each for (each,) in rows.execute("SELECT id FROM rows ORDER BY id")]
    finally:
        rows.close()


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(str(path))
        time.sleep(0.01)  # polling, with a deadline: a file has no event


if __name__ == "__main__":
    serve(globals()[sys.argv[1]])
