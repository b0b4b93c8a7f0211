"""Row 7: the memory of the Service Bus sink, idle and under ten pipes with maximal bodies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from . import data
from .emulator import FAST
from .load import drive, post
from .processes import Server, module
from .rows import Plan, Row
from .service_bus import Bus

TARGET = 110.0
PIPES = 10
AS_IN_THE_IMAGE = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "2097152",
}
"""What the image's Dockerfile sets, too."""
_BODY = 4 * 1024 * 1024


def rows(plan: Plan) -> Iterator[Row]:
    """Measure.

    Args:
        plan: How much.
    """
    items = data.entities(10_000)
    body, count = data.body_of(items, _BODY)
    with ExitStack() as stack:
        bus = Bus(stack)
        log = plan.folder / "service-bus-memory.log"
        environment = bus.settings() | AS_IN_THE_IMAGE
        sink = stack.enter_context(Server(module("azure_service_bus_sink"), log, environment))
        address = sink.address()
        bus.sample(sink, FAST, 1, lambda: drive(address, post(f"/{FAST}", data.body(items[:1])), 1))
        yield Row("Service Bus sink, idle", round(sink.resident(), 1), "MB")
        yield Row("Service Bus sink, idle, its share", round(sink.proportional(), 1), "MB")
        request, seconds = post(f"/{FAST}", body), 0.0 if plan.quick else 10.0
        bus.sample(
            sink,
            FAST,
            count,
            lambda: drive(address, request, count, connections=PIPES, seconds=seconds),
        )
        yield Row("Service Bus sink, peak under ten pipes", round(sink.peak(), 1), "MB", TARGET)
        yield Row("Service Bus sink, after ten pipes", round(sink.resident(), 1), "MB")
    plan.say(
        f"ten pipes: bodies of {len(body):,} bytes, {count:,} entities each, all limits at their"
        " defaults; every pipe sends at least one"
    )
