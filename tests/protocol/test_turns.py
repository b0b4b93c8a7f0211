"""Some work alone, others together, and nobody waits without end."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from sesam_connector_sdk.protocol import Turns
from tests.notes import PATIENCE_SECONDS


def test_whoever_is_alone_is_alone() -> None:
    """Many threads, both kinds: nobody is at work beside one who is alone."""
    turns = Turns()
    at_work: list[bool] = []
    wrong: list[list[bool]] = []

    def work(alone: bool) -> None:
        for _ in range(200):
            with turns.take(alone=alone, seconds=PATIENCE_SECONDS):
                at_work.append(alone)
                if len(at_work) > 1 and any(at_work):
                    wrong.append(list(at_work))
                at_work.remove(alone)

    in_threads(*[lambda: work(True)] * 3, *[lambda: work(False)] * 5)

    assert wrong == []
    assert at_work == []


def test_some_are_together() -> None:
    """Two are at work at once: each waits inside for the other."""
    turns = Turns()
    meeting = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def work() -> None:
        with turns.take(alone=False, seconds=PATIENCE_SECONDS):
            meeting.wait()

    in_threads(work, work)

    assert not meeting.broken


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_waiting_ends(first: bool, second: bool) -> None:
    """Who does not get a turn in time is told so, and is in nobody's way then."""
    turns = Turns()
    with turns.take(alone=first, seconds=float("inf")):
        with pytest.raises(TimeoutError), turns.take(alone=second, seconds=0.01):
            pass
        if not first:
            with turns.take(alone=False, seconds=0):
                pass
    with turns.take(alone=True, seconds=0):
        pass


def test_whoever_waits_to_be_alone_holds_back_those_who_come_later() -> None:
    """Else a stream of others could keep it waiting without end."""
    turns = Turns()
    got = threading.Event()

    def alone() -> None:
        with turns.take(alone=True, seconds=PATIENCE_SECONDS):
            got.set()

    with turns.take(alone=False, seconds=0):
        thread = threading.Thread(target=alone)
        thread.start()
        while not turns._waiting:
            got.wait(0.001)
        with pytest.raises(TimeoutError), turns.take(alone=False, seconds=0.01):
            pass
        assert not got.is_set()
    thread.join(PATIENCE_SECONDS)
    assert got.is_set()


def in_threads(*work: Callable[[], None]) -> None:
    """Do it all at once, and wait for its end."""
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
