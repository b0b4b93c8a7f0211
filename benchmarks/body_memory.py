"""Row 3: what one large body costs in memory, over the idle process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from . import data
from .load import Connection, deliver, post
from .processes import Server, module
from .rows import Plan, Row

TARGET = 8.0
_SIZE = 50_000_000
_POSTS = 3


def rows(plan: Plan) -> Iterator[Row]:
    """Measure.

    Args:
        plan: How much.
    """
    items = data.entities(10_000)
    body, count = data.body_of(items, _SIZE)
    small, large = post("/queue", data.body(items[:1_000])), post("/queue", body)
    ours, example = "benchmarks.sinks.noop_sink", "benchmarks.peers.example_way"
    over = _over_idle(plan, ours, small, large, count)
    yield Row("50 MB POST, peak memory over idle", over, "MB", TARGET)
    # Below zero where the body is not kept in memory.
    yield Row("50 MB POST, peak less the body itself", round(over - len(body) / 1e6, 1), "MB")
    over = _over_idle(plan, example, small, large, count)
    yield Row("50 MB POST, the example's way, peak memory over idle", over, "MB")
    plan.say(
        "50 MB POST: MAX_BODY_BYTES and MAX_BUFFERED_BYTES are raised, MAX_MEMORY_BODY_BYTES is"
        " not: the body goes to a temporary file"
    )


def _limit(body: bytes) -> dict[str, str]:
    return {"MAX_BODY_BYTES": str(len(body)), "MAX_BUFFERED_BYTES": str(2 * len(body))}


def _over_idle(plan: Plan, program: str, small: bytes, large: bytes, count: int) -> float:
    """MB that the process has at most, over what it has after a usual request."""
    with ExitStack() as stack:
        log = plan.folder / f"{program}.log"
        server = stack.enter_context(Server(module(program), log, _limit(large)))
        connection = stack.enter_context(Connection(server.address()))
        for _ in range(3):
            deliver(connection, small, 1_000)
        idle = server.resident()
        server.forget_peak()
        for _ in range(_POSTS):
            deliver(connection, large, count)
        return round(server.peak() - idle, 1)
