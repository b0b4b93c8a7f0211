"""Row 6: HTTP in to acknowledged out, against one send for each entity and the official clients.

The emulator, the sink and every peer run at once and have their turns. After each turn the emulator
is asked how many messages it has received: another number than was sent fails the run.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from . import data, node_client
from .emulator import FAST, SLOW
from .load import Load, WrongAnswerError, drive, post
from .processes import Answerer, Process, Server, module
from .rows import Plan, Row, Sample, in_turns, ratios, speeds

OURS, EXAMPLE, PYTHON = "SDK", "the example's sends", "the Python client alone"
NODE, NODE_NO_DELAY = "the Node client alone", "the Node client alone, no delay"
TARGETS = {EXAMPLE: 12.0, PYTHON: 8.0, NODE: 1.5}
SLOW_TARGET = 300.0
_COUNTS = (1_000, 5_000)
_SLOW_EXAMPLE = 50
_KEY_NAME = "RootManageSharedAccessKey"


class Bus:
    """The emulator in a process of its own, and what it has been sent.

    Args:
        stack: Ends it.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._key = secrets.token_urlsafe(32)
        environment = {"SERVICE_BUS_EMULATOR_KEY": self._key}
        self._process = stack.enter_context(Answerer(module("benchmarks.emulator"), environment))
        self.address = str(self._process.ask(ask="address")["address"])

    def settings(self) -> dict[str, str]:
        """The variables that the sink needs."""
        return {
            "SERVICE_NAMESPACE": self.address,
            "SERVICE_SAS_TOKEN_NAME": _KEY_NAME,
            "SERVICE_SAS_TOKEN_VALUE": self._key,
        }

    def connection_string(self) -> dict[str, str]:
        """The variable that the peers need."""
        parts = (
            f"Endpoint=sb://{self.address}",
            f"SharedAccessKeyName={_KEY_NAME}",
            f"SharedAccessKey={self._key}",
            "UseDevelopmentEmulator=true",
        )
        return {"CONNECTION_STRING": ";".join(parts)}

    def received(self, queue: str) -> int:
        """How many messages a queue has received so far."""
        return int(self._process.ask(ask="count", queue=queue)["count"])

    def sample(self, process: Process, queue: str, count: int, send: Callable[[], Load]) -> Sample:
        """Measure one turn, and check that every message has arrived.

        Args:
            process: Whose processor time counts.
            queue: Where the messages go.
            count: How many there are in one request.
            send: Sends them, and returns when they are acknowledged.

        Raises:
            WrongAnswerError: The emulator has received more or fewer.
        """
        before, cpu = self.received(queue), process.cpu()
        load = send()
        cpu = process.cpu() - cpu
        sent, arrived = load.requests * count, self.received(queue) - before
        if sent != arrived:
            raise WrongAnswerError(f"{process.name}: {arrived} of {sent} messages arrived")
        return Sample(sent, load.seconds, cpu)


def rows(plan: Plan) -> Iterator[Row]:
    """Measure.

    Args:
        plan: How much.
    """
    with ExitStack() as stack:
        bench = _Bench(plan, stack)
        for count in _COUNTS:
            title = f"Service Bus sink, {count:,} per POST"
            samples = in_turns(bench.ways(count), plan.rounds)
            yield from speeds(title, samples)
            for peer in samples:
                if peer != OURS:
                    target = TARGETS.get(peer)
                    yield from ratios(title, samples[OURS], samples[peer], peer, target)
        samples = in_turns(bench.slow_ways(), plan.rounds)
        theirs = samples[EXAMPLE]
        title = f"Service Bus, {_SLOW_EXAMPLE} per POST, acknowledged after 20 ms"
        yield from speeds(title, {EXAMPLE: theirs})
        for count in _COUNTS:
            title = f"Service Bus sink, {count:,} per POST, acknowledged after 20 ms"
            ours = samples[f"{count}"]
            yield from speeds(title, {OURS: ours})
            yield from ratios(title, ours, theirs, EXAMPLE, SLOW_TARGET)
    plan.say(
        f"acknowledged after 20 ms: the example's way gets {_SLOW_EXAMPLE} entities per POST, or"
        " one round would take minutes; its time for an entity does not depend on their number"
    )


class _Bench:
    """The emulator, the sink and the peers, all running."""

    def __init__(self, plan: Plan, stack: ExitStack) -> None:
        self._plan = plan
        items = data.entities(max(_COUNTS))
        self._posts = {
            (queue, count): post(f"/{queue}", data.body(items[:count]))
            for queue in (FAST, SLOW)
            for count in (*_COUNTS, _SLOW_EXAMPLE)
        }
        self._bus = bus = Bus(stack)
        self._sink = stack.enter_context(
            Server(
                module("azure_service_bus_sink"), plan.folder / "service-bus.log", bus.settings()
            )
        )
        self._example = stack.enter_context(
            Server(
                module("benchmarks.peers.example_way"),
                plan.folder / "example-bus.log",
                bus.connection_string(),
            )
        )
        self._addresses = {each: each.address() for each in (self._sink, self._example)}
        file = plan.folder / "entities.ndjson"
        file.write_bytes(b"\n".join(items) + b"\n")
        environment = {"ENTITIES": str(file), **bus.connection_string()}
        self._clients = _clients(plan, stack, environment)

    def ways(self, count: int) -> dict[str, Callable[[], Sample]]:
        """What takes a sample of each, with an acknowledgement that comes at once."""
        found: dict[str, Callable[[], Sample]] = {
            OURS: partial(self._over_http, self._sink, FAST, count),
            EXAMPLE: partial(self._over_http, self._example, FAST, count),
        }
        for name, client in self._clients.items():
            if name == NODE_NO_DELAY and count != max(_COUNTS):
                continue
            found[name] = partial(self._alone, client, count, no_delay=name == NODE_NO_DELAY)
        return found

    def slow_ways(self) -> dict[str, Callable[[], Sample]]:
        """What takes a sample of the sink and the example's way, on the slow queue."""
        found: dict[str, Callable[[], Sample]] = {
            f"{count}": partial(self._over_http, self._sink, SLOW, count) for count in _COUNTS
        }
        found[EXAMPLE] = partial(self._over_http, self._example, SLOW, _SLOW_EXAMPLE)
        return found

    def _over_http(self, server: Server, queue: str, count: int) -> Sample:
        request, seconds = self._posts[queue, count], self._plan.seconds
        address = self._addresses[server]
        # One connection: a pipe sends one request after the other.
        return self._bus.sample(
            server, queue, count, lambda: drive(address, request, count, seconds=seconds)
        )

    def _alone(self, client: Answerer, count: int, *, no_delay: bool) -> Sample:
        def send() -> Load:
            done, taken = 0, 0.0
            while not done or taken < self._plan.seconds:
                answer = client.ask(count=count, queue=FAST, noDelay=no_delay)
                done, taken = done + 1, taken + float(answer["seconds"])
            return Load(done, taken)

        return self._bus.sample(client, FAST, count, send)


def _clients(plan: Plan, stack: ExitStack, environment: dict[str, str]) -> dict[str, Answerer]:
    python = Answerer(module("benchmarks.peers.official_client"), environment)
    clients = {PYTHON: stack.enter_context(python)}
    modules = node_client.installed(plan.say)
    if modules and shutil.which("node"):
        command = ["node", "benchmarks/peers/official_client.mjs"]
        variables = {**environment, "NODE_MODULES_OF": str(modules)}
        node = stack.enter_context(Answerer(command, variables))
        clients |= {NODE: node, NODE_NO_DELAY: node}
    return clients
