"""The faults the emulator can be told to have: plain values, and the book that counts them.

Belongs here: what faults there are and when they are used up. Imports nothing of this package.
What a fault does on the wire is in `misbehaviour` (transfers), `session` (attaching) and `core`.

Every fault but the `...Idle` ones has `times`: how often it happens, `None` for always. Faults of
an entity happen in the order they were injected, the next when the one before is used up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

THROTTLED = "The request was terminated because the entity is being throttled. Error code: 50009."
FORCED = "com.microsoft:detach-forced by an injected fault"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """Anything that can go wrong on command."""

    times: int | None = dataclasses.field(default=1)
    """How often it happens; None for always."""

    def __post_init__(self) -> None:
        """Refuse a number of times that makes no sense."""
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1, or None for always")


class TransferFault(Fault):
    """A fault in the answer to one sent message or batch."""


class ActionFault(Fault):
    """A fault that happens at once to every open link of the entity, and once only."""

    def __post_init__(self) -> None:
        """Refuse any other number of times."""
        if self.times != 1:
            raise ValueError("this fault happens at once, and once only")


@dataclasses.dataclass(frozen=True)
class Reject(TransferFault):
    """Answer "rejected" with a condition of your choice; nothing is stored."""

    condition: str
    description: str = "rejected by an injected fault"


@dataclasses.dataclass(frozen=True)
class Throttle(TransferFault):
    """Answer as a throttled namespace does: rejected with `com.microsoft:server-busy`."""


@dataclasses.dataclass(frozen=True)
class QuotaExceeded(TransferFault):
    """Answer as a full entity does: rejected with `amqp:resource-limit-exceeded`."""


@dataclasses.dataclass(frozen=True)
class Release(TransferFault):
    """Answer with the outcome "released"; nothing is stored."""


@dataclasses.dataclass(frozen=True)
class Modify(TransferFault):
    """Answer with the outcome "modified"; nothing is stored."""


@dataclasses.dataclass(frozen=True)
class ShortReject(TransferFault):
    """Answer "rejected" with an error of two fields instead of three; nothing is stored."""

    condition: str = "com.microsoft:server-busy"
    description: str = "a short error"


@dataclasses.dataclass(frozen=True)
class Detach(TransferFault):
    """Detach the link instead of answering; without a condition without an error."""

    condition: str | None = None
    description: str = FORCED


@dataclasses.dataclass(frozen=True)
class CloseConnection(TransferFault):
    """Close the connection, politely and with an error, instead of answering."""

    condition: str = "amqp:connection:forced"
    description: str = FORCED


@dataclasses.dataclass(frozen=True)
class Reset(TransferFault):
    """Reset the TCP connection instead of answering."""


@dataclasses.dataclass(frozen=True)
class Silence(TransferFault):
    """Never answer; nothing is stored."""


@dataclasses.dataclass(frozen=True)
class AcceptThenDrop(TransferFault):
    """Store the message, then drop the connection before the answer: its fate is unknown."""


@dataclasses.dataclass(frozen=True)
class Delay(TransferFault):
    """Store the message and answer some seconds later; always, unless `times` says otherwise."""

    seconds: float
    times: int | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a negative delay."""
        super().__post_init__()
        if not self.seconds >= 0:
            raise ValueError("seconds must not be negative")


@dataclasses.dataclass(frozen=True)
class DropMidBatch(Fault):
    """Drop the connection at the first frame of a message or batch, before it is stored."""


@dataclasses.dataclass(frozen=True)
class RefuseAttach(Fault):
    """Refuse to attach a link to the entity, sending or receiving."""

    condition: str = "com.microsoft:server-busy"
    description: str = "refused by an injected fault"


@dataclasses.dataclass(frozen=True)
class LoseCredentials(Fault):
    """Answer 401 to the token of whoever wants to use the entity, as if its key were gone."""


@dataclasses.dataclass(frozen=True)
class DetachIdle(ActionFault):
    """Detach every open link of the entity now, as Azure does after ten minutes without use."""

    condition: str | None = "amqp:link:detach-forced"
    description: str = "The link is force detached by the broker: IdleTimerExpired."


@dataclasses.dataclass(frozen=True)
class CloseIdle(ActionFault):
    """Close every connection with an open link to the entity now."""

    condition: str = "amqp:connection:forced"
    description: str = "The connection was inactive for more than the allowed time."


@dataclasses.dataclass(frozen=True)
class ResetIdle(ActionFault):
    """Reset every TCP connection with an open link to the entity now."""


def _names() -> dict[str, type[Fault]]:
    found: dict[str, type[Fault]] = {}
    for value in list(globals().values()):
        if isinstance(value, type) and issubclass(value, Fault) and dataclasses.fields(value):
            if value in (Fault, TransferFault, ActionFault):
                continue
            letters = (f"-{c.lower()}" if c.isupper() else c for c in value.__name__)
            found["".join(letters).lstrip("-")] = value
    return found


NAMES: Mapping[str, type[Fault]] = _names()
"""Every fault by the name it has in JSON, e.g. `accept-then-drop`."""


def from_json(name: str, fields: Mapping[str, Any]) -> Fault:
    """Build a fault from the name and the fields given in a control message.

    Raises:
        ValueError: Unknown name, unknown or missing field, or a value of the wrong type.
    """
    if name not in NAMES:
        raise ValueError(f"no fault is called {name!r}; there are: {', '.join(sorted(NAMES))}")
    kind = NAMES[name]
    allowed = {field.name: field.type for field in dataclasses.fields(kind)}
    for field, value in fields.items():
        if field not in allowed:
            raise ValueError(f"{name} has no field {field!r}")
        if not _fits(value, str(allowed[field])):
            raise ValueError(f"{name}: {field} must be of type {allowed[field]}")
    try:
        return kind(**fields)
    except TypeError:
        raise ValueError(f"{name} lacks a field") from None


def _fits(value: object, declared: str) -> bool:
    if isinstance(value, bool):
        return False
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,)}
    options = [option.strip() for option in declared.split("|")]
    if value is None:
        return "None" in options
    return any(isinstance(value, kinds.get(option, ())) for option in options)


@dataclasses.dataclass
class _Entry:
    fault: Fault
    left: int | None


class FaultBook:
    """Which faults each entity still has to have."""

    def __init__(self) -> None:
        """Start with none."""
        self._entries: dict[str, list[_Entry]] = {}

    def add(self, entity: str, fault: Fault) -> None:
        """Put a fault behind those the entity has already."""
        self._entries.setdefault(entity, []).append(_Entry(fault, fault.times))

    def clear(self, entity: str) -> None:
        """Forget the faults of an entity."""
        self._entries.pop(entity, None)

    def take(self, entity: str, *kinds: type[Fault]) -> Fault | None:
        """Use the first fault of these kinds once; None if there is none."""
        entries = self._entries.get(entity)
        if not entries:
            return None
        entry = next((entry for entry in entries if isinstance(entry.fault, kinds)), None)
        if entry is None:
            return None
        if entry.left is not None:
            entry.left -= 1
            if not entry.left:
                entries.remove(entry)
        return entry.fault
