"""Pipes that push for as long as they are let, as the hub does: the next batch after the last."""

from __future__ import annotations

import threading
from typing import Any

from sesam_connector_sdk.hub import End, Plan, RequestRecord, push
from sesam_connector_sdk.nodeconfig import Pipe, System
from sesam_connector_sdk.nodeconfig.rendering import retry_strategy
from tests.wire import CANARY, GUARDED, PASSWORD

BATCH = 20
TEXT = CANARY * 80
"""The payload of every entity, which nobody but the queue may see."""

_SYSTEM = System(
    "sink",
    "system:microservice",
    "systems/sink.conf.json",
    {
        "retry_strategy": retry_strategy(),
        "read_timeout": 60,
        "authentication": "basic",
        "username": GUARDED["AUTH_USERNAME"],
        "password": PASSWORD,
    },
)


class Pusher(threading.Thread):
    """One pipe: an array of changes, ever the same entities, until it is stopped.

    Each run is a batch and the empty one that ends it. One that fails begins again, with the same
    batch, as a node's next run does. The waits of the retry policies are cut to a moment.

    Args:
        name: The pipe's, and that of the queue that it pushes to.
        base: Where the connector listens.

    Attributes:
        acknowledged: How many changes, numbered from 0, were answered 2xx.
        records: Every request that it has made.
        failure: What has ended it before its time, if something has.
    """

    def __init__(self, name: str, base: str) -> None:
        super().__init__(name=name)
        self.acknowledged = 0
        self.records: list[RequestRecord] = []
        self.failure: BaseException | None = None
        self._base = base
        self._over = threading.Event()

    def run(self) -> None:
        """Push."""
        try:
            while not self._over.is_set():
                plan = self._plan(range(self.acknowledged, self.acknowledged + BATCH))
                while self._push(plan) is not End.COMPLETE:
                    self._pause(0)
                self.acknowledged += BATCH
        except BaseException as error:  # noqa: BLE001  # the test looks at it
            self.failure = error

    def stop(self) -> None:
        """Push what has begun, and no more."""
        self._over.set()

    def _push(self, plan: Plan) -> End:
        return push(plan, incremental=True, sleep=self._pause, watch=self.records.append).end

    def _pause(self, _seconds: float) -> None:
        self._over.wait(0.05)

    def _plan(self, versions: range) -> Plan:
        entities = [{"_id": f"{each % BATCH}", "_updated": each, "text": TEXT} for each in versions]
        document: dict[str, Any] = {
            "source": {"type": "embedded", "entities": entities},
            "sink": {"type": "json", "system": "sink", "url": f"/{self.name}", "batch_size": BATCH},
            "pump": {},
        }
        pipe = Pipe(self.name, f"pipes/{self.name}.conf.json", document)
        return Plan.of(pipe, {"sink": _SYSTEM}, self._base)
