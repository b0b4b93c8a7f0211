"""A source that is not as it declares is found out, each in its own way."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sesam_connector_sdk import (
    CompositeSince,
    IntegerSince,
    PullRequest,
    Settings,
    Since,
    Source,
    TimestampSince,
)
from sesam_connector_sdk.testing import prove_capabilities
from tests.sources import Row, Table, Whole, rows

TIES = rows(1, 2, 2, 2, 3, 4, 4, 5, 9, 10, 11, 20)


class Moments(Table):
    """Ordered by moments, with ties."""

    since = TimestampSince()


class Pairs(Table):
    """Ordered by pairs of numbers."""

    since = CompositeSince(IntegerSince(), IntegerSince())


class Shuffled(Source[Settings]):
    """Comparable, in no order."""

    since = IntegerSince()
    may_be_empty = True

    def read(self, request: PullRequest) -> Iterator[Row]:
        """The largest first."""
        border = -1 if request.since is None else request.since
        yield from (row for row in reversed(TIES) if row["_updated"] > border)


def moment(number: int) -> datetime:
    """A moment for a number; some of whole seconds."""
    return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=number / 2)


SOUND: list[Source[Settings]] = [
    Table(TIES),
    Moments([{**row, "_updated": moment(row["_updated"])} for row in TIES]),
    Pairs([{**row, "_updated": (row["_updated"] // 10, row["_updated"] % 10)} for row in TIES]),
    Shuffled(Settings()),
    Whole([*TIES, {"_id": "t", "_deleted": True}, {"_id": "f", "_deleted": False}]),
    Whole([{"_id": "n", "_deleted": None}]),
]


@pytest.mark.parametrize("source", SOUND, ids=lambda source: type(source).__name__)
def test_a_source_that_is_as_it_declares_is_proved(source: Source[Settings]) -> None:
    """Chronological, only comparable, or neither."""
    prove_capabilities(source)


class Unordered(Table):
    """Says that it is chronological and is not."""

    def read(self, request: PullRequest) -> Iterator[Row]:
        """The largest first."""
        yield from reversed(list(super().read(request)))


class Forgetful(Table):
    """Ignores ``since``."""

    def read(self, _request: PullRequest) -> Iterator[Row]:
        """Everything."""
        yield from self.rows


class Late(Table):
    """Skips what comes right behind ``since``, as one that adds a second to it."""

    def read(self, request: PullRequest) -> Iterator[Row]:
        """From one later on."""
        for row in self.rows:
            if request.since is None or row["_updated"] > request.since + 1:
                yield row


class Living(Table):
    """Leaves out deleted entities once there is a ``since``."""

    def read(self, request: PullRequest) -> Iterator[Row]:
        """All but some."""
        for row in super().read(request):
            if request.since is None or row["_updated"] != 20:
                yield row


class Splitting(Table):
    """Cuts at the limit by itself, through a tie."""

    def read(self, request: PullRequest) -> Iterator[Row]:
        """As many as asked for."""
        found = super().read(request)
        behind = (row for row in found if row["_updated"] > (request.since or 0))
        yield from itertools.islice(behind, request.limit)


class Texts(Since[int]):
    """Numbers as texts, which the hub sorts as texts."""

    def encode(self, value: int) -> str:
        """As text."""
        return str(value)

    def decode(self, text: str) -> int:
        """As number."""
        return int(text)


class Textual(Table):
    """Says that its texts are comparable."""

    since = Texts()


class Twice(Whole):
    """Yields something else each time."""

    def read(self, _request: PullRequest) -> Iterator[Row]:
        """One more than the last time."""
        self.rows = [*self.rows, *rows(1)]
        yield from self.rows


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        (Unordered(TIES), "is before that of the entity before it"),
        (Forgetful(TIES), "which is older"),
        (Late(TIES), "since 1 does not give '1' of 2"),
        (Living(TIES), "does not give '11' of 20"),
        (Splitting(TIES), "in pages of 1, '4' of 3 stands where '2' of 2 should"),
        (Textual(TIES), "to the hub, _updated '9' is not before '10'"),
        (Twice(TIES), "two full reads differ"),
        (Whole([{"_id": "1", "_deleted": 1}]), "and only True deletes"),
        (Table(TIES[1:4]), "two different _updated"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Source) else "",
)
def test_a_source_that_loses_entities_is_found_out(source: Source[Settings], verdict: str) -> None:
    """Each is broken in one way, and the message says in which."""
    with pytest.raises(AssertionError, match=verdict):
        prove_capabilities(source)


def test_a_read_that_fails_proves_nothing() -> None:
    """Neither early nor late."""
    with pytest.raises(AssertionError, match="not available"):
        prove_capabilities(Table(TIES, ConnectionError()))
