"""The life of a connector under test. Imports ``connector`` only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

from sesam_connector_sdk.connector import Connector

ConnectorT = TypeVar("ConnectorT", bound=Connector[Any])


@contextlib.contextmanager
def opened(connector: ConnectorT) -> Iterator[ConnectorT]:
    """Open a connector for the length of a ``with`` block, and close it whatever happens.

    Args:
        connector: A connector that is not open.
    """
    connector.open()
    try:
        yield connector
    finally:
        connector.close()
