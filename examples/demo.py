"""The main job, end to end: a pipe's entities arrive on Azure Service Bus.

Starts the embedded Service Bus server and the sink as processes of their own, pushes the pipe of
``azure_service_bus_sink/`` as the hub does, reads the queue back with the official client, and
compares. Exit code 0 only if every entity was received exactly once. Stops all that it started.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiveMode

from sesam_connector_sdk.hub import Plan, push, report
from sesam_connector_sdk.nodeconfig import System, load

CONFIG = Path(__file__).parent / "azure_service_bus_sink"
PIPE = "azure-sb-sink-pipe"
KEY_NAME = "RootManageSharedAccessKey"
START_SECONDS = 30.0
STOP_SECONDS = 30.0


def main() -> int:
    """Run the demo; the result is the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep-running", action="store_true", help="stay up until Ctrl-C")
    keep_running = parser.parse_args().keep_running
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell has SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        try:
            return run(stack, keep_running=keep_running)
        except KeyboardInterrupt:
            print("\nstopped")
            return 0


def run(stack: contextlib.ExitStack, *, keep_running: bool) -> int:
    """Start everything, push the pipe, read the queue."""
    key = secrets.token_urlsafe(32)
    queue = "my_queue"
    title("1. Start the embedded Service Bus server, and the sink in front of it")
    emulator = stack.enter_context(
        started(
            [sys.executable, "-m", "service_bus_emulator", "--port", "0", "--queue", queue]
            + (["--show"] if keep_running else []),
            {"SERVICE_BUS_EMULATOR_KEY": key},
        )
    )
    say("service bus", f"amqp://{emulator}, queue {queue}")
    values = {
        "SERVICE_NAMESPACE": emulator,
        "SERVICE_SAS_TOKEN_NAME": KEY_NAME,
        "SERVICE_SAS_TOKEN_VALUE": key,
    }
    node = load(CONFIG, environment=values)
    pipe = node.pipes[PIPE]
    system = node.systems["azure-sb-sink"]
    sink = stack.enter_context(started_sink(system))
    say("sink", f"http://{sink}, with the environment of {system.file}")

    title("2. Push the pipe, as the hub does: its entities, then the empty batch")
    plan = Plan.of(pipe, node.systems, f"http://{sink}")
    for line in report.heading(PIPE, plan, incremental=False):
        print(f"   {line}")
    outcome = push(plan, watch=lambda record: print(f"   {report.line(record)}"))
    for line in report.summary(plan, outcome):
        print(f"   {line}")

    sent = [item.json for item in plan.items]
    connection_string = (
        f"Endpoint=sb://{emulator};SharedAccessKeyName={KEY_NAME};SharedAccessKey={key};"
        "UseDevelopmentEmulator=true"
    )
    title("3. Read the queue with the official Service Bus client")
    received = read_queue(connection_string, queue, len(sent), keep=keep_running)
    for message in received:
        say(f"message {message.sequence_number}", f"{body(message).decode()}")
        say("", f"id {message.message_id}, {message.content_type}")
    ok = outcome.ok and compare(sent, [body(message) for message in received])
    if keep_running:
        wait_for_ever(sink, queue)
    return 0 if ok else 1


def compare(sent: list[bytes], received: list[bytes]) -> bool:
    """Say whether every entity was received exactly once, byte for byte and in order."""
    title("4. Compare")
    counts = Counter(received)
    for entity in sent:
        say("sent", f"{entity.decode()}")
        say("received", {0: "NEVER", 1: "once"}.get(counts[entity], f"{counts[entity]} TIMES"))
    once = Counter(sent) == counts
    say("exactly once", "yes" if once else "NO")
    say("in order", "yes" if sent == received else "NO")
    return once and sent == received


def body(message: ServiceBusReceivedMessage) -> bytes:
    """The bytes that a message carries."""
    return b"".join(message.body)


def read_queue(
    connection_string: str, queue: str, expected: int, *, keep: bool
) -> list[ServiceBusReceivedMessage]:
    """Everything in the queue: as many messages as expected, and whatever else there is.

    Args:
        connection_string: Of the embedded server.
        queue: Its queue.
        expected: How many messages there should be at least.
        keep: Look at the messages without taking them.
    """
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_queue_receiver(
            queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver,
    ):
        if keep:
            return receiver.peek_messages(max_message_count=expected + 100)
        received: list[ServiceBusReceivedMessage] = []
        # The last call comes back empty: only then is it known that nothing came twice.
        while more := receiver.receive_messages(max_message_count=100, max_wait_time=2):
            received += more
        return received


@contextlib.contextmanager
def started_sink(system: System) -> Iterator[str]:
    """The sink as the node would run it, on a free port instead of the container's own."""
    environment = {**system.environment(), "PORT": "0", "BIND_ADDRESS": "127.0.0.1"}
    with started([sys.executable, "-m", "azure_service_bus_sink"], environment) as address:
        yield address


@contextlib.contextmanager
def started(command: list[str], environment: Mapping[str, str]) -> Iterator[str]:
    """A process that says where it listens; its later lines are printed as they come."""
    # As in a container: nothing of the caller's environment but where programs are.
    own = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    process = subprocess.Popen(  # noqa: S603  # our own commands
        command, env={**own, **environment}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None  # noqa: S101  # asked for above
    too_late = threading.Timer(START_SECONDS, process.kill)
    too_late.start()
    try:
        address = next(
            (line.split()[-1] for line in process.stdout if "listening on" in line), None
        )
        too_late.cancel()
        if address is None:
            raise SystemExit(f"{command[2]} did not start (exit code {process.wait()})")
        printer = threading.Thread(target=print_lines, args=(command[2], process), daemon=True)
        printer.start()
        yield address
    finally:
        too_late.cancel()
        stop(process)


def print_lines(name: str, process: subprocess.Popen[str]) -> None:
    """Show what a process says."""
    for line in process.stdout or ():
        print(f"   [{name}] {line.rstrip()}", flush=True)


def stop(process: subprocess.Popen[str]) -> None:
    """End a process, and make sure that it has ended."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_ever(sink: str, queue: str) -> None:
    """Leave everything running, and say how to play with it."""
    title("Running. Messages are shown as they arrive; Ctrl-C ends it. Try:")
    say("", f"curl -i 'http://{sink}/{queue}?sequence_id=demo' \\")
    say("", "    -H 'Content-Type: application/json' \\")
    say("", """    -d '[{"_id": "3", "payload": "baz"}]'\n""")
    threading.Event().wait()


def title(text: str) -> None:
    """Begin a part of the output."""
    print(f"\n{text}", flush=True)


def say(what: str, text: str) -> None:
    """One line of the output."""
    print(f"   {what:<14} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
