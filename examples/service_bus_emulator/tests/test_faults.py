"""Each fault, as the official Python client meets it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus import aio as aio_client
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusConnectionError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from service_bus_emulator import Emulator, QueueSpec, UnknownEntityError, faults, running

QUICK = {"retry_total": 2, "retry_backoff_factor": 0.001}
"""Options of a client that tries again at once."""


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator with a queue large enough for batches of many frames."""
    with running(queues=[QueueSpec("queue", max_message_size=1_048_576), "other"]) as made:
        yield made


@pytest.fixture(autouse=True)
def healthy_again(emulator: Emulator) -> Iterator[None]:
    """Forget every fault after each test."""
    yield
    emulator.clear_faults("queue")


def send(sender: Any, body: str = "x", timeout: float = 5) -> None:
    """Send one message."""
    sender.send_messages(ServiceBusMessage(body, message_id=body), timeout=timeout)


def stored(emulator: Emulator, body: str) -> int:
    """Return how often a body is in the queue."""
    return [m.body for m in emulator.messages("queue")].count(body.encode())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.Throttle(), ServiceBusServerBusyError),
        (faults.QuotaExceeded(), ServiceBusQuotaExceededError),
        (faults.Reject("com.microsoft:entity-disabled"), MessagingEntityDisabledError),
        (faults.Reject("amqp:link:message-size-exceeded"), MessageSizeExceededError),
        (faults.Reject("amqp:unauthorized-access"), ServiceBusAuthorizationError),
        (faults.Reject("amqp:not-allowed", "no way"), ServiceBusError),
        (faults.Detach("amqp:not-found"), ServiceBusConnectionError),
        (faults.Detach("amqp:link:detach-forced"), ServiceBusConnectionError),
        (faults.Detach(), ServiceBusConnectionError),
        (faults.CloseConnection(), ServiceBusConnectionError),
        (faults.Reset(), ServiceBusConnectionError),
        (faults.DropMidBatch(), ServiceBusConnectionError),
    ],
    ids=repr,
)
def test_a_send_fails_once_and_then_works(
    emulator: Emulator, clients: Any, canary: str, fault: faults.Fault, error: type[Exception]
) -> None:
    """The client raises the error it maps the fault to, stores nothing, and the next send works.

    Of the message, which nobody may see, neither says anything.
    """
    sender = clients.sender(emulator, "queue")
    emulator.inject("queue", fault)
    body = canary + repr(fault)[:40] + str(time.time())
    with pytest.raises(error):
        send(sender, body)
    assert stored(emulator, body) == 0
    send(sender, body)
    assert stored(emulator, body) == 1


def test_a_retrying_client_gets_over_faults(emulator: Emulator, clients: Any) -> None:
    """Faults come in the order they were injected, each as often as told, and then no more."""
    sender = clients.sender(emulator, "queue", **QUICK)
    before = emulator.stats("queue").transfers_received
    emulator.inject("queue", faults.Throttle(times=1))
    emulator.inject("queue", faults.Reject("com.microsoft:timeout", times=1))
    send(sender, "persistent")
    assert stored(emulator, "persistent") == 1
    assert emulator.stats("queue").transfers_received - before == 3


def test_a_fault_without_an_end_lasts_until_cleared(emulator: Emulator, clients: Any) -> None:
    """With times=None every send fails, until the faults are cleared."""
    sender = clients.sender(emulator, "queue")
    emulator.inject("queue", faults.Throttle(times=None))
    for _ in range(3):
        with pytest.raises(ServiceBusServerBusyError, match="50009"):
            send(sender, "never")
    emulator.clear_faults("queue")
    send(sender, "at last")
    assert (stored(emulator, "never"), stored(emulator, "at last")) == (0, 1)


def test_a_fault_hits_only_its_entity(emulator: Emulator, clients: Any) -> None:
    """Another queue is healthy."""
    emulator.inject("QUEUE", faults.Throttle(times=None))
    send(clients.sender(emulator, "other"), "fine")
    assert [m.body for m in emulator.messages("other")] == [b"fine"]


