"""What the official Python client receives, settles, peeks at and schedules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)

from service_bus_emulator import Emulator, QueueSpec, TopicSpec, running

QUEUES: list[str | QueueSpec] = [
    "basic",
    "large",
    "later",
    "modes",
    "drain",
    "shared",
    "looking",
    "stays",
    "reasons",
    QueueSpec("fails", max_delivery_count=3),
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator with a queue for each test."""
    topics = [TopicSpec("news", subscriptions=["all", "copy"]), TopicSpec("void")]
    topics.append(TopicSpec("once", subscriptions=["all"], duplicate_detection=60.0))
    with running(queues=QUEUES, topics=topics) as made:
        yield made


def send(clients: Any, emulator: Emulator, queue: str, *bodies: str, **options: Any) -> None:
    """Send messages whose id is their body."""
    messages = [ServiceBusMessage(body, message_id=body, **options) for body in bodies]
    clients.sender(emulator, queue).send_messages(messages, timeout=5)


def receive(receiver: Any, count: int = 1) -> list[Any]:
    """Receive exactly this many messages."""
    received: list[Any] = []
    while len(received) < count:
        more = receiver.receive_messages(count - len(received), max_wait_time=5)
        assert more, f"{len(received)} of {count} messages arrived"
        received += more
    return received


