"""A sink as the published example is written: Flask on waitress, one send for each entity.

Sends for free, or to Service Bus where ``CONNECTION_STRING`` is set: with the current official
client and one sender that stays open, which is kinder than to open one for each request.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import waitress.server
from flask import Flask, Response, request

Send = Callable[[str, bytes], None]


def make_app(send: Send) -> Flask:
    """The application.

    Args:
        send: Takes the name of a queue and what to send there.
    """
    app = Flask(__name__)

    @app.post("/<path:queue>")
    def receive(queue: str) -> Response:
        entities = request.get_json()
        for entity in entities:
            send(queue, json.dumps(entity).encode())
        answer = json.dumps({"delivered": len(entities)})
        return Response(answer, mimetype="application/json")

    @app.get("/healthz")
    def health() -> str:
        return "alive"

    return app


def for_free(_queue: str, _data: bytes) -> None:
    """Where a target's client would be called."""


def to_service_bus(connection_string: str) -> Send:
    """What sends one message, and returns when Service Bus has acknowledged it.

    Args:
        connection_string: Of the namespace.
    """
    from azure.servicebus import ServiceBusClient, ServiceBusMessage

    client = ServiceBusClient.from_connection_string(connection_string)
    senders: dict[str, Any] = {}
    lock = threading.Lock()

    def send(queue: str, data: bytes) -> None:
        with lock:  # a sender may not be used by two threads at once
            if queue not in senders:
                senders[queue] = client.get_queue_sender(queue)
            senders[queue].send_messages(ServiceBusMessage(data))

    return send


def main() -> None:
    """Serve until ended by a signal."""
    connection_string = os.environ.get("CONNECTION_STRING")
    app = make_app(to_service_bus(connection_string) if connection_string else for_free)
    server = waitress.server.create_server(
        app, host=os.environ["BIND_ADDRESS"], port=os.environ["PORT"]
    )
    sys.stdout.write(f"listening on {server.effective_host}:{server.effective_port}\n")
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
