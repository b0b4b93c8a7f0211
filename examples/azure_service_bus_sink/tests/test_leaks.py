"""Nothing grows, however many requests go wrong."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.servicebus.aio import ServiceBusSender
from service_bus_emulator import Emulator

from .plays import Census, hammer
from .processes import complaints_in
from .support import eventually, local, variables

QUEUES = 6


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_socket_that_is_left_open_is_a_complaint(log_format: str) -> None:
    """The SDK logs what Python warns of, so that is where all these tests look for it.

    Seen to fail when only stderr is looked at.
    """
    program = (
        "import socket; from sesam_connector_sdk.server import logs;"
        f"logs.configure('INFO', '{log_format}'); socket.socket()"
    )
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=True
    )

    (complaint,) = complaints_in([*run.stdout.splitlines(), *run.stderr.splitlines()])
    assert "unclosed <socket" in complaint


def test_two_hundred_requests_with_faults_leave_no_socket_and_no_thread(
    leaks: tuple[Census, Census],
) -> None:
    """After 200 requests, a quarter of them into a fault, there is as much as after the first.

    The process runs in development mode, and its end fails the test if a socket was left to the
    garbage collector. Seen to fail with the usual event loop instead of `SocketLoop`.
    """
    before, after = leaks
    assert after.sockets <= before.sockets
    assert after.threads <= before.threads


def test_two_hundred_requests_with_faults_stay_within_their_memory(
    leaks: tuple[Census, Census],
) -> None:
    """After 200 requests with dozens of reconnects, the process has grown by less than 20 MB.

    Seen to fail when the client makes its own TLS context for every connection: 1 MB each, which
    Python's garbage collector takes for a small object.
    """
    before, after = leaks
    assert after.memory - before.memory < 20 << 20


def test_requests_with_faults_leave_no_task_and_no_sender(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each queue keeps one sender, one socket and the task that keeps it alive; no more.

    Seen to fail when a failed sender is not closed.
    """
    # A record of the log that pytest keeps would keep what its exception knows.
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    with local(variables(emulator, SEND_TIMEOUT="1")) as sink:
        hammer(emulator, sink, "task", 3, QUEUES)
        loop = sink.sink._bus._loop
        eventually(lambda: len(asyncio.all_tasks(loop)) <= QUEUES, "the tasks were done")
        lanes = [lane for lanes in sink.sink._bus._open.values() for lane in lanes]
        assert [len(lane._sockets) for lane in lanes] == [1] * QUEUES
        gc.collect()
        senders = [each for each in gc.get_objects() if isinstance(each, ServiceBusSender)]
        assert sum(each.entity_name.startswith("task-") for each in senders) == QUEUES


def test_names_that_do_not_exist_leave_nothing(strict_emulator: Emulator) -> None:
    """A hub that asks for one unknown queue after the other fills no table.

    Seen to fail when the count of a destination's users outlived its connection.
    """
    with local(variables(strict_emulator, MAX_DESTINATIONS="2")) as sink:
        with ThreadPoolExecutor(2) as pool:
            answers = pool.map(lambda n: sink.post(f"/missing-{n}", [{"_id": "1"}]), range(4))
            assert {answer.status for answer in answers} <= {502, 429}
        assert len(sink.sink._bus._in_use) <= 2
