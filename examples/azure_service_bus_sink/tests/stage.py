"""Every fault that the emulator can have, played for one entity and for many.

All at once, on queues of their own, in a thread that runs beside the other tests: what takes its
time is waiting. `test_faults` looks at what came of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from service_bus_emulator import Emulator, faults
from service_bus_emulator.faults import ActionFault, Fault

from .processes import SinkProcess, process
from .support import CANARY, Answer, bodies, ids, variables

TIMEOUT = 4.0
"""SEND_TIMEOUT of the sink under test, in seconds."""

LONGEST = 2 * TIMEOUT + 1.0 + 2.0 + 15.0
"""Seconds that an answer may take: opening and sending, the watchdog's grace, closing, and slack
for a busy machine."""

THROTTLED, UNAVAILABLE, UNKNOWN = 429, 503, 504
REJECTED, REFUSED, ACCEPTED = 422, 502, 200
BROKEN = (UNAVAILABLE, UNKNOWN)
"""A connection that keeps breaking: which of the two depends on whether time runs out first."""

AT_ONCE = 24
"""Cases played at a time, which is how many threads the sink needs."""

MANY = 50
"""Entities of the larger request, which are three batches."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A fault, and what it must lead to.

    Attributes:
        name: What the table calls it.
        faults: What is injected, in order.
        expected: The statuses that are right.
        idle: Whether a request goes before, so that the fault finds an open connection.
    """

    name: str
    faults: tuple[Fault, ...]
    expected: tuple[int, ...]
    idle: bool = False


def _case(fault: Fault, *expected: int, name: str = "", idle: bool = False) -> Case:
    times = "" if isinstance(fault, ActionFault) else " always" if fault.times is None else " once"
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in type(fault).__name__).strip()
    condition = f" {fault.condition}" if isinstance(fault, faults.Reject) else ""
    return Case(name or f"{words}{condition}{times}", (fault,), expected, idle)


def _reject(condition: str, *expected: int) -> Case:
    return _case(faults.Reject(condition, times=None), *expected)


def _refuse(condition: str, *expected: int) -> Case:
    fault = faults.RefuseAttach(condition, times=None)
    return _case(fault, *expected, name=f"refuse attach {condition} always")


ALWAYS = {"times": None}
CASES = [
    _case(faults.Delay(0.3), ACCEPTED, name="delay, within the time limit"),
    _case(faults.Delay(60.0), UNKNOWN, name="delay, beyond the time limit"),
    _case(faults.Throttle(), ACCEPTED),
    _case(faults.Throttle(times=None), THROTTLED),
    _case(faults.QuotaExceeded(times=None), UNAVAILABLE),
    _case(faults.Release(), UNKNOWN),
    _case(faults.Modify(), UNKNOWN),
    _case(faults.ShortReject(), UNKNOWN),
    _case(faults.Silence(), UNKNOWN),
    _case(faults.Detach(), ACCEPTED),
    _case(faults.Detach("amqp:internal-error"), ACCEPTED, name="detach with an error once"),
    _case(faults.Detach(times=None), *BROKEN),
    _case(
        faults.Detach("amqp:internal-error", times=None),
        *BROKEN,
        name="detach with an error always",
    ),
    _case(faults.CloseConnection(), ACCEPTED),
    _case(faults.CloseConnection(times=None), *BROKEN),
    _case(faults.Reset(), ACCEPTED),
    _case(faults.Reset(times=None), *BROKEN),
    _case(faults.AcceptThenDrop(), ACCEPTED),
    _case(faults.AcceptThenDrop(times=None), *BROKEN),
    _case(faults.DropMidBatch(), ACCEPTED),
    _case(faults.DropMidBatch(times=None), *BROKEN),
    _case(faults.LoseCredentials(), ACCEPTED),
    _case(faults.LoseCredentials(times=None), REFUSED),
    _case(faults.RefuseAttach(), ACCEPTED, name="refuse attach com.microsoft:server-busy once"),
    _case(
        faults.RefuseAttach("com.microsoft:entity-disabled"),
        ACCEPTED,
        name="refuse attach com.microsoft:entity-disabled once",
    ),
    _refuse("com.microsoft:server-busy", THROTTLED),
    _refuse("amqp:not-found", REFUSED),
    _refuse("amqp:unauthorized-access", REFUSED),
    _refuse("com.microsoft:entity-disabled", REFUSED),
    _refuse("amqp:resource-limit-exceeded", UNAVAILABLE),
    _reject("amqp:not-allowed", REJECTED),
    _reject("amqp:decode-error", REJECTED),
    _reject("com.microsoft:argument-error", REJECTED),
    _reject("amqp:link:message-size-exceeded", REJECTED),
    _case(faults.Reject("amqp:internal-error"), ACCEPTED),
    _reject("amqp:internal-error", UNAVAILABLE),
    _reject("amqp:unauthorized-access", REFUSED),
    _reject("com.microsoft:entity-disabled", REFUSED),
    _case(faults.Reject("com.microsoft:timeout"), ACCEPTED),
    _reject("com.microsoft:timeout", UNKNOWN),
    _reject("com.microsoft:message-lock-lost", UNKNOWN),
    _case(faults.DetachIdle(), ACCEPTED, idle=True),
    _case(faults.CloseIdle(), ACCEPTED, idle=True),
    _case(faults.ResetIdle(), ACCEPTED, idle=True),
    Case(
        "detach idle, then credentials lost",
        (faults.DetachIdle(), faults.LoseCredentials(times=None)),
        (REFUSED,),
        idle=True,
    ),
]
SHAPES = {"single": 1, "batch": MANY}


@dataclasses.dataclass
class Outcome:
    """What happened in a case.

    Attributes:
        answer: To the request that met the fault.
        wanted: The ids of its messages.
        found: The ids in the queue right after the answer, without those from before.
        following: The answer to the next request, with the fault gone.
        following_arrived: Whether the next request's message was in the queue then.
    """

    answer: Answer
    wanted: list[str]
    found: list[str]
    following: Answer
    following_arrived: bool


Outcomes = dict[tuple[str, str], Outcome]
"""By the names of case and shape."""


def entities(prefix: str, count: int) -> list[dict[str, object]]:
    """Entities whose messages have ids of their own, and a payload that nobody may see."""
    return [{"_id": f"{prefix}{n}", "_updated": 1, "text": CANARY} for n in range(count)]


def play(emulator: Emulator, sink: SinkProcess, case: Case, queue: str, count: int) -> Outcome:
    """Have a fault, send into it, and send once more when it is over."""
    path = f"/{queue}"
    emulator.clear_faults(queue)  # which also makes the queue
    if case.idle:
        assert sink.post(path, entities("before", 1)).status == 200
    for fault in case.faults:
        emulator.inject(queue, fault)
    answer = sink.post(path, entities("e", count))
    found = [each for each in ids(emulator, queue) if each.startswith("e")]
    emulator.clear_faults(queue)
    following = sink.post(path, entities("next", 1))
    arrived = "next0@1" in ids(emulator, queue)
    assert all(CANARY.encode() in each for each in bodies(emulator, queue))
    wanted = [f"e{number}@1" for number in range(count)]
    return Outcome(answer, wanted, found, following, arrived)


def play_all(emulator: Emulator) -> Outcomes:
    """Play every case in both shapes, many at a time, on one sink process.

    Args:
        emulator: Where the queues are made.
    """
    settings = variables(
        emulator, SEND_TIMEOUT=str(TIMEOUT), MAX_BATCH_MESSAGES="20", THREADS=str(AT_ONCE)
    )
    with process(settings) as sink, ThreadPoolExecutor(AT_ONCE) as pool:
        plays = {
            (case.name, shape): pool.submit(
                play, emulator, sink, case, f"fault-{number}-{shape}", count
            )
            for number, case in enumerate(CASES)
            for shape, count in SHAPES.items()
        }
        return {key: future.result() for key, future in plays.items()}


def rows(outcomes: Outcomes) -> Iterator[tuple[str, str, str, str, str]]:
    """The table: fault, request, status with Retry-After, seconds, messages in the queue."""
    for (name, shape), outcome in outcomes.items():
        answer = outcome.answer
        twice = len(outcome.found) - len(set(outcome.found))
        there = f"{len(set(outcome.found))} of {len(outcome.wanted)}"
        status = f"{answer.status}"
        if "retry-after" in answer.headers:
            status += f"/{answer.headers['retry-after']}s"
        there += f", {twice} twice" if twice else ""
        yield name, shape, status, f"{answer.seconds:.2f}", there
