"""Runs an author's hooks and turns whatever comes out into a receipt or one typed error.

Imports ``connector`` and this room only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from sesam_connector_sdk.connector import typed_errors

from .base import Sink
from .batch import Batch, Receipt
from .sweep import Part

Around = Callable[[], contextlib.AbstractContextManager[None]]


def deliver(
    sink: Sink[Any],
    batch: Batch,
    part: Part | None = None,
    *,
    around: Around = contextlib.nullcontext,
) -> Receipt:
    """Validate the batch, have the sink write it, and close its account.

    Args:
        sink: An opened sink.
        batch: A batch nobody has iterated yet.
        part: The request's part in full syncs, if the sink sweeps.
        around: What is held while the author's code runs.

    Raises:
        ConnectorError: The request was not accepted; the class says why.
        Exception: The author's code has a bug.
    """
    batch.validate(sink.schema_check)
    with around(), typed_errors(sink, "The target"):
        if part is not None:
            part.begin(batch)
        sink.write(batch)
    receipt = batch.settle()
    if part is not None:
        with around(), typed_errors(sink, "The target"):
            part.end()
    return receipt
