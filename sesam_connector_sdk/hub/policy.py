"""How often, and when, the hub tries again: a pure function of the configuration and a status.

Imports nothing of the SDK. Sources: Sesam's pages ``configuration-pump`` for the properties and
their defaults, ``configuration-systems-url`` for ``retry_strategy``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do after one kind of failure.

    Attributes:
        batch_retries: How often a batch is sent again.
        write_retry_delay: Seconds to wait before something is sent again.
        max_retries_per_entity: How often a single entity is sent again.
        max_write_errors_in_retry_dataset: How many failed entities the hub keeps for later; 0
            turns the retries of single entities off, and dead letters with them.
        max_consecutive_write_errors: The run ends at so many failed entities in a row.
    """

    batch_retries: int = 3
    write_retry_delay: float = 0
    max_retries_per_entity: int = 5
    max_write_errors_in_retry_dataset: int = 0
    max_consecutive_write_errors: int = 1

    @property
    def keeps_failed_entities(self) -> bool:
        """Whether a failed entity may be tried again, or become a dead letter."""
        return self.max_write_errors_in_retry_dataset > 0

    @property
    def entity_retries(self) -> int:
        """How often a single entity is really sent again."""
        return self.max_retries_per_entity if self.keeps_failed_entities else 0


_PROPERTIES = tuple(Policy.__dataclass_fields__)


def policy_for(
    pump: Mapping[str, Any], strategy: Mapping[str, Mapping[str, Any]], status: int | None
) -> Policy:
    """What to do after an answer.

    A property that the pump sets wins, then the system's ``retry_strategy`` for the status, then
    the default. The entry for a status is used whole: what it leaves out is not taken from
    ``default``. (The documentation does not say; ``default`` is "for all status codes that are not
    specified in the strategy".)

    Args:
        pump: The properties that the pipe's pump sets.
        strategy: The system's ``retry_strategy``.
        status: The answer's status; None if there was no answer, to which no strategy applies.
    """
    chosen = {**_entry(strategy, status), **pump}
    values = {name: chosen[name] for name in _PROPERTIES if name in chosen}
    if "write_retry_delay" in values:
        values["write_retry_delay"] = float(values["write_retry_delay"])
    return Policy(**values)


def _entry(strategy: Mapping[str, Mapping[str, Any]], status: int | None) -> Mapping[str, Any]:
    if status is None:
        return {}
    fitting = [(width, key) for key in strategy if (width := _width(key, status)) is not None]
    # The narrowest range wins, so that "429" may stand beside "400-499"; min keeps the first.
    best = min(fitting, default=(0, "default"), key=lambda each: each[0])[1]
    return strategy.get(best, {})


def _width(key: str, status: int) -> int | None:
    """How many statuses the part of a key spans that holds the status; None if none does."""
    if key == "default":
        return None
    for part in key.split(","):
        first, _, last = part.strip().partition("-")
        low, high = int(first), int(last or first)
        if low <= status <= high:
            return high - low
    return None
