"""A service of all three kinds of connectors, each with settings of its own.

Run as a program, it serves them: ``python services.py``. The source gives what the sink has taken.
"""

# ruff: noqa: D102  # what a hook does is documented where it is declared

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sesam_connector_sdk import (
    Batch,
    Entity,
    PullRequest,
    Settings,
    Sink,
    Source,
    Transform,
    serve,
)


class NotesSettings(Settings):
    """Where the notes are, for the sink and the source."""

    notes_file: str
    """File that notes are appended to."""


class PriceSettings(Settings):
    """What prices are multiplied with, and what says that the transform was opened and closed."""

    price_factor: int
    """Factor."""

    price_log: str
    """File."""


class Notes(Sink[NotesSettings]):
    """Takes notes."""

    route = "/notes"

    def write(self, batch: Batch) -> None:
        with Path(self.settings.notes_file).open("ab") as file:
            for entity in batch:
                file.write(entity.json + b"\n")


class NotesTaken(Source[NotesSettings]):
    """Gives the notes that were taken."""

    route = "/notes"

    def read(self, _request: PullRequest) -> Iterator[dict[str, Any]]:
        yield from map(json.loads, Path(self.settings.notes_file).read_bytes().splitlines())


class Prices(Transform[PriceSettings]):
    """Multiplies prices."""

    route = "/prices/{currency}"

    def open(self) -> None:
        self._log("opened")

    def transform(self, entity: Entity) -> dict[str, object]:
        return entity.data | {"price": entity.data["price"] * self.settings.price_factor}

    def close(self) -> None:
        self._log("closed")

    def _log(self, word: str) -> None:
        with Path(self.settings.price_log).open("a") as file:
            file.write(f"{word}\n")


if __name__ == "__main__":
    serve(Notes, NotesTaken, Prices)
