"""A transform that adds a property, against Flask and Node, which round decimals to floats.

All servers run at once and have their turns. The SDK's numbers are checked to be exact.
"""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from . import data
from .load import WrongAnswerError
from .processes import Server, module
from .rows import Plan, Row, Sample, in_turns, ratios, speeds

TARGETS = {100_000: 2.5}
"""Against Flask that sends its answer whole, the quicker one."""

FLASK, YIELDED, NODE, OURS = "Flask", "Flask that yields", "Node", "SDK"
_TOTAL = 100_000
_SIZES = (1_000, _TOTAL)
_LIMIT = 128 * 1024 * 1024
_TIMEOUT = 180.0
_ADDED = b'"crm-kunde:navn"'
_EXACT = (b"12345678901234567890123456789.10", b"1.10", b"100000000000000000000000000000")


def rows(plan: Plan) -> Iterator[Row]:
    """Measure.

    Args:
        plan: How much.
    """
    items = data.entities(_TOTAL)
    with ExitStack() as stack:
        servers = _servers(plan, stack)
        _check_exact(servers[OURS])
        for count in _SIZES:
            body = data.body(items[:count])
            times = max(1, (10_000 if plan.quick else _TOTAL) // count)
            ways = {
                name: partial(_sample, server, "/", body, count, times)
                for name, server in servers.items()
            }
            ways[YIELDED] = partial(_sample, servers[FLASK], "/yielded", body, count, times)
            title = f"transform, {count:,} per POST"
            # A turn is 100,000 entities for everyone, which take a second or more.
            samples = in_turns(ways, min(plan.rounds, 5))
            yield from speeds(title, samples)
            yield from ratios(title, samples[OURS], samples[FLASK], FLASK, TARGETS.get(count))
            for peer in (YIELDED, NODE):
                if peer in samples:
                    yield from ratios(title, samples[OURS], samples[peer], peer)
    plan.say(
        f"transform: MAX_BODY_BYTES is raised to {_LIMIT:,} and MAX_BUFFERED_BYTES to twice that:"
        f" {_TOTAL:,} entities are more than the default allows"
    )


def _servers(plan: Plan, stack: ExitStack) -> dict[str, Server]:
    commands = {
        OURS: module("benchmarks.transforms.full_name"),
        FLASK: module("benchmarks.peers.flask_transform"),
    }
    if shutil.which("node"):
        commands[NODE] = ["node", "benchmarks/peers/node_transform.mjs"]
    else:
        plan.say("transform: the rows against Node were not run: there is no node")
    limit = {"MAX_BODY_BYTES": str(_LIMIT), "MAX_BUFFERED_BYTES": str(2 * _LIMIT)}
    return {
        name: stack.enter_context(Server(command, plan.folder / f"transform-{name}.log", limit))
        for name, command in commands.items()
    }


def _check_exact(server: Server) -> None:
    """Digits are kept; the peers' are not, and nobody asks them."""
    names = b'"crm-kunde:fornavn":"a","crm-kunde:etternavn":"b"'
    body = b'[{"_id":"1",%b,"numbers":[%b]}]' % (names, b",".join(_EXACT))
    host, _, port = server.address().rpartition(":")
    answer = _transformed(http.client.HTTPConnection(host, int(port)), "/", body, 1)
    if b",".join(_EXACT) not in answer:
        raise WrongAnswerError(f"numbers were changed: {answer!r}")


def _sample(server: Server, path: str, body: bytes, count: int, times: int) -> Sample:
    host, _, port = server.address().rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=_TIMEOUT)
    start, before = time.perf_counter(), server.cpu()
    for _ in range(times):
        _transformed(connection, path, body, count)
    seconds = time.perf_counter() - start
    connection.close()
    return Sample(times * count, seconds, server.cpu() - before)


def _transformed(
    connection: http.client.HTTPConnection, path: str, body: bytes, count: int
) -> bytes:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.HTTPStatus.OK or answer.count(_ADDED) != count:
        raise WrongAnswerError(f"{count} entities were sent, the answer is {answer[:200]!r}")
    return answer