def test_accept_then_drop_stores_the_message_twice(emulator: Emulator, clients: Any) -> None:
    """The message is stored and the client, not knowing, sends it again."""
    sender = clients.sender(emulator, "queue", **QUICK)
    emulator.inject("queue", faults.AcceptThenDrop())
    send(sender, "twice")
    assert stored(emulator, "twice") == 2


def test_silence_runs_into_the_timeout(emulator: Emulator, clients: Any) -> None:
    """Nothing is answered and nothing stored; the client gives up after its timeout."""
    sender = clients.sender(emulator, "queue")
    emulator.inject("queue", faults.Silence())
    with pytest.raises(OperationTimeoutError):
        send(sender, "unheard", timeout=0.3)
    assert stored(emulator, "unheard") == 0


def test_delay_answers_later(emulator: Emulator, clients: Any) -> None:
    """The message is stored at once, and acknowledged so many seconds later, every time."""
    sender = clients.sender(emulator, "queue")
    emulator.inject("queue", faults.Delay(0.2))
    for number in range(2):
        started = time.monotonic()
        send(sender, f"late {number}")
        assert time.monotonic() - started >= 0.2
        assert stored(emulator, f"late {number}") == 1


def test_a_batch_is_dropped_before_it_is_complete(emulator: Emulator, clients: Any) -> None:
    """The connection is dropped at the batch's first frame: nothing is stored or even counted."""
    sender = clients.sender(emulator, "queue")
    before = emulator.stats("queue").transfers_received
    emulator.inject("queue", faults.DropMidBatch())
    batch = [ServiceBusMessage("y" * 50_000) for _ in range(12)]
    with pytest.raises(ServiceBusError):
        sender.send_messages(batch, timeout=5)
    assert emulator.stats("queue").transfers_received == before
    assert stored(emulator, "y" * 50_000) == 0
    sender.send_messages(batch, timeout=5)
    assert stored(emulator, "y" * 50_000) == 12


@pytest.mark.parametrize(
    "fault", [faults.Release(), faults.Modify(), faults.ShortReject()], ids=repr
)
def test_some_outcomes_hang_the_client_in_spite_of_its_timeout(
    emulator: Emulator, fault: faults.Fault
) -> None:
    """The send outlives its own timeout; cancelled from outside, the same sender works again."""

    async def scenario() -> None:
        client = aio_client.ServiceBusClient.from_connection_string(
            emulator.connection_string, retry_total=0
        )
        async with client, client.get_queue_sender("queue", keep_alive=0) as sender:
            emulator.inject("queue", fault)
            message = ServiceBusMessage(repr(fault))
            before = emulator.stats("queue").transfers_received
            sending = asyncio.ensure_future(sender.send_messages(message, timeout=0.1))
            async with asyncio.timeout(10):
                while emulator.stats("queue").transfers_received == before:
                    await asyncio.sleep(0.005)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(sending, 0.4)
            assert stored(emulator, repr(fault)) == 0
            await asyncio.wait_for(sender.send_messages(message, timeout=5), 5)
            assert stored(emulator, repr(fault)) == 1

    asyncio.run(scenario())


def test_an_attach_can_be_refused(emulator: Emulator, clients: Any) -> None:
    """The client gets the condition when it opens, and can open afterwards."""
    emulator.inject("queue", faults.RefuseAttach("com.microsoft:entity-disabled"))
    with pytest.raises(MessagingEntityDisabledError):
        clients.sender(emulator, "queue")
    emulator.inject("queue", faults.RefuseAttach())
    with pytest.raises(ServiceBusServerBusyError):
        clients.receiver(emulator, "queue")
    clients.sender(emulator, "queue")


def test_credentials_can_be_lost(emulator: Emulator, clients: Any) -> None:
    """The right key is answered with 401, as if it were gone, and works afterwards."""
    emulator.inject("queue", faults.LoseCredentials())
    with pytest.raises(ServiceBusAuthenticationError):
        clients.sender(emulator, "queue")
    clients.sender(emulator, "queue")


