"""The wish to stop: asked for early, late, twice, by a signal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from sesam_connector_sdk.server.stop import Stop

SLOW_TO_OPEN = """
import sys
from sesam_connector_sdk import Batch, Settings, Sink, serve

class Slow(Sink[Settings]):
    def open(self) -> None:
        print("opening", flush=True)
        sys.stdin.read()

    def write(self, batch: Batch) -> None:
        raise AssertionError

    def close(self) -> None:
        print("closed", flush=True)

serve(Slow)
"""


def test_it_wakes_once() -> None:
    """The first to ask wakes the server; nobody after that does."""
    woken: list[int] = []
    stop = Stop()
    stop.wake(lambda: woken.append(1))

    assert stop.requested() is False
    stop.request()
    stop.request()

    assert stop.requested() is True
    assert woken == [1]


def test_with_a_delay_it_is_due_later_or_for_who_asks_twice_at_once() -> None:
    """The server is woken both times: its end comes sooner than it knew."""
    woken: list[int] = []
    stop = Stop(delay=600.0)
    stop.wake(lambda: woken.append(1))
    assert (stop.requested(), stop.due()) == (False, False)

    stop.request()
    assert (stop.requested(), stop.due()) == (True, False)
    assert 0 < stop.left() <= 600

    stop.request()
    stop.request()
    assert (stop.requested(), stop.due()) == (True, True)
    assert woken == [1, 1]


def test_without_a_delay_it_is_due_at_once() -> None:
    """Nobody who has not asked for a delay waits."""
    stop = Stop()
    assert not stop.due()

    stop.request()

    assert stop.due()


def test_nobody_is_woken_after_the_end() -> None:
    """A server that has ended is not touched any more."""
    woken: list[int] = []
    stop = Stop()
    stop.wake(lambda: woken.append(1))
    stop.wake(None)

    stop.request()

    assert woken == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_for_it(number: signal.Signals) -> None:
    """Either of the two that a container or a terminal sends."""
    stop = Stop()
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop.on_signals()
        os.kill(os.getpid(), number)
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)

    assert stop.requested() is True


def test_a_signal_while_a_connector_opens_ends_the_process_in_good_order(
    tmp_path: Path, spawned: Callable[..., Popen[str]]
) -> None:
    """What was opened is closed, and the exit code is 0.

    Seen to fail when the handlers are set only once the server listens.
    """
    program = tmp_path / "slow.py"
    program.write_text(SLOW_TO_OPEN)
    process = spawned(
        sys.executable, str(program), stdin=-1, env={**os.environ, "PORT": "0", "PYTHONPATH": ""}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "opening\n"

    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(input="", timeout=30)

    assert process.returncode == 0, errors
    assert "closed" in output
