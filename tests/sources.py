"""Sources of the tests: a table that can be told where to fail, and what else goes wrong.

Run as a program, it serves one for each way to read ``since``: ``python sources.py``.
"""

# ruff: noqa: D102  # what a hook does is documented where it is declared

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from sesam_connector_sdk import (
    CompositeSince,
    IntegerSince,
    PullRequest,
    Settings,
    Since,
    Source,
    TimestampSince,
    serve,
)

Row = Mapping[str, Any]


class Table(Source[Settings]):
    """Yields its rows from ``since`` on, as a database would, and perhaps an error behind them.

    Args:
        rows: The entities, in order of ``_updated``.
        error: What is raised behind the last of them.

    Attributes:
        requests: What was asked.
        closed: How often a read was ended, by its end or before.
    """

    since: ClassVar[Since[Any] | None] = IntegerSince()
    is_chronological = True
    may_be_empty = True
    retryable = (ConnectionError,)

    def __init__(self, rows: Iterable[Row] = (), error: BaseException | None = None) -> None:
        super().__init__(Settings())
        self.rows = list(rows)
        self.error = error
        self.requests: list[PullRequest] = []
        self.closed = 0

    def read(self, request: PullRequest) -> Iterator[Row]:
        self.requests.append(request)
        try:
            for row in self.rows:
                if request.since is None or row["_updated"] >= request.since:
                    yield row
            if self.error:
                raise self.error
        finally:
            self.closed += 1


class Whole(Source[Settings]):
    """Yields what it holds, whatever is asked: a source without ``since``."""

    def __init__(self, rows: Iterable[Any] = (), error: BaseException | None = None) -> None:
        super().__init__(Settings())
        self.rows = rows
        self.error = error

    def read(self, _request: PullRequest) -> Iterator[Any]:
        yield from self.rows
        if self.error:
            raise self.error


def rows(*updated: int) -> list[Row]:
    """An entity for each number, with that number as ``_updated``."""
    return [{"_id": f"{at}", "_updated": number} for at, number in enumerate(updated)]


class Numbers(Source[Settings]):
    """Reads ``since`` as a number, and compares with it; the others have a codec of their own."""

    route = "/numbers"
    since: ClassVar[Since[Any] | None] = IntegerSince()
    is_chronological = True
    may_be_empty = True
    newest: ClassVar[Any] = 5

    def read(self, request: PullRequest) -> Iterator[Row]:
        if request.since is None or self.newest > request.since:
            yield {"_id": "1", "_updated": self.newest}


class Moments(Numbers):
    """Reads it as a moment."""

    route = "/moments"
    since = TimestampSince()
    newest = datetime(2020, 1, 1, tzinfo=UTC)


class Both(Numbers):
    """Reads it as a moment and a number."""

    route = "/both"
    since = CompositeSince(TimestampSince(), IntegerSince())
    newest = (Moments.newest, 5)


class Neither(Numbers):
    """Has none."""

    route = "/neither"
    since = None
    is_chronological = False


if __name__ == "__main__":
    serve(Numbers, Moments, Both, Neither)
