"""P1: acknowledged means delivered. 2xx is sent only when the target holds every entity.

Breaks that were tried, each on a copy: ``settle`` without its comparison of taken and sent;
``deliver`` that swallows an exception of ``write``.
"""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk import Batch, Settings, Sink, TargetUnavailable
from sesam_connector_sdk.testing import push
from tests.connectors import Start, body_of
from tests.wire import ids, read_reply

ORDERS = ("take", "reject", "fail", "skip", "stop", "away")


class Ledger(Sink[Settings]):
    """Does with each entity what the entity orders, and knows what it has taken."""

    retryable = (ConnectionError,)

    def __init__(self) -> None:
        super().__init__(Settings())
        self.taken: list[str] = []

    def write(self, batch: Batch) -> None:
        """Obey."""
        for entity in batch:
            order = entity.data["order"]
            if order == "stop":
                return
            if order == "away":
                raise ConnectionError
            if order == "take":
                self.taken.append(entity.id)
            else:
                getattr(batch, order)(entity, "it says so")


@given(orders=st.lists(st.sampled_from(ORDERS), max_size=12))
def test_a_2xx_means_that_every_entity_was_taken_or_left_out_on_purpose(orders: list[str]) -> None:
    """Whatever becomes of each entity, a success leaves none unaccounted for."""
    sink = Ledger()
    batch = [{"_id": str(n), "order": order} for n, order in enumerate(orders)]
    try:
        answer = push(sink, batch)
    except RuntimeError:
        # What would be answered 500: write has returned with entities left.
        assert "stop" in orders
        return

    if answer.accepted:
        assert sink.taken == [str(n) for n, order in enumerate(orders) if order == "take"]
        assert answer.document["skipped"] == orders.count("skip")
        # What ordered a stop was yielded too, and may only be the last one.
        assert {*orders[:-1]} <= {"take", "skip"}
        assert {*orders[-1:]} <= {"take", "skip", "stop"}
    else:
        assert {*orders} & {"reject", "fail", "away"}


def test_a_process_that_dies_in_its_write_has_answered_nothing(connector: Start) -> None:
    """SIGKILL gives it no time to mend anything: what was answered 200 is kept, the rest is not."""
    found = connector("GatedSink")
    client = found.listening()
    with client.connect() as connection:
        connection.sendall(body_of("1", "2"))
        found.begun()
        found.open_gate()
        assert read_reply(connection).status == 200
        found.close_gate()

        connection.sendall(body_of("3"))
        found.begun()
        found.end(signal.SIGKILL)
        assert connection.recv(100) == b""

    assert ids(found.target) == ["1", "2"]


@pytest.mark.parametrize("error", [TargetUnavailable("Away."), ConnectionError(), KeyError("x")])
def test_an_error_after_the_last_entity_is_no_success(error: Exception) -> None:
    """The confirmation that fails at the very end takes the whole request back."""

    class LateFailure(Ledger):
        def write(self, batch: Batch) -> None:
            super().write(batch)
            raise error

    try:
        accepted = push(LateFailure(), [{"_id": "1", "order": "take"}]).accepted
    except KeyError:
        accepted = False  # what would be answered 500

    assert not accepted
