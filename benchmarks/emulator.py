"""The embedded Service Bus as a process that can be asked what it has received.

Two queues that count and keep nothing: ``fast`` acknowledges at once, ``slow`` after 20 ms.
Answers ``{"ask": "address"}`` and ``{"ask": "count", "queue": NAME}`` on standard input.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from service_bus_emulator import Emulator, running
from service_bus_emulator.faults import Delay
from service_bus_emulator.specs import QueueSpec

FAST, SLOW = "fast", "slow"
ACKNOWLEDGES_AFTER = 0.02  # seconds, on the slow queue


def main() -> None:
    """Answer until standard input ends."""
    queues = [QueueSpec(name, discard=True) for name in (FAST, SLOW)]
    with running(queues=queues, key=os.environ["SERVICE_BUS_EMULATOR_KEY"]) as emulator:
        emulator.inject(SLOW, Delay(ACKNOWLEDGES_AFTER))
        for line in sys.stdin.buffer:
            sys.stdout.write(json.dumps(_answer(emulator, json.loads(line))) + "\n")
            sys.stdout.flush()


def _answer(emulator: Emulator, question: dict[str, Any]) -> dict[str, Any]:
    if question["ask"] == "address":
        return {"address": emulator.address}
    return {"count": emulator.stats(question["queue"]).messages_accepted}


if __name__ == "__main__":
    main()
