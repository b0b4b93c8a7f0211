"""Runs an author's ``write`` and turns whatever comes out into a receipt or one typed error.

Imports ``errors`` and this room only.
"""

from __future__ import annotations

from typing import Any

from sesam_connector_sdk.errors import TargetUnavailable

from .base import Sink
from .batch import Batch, Receipt


def deliver(sink: Sink[Any], batch: Batch) -> Receipt:
    """Validate the batch, have the sink write it, and close its account.

    Args:
        sink: An opened sink.
        batch: A batch nobody has iterated yet.

    Raises:
        ConnectorError: The request was not accepted; the class says why.
        Exception: The author's code has a bug.
    """
    batch.validate()
    try:
        sink.write(batch)
    except sink.retryable as error:
        raise TargetUnavailable(f"The target is not available ({type(error).__name__}).") from error
    except SystemExit as error:
        # It would end the server's thread and leave the hub without an answer.
        raise RuntimeError("write called sys.exit; raise an error instead") from error
    return batch.settle()
