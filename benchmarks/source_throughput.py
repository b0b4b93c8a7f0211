"""A source of a million entities, against Flask that yields them one by one and against Node.

All servers run at once and have their turns. The peers' turns are of fewer entities: what one
costs does not depend on how many there are, and a million would take Flask a minute.
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from .load import WrongAnswerError
from .processes import Server, module
from .rows import Plan, Row, Sample, in_turns, ratios, speeds

TARGETS = {"plain": 30.0, "nested": None, "typed": 8.0}
MEMORY_TARGET = 8.0
FLASK, NODE, OURS = "Flask that yields", "Node", "SDK"
_COUNTS = {OURS: 1_000_000, FLASK: 50_000, NODE: 100_000}
_RECEIVE = 256 * 1024
_TIMEOUT = 180.0
_ID = b'"_id"'
_END = b"0\r\n\r\n"


def rows(plan: Plan) -> Iterator[Row]:
    """Measure.

    Args:
        plan: How much.
    """
    counts = {name: count // 10 if plan.quick else count for name, count in _COUNTS.items()}
    with ExitStack() as stack:
        servers = _servers(plan, stack)
        yield _memory(servers[OURS], counts[OURS])
        for kind, target in TARGETS.items():
            # Node has no types for what a typed value is, so it writes plain ones only.
            ways = {
                name: partial(_sample, server, kind, counts[name])
                for name, server in servers.items()
                if name != NODE or kind == "plain"
            }
            title = f"source, {kind} values"
            samples = in_turns(ways, min(plan.rounds, 3))
            yield from speeds(title, samples)
            yield from ratios(title, samples[OURS], samples[FLASK], FLASK, target)
            if NODE in samples:
                yield from ratios(title, samples[OURS], samples[NODE], NODE)
    said = ", ".join(f"{name} {count:,}" for name, count in counts.items() if name in servers)
    plan.say(f"source: entities in one answer: {said}; the ratios are for an entity")


def _servers(plan: Plan, stack: ExitStack) -> dict[str, Server]:
    commands = {
        OURS: module("benchmarks.sources.customers_source"),
        FLASK: module("benchmarks.peers.flask_source"),
    }
    if shutil.which("node"):
        commands[NODE] = ["node", "benchmarks/peers/node_source.mjs"]
    else:
        plan.say("source: the rows against Node were not run: there is no node")
    return {
        name: stack.enter_context(Server(command, plan.folder / f"source-{name}.log"))
        for name, command in commands.items()
    }


def _memory(server: Server, count: int) -> Row:
    """MB that a long answer costs at most, over what the process has after short ones."""
    for _ in range(3):
        _pull(server.address(), "plain", 1_000)
    idle = server.resident()
    server.forget_peak()
    _pull(server.address(), "plain", count)
    over = round(server.peak() - idle, 1)
    return Row(f"source, {count:,} entities, peak memory over idle", over, "MB", MEMORY_TARGET)


def _sample(server: Server, kind: str, count: int) -> Sample:
    start, before = time.perf_counter(), server.cpu()
    _pull(server.address(), kind, count)
    return Sample(count, time.perf_counter() - start, server.cpu() - before)


def _pull(address: str, kind: str, count: int) -> None:
    """Read an answer to its end as cheaply as can be, and check that it is whole.

    Raises:
        WrongAnswerError: It is not: no 200, another number of entities, or no end.
    """
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), _TIMEOUT) as connection:
        connection.sendall(
            f"GET /?kind={kind}&count={count} HTTP/1.1\r\n"
            "Host: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        first = data = connection.recv(_RECEIVE)
        found = data.count(_ID)
        while more := connection.recv(_RECEIVE):
            # With the end of what was before, too short to hold one itself.
            data = data[1 - len(_ID) :] + more
            found += data.count(_ID)
    if not first.startswith(b"HTTP/1.1 200 ") or found != count or not data.endswith(_END):
        raise WrongAnswerError(f"{count} entities were asked for and {found} came: {first[:200]!r}")
