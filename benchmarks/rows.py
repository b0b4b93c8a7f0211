"""What a benchmark yields, and how two ways are compared: samples in turns, medians of ratios.

Knows nothing of what is measured. Imports nothing of this folder.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ENTITIES_PER_SECOND = "entities/s"
TIMES = "x"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        name: What was measured; the same in every run.
        value: The figure.
        unit: Its unit; ``x`` is a ratio, of which more is better.
        target: What it should be at least (a ratio) or at most (anything else), if anything.
        peer: What it is compared with, if with anything.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    peer: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure, and where files may be put meanwhile.

    Attributes:
        rounds: How often each way has its turn.
        seconds: How long a turn is, at least.
        folder: A directory of this run's own.
        say: Prints a remark below the table, such as why rows are missing.
        quick: Whether a rough figure soon is better than a good one later.
    """

    rounds: int
    seconds: float
    folder: Path
    say: Callable[[str], None]
    quick: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn of one way.

    Attributes:
        entities: How many were delivered, all of them checked.
        seconds: How long that took.
        cpu: Seconds of processor time that the measured process took for it.
    """

    entities: int
    seconds: float
    cpu: float

    @property
    def wall_each(self) -> float:
        """Seconds for an entity."""
        return self.seconds / self.entities

    @property
    def cpu_each(self) -> float:
        """Seconds of processor time for an entity."""
        return self.cpu / self.entities


Samples = Mapping[str, list[Sample]]


def in_turns(ways: Mapping[str, Callable[[], Sample]], rounds: int) -> Samples:
    """Give every way its turn in every round, so that whatever else runs hits all alike.

    Args:
        ways: What takes one sample, by name.
        rounds: How many samples of each; one more before them warms up and does not count.
    """
    for way in ways.values():
        way()
    taken: dict[str, list[Sample]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(way())
    return taken


def speeds(title: str, samples: Samples) -> Iterator[Row]:
    """How fast each way is.

    Args:
        title: What all of them do.
        samples: From ``in_turns``.
    """
    for name, taken in samples.items():
        speed = statistics.median(1 / each.wall_each for each in taken)
        yield Row(f"{title}, {name}", round(speed), ENTITIES_PER_SECOND)
        cpu = statistics.median(each.cpu_each for each in taken)
        yield Row(f"{title}, {name}, processor", round(cpu * 1e6, 2), "us/entity")


def ratios(
    title: str, ours: list[Sample], theirs: list[Sample], peer: str, target: float | None = None
) -> Iterator[Row]:
    """How many times faster one way is: the median of the rounds' ratios.

    Args:
        title: What both do.
        ours: The samples that are to be fast.
        theirs: The peer's, taken in turns with them.
        peer: The peer's name.
        target: For the ratio by the clock on the wall.
    """
    pairs = list(zip(ours, theirs, strict=True))
    wall = statistics.median(their.wall_each / our.wall_each for our, their in pairs)
    yield Row(f"{title} vs {peer}", round(wall, 2), TIMES, target, peer)
    cpu = statistics.median(their.cpu_each / our.cpu_each for our, their in pairs)
    yield Row(f"{title} vs {peer}, processor", round(cpu, 2), TIMES, None, peer)
