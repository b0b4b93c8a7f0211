"""What the official Python client sends, as the emulator stores it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
)

from service_bus_emulator import Emulator, QueueSpec, running

QUEUES: list[str | QueueSpec] = [
    "plain",
    QueueSpec("premium", max_message_size=1_048_576),
    QueueSpec("small", max_message_size=4_096),
    QueueSpec("counted", max_batch_count=3),
    QueueSpec("once", duplicate_detection=60.0),
    QueueSpec("split", partitioned=True),
    QueueSpec("split_once", partitioned=True, duplicate_detection=60.0),
    QueueSpec("tiny", max_size=1_000),
    QueueSpec("hole", discard=True),
    "Folder/Mixed",
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator with a queue of every kind."""
    with running(queues=QUEUES) as made:
        yield made


@pytest.fixture(scope="module")
def plain(emulator: Emulator, module_clients: Any) -> ServiceBusSender:
    """An open sender to the queue `plain`."""
    sender: ServiceBusSender = module_clients.sender(emulator, "plain")
    return sender


def message(body: str = "x", **options: Any) -> ServiceBusMessage:
    """Return a message of the official client."""
    return ServiceBusMessage(body, **options)


def test_a_message_arrives_with_all_its_properties(
    emulator: Emulator, plain: ServiceBusSender
) -> None:
    """Body, id, content type, application properties and the rest are stored as they were sent."""
    properties: dict[str | bytes, Any] = {
        "text": "grüß",
        "number": -7,
        "real": 1.5,
        "yes": True,
        "id": UUID(int=5),
    }
    sent = ServiceBusMessage(
        "håndværk",
        message_id="id-1",
        content_type="application/json",
        application_properties=properties,
        subject="s",
        correlation_id="c",
        session_id="p",
        partition_key="p",
        time_to_live=timedelta(seconds=90),
    )
    plain.send_messages(sent, timeout=5)
    stored = emulator.messages("plain")[-1]
    assert stored.body.decode() == "håndværk"
    assert (stored.message_id, stored.content_type) == ("id-1", "application/json")
    assert stored.application_properties == properties
    assert stored.properties["subject"] == "s"
    assert stored.properties["correlation_id"] == "c"
    assert (stored.properties["session_id"], stored.partition_key) == ("p", "p")
    assert stored.time_to_live == 90
    assert (stored.state, stored.delivery_count) == ("active", 0)


def test_a_batch_becomes_one_message_per_data_section(
    emulator: Emulator, plain: ServiceBusSender
) -> None:
    """A batch is one transfer and many messages, in order, with consecutive sequence numbers."""
    before = emulator.stats("plain")
    batch = plain.create_message_batch()
    for number in range(500):
        batch.add_message(message(f"body {number}", message_id=f"batch-{number}"))
    plain.send_messages(batch, timeout=5)
    stored = [m for m in emulator.messages("plain") if str(m.message_id).startswith("batch-")]
    assert [m.body for m in stored] == [f"body {number}".encode() for number in range(500)]
    first = stored[0].sequence_number
    assert [m.sequence_number for m in stored] == list(range(first, first + 500))
    after = emulator.stats("plain")
    assert after.transfers_received - before.transfers_received == 1
    assert after.messages_stored - before.messages_stored == 500


def test_a_message_of_many_frames_arrives_whole(
    emulator: Emulator, plain: ServiceBusSender
) -> None:
    """A message over several 64 KiB frames is put together again."""
    body = "".join(chr(97 + number % 26) for number in range(250_000))
    plain.send_messages(message(body, message_id="long"), timeout=5)
    assert emulator.messages("plain")[-1].body == body.encode()


def test_a_message_without_a_body_is_stored(emulator: Emulator, plain: ServiceBusSender) -> None:
    """A message that has no body section at all has an empty body."""
    plain.send_messages(ServiceBusMessage(None, message_id="none"), timeout=5)
    stored = emulator.messages("plain")[-1]
    assert (stored.message_id, stored.body) == ("none", b"")


def test_names_ignore_case_and_may_have_slashes(emulator: Emulator, clients: Any) -> None:
    """Service Bus compares names without regard to case."""
    clients.sender(emulator, "folder/MIXED").send_messages(message("x"), timeout=5)
    assert [m.body for m in emulator.messages("Folder/Mixed")] == [b"x"]
    assert emulator.messages("FOLDER/mixed") == emulator.messages("Folder/Mixed")


def test_an_unknown_queue_is_not_found(emulator: Emulator, clients: Any) -> None:
    """Attaching to a queue that does not exist is refused with amqp:not-found."""
    with pytest.raises(MessagingEntityNotFoundError, match="'nowhere' could not be found"):
        clients.sender(emulator, "nowhere")


def test_create_on_demand_makes_the_queue(clients: Any) -> None:
    """With create_on_demand an unknown name becomes a queue when it is used."""
    with running(create_on_demand=True) as emulator:
        clients.sender(emulator, "fresh").send_messages(message("x"), timeout=5)
        assert [m.body for m in emulator.messages("fresh")] == [b"x"]


