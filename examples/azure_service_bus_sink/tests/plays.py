"""Two plays that run beside the other tests: many clients at once, and many faults in a row.

Each has a sink process of its own; `test_concurrency` and `test_leaks` look at what came of it.
"""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from service_bus_emulator import Emulator, faults

from .processes import SinkProcess, process
from .support import CANARY, LocalSink, eventually, variables

THREADS = 12
ROUNDS = 10
BATCH = 8
BUSY = [f"busy-{number}" for number in range(4)]
"""The queues of the storm."""

HAMMERED = 16
"""Queues that are sent to at once to find leaks."""

TROUBLE: list[faults.Fault] = [
    faults.Throttle(times=2),
    faults.QuotaExceeded(),
    faults.Detach(),
    faults.Reset(),
    faults.AcceptThenDrop(),
    faults.CloseConnection(),
    faults.Reject("amqp:not-allowed"),
    faults.Reject("amqp:internal-error", times=2),
    faults.Delay(0.1, times=1),
    faults.Release(),
]


@dataclass(frozen=True)
class Done:
    """One request of the storm.

    Attributes:
        queue: Where it went.
        ids: The ids of its messages.
        status: What it was answered.
        seconds: How long that took.
    """

    queue: str
    ids: list[str]
    status: int
    seconds: float


def storm(emulator: Emulator) -> list[Done]:
    """Twelve clients send to four queues, and faults come in between."""
    settings = variables(emulator, SEND_TIMEOUT="1")
    with process(settings) as sink, ThreadPoolExecutor(THREADS) as pool:
        plays = [pool.submit(_client, emulator, sink, number) for number in range(THREADS)]
        return [done for play in plays for done in play.result()]


def _client(emulator: Emulator, sink: SinkProcess, number: int) -> list[Done]:
    dice = random.Random(number)  # noqa: S311
    found = []
    for turn in range(ROUNDS):
        queue = dice.choice(BUSY)
        if dice.random() < 0.15:
            emulator.inject(queue, dice.choice(TROUBLE))
        batch = [
            {"_id": f"{number}-{turn}-{n}", "_updated": 1, "text": CANARY} for n in range(BATCH)
        ]
        answer = sink.post(f"/{queue}", batch)
        ids = [f"{each['_id']}@1" for each in batch]
        found.append(Done(queue, ids, answer.status, answer.seconds))
    return found


@dataclass(frozen=True)
class Census:
    """What a process holds.

    Attributes:
        sockets: Open sockets.
        threads: Threads.
        memory: Resident bytes.
    """

    sockets: int
    threads: int
    memory: int


def leaks(emulator: Emulator) -> tuple[Census, Census]:
    """Send more than 200 requests, a quarter of them into a fault; count before and after."""
    settings = variables(emulator, SEND_TIMEOUT="1", THREADS=str(HAMMERED))
    with process(settings) as sink:
        hammer(emulator, sink, "leak", 1, HAMMERED)
        before = census(sink.pid)
        assert hammer(emulator, sink, "leak", 12, HAMMERED) > 200
        eventually(lambda: census(sink.pid).sockets <= before.sockets, "the sockets were closed")
        return before, census(sink.pid)


def hammer(
    emulator: Emulator, sink: SinkProcess | LocalSink, prefix: str, rounds: int, queues: int
) -> int:
    """Send to some queues at once, every fourth request into a fault; return how many."""
    trouble: list[faults.Fault] = [
        faults.AcceptThenDrop(),
        faults.Reset(times=2),
        faults.Release(),
        faults.Detach(),
        faults.QuotaExceeded(),
        faults.DropMidBatch(),
    ]

    def push(number: int) -> int:
        queue = f"{prefix}-{number}"
        for turn in range(rounds):
            if turn % 4 == 1:
                emulator.inject(queue, trouble[(number + turn // 4) % len(trouble)])
            batch = [{"_id": f"{n}", "_updated": turn, "text": CANARY} for n in range(20)]
            sink.post(f"/{queue}", batch)
        emulator.clear_faults(queue)
        assert sink.post(f"/{queue}", [{"_id": "last"}]).status == 200
        return rounds + 1

    with ThreadPoolExecutor(queues) as pool:
        return sum(pool.map(push, range(queues)))


def census(pid: int) -> Census:
    """Count what a process holds.

    Args:
        pid: Its id.
    """
    links = [each.readlink().name for each in Path(f"/proc/{pid}/fd").iterdir()]
    threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE")
    return Census(sum(name.startswith("socket:") for name in links), threads, memory)
