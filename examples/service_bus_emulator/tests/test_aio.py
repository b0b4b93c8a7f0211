"""The asynchronous official Python client, and the emulator in the same event loop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from service_bus_emulator import Emulator, faults

OPTIONS: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.001}


def test_emulator_and_client_share_a_loop() -> None:
    """Send, batch, peek, schedule, complete, abandon and dead-letter, all in one event loop."""

    async def scenario() -> None:
        async with Emulator(queues=["queue"]) as emulator:
            client = ServiceBusClient.from_connection_string(emulator.connection_string, **OPTIONS)
            async with client:
                await exchange(client, emulator)
        assert [m.body for m in emulator.messages("queue")] == [b"later"]

    asyncio.run(scenario())


async def exchange(client: ServiceBusClient, emulator: Emulator) -> None:
    """Send five messages and settle four of them, each in another way."""
    async with client.get_queue_sender("queue", keep_alive=0) as sender:
        emulator.inject("queue", faults.Throttle())
        await sender.send_messages(ServiceBusMessage("a"))
        await sender.send_messages([ServiceBusMessage(name) for name in "bcd"])
        later = datetime.now(UTC) + timedelta(hours=1)
        assert await sender.schedule_messages(ServiceBusMessage("later"), later) == [5]
    async with client.get_queue_receiver("queue", keep_alive=0) as receiver:
        assert [str(m) for m in await receiver.peek_messages(3)] == ["a", "b", "c"]
        received: list[Any] = []
        while len(received) < 4:
            received += await receiver.receive_messages(4 - len(received), max_wait_time=5)
        await receiver.complete_message(received[0])
        await receiver.dead_letter_message(received[1], reason="r")
        await receiver.abandon_message(received[2])
        assert await receiver.renew_message_lock(received[3]) > datetime.now(UTC)
        await receiver.complete_message(received[3])
        (again,) = await receiver.receive_messages(1, max_wait_time=5)
        assert (str(again), again.delivery_count) == ("c", 1)
        await receiver.complete_message(again)
    assert [m.body for m in emulator.messages("queue/$DeadLetterQueue")] == [b"b"]
