"""P2: a failure never looks like success, and never like fewer entities.

Breaks that were tried, each on a copy: ``Stream`` that ends where the source raises; ``pieces``
that writes ``]`` in a ``finally``; ``Pull`` that leaves out an entity that cannot be sent; ``Pull``
that answers an empty full read.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sesam_connector_sdk import PullRequest, TargetUnavailable
from tests import hub_reader
from tests.sources import Whole
from tests.wire import Client

Serving = Callable[..., Client]


class Breaking(Whole):
    """Yields entities of a size, and goes wrong in a way, as it is told before each request."""

    count = 0
    size = 0
    how: Callable[[], Any] = int

    def read(self, _request: PullRequest) -> Iterator[Any]:
        """Yield, and go wrong."""
        for at in range(self.count):
            yield {"_id": str(at), "text": "x" * self.size}
        yield self.how()


def fails(error: BaseException) -> Callable[[], Any]:
    """A way to go wrong."""

    def how() -> Any:
        raise error

    return how


WAYS: dict[str, Callable[[], Any]] = {
    "a bug": fails(ValueError("CANARY")),
    "the target is away": fails(TargetUnavailable()),
    "sys.exit": fails(SystemExit(0)),
    "a generator that stops itself": fails(StopIteration()),
    "closed from within": fails(GeneratorExit()),
    "out of memory": fails(MemoryError()),
    "too deep": fails(RecursionError()),
    "no entity": lambda: None,
    "no _id": lambda: {"name": "x"},
    "an _id that is a number": lambda: {"_id": 1},
    "a text that the hub cannot read": lambda: {"_id": "x", "a": "~foo"},
    "a number that JSON has not": lambda: {"_id": "x", "a": float("nan")},
    "an object that JSON has not": lambda: {"_id": "x", "a": object()},
}


def received(client: Client, version: str) -> tuple[int, bytes, bool]:
    """The status, what came of the body, and whether it came whole, as far as HTTP can say."""
    with client.connect() as connection:
        connection.sendall(f"GET / HTTP/{version}\r\nHost: x\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        try:
            return response.status, response.read(), True
        except http.client.IncompleteRead as broken:
            return response.status, broken.partial, False


@pytest.fixture
def breaking() -> Breaking:
    """The source of a test."""
    return Breaking()


@pytest.fixture
def client(serving: Serving, breaking: Breaking) -> Client:
    """Speaks to a server of that source."""
    return serving(breaking)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(way=st.sampled_from(sorted(WAYS)), count=st.integers(0, 40), size=st.integers(0, 20_000))
@example(way="a bug", count=0, size=0)
@example(way="a bug", count=1, size=200_000)
def test_whatever_goes_wrong_the_hub_takes_no_part_for_the_whole(
    version: str, way: str, count: int, size: int, client: Client, breaking: Breaking
) -> None:
    """After no entity, some, or many: an error status, or a body that is visibly not whole.

    The body is read as the hub's parser reads: it must not accept it, also where HTTP/1.0 has no
    means to say that a body is broken.
    """
    breaking.count, breaking.size, breaking.how = count, size, WAYS[way]

    status, body, whole = received(client, version)

    if status == 200:
        taken, accepted = hub_reader.read(body)
        assert not accepted
        assert len(taken) <= count
        assert not whole or version == "1.0"
    else:
        assert 500 <= status < 600
        assert whole
    assert b"CANARY" not in body


def test_a_full_read_of_nothing_is_no_success(serving: Serving) -> None:
    """An empty array would delete all that the hub has; only a class that says so may answer it."""
    assert received(serving(Whole()), "1.1")[0] == 502

    class Quiet(Whole):
        may_be_empty = True

    assert received(serving(Quiet()), "1.1") == (200, b"[]", True)
