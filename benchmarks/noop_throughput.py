"""Rows 1 and 2: the SDK's own cost, against the published example's way and against Node.

All servers run at once and have their turns; the target is free in each of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial

from . import data
from .load import drive, post
from .processes import Server, module
from .rows import Plan, Row, Sample, in_turns, ratios, speeds

TARGETS = {100: 3.5, 1_000: 5.0, 10_000: 6.0}
NODE_TARGET = {10_000: 2.5}
EXAMPLE, NODE, OURS = "the example's way", "Node", "SDK"
_BODY_LIMIT = 16 * 1024 * 1024
_ROOM = 10 * _BODY_LIMIT
_PIPES = 10


def rows(plan: Plan) -> Iterator[Row]:
    """Measure.

    Args:
        plan: How much.
    """
    with ExitStack() as stack:
        servers = _servers(plan, stack)
        addresses = {name: server.address() for name, server in servers.items()}
        for count, target in TARGETS.items():
            request = post("/queue", data.body(data.entities(count)))
            ways = {
                name: partial(_sample, plan, server, addresses[name], request, count)
                for name, server in servers.items()
            }
            yield from _compared(f"no-op sink, {count:,} per POST", ways, plan, count, target)
        yield from _ten_pipes(plan, servers, addresses)
        yield from _with_underscores(plan, servers[OURS], addresses[OURS])
    plan.say(
        f"no-op sink: MAX_BODY_BYTES and MAX_MEMORY_BODY_BYTES are raised to {_BODY_LIMIT:,} and"
        f" MAX_BUFFERED_BYTES to {_ROOM:,}: 10,000 entities are more than the defaults allow"
    )


def _servers(plan: Plan, stack: ExitStack) -> dict[str, Server]:
    commands = {
        OURS: module("benchmarks.sinks.noop_sink"),
        EXAMPLE: module("benchmarks.peers.example_way"),
    }
    if shutil.which("node"):
        commands[NODE] = ["node", "benchmarks/peers/node_http.mjs"]
    else:
        plan.say("no-op sink: the rows against Node were not run: there is no node")
    limit = {
        "MAX_BODY_BYTES": str(_BODY_LIMIT),
        "MAX_MEMORY_BODY_BYTES": str(_BODY_LIMIT),
        "MAX_BUFFERED_BYTES": str(_ROOM),
    }
    return {
        name: stack.enter_context(Server(command, plan.folder / f"http-{name}.log", limit))
        for name, command in commands.items()
    }


def _ten_pipes(plan: Plan, servers: dict[str, Server], addresses: dict[str, str]) -> Iterator[Row]:
    """The same on ten connections at once, as many as the hub opens."""
    count = 1_000
    request = post("/queue", data.body(data.entities(count)))
    ways = {
        name: partial(_sample, plan, server, addresses[name], request, count, pipes=_PIPES)
        for name, server in servers.items()
    }
    yield from _compared(f"no-op sink, {count:,} per POST, ten pipes", ways, plan, count, None)


def _with_underscores(plan: Plan, server: Server, address: str) -> Iterator[Row]:
    """Fields whose names end as those of the hub do, and nested entities."""
    count = 1_000
    request = post("/queue", data.body(data.entities_with_underscores(count)))
    way = partial(_sample, plan, server, address, request, count)
    title = f"no-op sink, {count:,} per POST, fields with underscores"
    yield from speeds(title, in_turns({OURS: way}, plan.rounds))


def _sample(
    plan: Plan, server: Server, address: str, request: bytes, count: int, pipes: int = 1
) -> Sample:
    # A pipe sends one request after the other: one connection each.
    before = server.cpu()
    load = drive(address, request, count, connections=pipes, seconds=plan.seconds)
    return Sample(load.requests * count, load.seconds, server.cpu() - before)


def _compared(
    title: str,
    ways: Mapping[str, Callable[[], Sample]],
    plan: Plan,
    count: int,
    target: float | None,
) -> Iterator[Row]:
    samples = in_turns(ways, plan.rounds)
    yield from speeds(title, samples)
    yield from ratios(title, samples[OURS], samples[EXAMPLE], EXAMPLE, target)
    if NODE in samples:
        yield from ratios(title, samples[OURS], samples[NODE], NODE, NODE_TARGET.get(count))
