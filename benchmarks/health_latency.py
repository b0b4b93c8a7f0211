"""Row 4: how long other requests wait while large bodies are worked on."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from . import data
from .load import Connection, deliver, get, post
from .processes import Server, module
from .rows import Plan, Row

TARGET = 50.0
_SIZE = 50_000_000
_PAUSE = 0.005
_EXAMPLE = "benchmarks.peers.example_way"


def rows(plan: Plan) -> Iterator[Row]:
    """Measure.

    Args:
        plan: How much.
    """
    body, count = data.body_of(data.entities(10_000), _SIZE)
    request = post("/queue", body)
    seconds = 2.0 if plan.quick else 10.0
    programs = {"": "benchmarks.sinks.noop_sink", ", the example's way": _EXAMPLE}
    with ExitStack() as stack:
        for suffix, program in programs.items():
            log = plan.folder / f"{program}-health.log"
            limit = {"MAX_BODY_BYTES": str(len(body)), "MAX_BUFFERED_BYTES": str(2 * len(body))}
            server = stack.enter_context(Server(module(program), log, limit))
            address = server.address()
            title = f"/healthz{suffix}"
            yield Row(f"{title}, p99 while idle", _p99(address, seconds / 3), "ms")
            with _bodies(address, request, count):
                busy = _p99(address, seconds)
            yield Row(f"{title}, p99 while 50 MB bodies come in", busy, "ms", _target(suffix))


def _target(suffix: str) -> float | None:
    return None if suffix else TARGET


def _p99(address: str, seconds: float) -> float:
    """The time in ms that 99 of 100 requests do not take longer than."""
    request, taken = get("/healthz"), []
    end = time.perf_counter() + seconds
    with Connection(address) as connection:
        while time.perf_counter() < end:
            start = time.perf_counter()
            connection.exchange(request)
            taken.append(time.perf_counter() - start)
            time.sleep(_PAUSE)
    return round(statistics.quantiles(taken, n=100)[98] * 1000, 2)


@contextmanager
def _bodies(address: str, request: bytes, count: int) -> Iterator[None]:
    """Send a body again and again for the length of a ``with`` block."""
    ended = threading.Event()
    failures: list[Exception] = []

    def send() -> None:
        try:
            with Connection(address) as connection:
                while not ended.is_set():
                    deliver(connection, request, count)
        except Exception as error:  # noqa: BLE001  # raised where the block ends
            failures.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failures:
        raise failures[0]