def test_complete_abandon_and_dead_letter(emulator: Emulator, clients: Any) -> None:
    """Each way of settling is confirmed to the client and has its effect."""
    send(clients, emulator, "basic", "a", "b", "c")
    receiver = clients.receiver(emulator, "basic")
    first, second, third = receive(receiver, 3)
    assert (str(first), first.delivery_count, first.sequence_number) == ("a", 0, 1)
    assert first.enqueued_time_utc <= datetime.now(UTC) < first.locked_until_utc
    assert [m.state for m in emulator.messages("basic")] == ["locked"] * 3
    receiver.complete_message(first)
    receiver.abandon_message(second)
    receiver.dead_letter_message(third, reason="bad", error_description="very bad")
    (left,) = emulator.messages("basic")
    assert (left.body, left.delivery_count, left.state) == (b"b", 1, "active")
    (again,) = receive(receiver)
    assert (str(again), again.delivery_count) == ("b", 1)
    receiver.complete_message(again)
    dead = clients.receiver(emulator, "basic", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    (buried,) = receive(dead)
    assert (str(buried), buried.message_id) == ("c", "c")
    assert buried.dead_letter_reason == "bad"
    assert buried.dead_letter_error_description == "very bad"
    dead.complete_message(buried)
    assert emulator.messages("basic/$DeadLetterQueue") == []


def test_defer_is_refused_with_a_clear_error(emulator: Emulator, clients: Any) -> None:
    """Deferring is not implemented: the client is told so, and the message is available again."""
    send(clients, emulator, "stays", "a")
    receiver = clients.receiver(emulator, "stays")
    (message,) = receive(receiver)
    with pytest.raises(ServiceBusError, match="does not defer"):
        receiver.defer_message(message)
    assert [m.state for m in emulator.messages("stays")] == ["active"]


def test_application_properties_survive_dead_lettering(emulator: Emulator, clients: Any) -> None:
    """The reason is added to the sender's application properties; nothing of them is lost."""
    properties = {"kind": "x", "number": 5, "yes": False}
    send(clients, emulator, "reasons", "a", application_properties=properties)
    receiver = clients.receiver(emulator, "reasons")
    receiver.dead_letter_message(receive(receiver)[0], reason="r", error_description="d")
    (dead,) = emulator.messages("reasons/$DeadLetterQueue")
    added = {"DeadLetterReason": "r", "DeadLetterErrorDescription": "d"}
    assert dead.application_properties == properties | added
    assert (dead.body, dead.message_id) == (b"a", "a")


def test_a_delivery_may_take_many_frames(emulator: Emulator, clients: Any) -> None:
    """A message larger than a frame is delivered whole, with all that was sent."""
    body = "0123456789" * 20_000
    send(clients, emulator, "large", body[:0] or "small")
    clients.sender(emulator, "large").send_messages(ServiceBusMessage(body), timeout=5)
    received = receive(clients.receiver(emulator, "large"), 2)
    assert [str(m) for m in received] == ["small", body]


def test_receive_and_delete_removes_on_delivery(emulator: Emulator, clients: Any) -> None:
    """In this mode nothing is locked: what was delivered is gone."""
    send(clients, emulator, "modes", "a", "b")
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    receiver = clients.receiver(emulator, "modes", receive_mode=mode)
    assert [str(m) for m in receive(receiver, 2)] == ["a", "b"]
    assert emulator.messages("modes") == []


def test_an_expired_lock_makes_the_message_available_again(clients: Any, forward: Any) -> None:
    """After the lock duration, and not before, settling fails with lock lost.

    The delivery counts as failed.
    """
    with running(queues=[QueueSpec("short", lock_duration=60)]) as emulator:
        send(clients, emulator, "short", "a")
        receiver = clients.receiver(emulator, "short")
        (message,) = receive(receiver)
        forward(emulator, 30)
        assert [m.state for m in emulator.messages("short")] == ["locked"]
        forward(emulator, 31)
        assert [m.state for m in emulator.messages("short")] == ["active"]
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(message)
        assert emulator.messages("short")[0].delivery_count == 1


def test_a_renewed_lock_lasts_longer(clients: Any, forward: Any) -> None:
    """Renewing gives the client a later time, and the message stays locked past the first one."""
    with running(queues=[QueueSpec("renewed", lock_duration=60)]) as emulator:
        send(clients, emulator, "renewed", "a")
        receiver = clients.receiver(emulator, "renewed")
        (message,) = receive(receiver)
        first = message.locked_until_utc
        forward(emulator, 40)
        renewed = receiver.renew_message_lock(message)
        assert renewed == message.locked_until_utc
        assert renewed - first >= timedelta(seconds=40)
        forward(emulator, 40)
        assert [m.state for m in emulator.messages("renewed")] == ["locked"]
        receiver.complete_message(message)
        assert emulator.messages("renewed") == []


def test_a_message_that_fails_too_often_is_dead_lettered(emulator: Emulator, clients: Any) -> None:
    """After max_delivery_count failed deliveries the message moves to the dead-letter queue."""
    send(clients, emulator, "fails", "a")
    receiver = clients.receiver(emulator, "fails")
    counts = []
    for _ in range(3):
        (message,) = receive(receiver)
        counts.append(message.delivery_count)
        receiver.abandon_message(message)
    assert counts == [0, 1, 2]
    assert emulator.messages("fails") == []
    (dead,) = emulator.messages("fails/$DeadLetterQueue")
    assert dead.application_properties["DeadLetterReason"] == "MaxDeliveryCountExceeded"


def test_closing_a_receiver_gives_back_what_it_prefetched(
    emulator: Emulator, clients: Any, eventually: Any
) -> None:
    """The drain on close is answered; released messages are available and did not fail."""
    send(clients, emulator, "drain", *"abcdef")
    receiver = clients.receiver(emulator, "drain", prefetch_count=5)
    receive(receiver)
    receiver.close()
    eventually(lambda: [m.state for m in emulator.messages("drain")].count("active") >= 5)
    assert {m.delivery_count for m in emulator.messages("drain")} == {0}


def test_two_receivers_share_a_queue(emulator: Emulator, clients: Any) -> None:
    """Every message goes to one receiver only."""
    receivers = [clients.receiver(emulator, "shared") for _ in range(2)]
    send(clients, emulator, "shared", "a", "b")
    received = [str(receive(receiver)[0]) for receiver in receivers]
    assert sorted(received) == ["a", "b"]


def test_peeking_locks_nothing_and_goes_on_where_asked(emulator: Emulator, clients: Any) -> None:
    """Peek returns messages by sequence number, and nothing when there is no more."""
    send(clients, emulator, "looking", *"abcd")
    receiver = clients.receiver(emulator, "looking")
    assert [str(m) for m in receiver.peek_messages(3)] == ["a", "b", "c"]
    assert [str(m) for m in receiver.peek_messages(9, sequence_number=4)] == ["d"]
    assert receiver.peek_messages(9, sequence_number=5) == []
    assert {m.state for m in emulator.messages("looking")} == {"active"}


def test_a_scheduled_message_appears_when_due(clients: Any, forward: Any) -> None:
    """Scheduled by annotation or by request, a message waits; a cancelled one never comes."""
    with running(queues=["later"]) as emulator:
        sender = clients.sender(emulator, "later")
        soon = datetime.now(UTC) + timedelta(seconds=60)
        by_annotation = ServiceBusMessage("annotation", scheduled_enqueue_time_utc=soon)
        sender.send_messages(by_annotation, timeout=5)
        (number,) = sender.schedule_messages(ServiceBusMessage("request"), soon)
        (cancelled,) = sender.schedule_messages(ServiceBusMessage("cancelled"), soon)
        sender.cancel_scheduled_messages(cancelled)
        with pytest.raises(MessageNotFoundError):
            sender.cancel_scheduled_messages(cancelled)
        forward(emulator, 30)
        assert [m.state for m in emulator.messages("later")] == ["scheduled"] * 2
        forward(emulator, 31)
        assert [m.state for m in emulator.messages("later")] == ["active"] * 2
        received = receive(clients.receiver(emulator, "later"), 2)
        assert [str(m) for m in received] == ["annotation", "request"]
        assert received[1].sequence_number == number


def test_who_waits_for_a_scheduled_message_gets_it_when_due(
    emulator: Emulator, clients: Any
) -> None:
    """It comes by itself, and never before its time, which has whole milliseconds on the wire."""
    receiver, sender = clients.receiver(emulator, "later"), clients.sender(emulator, "later")
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    sender.schedule_messages(ServiceBusMessage("x"), soon)
    receive(receiver)
    assert datetime.now(UTC) >= soon.replace(microsecond=soon.microsecond // 1000 * 1000)


def test_an_expired_message_is_not_delivered(emulator: Emulator, clients: Any) -> None:
    """What outlives its time to live is gone; the client sends whole seconds, so 0 is now."""
    expired = ServiceBusMessage("gone", time_to_live=timedelta(seconds=0.5))
    clients.sender(emulator, "basic").send_messages(expired, timeout=5)
    send(clients, emulator, "basic", "stays")
    receiver = clients.receiver(emulator, "basic")
    (message,) = receive(receiver)
    assert str(message) == "stays"
    receiver.complete_message(message)


def test_a_topic_copies_to_every_subscription(emulator: Emulator, clients: Any) -> None:
    """Each subscription has its own copy, and its own dead-letter queue."""
    clients.topic_sender(emulator, "news").send_messages(ServiceBusMessage("hello"), timeout=5)
    receiver = clients.subscriber(emulator, "news", "all")
    (message,) = receive(receiver)
    assert str(message) == "hello"
    receiver.dead_letter_message(message, reason="why")
    assert emulator.messages("news/Subscriptions/all") == []
    assert len(emulator.messages("news/Subscriptions/all/$DeadLetterQueue")) == 1
    assert [m.body for m in emulator.messages("news/subscriptions/COPY")] == [b"hello"]
    assert emulator.stats("news").messages_stored == 1


def test_duplicates_are_dropped_before_they_are_copied(emulator: Emulator, clients: Any) -> None:
    """Duplicate detection is the topic's."""
    twice = [ServiceBusMessage("x", message_id="same") for _ in range(2)]
    clients.topic_sender(emulator, "once").send_messages(twice, timeout=5)
    assert len(emulator.messages("once/Subscriptions/all")) == 1


def test_a_topic_without_subscriptions_accepts_and_keeps_nothing(
    emulator: Emulator, clients: Any
) -> None:
    """What nobody subscribed to is gone, as in Azure."""
    clients.topic_sender(emulator, "void").send_messages(ServiceBusMessage("x"), timeout=5)
    assert emulator.stats("void").messages_accepted == 1
    with pytest.raises(ValueError, match="keeps no messages"):
        emulator.messages("void")


@pytest.mark.parametrize("address", ["news/Subscriptions/all", "basic/$DeadLetterQueue"])
def test_nothing_can_be_sent_to_subscriptions_and_dead_letter_queues(
    emulator: Emulator, clients: Any, address: str
) -> None:
    """Sending straight to them is refused."""
    with pytest.raises(ServiceBusError, match="Nothing can be sent"):
        clients.sender(emulator, address)


def test_nothing_can_be_received_from_a_topic(emulator: Emulator, clients: Any) -> None:
    """Receiving from a topic is refused; an unknown subscription is not found."""
    with pytest.raises(ServiceBusError, match="Nothing can be received"):
        clients.receiver(emulator, "news")
    with pytest.raises(MessagingEntityNotFoundError):
        clients.subscriber(emulator, "news", "nobody")


def test_sessions_are_refused(emulator: Emulator, clients: Any) -> None:
    """A session receiver is told that there are no sessions."""
    with pytest.raises(ServiceBusError, match="no sessions"):
        clients.receiver(emulator, "basic", session_id="s")


def test_operations_that_do_not_exist_say_so(emulator: Emulator, clients: Any) -> None:
    """A management request that is not implemented is answered with 501 and its name."""
    receiver = clients.receiver(emulator, "basic")
    with pytest.raises(ServiceBusError, match=r"does not implement .*by-sequence-number"):
        receiver.receive_deferred_messages([1])