@pytest.mark.parametrize(
    "fault", [faults.DetachIdle(), faults.DetachIdle(None), faults.CloseIdle(), faults.ResetIdle()]
)
def test_idle_links_are_hit_at_once(
    emulator: Emulator, clients: Any, eventually: Any, fault: faults.Fault
) -> None:
    """An idle sender loses its link or connection now, and a retrying one gets over it."""
    sender = clients.sender(emulator, "queue", **QUICK)
    before = emulator.stats("queue")
    assert before.links_open >= 1
    emulator.inject("queue", fault)
    eventually(lambda: emulator.stats("queue").links_open == 0)
    body = f"after {type(fault).__name__} {fault.times} {time.time()}"
    send(sender, body)
    assert stored(emulator, body) == 1
    assert emulator.stats("queue").links_total > before.links_total


def control(sender: Any, **command: Any) -> None:
    """Send a command to `$control`."""
    sender.send_messages(ServiceBusMessage(json.dumps(command)), timeout=5)


def test_faults_can_be_injected_by_a_message(emulator: Emulator, clients: Any) -> None:
    """A JSON message to $control injects a fault, or clears what is left of it."""
    controller, sender = clients.sender(emulator, "$control"), clients.sender(emulator, "queue")
    control(controller, entity="queue", fault="throttle", times=2)
    with pytest.raises(ServiceBusServerBusyError):
        send(sender)
    control(controller, entity="queue", clear=True)
    send(sender)
    control(controller, entity="queue", fault="reject", condition="amqp:not-allowed")
    with pytest.raises(ServiceBusError):
        send(sender)
    send(sender)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{", "control"),
        ("[]", "JSON object"),
        ('{"entity": 5}', "member entity"),
        ('{"entity": "nowhere", "fault": "throttle"}', "could not be found"),
        ('{"entity": "queue"}', "there must be either"),
        ('{"entity": "queue", "fault": "earthquake"}', "no fault is called"),
        ('{"entity": "queue", "fault": "reject"}', "lacks a field"),
        ('{"entity": "queue", "fault": "throttle", "times": 0}', "times"),
        ('{"entity": "queue", "fault": "throttle", "times": "1"}', "must be of type"),
        ('{"entity": "queue", "fault": "throttle", "size": 1}', "no field"),
        ('{"entity": "queue", "fault": "delay", "seconds": -1}', "negative"),
    ],
)
def test_a_wrong_command_is_rejected_and_changes_nothing(
    module_controller: Any, body: str, text: str
) -> None:
    """What is no command is answered with what is wrong about it."""
    with pytest.raises(ServiceBusError, match=text):
        module_controller.send_messages(ServiceBusMessage(body), timeout=5)


@pytest.fixture(scope="module")
def module_controller(emulator: Emulator, module_clients: Any) -> Any:
    """A sender to $control for the whole module."""
    return module_clients.sender(emulator, "$control")


def test_every_fault_can_be_named() -> None:
    """Each exported fault has a name, and can be made from it."""
    fields: dict[str, dict[str, Any]] = {
        "reject": {"condition": "c"},
        "delay": {"seconds": 1},
    }
    made = {name: faults.from_json(name, fields.get(name, {})) for name in faults.NAMES}
    assert {name: type(fault) for name, fault in made.items()} == dict(faults.NAMES)
    assert len(faults.NAMES) == 18
    assert faults.from_json("throttle", {"times": None}) == faults.Throttle(times=None)


def test_wrong_faults_are_refused(emulator: Emulator) -> None:
    """A fault that makes no sense, or an entity that does not exist, is an error at once."""
    with pytest.raises(ValueError, match="times must be"):
        faults.Throttle(times=0)
    with pytest.raises(ValueError, match="once only"):
        faults.CloseIdle(times=2)
    with pytest.raises(ValueError, match="negative"):
        faults.Delay(-1)
    with pytest.raises(UnknownEntityError):
        emulator.inject("nowhere", faults.Throttle())
    with pytest.raises(UnknownEntityError):
        emulator.clear_faults("nowhere")
