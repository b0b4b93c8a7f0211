"""What became of every entity of a run. Counts answers; knows no HTTP and no policy."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Fate(enum.Enum):
    """How an entity ended."""

    DELIVERED = "delivered"
    DEAD_LETTERED = "dead-lettered"
    FAILED = "failed"
    NOT_SENT = "not sent"


@dataclass(slots=True)
class Account:
    """One entity of the source.

    Attributes:
        position: Zero-based position in the source.
        id: Its ``_id``; several versions of an entity share it.
        sent: How many requests held it.
        delivered: How many of them were answered 2xx.
        dead_lettered: Whether the hub gave it up into the dead letter dataset.
        reason: Why it last failed, or None: whether that was only together with others, the status
            or what broke the contact, and what the connector said.
    """

    position: int
    id: str
    sent: int = 0
    delivered: int = 0
    dead_lettered: bool = False
    reason: str | None = None

    @property
    def fate(self) -> Fate:
        """How it ended. An answer 2xx counts most, whatever happened before or after."""
        if self.delivered:
            return Fate.DELIVERED
        if self.dead_lettered:
            return Fate.DEAD_LETTERED
        return Fate.FAILED if self.sent else Fate.NOT_SENT


class Ledger:
    """The accounts of a run, in the order of the source.

    Args:
        ids: The ``_id`` of each entity.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.accounts = [Account(position, each) for position, each in enumerate(ids)]

    def answered(self, positions: Sequence[int], failure: str | None) -> None:
        """A request was sent, and answered or not.

        Args:
            positions: The entities it held.
            failure: Why it failed; None if it was answered 2xx.
        """
        count = len(positions)
        shared = f"only as part of a batch of {count}: " if count > 1 else ""
        for account in (self.accounts[each] for each in positions):
            account.sent += 1
            account.delivered += failure is None
            account.reason = f"{shared}{failure}" if failure else account.reason

    def dead_letter(self, position: int) -> None:
        """The hub gave an entity up into the dead letter dataset."""
        self.accounts[position].dead_lettered = True

    def counts(self) -> Counter[Fate]:
        """How many entities ended how."""
        return Counter(account.fate for account in self.accounts)

    def undelivered(self) -> list[Account]:
        """The entities that no request answered 2xx held."""
        return [account for account in self.accounts if account.fate is not Fate.DELIVERED]
