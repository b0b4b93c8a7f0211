"""Replicas of the Service Bus sink behind nginx, with pipes that push; skips without nginx."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from service_bus_emulator import Emulator, running

from tests.soak.balancer import Balancer
from tests.soak.pipes import Pusher
from tests.soak.replicas import Replica
from tests.wire import CANARY, GUARDED, assert_silent, eventually

ROOT = Path(__file__).parents[2]
PIPES = ("orders", "people", "places", "prices")
KEY = f"{CANARY}-key"
REPLICAS = 3
# What each pipe must have had acknowledged anew before the next thing is done to a replica.
PROGRESS = 100
# Longer than everything: a second signal ends it, once nobody sends to the replica any more.
UNTIL_TOLD = "600"


class Stage:
    """Some replicas, what is before and behind them, and the pipes.

    Args:
        folder: A folder of its own.
        nginx: The program.
        emulator: The target, with a queue for each pipe.
    """

    def __init__(self, folder: Path, nginx: str, emulator: Emulator) -> None:
        self.emulator = emulator
        self.replicas: list[Replica] = []
        self.ended: list[Replica] = []
        self._folder = folder
        self._nginx = nginx
        self._numbers = itertools.count(1)
        self._open = contextlib.ExitStack()
        self.pipes: list[Pusher] = []

    def open(self, delays: list[str]) -> None:
        """Start everything, and have the pipes push.

        Args:
            delays: SHUTDOWN_DELAY of each replica.
        """
        self.replicas = [self._replica(delay) for delay in delays]
        folder = self._folder / "nginx"
        folder.mkdir()
        self.balancer = Balancer(self._nginx, folder, lambda: [r.port for r in self.replicas])
        self._open.callback(self.balancer.close)
        self._wait(lambda: len(self.balancer.routed) == len(delays), "all replicas are routed to")
        self.pipes = [Pusher(name, f"http://127.0.0.1:{self.balancer.port}") for name in PIPES]
        for pipe in self.pipes:
            self._open.callback(pipe.join)
            self._open.callback(pipe.stop)
            pipe.start()
        self.progress()

    def close(self) -> None:
        """End whatever is left, and search what all have logged for a secret."""
        self._open.close()
        for log in sorted(self._folder.rglob("*.log")):
            assert_silent(log.read_text(), log.name)

    def finish(self) -> None:
        """Have the pipes push what they have begun with, and end."""
        for pipe in self.pipes:
            pipe.stop()
        for pipe in self.pipes:
            pipe.join()
        self._nothing_has_failed()

    def progress(self) -> None:
        """Wait until every pipe has got on, whatever it got on with before."""
        marks = [pipe.acknowledged + PROGRESS for pipe in self.pipes]
        self._wait(
            lambda: all(p.acknowledged >= mark for p, mark in zip(self.pipes, marks, strict=True)),
            "every pipe gets on",
        )

    def replace(self, at: int, *, patient: bool = False) -> None:
        """Replace a replica as a rolling restart does.

        Args:
            at: Which one.
            patient: Wait for its SHUTDOWN_DELAY; or else end it as soon as it is routed past.
        """
        old = self.replicas[at]
        old.signal(signal.SIGTERM)
        self._wait(lambda: old.port not in self.balancer.routed, "it is routed past")
        if not patient:
            old.signal(signal.SIGTERM)
        assert old.end() == 0, old.log
        self._successor(at)

    def kill(self, at: int) -> None:
        """Kill a replica, and start another in its place."""
        self.replicas[at].signal(signal.SIGKILL)
        assert self.replicas[at].end() == -signal.SIGKILL
        self._successor(at)

    def _successor(self, at: int) -> None:
        self.ended.append(self.replicas[at])
        self.replicas[at] = self._replica(UNTIL_TOLD)
        self._wait(lambda: self.replicas[at].port in self.balancer.routed, "it is routed to")
        self.progress()

    def _replica(self, delay: str) -> Replica:
        environment = {
            "SERVICE_NAMESPACE": self.emulator.address,
            "SERVICE_SAS_TOKEN_NAME": self.emulator.key_name,
            "SERVICE_SAS_TOKEN_VALUE": self.emulator.key,
            "SHUTDOWN_DELAY": delay,
            **GUARDED,
        }
        made = Replica(self._folder / f"replica-{next(self._numbers)}.log", environment)
        self._open.callback(made.close)
        return made.listening()

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        def looked() -> bool:
            self._nothing_has_failed()
            return holds()

        eventually(looked, what)

    def _nothing_has_failed(self) -> None:
        for failure in (self.balancer.failure, *(pipe.failure for pipe in self.pipes)):
            if failure is not None:
                raise failure


@pytest.fixture(scope="session")
def nginx() -> str:
    """The program, as ``.ci/nginx`` provides it."""
    unpacked = ROOT / "build" / "nginx" / "usr" / "sbin"
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin", str(unpacked)))
    found = shutil.which("nginx", path=path)
    if found is None or subprocess.run([found, "-v"], capture_output=True, check=False).returncode:
        pytest.skip("no nginx that runs: install the package nginx, then `make soak` again")
    return found


@pytest.fixture
def stage(tmp_path: Path, nginx: str) -> Iterator[Stage]:
    """A stage, not opened yet."""
    with running(queues=PIPES, key=KEY) as emulator:
        made = Stage(tmp_path, nginx, emulator)
        try:
            yield made
        finally:
            made.close()
