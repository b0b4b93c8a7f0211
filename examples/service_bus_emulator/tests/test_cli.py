"""The command, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

from service_bus_emulator.cli import KEY_VARIABLE, main, printable

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts the command; what still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
        process = subprocess.Popen(
            [sys.executable, "-m", "service_bus_emulator", "--port", "0", *arguments],
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[str, str]:
    """Stop the command; returns the rest of its output, and what it wrote to standard error."""
    process.send_signal(number)
    assert process.wait(timeout=10) == 0
    assert process.stdout is not None
    assert process.stderr is not None
    # Not communicate(): it leaves out what was read along with an earlier line.
    return process.stdout.read(), process.stderr.read()


def line(process: subprocess.Popen[str]) -> str:
    """Read one line of output."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_how_to_connect(
    start: Start, clients: Any, number: int
) -> None:
    """The first two lines are enough to send a message; a signal ends it with 0."""
    process = start("--queue", "my_queue")
    address = line(process).removeprefix("listening on ")
    connection_string = line(process)
    assert f"Endpoint=sb://{address};" in connection_string
    client = clients.client(connection_string)
    with client.get_queue_sender("my_queue", keep_alive=0) as sender:
        sender.send_messages(ServiceBusMessage("x"), timeout=5)
    assert stop(process, number) == ("", "")


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_given_key_is_never_printed(
    start: Start, clients: Any, canary: str, assert_silent: Any, by_variable: bool
) -> None:
    """Given by argument or by variable, the key works and appears nowhere in the output.

    Nor does what is sent with it: the message is received, and not shown.
    """
    key = f"{canary}-key"
    arguments = ["--queue", "q", "--key-name", "me"] + ([] if by_variable else ["--key", key])
    variables = {KEY_VARIABLE: key if by_variable else "another"}
    process = start(*arguments, **variables)
    first = line(process)
    endpoint = f"Endpoint=sb://{first.removeprefix('listening on ')}"
    client = clients.client(
        f"{endpoint};SharedAccessKeyName=me;SharedAccessKey={key};UseDevelopmentEmulator=true"
    )
    with client.get_queue_sender("q", keep_alive=0) as sender:
        sender.send_messages(ServiceBusMessage(canary), timeout=5)
    with client.get_queue_receiver("q", keep_alive=0) as receiver:
        (received,) = receiver.receive_messages(1, max_wait_time=5)
        assert str(received) == canary
    out, err = stop(process)
    assert_silent(first + out, "the command's stdout")
    assert_silent(err, "the command's stderr")
    assert first.startswith("listening on 127.0.0.1:")
    assert (out, err) == ("", "")


def test_show_prints_one_harmless_line_per_message(start: Start, clients: Any) -> None:
    """Control characters are escaped and long bodies cut."""
    process = start("--topic", "t:a,b", "--discard", "hole", "--show")
    line(process)
    client = clients.client(line(process))
    with client.get_topic_sender("t", keep_alive=0) as sender:
        body = "\x1b[2J\nsecond" + "x" * 300
        sender.send_messages(ServiceBusMessage(body, message_id="id\r"), timeout=5)
    with client.get_queue_sender("hole", keep_alive=0) as sender:
        sender.send_messages(ServiceBusMessage("unseen"), timeout=5)
    out, _ = stop(process)
    shown = "\\x1b[2J\\nsecond" + "x" * 189
    expected = [f"t/Subscriptions/{name}  1  id\\r  None  {shown}" for name in "ab"]
    assert out.splitlines() == expected


def test_limits_are_taken_from_the_command_line(start: Start, clients: Any) -> None:
    """Sizes, counts, duplicate detection and queues on demand are passed on."""
    process = start(
        *("--create-on-demand", "--queue", "q", "--max-message-size", "5000"),
        *("--max-batch-count", "2", "--duplicate-detection", "60", "--show"),
    )
    line(process)
    client = clients.client(line(process))
    with client.get_queue_sender("q", keep_alive=0) as sender:
        assert sender.create_message_batch().max_size_in_bytes == 5_000
        for _ in range(2):
            sender.send_messages(ServiceBusMessage("x", message_id="same"), timeout=5)
    with client.get_queue_sender("fresh", keep_alive=0) as sender:
        sender.send_messages(ServiceBusMessage("y", message_id="y"), timeout=5)
    out, _ = stop(process)
    assert out.splitlines() == ["q  1  same  None  x", "fresh  1  y  None  y"]


def test_another_host_is_warned_about(start: Start) -> None:
    """Anything but loopback is said loudly."""
    process = start("--queue", "q", "--host", "0.0.0.0")  # noqa: S104 -- that is the point
    assert line(process).startswith("listening on 0.0.0.0:")
    line(process)
    assert "WARNING: listening on 0.0.0.0: anybody" in stop(process)[1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "nothing to serve"),
        (["--port", "70000"], "is not a port"),
        (["--port", "x"], "invalid port value"),
        (["--queue", "a//b"], "not an entity name"),
        (["--queue", "a", "--queue", "A"], "two entities"),
        (["--topic", ":x"], "an entity name has"),
        (["--queue", "a", "--max-message-size", "0"], "not a positive number"),
        (["--queue", "a", "--duplicate-detection", "-1"], "not a number of seconds"),
        (["--queue", "a", "--frobnicate"], "unrecognized arguments"),
    ],
)
def test_bad_arguments_are_one_clear_error(
    capsys: pytest.CaptureFixture[str],
    canary: str,
    assert_silent: Any,
    arguments: list[str],
    text: str,
) -> None:
    """The command exits with 2, and the last line says what is wrong, and not the key."""
    with pytest.raises(SystemExit) as exit_info:
        main(["--key", canary, *arguments])
    assert exit_info.value.code == 2
    captured = capsys.readouterr()
    assert_silent(captured.err, "the command's stderr")
    assert text in captured.err.splitlines()[-1]
    assert captured.out == ""


def test_a_taken_port_is_one_clear_error(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """The command exits with 1 and names the address."""
    process = start("--queue", "q")
    port = line(process).rpartition(":")[2]
    assert main(["--queue", "q", "--port", port]) == 1
    assert "in use" in capsys.readouterr().err
    stop(process)


def test_what_cannot_be_printed_is_escaped() -> None:
    """Nothing can move the cursor, end the line or fail to encode."""
    assert printable("æ\t\x00\u2028\ud800") == "æ\\t\\x00\\u2028\\ud800"
