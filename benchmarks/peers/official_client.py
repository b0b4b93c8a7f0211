"""The official Python client alone: batches as full as they get, no HTTP and no JSON to read.

Answers ``{"count": N, "queue": NAME}`` on standard input once Service Bus has acknowledged that
many messages of the file ``ENTITIES``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender
from azure.servicebus.exceptions import MessageSizeExceededError

HEAD_ROOM = 1024  # bytes: the client does not count a batch's own envelope, and is refused


def send(sender: ServiceBusSender, entities: list[tuple[str, bytes]]) -> None:
    """Send some messages in batches.

    Args:
        sender: An open one.
        entities: The id and the body of each message.
    """
    batch = sender.create_message_batch()
    size = batch.max_size_in_bytes - HEAD_ROOM
    batch = sender.create_message_batch(size)
    for identity, body in entities:
        message = ServiceBusMessage(body, message_id=identity, content_type="application/json")
        try:
            batch.add_message(message)
        except MessageSizeExceededError:
            sender.send_messages(batch)
            batch = sender.create_message_batch(size)
            batch.add_message(message)
    sender.send_messages(batch)


def main() -> None:
    """Answer until standard input ends."""
    lines = Path(os.environ["ENTITIES"]).read_bytes().splitlines()
    entities = [(json.loads(line)["_id"], line) for line in lines]
    client = ServiceBusClient.from_connection_string(os.environ["CONNECTION_STRING"])
    senders: dict[str, ServiceBusSender] = {}
    for line in sys.stdin.buffer:
        question = json.loads(line)
        queue = question["queue"]
        if queue not in senders:
            senders[queue] = client.get_queue_sender(queue)
        start = time.perf_counter()
        send(senders[queue], entities[: question["count"]])
        answer = {"seconds": time.perf_counter() - start}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