@pytest.mark.parametrize(("queue", "limit"), [("premium", 1_048_576), ("small", 4_096)])
def test_the_link_says_how_large_a_batch_may_be(
    emulator: Emulator, clients: Any, queue: str, limit: int
) -> None:
    """The client takes its batch limit from the link's properties."""
    assert clients.sender(emulator, queue).create_message_batch().max_size_in_bytes == limit


def test_what_is_too_large_is_rejected(emulator: Emulator, clients: Any) -> None:
    """A message, or a batch, over the limit is rejected; one below it on the same link is not."""
    sender = clients.sender(emulator, "small")
    with pytest.raises(MessageSizeExceededError, match="exceeds the limit"):
        sender.send_messages(message("x" * 5_000), timeout=5)
    with pytest.raises(MessageSizeExceededError, match="exceeds the limit"):
        sender.send_messages(message("x" * 500_000), timeout=5)
    # The client does not count the envelope of a batch: a full one is too large.
    batch = sender.create_message_batch()
    with suppress(MessageSizeExceededError):
        while True:
            batch.add_message(message("x", message_id="i" * 128))
    with pytest.raises(MessageSizeExceededError, match="exceeds the limit"):
        sender.send_messages(batch, timeout=5)
    sender.send_messages(message("fits"), timeout=5)
    assert [m.body for m in emulator.messages("small")] == [b"fits"]


def test_a_batch_of_too_many_is_rejected_whole(emulator: Emulator, clients: Any) -> None:
    """Over the count limit nothing of the batch is stored; exactly at the limit all of it."""
    sender = clients.sender(emulator, "counted")
    with pytest.raises(ServiceBusError, match="unable to process"):
        sender.send_messages([message(str(number)) for number in range(4)], timeout=5)
    assert emulator.messages("counted") == []
    sender.send_messages([message(str(number)) for number in range(3)], timeout=5)
    assert len(emulator.messages("counted")) == 3


def test_a_repeated_message_id_is_accepted_and_dropped(emulator: Emulator, clients: Any) -> None:
    """Duplicate detection drops silently, within a batch and between sends."""
    sender = clients.sender(emulator, "once")
    sender.send_messages(message("first", message_id="a"), timeout=5)
    again = [message("second", message_id="a"), message("b", message_id="b")]
    sender.send_messages([*again, message("c", message_id="b")], timeout=5)
    assert [m.body for m in emulator.messages("once")] == [b"first", b"b"]
    assert emulator.stats("once").duplicates_dropped == 2


def test_a_message_id_is_forgotten_after_the_window(clients: Any, forward: Any) -> None:
    """After the window, and not before, the same id is a new message."""
    with running(queues=[QueueSpec("briefly", duplicate_detection=60)]) as emulator:
        sender = clients.sender(emulator, "briefly")
        for seconds, stored in ((0, 1), (30, 1), (31, 2)):
            forward(emulator, seconds)
            sender.send_messages(message("x", message_id="a"), timeout=5)
            assert len(emulator.messages("briefly")) == stored
        assert emulator.stats("briefly").duplicates_dropped == 1


def test_a_batch_for_two_partitions_is_not_allowed(emulator: Emulator, clients: Any) -> None:
    """A partitioned queue takes a batch with one partition key, and refuses one with two."""
    sender = clients.sender(emulator, "split")
    keyed = [message("x", partition_key=key) for key in ("a", "a", "b")]
    with pytest.raises(ServiceBusError, match="distinct SessionId, PartitionKey"):
        sender.send_messages(keyed, timeout=5)
    sender.send_messages(keyed[:2], timeout=5)
    assert len(emulator.messages("split")) == 2


def test_with_duplicate_detection_the_id_is_the_partition(emulator: Emulator, clients: Any) -> None:
    """A partitioned queue with duplicate detection refuses distinct ids in a batch without key."""
    sender = clients.sender(emulator, "split_once")
    with pytest.raises(ServiceBusError, match="MessageId"):
        sender.send_messages([message("x", message_id=i) for i in ("a", "b")], timeout=5)
    keyed = [message("x", message_id=i, partition_key="k") for i in ("a", "b")]
    sender.send_messages(keyed, timeout=5)
    assert len(emulator.messages("split_once")) == 2


def test_a_full_queue_is_over_its_quota(emulator: Emulator, clients: Any) -> None:
    """Beyond max_size nothing more is stored."""
    sender = clients.sender(emulator, "tiny")
    sender.send_messages(message("x" * 600), timeout=5)
    with pytest.raises(ServiceBusQuotaExceededError):
        sender.send_messages(message("x" * 600), timeout=5)
    assert len(emulator.messages("tiny")) == 1


def test_a_discarding_queue_counts_and_keeps_nothing(emulator: Emulator, clients: Any) -> None:
    """What is sent to it is acknowledged, counted and gone."""
    sender = clients.sender(emulator, "hole")
    sender.send_messages([message("x") for _ in range(10)], timeout=5)
    sender.send_messages(message("x"), timeout=5)
    assert emulator.messages("hole") == []
    stats = emulator.stats("hole")
    assert (stats.messages_accepted, stats.messages_discarded, stats.messages_stored) == (11, 11, 0)
