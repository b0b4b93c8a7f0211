"""A trace that the request belongs to goes on in its messages."""

from __future__ import annotations

import pytest
from azure.servicebus import ServiceBusReceivedMessage
from service_bus_emulator import Emulator

from .support import LocalSink, receive

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


def text(value: object) -> str:
    """A property's value, which the client leaves as bytes."""
    assert isinstance(value, bytes)
    return value.decode()


def received(
    emulator: Emulator, sink: LocalSink, queue: str, headers: dict[str, str]
) -> list[ServiceBusReceivedMessage]:
    """What the official client receives of a batch of two that came with some headers."""
    batch = [{"_id": "1"}, {"_id": "2"}]
    assert sink.post(f"/{queue}", batch, {}, **headers).status == 200
    return receive(emulator, queue, 2)


def test_every_message_carries_the_trace_of_its_request(
    emulator: Emulator, here: LocalSink
) -> None:
    """In both properties in which Azure's clients look for it: the same trace, a new parent.

    Seen to fail when the courier does not hand it on, and when the caller's id is kept.
    """
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}

    for message in received(emulator, here, "traced", headers):
        found = message.application_properties
        assert found
        assert set(found) == {b"Diagnostic-Id", b"traceparent"}
        (value,) = set(found.values())
        version, trace, parent, flags = text(value).split("-")
        assert (version, trace, flags) == ("00", TRACE, "01")
        assert len(parent) == 16
        assert parent != CALLER


@pytest.mark.parametrize("headers", [{}, {"traceparent": f"00-{TRACE.upper()}-{CALLER}-01"}])
def test_without_a_valid_trace_a_message_carries_none(
    emulator: Emulator, here: LocalSink, headers: dict[str, str]
) -> None:
    """No property is added, and none is made up. Seen to fail when an empty one is."""
    for message in received(emulator, here, f"untraced-{len(headers)}", headers):
        assert not message.application_properties
