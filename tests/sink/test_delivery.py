"""What comes out of an author's write becomes a receipt or one typed error."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from sesam_connector_sdk import ConnectorError, Rejected, TargetUnavailable
from sesam_connector_sdk.sink import Batch, Receipt, deliver
from tests.notes import ObedientSink, TargetAwayError
from tests.wire import ids


def run(sink: ObedientSink, *entities: dict[str, Any]) -> Receipt:
    """Deliver entities."""
    return deliver(sink, Batch(io.BytesIO(json.dumps(entities).encode())))


def test_what_was_written_is_in_the_receipt_and_in_the_target(
    sink: ObedientSink, notes_file: Path
) -> None:
    """A receipt counts what the target holds. Seen to fail when write is not called."""
    assert run(sink, {"_id": "1"}, {"_id": "2", "do": "skip"}, {"_id": "3"}) == Receipt(2, 1)
    assert ids(notes_file) == ["1", "3"]


def test_a_retryable_exception_means_that_the_target_is_away(sink: ObedientSink) -> None:
    """503 instead of a bug; the answer names the class, and not the text, which may be data."""
    with pytest.raises(TargetUnavailable) as caught:
        run(sink, {"_id": "1", "do": "TargetAwayError"})

    assert caught.value.detail == "The target is not available (TargetAwayError)."
    assert isinstance(caught.value.__cause__, TargetAwayError)


def test_other_exceptions_pass_as_they_are(sink: ObedientSink) -> None:
    """A bug stays a bug, and a typed error keeps its type."""
    with pytest.raises(ValueError, match="CANARY"):
        run(sink, {"_id": "1", "do": "ValueError"})
    with pytest.raises(Rejected) as caught:
        run(sink, {"_id": "1", "do": "Rejected"})
    assert type(caught.value) is Rejected


def test_a_write_that_stops_early_is_a_bug(sink: ObedientSink) -> None:
    """It is no typed error that an author could have meant."""
    with pytest.raises(RuntimeError, match="taking 1 of 2") as caught:
        run(sink, {"_id": "1", "do": "stop"}, {"_id": "2"})

    assert not isinstance(caught.value, ConnectorError)


def test_nothing_is_written_of_a_batch_that_is_wrong(sink: ObedientSink, notes_file: Path) -> None:
    """Validation comes first, whatever position is wrong."""
    with pytest.raises(Rejected):
        run(sink, {"_id": "1"}, {"id": "2"})
    assert ids(notes_file) == []
