"""Starting, stopping, looking inside from other threads, and what is exported."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

import service_bus_emulator
from service_bus_emulator import Emulator, QueueSpec, TopicSpec, UnknownEntityError, running


def test_the_package_exports_what_it_says() -> None:
    """Every name in __all__ is there, sorted, and there is no other public one but modules."""
    names = service_bus_emulator.__all__
    assert list(names) == sorted(names)
    public = {name for name, value in vars(service_bus_emulator).items() if name[0] != "_"}
    modules = {
        name for name in public if type(getattr(service_bus_emulator, name)).__name__ == "module"
    }
    assert public - modules == set(names) - modules


def test_the_same_port_can_be_used_again_at_once(clients: Any) -> None:
    """A restarted emulator listens on its port although the first one had connections."""
    with running(queues=["queue"]) as first:
        clients.sender(first, "queue").send_messages(ServiceBusMessage("x"), timeout=5)
        port, key = first.port, first.key
    for _ in range(3):
        with running(queues=["queue"], port=port, key=key) as second:
            assert second.port == port
            clients.sender(second, "queue").send_messages(ServiceBusMessage("y"), timeout=5)
            assert [m.body for m in second.messages("queue")] == [b"y"]


def test_leaving_the_context_ends_thread_and_connections() -> None:
    """Afterwards there is no thread and nobody listens; what was stored can still be read."""
    before = threading.active_count()
    with running(queues=["queue"]) as emulator:
        sock = socket.create_connection(("127.0.0.1", emulator.port), timeout=5)
        assert "listening" in repr(emulator)
    assert threading.active_count() == before
    assert sock.recv(1) == b""
    sock.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", emulator.port), timeout=5)
    assert emulator.messages("queue") == []
    assert "stopped" in repr(emulator)


def test_a_taken_port_is_an_error() -> None:
    """Two emulators cannot have one port; the first is not disturbed."""
    with running(queues=["queue"]) as first:
        with pytest.raises(OSError, match="in use"), running(port=first.port):
            pass
        assert first.stats("queue").links_total == 0


def test_an_error_within_the_context_stops_the_emulator() -> None:
    """The error of the user comes through, and the port is free."""
    with pytest.raises(ZeroDivisionError), running(queues=["queue"]) as emulator:
        raise ZeroDivisionError
    with running(queues=["queue"], port=emulator.port):
        pass


def test_threads_may_look_inside_at_the_same_time(clients: Any) -> None:
    """Many threads ask while messages arrive; each sees a consistent list."""
    errors: list[BaseException] = []

    def look(emulator: Emulator) -> None:
        try:
            for _ in range(50):
                numbers = [m.sequence_number for m in emulator.messages("queue")]
                assert numbers == list(range(1, len(numbers) + 1))
                assert emulator.stats("queue").messages_stored >= len(numbers)
        except BaseException as error:
            errors.append(error)

    with running(queues=["queue"]) as emulator:
        sender = clients.sender(emulator, "queue")
        threads = [threading.Thread(target=look, args=(emulator,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            sender.send_messages(ServiceBusMessage("x"), timeout=5)
        for thread in threads:
            thread.join()
    assert errors == []


def test_stats_count_connections_and_links(clients: Any, eventually: Any) -> None:
    """Open ones go down when clients leave, totals do not."""
    with running(queues=["queue"]) as emulator:
        sender, receiver = clients.sender(emulator, "queue"), clients.receiver(emulator, "queue")
        sender.send_messages([ServiceBusMessage("x") for _ in range(3)], timeout=5)
        stats = emulator.stats("queue")
        assert (stats.transfers_received, stats.messages_stored, stats.messages_accepted) == (
            1,
            3,
            3,
        )
        assert (stats.links_open, stats.links_total) == (2, 2)
        assert (stats.connections_open, stats.connections_total) == (2, 2)
        sender.close()
        receiver.close()
        eventually(lambda: emulator.stats("queue").connections_open == 0)
        stats = emulator.stats("queue")
        assert (stats.links_open, stats.links_total, stats.connections_total) == (0, 2, 2)


def test_messages_are_told_to_whoever_listens(clients: Any) -> None:
    """on_stored gets the entity's path and each message."""
    seen: list[tuple[str, bytes]] = []
    with running(
        queues=["queue"], on_stored=lambda path, message: seen.append((path, message.body))
    ) as emulator:
        messages = [ServiceBusMessage(body) for body in "ab"]
        clients.sender(emulator, "queue").send_messages(messages, timeout=5)
    assert seen == [("queue", b"a"), ("queue", b"b")]


@pytest.mark.parametrize("name", ["", "a//b", "$cbs", "a/$management", "q?x", "a\nb", "x" * 261])
def test_bad_names_are_refused(name: str) -> None:
    """A name that Service Bus refuses, or that means something else, is an error at once."""
    with pytest.raises(ValueError, match="name"):
        QueueSpec(name)


@pytest.mark.parametrize(
    "options",
    [
        {"max_message_size": 0},
        {"max_batch_count": 0},
        {"lock_duration": 0},
        {"duplicate_detection": -1},
    ],
)
def test_limits_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    """The error names the entity."""
    with pytest.raises(ValueError, match="orders"):
        QueueSpec("orders", **options)


def test_two_entities_cannot_have_one_name() -> None:
    """Names are compared without regard to case, over queues and topics."""
    with pytest.raises(ValueError, match="two entities"):
        Emulator(queues=["one"], topics=[TopicSpec("ONE")])


def test_unknown_entities_are_named() -> None:
    """Looking at what does not exist is an error, not an empty list."""
    with running(queues=["queue"]) as emulator:
        for look in (emulator.messages, emulator.stats):
            with pytest.raises(UnknownEntityError, match="nowhere"):
                look("nowhere")
