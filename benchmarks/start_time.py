"""Row 5: from the start of a process to its first answer, at full speed and at a quarter of a core.

A quarter of a core is asked of Linux' control groups where they may be written, or of the command
in ``CPU_QUOTA_COMMAND``, such as ``systemd-run --scope --quiet -p CPUQuota=25%``.
"""

from __future__ import annotations

import os
import shlex
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .load import Connection, get
from .processes import Server, module
from .rows import Plan, Row

TARGET = 3.0
_SINKS = {
    "no-op sink": "benchmarks.sinks.noop_sink",
    "Service Bus sink": "azure_service_bus_sink",
}
_ENVIRONMENT = {
    # Nobody is there: a sink must come up all the same.
    "SERVICE_NAMESPACE": "127.0.0.1:9",
    "SERVICE_SAS_TOKEN_NAME": "name",
    "SERVICE_SAS_TOKEN_VALUE": "value",
}
_GROUP_ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
_PERIOD = 100_000  # microseconds
_QUOTA = 25_000


def rows(plan: Plan) -> Iterator[Row]:
    """Measure.

    Args:
        plan: How much.
    """
    with _a_quarter(plan) as prefix:
        full: dict[str, list[float]] = {name: [] for name in _SINKS}
        slow: dict[str, list[float]] = {name: [] for name in _SINKS}
        for _ in range(2 if plan.quick else plan.rounds):
            for name, program in _SINKS.items():
                full[name].append(_to_ready(plan, module(program)))
                if prefix:
                    slow[name].append(_to_ready(plan, [*prefix, *module(program)]))
    for name in _SINKS:
        yield Row(f"{name}, start to ready", _median(full[name]), "s")
        if slow[name]:
            title = f"{name}, start to ready at a quarter of a core"
            yield Row(title, _median(slow[name]), "s", TARGET)


def _median(taken: list[float]) -> float:
    return round(statistics.median(taken), 2)


def _to_ready(plan: Plan, command: list[str]) -> float:
    """Seconds from the start of a process until ``/healthz`` answers 200."""
    start = time.perf_counter()
    with Server(command, plan.folder / "start.log", _ENVIRONMENT) as server:
        with Connection(server.address()) as connection:
            connection.exchange(get("/healthz"))
        return time.perf_counter() - start


@contextmanager
def _a_quarter(plan: Plan) -> Iterator[list[str]]:
    """What to put before a command so that it gets a quarter of a core; nothing if there is none.

    Yields:
        The words before the command.
    """
    given = os.environ.get("CPU_QUOTA_COMMAND")
    group = None if given else _make_group()
    if given:
        yield shlex.split(given)
    elif group:
        try:
            yield ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group)]
        finally:
            _remove(group)
    else:
        plan.say(
            "start to ready: the rows at a quarter of a core were not run: control groups cannot"
            " be written here, and CPU_QUOTA_COMMAND is not set"
        )
        yield []


def _make_group() -> Path | None:
    """A control group of a quarter of a core, or None where none can be made."""
    for root in _GROUP_ROOTS:
        group = root / f"benchmark-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            _limit(group)
        except OSError:
            _remove(group)
            continue
        return group
    return None


def _limit(group: Path) -> None:
    if (group / "cpu.cfs_quota_us").exists():
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(_QUOTA))
    elif (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{_QUOTA} {_PERIOD}")
    else:
        raise WrongGroupError(str(group))


class WrongGroupError(OSError):
    """A control group that cannot limit processor time."""


def _remove(group: Path) -> None:
    with suppress(OSError):
        group.rmdir()
