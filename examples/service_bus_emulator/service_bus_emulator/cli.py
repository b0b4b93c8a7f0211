"""The command `service-bus-emulator`.

Belongs here: arguments, what is printed, signals. Imports `server` and `specs`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from service_bus_emulator.message import Message
from service_bus_emulator.server import DEFAULT_KEY_NAME, Emulator
from service_bus_emulator.specs import STANDARD_MESSAGE_SIZE, QueueSpec, TopicSpec

KEY_VARIABLE = "SERVICE_BUS_EMULATOR_KEY"
SHOWN = 200
"""Characters of a body that `--show` prints."""

_EPILOG = f"""\
The first line on standard output is "listening on HOST:PORT" once clients can connect. Unless a
key was given, by --key or in the variable {KEY_VARIABLE}, the second line is a connection string
with a random one. This is a development tool; it is not Azure, and nothing it holds survives it.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="service-bus-emulator",
        description="An embedded Azure Service Bus for development: AMQP 1.0 on any port.",
        epilog=_EPILOG,
    )
    add = result.add_argument
    add("--port", type=_port, default=5672, help="port to listen on, 0 for any (default 5672)")
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--queue", action="append", default=[], metavar="NAME", help="create a queue; repeatable")
    add(
        "--topic",
        action="append",
        default=[],
        metavar="NAME:SUB,SUB",
        help="create a topic with subscriptions; repeatable",
    )
    add("--discard", action="append", default=[], metavar="NAME", help=_DISCARD)
    add("--create-on-demand", action="store_true", help="create a queue when its name is used")
    add(
        "--key-name", default=DEFAULT_KEY_NAME, help=f"name of the key (default {DEFAULT_KEY_NAME})"
    )
    add("--key", help=f"shared access key; better given in the variable {KEY_VARIABLE}")
    add("--accept-jwt", action="store_true", help="accept any token that is no SAS token unseen")
    add(
        "--max-message-size",
        type=_positive,
        default=STANDARD_MESSAGE_SIZE,
        metavar="BYTES",
        help=f"bytes of a message or batch (default {STANDARD_MESSAGE_SIZE})",
    )
    add(
        "--max-batch-count",
        type=_positive,
        default=4_500,
        metavar="COUNT",
        help="messages in a batch (default 4500)",
    )
    add(
        "--duplicate-detection",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="drop messages whose id was seen within this time (default off)",
    )
    add("--show", action="store_true", help="print a line for every message stored")
    return result


_DISCARD = "create a queue that accepts and counts but keeps nothing; repeatable"


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is not a port (0 to 65535)")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return number


_port.__name__, _positive.__name__, _seconds.__name__ = "port", "number", "number of seconds"


def emulator_from(arguments: argparse.Namespace) -> tuple[Emulator, bool]:
    """Build the emulator that the arguments describe.

    Returns:
        The emulator, and whether its key was made here (and may be printed) or given.

    Raises:
        ValueError: A name is not allowed or given twice, or there is nothing to do.
    """
    limits: dict[str, Any] = {
        "max_message_size": arguments.max_message_size,
        "max_batch_count": arguments.max_batch_count,
        "duplicate_detection": arguments.duplicate_detection,
    }
    queues = [QueueSpec(name, **limits) for name in arguments.queue]
    queues += [QueueSpec(name, discard=True, **limits) for name in arguments.discard]
    topics = [_topic(text, limits) for text in arguments.topic]
    if not queues and not topics and not arguments.create_on_demand:
        raise ValueError("nothing to serve: give --queue, --topic, --discard or --create-on-demand")
    key = os.environ.get(KEY_VARIABLE) if arguments.key is None else arguments.key
    emulator = Emulator(
        queues=queues,
        topics=topics,
        host=arguments.host,
        port=arguments.port,
        key_name=arguments.key_name,
        key=key or None,
        accept_jwt=arguments.accept_jwt,
        create_on_demand=arguments.create_on_demand,
        on_stored=show if arguments.show else None,
    )
    return emulator, not key


def _topic(text: str, limits: dict[str, Any]) -> TopicSpec:
    name, _, subscriptions = text.partition(":")
    return TopicSpec(name, subscriptions=[s for s in subscriptions.split(",") if s], **limits)


def show(path: str, message: Message) -> None:
    """Print one line about a message that was stored."""
    body = message.body[: SHOWN * 4].decode("utf-8", "replace")[:SHOWN]
    parts = (path, message.sequence_number, message.message_id, message.content_type, body)
    print(*(printable(str(part)) for part in parts), sep="  ", flush=True)


def printable(text: str) -> str:
    """Escape what would move the cursor, start a new line, or is no text at all."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit status: 0 after a signal, 1 if it cannot listen. Bad arguments exit with 2.
    """
    argument_parser = parser()
    parsed = argument_parser.parse_args(arguments)
    try:
        emulator, generated = emulator_from(parsed)
    except ValueError as error:
        argument_parser.exit(2, f"service-bus-emulator: error: {error}\n")
    try:
        asyncio.run(_serve(emulator, generated))
    except OSError as error:
        print(f"service-bus-emulator: error: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(emulator: Emulator, generated: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not on Windows: Ctrl-C still ends it
            loop.add_signal_handler(number, stop.set)
    async with emulator:
        print(f"listening on {emulator.address}", flush=True)
        if generated:
            print(emulator.connection_string, flush=True)
        if not _is_loopback(emulator.host):
            print(_WARNING.format(emulator.host), file=sys.stderr, flush=True)
        await stop.wait()


_WARNING = (
    "WARNING: listening on {}: anybody who reaches this address and has the key can read and "
    "write here, without encryption. This is a development tool."
)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
