"""The target of the tests: a sink that appends to a file, and one that obeys its entities.

Run as a program, it serves: ``python notes.py`` a NotesSink, ``python notes.py gated`` a GatedSink,
any other class of this module by its name.
"""

# ruff: noqa: D102  # what a hook does is documented where it is declared

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from pathlib import Path

from sesam_connector_sdk import (
    Batch,
    DestinationNotAllowed,
    Entity,
    OutcomeUnknown,
    Rejected,
    Secret,
    Settings,
    Sink,
    TargetRefusedUs,
    TargetUnavailable,
    Throttled,
    serve,
)

PATIENCE_SECONDS = 20.0
"""How long anything in the tests waits for what must happen."""


class NotesSettings(Settings):
    """Where the notes go."""

    notes_file: str
    """File that notes are appended to."""

    notes_token: Secret = Secret("")
    """Never written anywhere."""


class NotesSink(Sink[NotesSettings]):
    """Append every entity to a file. Append-only: deletes are lines too."""

    def open(self) -> None:
        self.file = Path(self.settings.notes_file).open("ab")  # noqa: SIM115  # close() closes it

    def write(self, batch: Batch) -> None:
        for entity in batch:
            self.note(entity)
        self.file.flush()
        os.fsync(self.file.fileno())

    def note(self, entity: Entity) -> None:
        """Append one entity."""
        self.file.write(entity.json + b"\n")

    def close(self) -> None:
        self.file.close()
        with Path(f"{self.settings.notes_file}.closed").open("ab") as file:
            file.write(b"closed\n")


class TargetAwayError(Exception):
    """What a target's library would raise while the target is away."""


class ObedientSink(NotesSink):
    """Treats each entity as its field ``do`` says, and appends those that it takes."""

    retryable = (TargetAwayError,)

    def write(self, batch: Batch) -> None:
        for entity in batch:
            order = str(entity.data.get("do", "take"))
            if order == "stop":
                break
            if order == "thread":
                threading.Thread(target=_fail, name="target").start()
            elif order == "warning":
                warnings.warn("the target's library is old", stacklevel=1)
            if order in ("reject", "fail", "skip"):
                getattr(batch, order)(entity, f"it says {order}")
            elif order in ("take", "thread", "warning"):
                self.note(entity)
            else:
                raise _ERRORS[order]
        self.file.flush()


def _fail() -> None:
    raise ValueError("CANARY-exception")


_ERRORS: dict[str, Exception] = {
    "DestinationNotAllowed": DestinationNotAllowed("This queue is not on the list."),
    "Rejected": Rejected("The target knows no such customer."),
    "Throttled": Throttled("The target asks for a pause.", retry_after=2.1),
    "TargetRefusedUs": TargetRefusedUs("The target does not know the connector's key."),
    "TargetUnavailable": TargetUnavailable("The target does not answer."),
    "OutcomeUnknown": OutcomeUnknown("The target did not confirm in time."),
    "TargetAwayError": TargetAwayError("CANARY-exception"),
    "ValueError": ValueError("CANARY-exception"),
}


class GatedSink(NotesSink):
    """Says that a write has begun with the file ``….begun``, and waits for the file ``….gate``."""

    def write(self, batch: Batch) -> None:
        if len(batch):
            Path(f"{self.settings.notes_file}.begun").touch()
            _wait_for(Path(f"{self.settings.notes_file}.gate"))
        super().write(batch)


class HangingCheckSink(NotesSink):
    """Its check never comes back."""

    def check(self) -> None:
        Path(f"{self.settings.notes_file}.checked").touch()
        while True:
            time.sleep(PATIENCE_SECONDS)


class UnopenableSink(NotesSink):
    """Cannot be opened, for a reason whose text holds a secret."""

    def open(self) -> None:
        raise ValueError("CANARY-open")


class UnmakeableSink(NotesSink):
    """Cannot even be made, for a reason whose text holds a secret."""

    def __init__(self, settings: NotesSettings) -> None:
        super().__init__(settings)
        raise ValueError("CANARY-init")


class TalkativeSink(NotesSink):
    """Its close fails after its work is done."""

    def close(self) -> None:
        super().close()
        raise ValueError("CANARY-close")


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(str(path))
        time.sleep(0.01)  # polling, with a deadline: a file has no event


if __name__ == "__main__":
    serve(globals()[sys.argv[1]] if len(sys.argv) > 1 else NotesSink)
