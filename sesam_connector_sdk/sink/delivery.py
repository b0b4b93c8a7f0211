"""Runs an author's hooks and turns whatever comes out into a receipt or one typed error.

Imports ``errors`` and this room only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from sesam_connector_sdk.errors import TargetUnavailable

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
    with around(), _typed_errors(sink):
        if part is not None:
            part.begin(batch)
        sink.write(batch)
    receipt = batch.settle()
    if part is not None:
        with around(), _typed_errors(sink):
            part.end()
    return receipt


@contextlib.contextmanager
def _typed_errors(sink: Sink[Any]) -> Iterator[None]:
    """What an author's hook raises, as an error class or as the bug that it is."""
    try:
        yield
    except sink.retryable as error:
        raise TargetUnavailable(f"The target is not available ({type(error).__name__}).") from error
    except SystemExit as error:
        # It would end the server's thread and leave the hub without an answer.
        raise RuntimeError("the sink called sys.exit; raise an error instead") from error
