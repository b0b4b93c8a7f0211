"""Runs the benchmarks: ``python benchmarks/run.py [--quick] [--only NAME...]``.

Prints a table and writes ``build/bench.json``. Exit code 0 if every answer and every count was
right, whatever the figures are; 1 if one was not.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # instead of this folder, whose modules are none of anybody else's

from benchmarks import (  # noqa: E402  # only now can it be found
    body_memory,
    health_latency,
    noop_throughput,
    service_bus,
    service_bus_memory,
    source_throughput,
    start_time,
    transform_throughput,
)
from benchmarks.load import WrongAnswerError  # noqa: E402
from benchmarks.rows import TIMES, Plan, Row  # noqa: E402

GROUPS: dict[str, Callable[[Plan], Iterator[Row]]] = {
    "noop": noop_throughput.rows,
    "body-memory": body_memory.rows,
    "health": health_latency.rows,
    "start": start_time.rows,
    "source": source_throughput.rows,
    "transform": transform_throughput.rows,
    "service-bus": service_bus.rows,
    "service-bus-memory": service_bus_memory.rows,
}
RESULT = ROOT / "build" / "bench.json"


def main() -> int:
    """Run, print, write; the result is the process's exit code."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    remarks: list[str] = []
    start = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            plan = _plan(Path(folder), remarks.append, quick=arguments.quick)
            rows = [
                row for name in arguments.only or GROUPS for row in _shown(name, GROUPS[name](plan))
            ]
    except WrongAnswerError as error:
        sys.stderr.write(f"\nfailed: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        return 1
    _write(rows)
    _print(["", *remarks, "", f"{RESULT.relative_to(ROOT)}, {time.monotonic() - start:.0f} s"])
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="rough figures in about two minutes")
    parser.add_argument(
        "--only", nargs="+", choices=GROUPS, metavar="NAME", help=f"of {', '.join(GROUPS)}"
    )
    return parser.parse_args()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _plan(folder: Path, say: Callable[[str], None], *, quick: bool) -> Plan:
    rounds, seconds = (2, 0.2) if quick else (7, 0.7)
    return Plan(rounds=rounds, seconds=seconds, folder=folder, say=say, quick=quick)


def _shown(name: str, rows: Iterator[Row]) -> Iterator[Row]:
    """Print each row as soon as there is one."""
    load = os.getloadavg()[0]
    _print(["", f"{name} (load average at its start: {load:.1f})"])
    for row in rows:
        _print([f"  {row.name:<76} {row.value:>12,} {row.unit:<10} {_target(row)}".rstrip()])
        yield row


def _target(row: Row) -> str:
    if row.target is None:
        return ""
    wanted = row.value >= row.target if row.unit == TIMES else row.value <= row.target
    sign = ">=" if row.unit == TIMES else "<="
    return f"target {sign} {row.target:g}{'' if wanted else '  MISSED'}"


def _print(lines: Iterable[str]) -> None:
    for text in lines:
        sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _write(rows: list[Row]) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
