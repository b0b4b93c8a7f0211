"""The official Node client: an AMQP implementation that has nothing to do with Python's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

from service_bus_emulator import Emulator, faults, running

PACKAGE = "@azure/service-bus@7.9.5"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "service-bus-emulator"
PROGRAM = Path(__file__).with_name("exchange.mjs")


@pytest.fixture(scope="module")
def modules() -> Path:
    """Where the pinned package is installed, outside of this one; skips if it cannot be."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    folder = CACHE / PACKAGE.replace("/", "-")
    if not (folder / "node_modules" / "@azure" / "service-bus" / "package.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-save", PACKAGE]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"npm could not install {PACKAGE}: {done.stderr[-200:]}")
    return folder


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator with a queue for each direction."""
    with running(queues=["to_python", "to_node", "faulty"]) as made:
        yield made


@pytest.fixture
def node(
    modules: Path, emulator: Emulator, canary: str, assert_silent: Any
) -> Callable[[str, str], Any]:
    """Return a function that runs a step of the exchange and returns what it prints."""
    assert canary in emulator.connection_string

    def run(step: str, queue: str) -> Any:
        environment = os.environ | {
            "CONNECTION_STRING": emulator.connection_string,
            "NODE_MODULES_OF": str(modules),
        }
        command = ["node", str(PROGRAM), step, queue]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
        assert_silent(done.stdout, "what node writes to stdout")
        assert_silent(done.stderr, "what node writes to stderr")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_node_sends_and_python_receives(
    emulator: Emulator, node: Callable[[str, str], Any], clients: Any
) -> None:
    """A message, a batch and a scheduled message arrive (Node writes text bodies as JSON)."""
    assert node("send", "to_python") == {"limit": 262_144}
    stored = emulator.messages("to_python")
    assert [m.state for m in stored] == ["active"] * 101 + ["scheduled"]
    receiver = clients.receiver(emulator, "to_python")
    received: list[Any] = []
    while len(received) < 101:
        more = receiver.receive_messages(101, max_wait_time=5)
        assert more
        received += more
        for message in more:
            receiver.complete_message(message)
    first = received[0]
    assert (str(first), first.message_id, first.content_type) == ('"single"', "id-1", "text/plain")
    assert first.application_properties == {b"text": "grüß".encode(), b"number": 7, b"yes": True}
    assert first.partition_key == "p"
    assert [str(m) for m in received[1:]] == [f'"batch {number}"' for number in range(100)]
    assert [m.message_id for m in received[1:]] == [f"b-{number}" for number in range(100)]


def test_python_sends_and_node_receives(
    emulator: Emulator, node: Callable[[str, str], Any], clients: Any
) -> None:
    """The Node client peeks, renews, completes, abandons, dead-letters and reads dead letters."""
    sender = clients.sender(emulator, "to_node")
    properties: dict[str | bytes, Any] = {"text": "grüß", "number": 7, "yes": True}
    made = [
        ServiceBusMessage(
            name,
            message_id=name,
            content_type="text/plain",
            application_properties=properties,
        )
        for name in "abc"
    ]
    sender.send_messages(made[0], timeout=5)
    sender.send_messages(made[1:], timeout=5)
    assert node("receive", "to_node") == {
        "peeked": 3,
        "locked": True,
        "body": "a",
        "messageId": "a",
        "contentType": "text/plain",
        "properties": properties,
        "again": ["b", 1],
        "buried": ["c", "r", "d"],
    }
    assert emulator.messages("to_node") == []


@pytest.mark.parametrize(
    ("queue", "fault", "code"),
    [
        ("nowhere", None, "MessagingEntityNotFound"),
        ("faulty", faults.Throttle(), "ServiceBusy"),
        ("faulty", faults.QuotaExceeded(), "QuotaExceeded"),
        ("faulty", faults.LoseCredentials(), "UnauthorizedAccess"),
        ("faulty", None, "none"),
    ],
)
def test_node_gets_the_same_errors(
    emulator: Emulator,
    node: Callable[[str, str], Any],
    queue: str,
    fault: faults.Fault | None,
    code: str,
) -> None:
    """The Node client maps what it gets to its own codes."""
    if fault is not None:
        emulator.inject(queue, fault)
    assert node("fail", queue) == {"code": code}
