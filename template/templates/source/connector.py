"""What the connector reads for the hub."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from sesam_connector_sdk import IntegerSince, PullRequest, Settings, Source


class NotesSettings(Settings):
    """The connector's own settings, each read from the variable of its name."""

    notes_file: str
    """File of notes, a JSON object a line, with an _id and an _updated: a whole number that grows
    from line to line."""


class NotesSource(Source[NotesSettings]):
    """Read the notes of a file, oldest first; one with ``"_deleted": true`` is gone."""

    since = IntegerSince()
    is_chronological = True
    retryable = (OSError,)

    def read(self, request: PullRequest) -> Iterator[dict[str, Any]]:
        """Yield what has changed since then, all of it without ``since``. Let errors out."""
        with Path(self.settings.notes_file).open(encoding="utf-8") as lines:
            for line in lines:
                note = json.loads(line, parse_float=Decimal)
                # Not behind it: the last run may have ended between two notes of one _updated.
                if request.since is None or note["_updated"] >= request.since:
                    yield note
