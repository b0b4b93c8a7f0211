"""Fixtures: one emulator and one sink process for all, and the table of faults at the end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from service_bus_emulator import Emulator, QueueSpec, TopicSpec, running

from . import plays
from .processes import SinkProcess, process
from .stage import Outcomes, play_all, rows
from .support import CLOSING, KEY, PATIENCE, TABLE, Arrivals, LocalSink, local, variables

QUEUES = [
    QueueSpec("once", duplicate_detection=600.0),
    QueueSpec("told-once", duplicate_detection=600.0),
    QueueSpec("killed-once-Silence", duplicate_detection=600.0),
    QueueSpec("killed-once-Delay", duplicate_detection=600.0),
    QueueSpec("short", max_message_size=8_192),
    QueueSpec("premium", max_message_size=1_048_576, max_batch_size=65_536),
    QueueSpec("counted", max_batch_count=7),
    QueueSpec("full", max_size=1_000),
    QueueSpec("split", partitioned=True, duplicate_detection=600.0),
    QueueSpec("Norway/Oslo.Orders_2026"),
]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def arrivals() -> Arrivals:
    """Waits for messages to be stored in the shared emulator."""
    return Arrivals()


@pytest.fixture(scope="session")
def emulator(arrivals: Arrivals) -> Iterator[Emulator]:
    """A namespace in which every queue exists that is asked for."""
    topics = [TopicSpec("events", subscriptions=["audit", "billing"])]
    options: dict[str, Any] = {"create_on_demand": True, "on_stored": arrivals, "key": KEY}
    with running(queues=QUEUES, topics=topics, **options) as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def _all_closed(emulator: Emulator) -> Iterator[None]:
    """Wait, in the end, for every sink to be closed, and fail if that failed."""
    yield
    for each in CLOSING:
        each.result(PATIENCE)


@pytest.fixture(scope="session")
def strict_emulator() -> Iterator[Emulator]:
    """A namespace with a single queue, called `only`."""
    with running(queues=["only"], key=KEY) as made:
        yield made


PLAYS: dict[str, Callable[[Emulator], Any]] = {
    "test_concurrency": plays.storm,
    "test_faults": play_all,
    "test_leaks": plays.leaks,
}
"""What runs beside the other tests, one after the other, by the module that looks at it."""


@pytest.fixture(scope="session", autouse=True)
def playing(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Any]]]:
    """The plays that the tests of this run look at, already going on."""
    wanted = {item.path.stem for item in request.session.items}
    with ThreadPoolExecutor(1) as pool:
        yield {
            module: pool.submit(play, emulator)
            for module, play in PLAYS.items()
            if module in wanted
        }


@pytest.fixture(scope="session")
def outcomes(playing: dict[str, Future[Any]], pytestconfig: pytest.Config) -> Outcomes:
    """What came of every fault."""
    found: Outcomes = playing["test_faults"].result()
    pytestconfig.stash[TABLE].extend(rows(found))
    return found


@pytest.fixture(scope="session")
def storm(playing: dict[str, Future[Any]]) -> list[plays.Done]:
    """What came of many requests at once."""
    found: list[plays.Done] = playing["test_concurrency"].result()
    return found


@pytest.fixture(scope="session")
def leaks(playing: dict[str, Future[Any]]) -> tuple[plays.Census, plays.Census]:
    """What a process held before many requests, and after."""
    found: tuple[plays.Census, plays.Census] = playing["test_leaks"].result()
    return found


@pytest.fixture
def queue() -> str:
    """The name of a queue that no other test uses."""
    return f"queue-{next(_numbers)}"


@pytest.fixture(scope="session")
def sink(emulator: Emulator) -> Iterator[SinkProcess]:
    """A sink as a node runs it, shared by the tests that do not mistreat it."""
    with process(variables(emulator)) as made:
        yield made


@pytest.fixture(scope="session")
def here(emulator: Emulator) -> Iterator[LocalSink]:
    """A sink in the test's own process, for what needs no process."""
    with local(variables(emulator, MAX_BODY_BYTES="33554432", MAX_ENTITY_BYTES="4194304")) as made:
        yield made


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the table of faults."""
    config.stash[TABLE] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table of faults."""
    rows = config.stash[TABLE]
    if rows:
        terminalreporter.section("faults: what the hub is answered, and what is in the queue")
        for row in [("fault", "request", "status", "seconds", "in queue"), *rows]:
            terminalreporter.write_line(f"{row[0]:<52}{row[1]:<8}{row[2]:>8}{row[3]:>9}  {row[4]}")
