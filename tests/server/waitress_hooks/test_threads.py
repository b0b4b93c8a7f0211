"""The idle thread that was busy last works next, and none is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sesam_connector_sdk.server.waitress_hooks.threads import WarmThreads
from tests.notes import PATIENCE_SECONDS
from tests.wire import eventually


class Task:
    """What waitress calls in a thread; it ends when it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.thread = 0

    def service(self) -> None:
        """Say which thread this is, and wait."""
        self.thread = threading.get_ident()
        self.begun.set()
        self.gate.wait(PATIENCE_SECONDS)


@pytest.fixture
def threads() -> Iterator[WarmThreads]:
    """Four idle threads."""
    made = WarmThreads(4)
    busy(made, 0)
    yield made
    made.shutdown(timeout=PATIENCE_SECONDS)
    assert not made.threads


def busy(threads: WarmThreads, count: int) -> None:
    """Wait until so many threads are not idle."""

    def holds() -> bool:
        with threads.lock:
            return bool(threads.active_count == count)

    eventually(holds, f"{count} threads are busy")


def begin(threads: WarmThreads) -> Task:
    """A task that a thread has begun with."""
    task = Task()
    threads.add_task(task)
    assert task.begun.wait(PATIENCE_SECONDS)
    return task


def test_one_request_after_the_other_is_one_threads_work(threads: WarmThreads) -> None:
    """Seen to fail with waitress' own dispatcher, in which the four take turns."""
    seen = set()
    for _ in range(12):
        task = begin(threads)
        seen.add(task.thread)
        task.gate.set()
        busy(threads, 0)

    assert len(seen) == 1


def test_the_one_that_was_busy_last_works_next(threads: WarmThreads) -> None:
    """Of several that were busy at once, whichever was done last."""
    for last in (0, 2, 1, 3):
        tasks = [begin(threads) for _ in range(4)]
        order = [*(each for at, each in enumerate(tasks) if at != last), tasks[last]]
        for left, task in enumerate(order):
            task.gate.set()
            busy(threads, 3 - left)

        again = [begin(threads) for _ in range(4)]
        assert [each.thread for each in again] == [each.thread for each in reversed(order)]
        for task in again:
            task.gate.set()
        busy(threads, 0)


def test_all_threads_work_at_once_and_what_is_too_much_waits(threads: WarmThreads) -> None:
    """Nobody is forgotten: neither a thread that waits for work nor work that waits for one."""
    tasks = [Task() for _ in range(9)]
    for task in tasks:
        threads.add_task(task)
    for task in tasks[:4]:
        assert task.begun.wait(PATIENCE_SECONDS)
    assert len({task.thread for task in tasks[:4]}) == 4
    assert not any(task.begun.is_set() for task in tasks[4:])

    for task in tasks:
        task.gate.set()
    for task in tasks:
        assert task.begun.wait(PATIENCE_SECONDS)
    busy(threads, 0)
