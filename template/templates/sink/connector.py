"""What the connector does with the entities that the hub sends."""

import os
from pathlib import Path

from sesam_connector_sdk import Batch, Settings, Sink


class NotesSettings(Settings):
    """The connector's own settings, each read from the variable of its name."""

    notes_file: str
    """File that notes are appended to."""


class NotesSink(Sink[NotesSettings]):
    """Append every entity to a file. Append-only: deletes are lines too."""

    def open(self) -> None:
        """Connect to the target. Runs once, before the first request."""
        self.file = Path(self.settings.notes_file).open("ab")  # noqa: SIM115  # close() closes it

    def write(self, batch: Batch) -> None:
        """Deliver the batch. To return is to say that the target has all of it."""
        for entity in batch:
            self.file.write(entity.json + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        """Let go of the target. Runs once, after the last request."""
        self.file.close()
