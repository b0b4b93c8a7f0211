"""A source on the SDK that costs little itself: customers, each with a number as ``_updated``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.sources.customers import customers
from sesam_connector_sdk import IntegerSince, PullRequest, Settings, Source, serve


class CustomersSource(Source[Settings]):
    """As many customers as are asked for, of one kind."""

    since = IntegerSince()
    is_chronological = True

    def read(self, request: PullRequest) -> Iterator[dict[str, Any]]:
        """Yield them."""
        return customers(request.query["kind"], int(request.query["count"]))


if __name__ == "__main__":
    serve(CustomersSource)
