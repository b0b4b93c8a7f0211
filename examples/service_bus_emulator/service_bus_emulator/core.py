"""What all connections of one server share: entities, faults, access, and who is connected.

Belongs here: state, and the rules of access. Imports `broker`, `faults`, `sas`; what is on the
wire it knows only through the small protocol `OpenLink`.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from service_bus_emulator import sas
from service_bus_emulator.broker import Broker, UnknownEntityError
from service_bus_emulator.faults import (
    ActionFault,
    CloseIdle,
    DetachIdle,
    Fault,
    FaultBook,
    LoseCredentials,
)
from service_bus_emulator.queues import Counters
from service_bus_emulator.specs import entity_path

CONTROL = "$control"


def now() -> float:
    """Return the time in seconds since 1970 UTC."""
    return time.time()


class OpenLink(Protocol):
    """An open link, as far as counting and faults that hit idle links need it."""

    entity: str
    """Path of the entity in lower case."""

    counters: Counters
    """What is counted for the entity."""

    def detach(self, condition: str | None, description: str) -> None:
        """Detach the link, with an error if there is a condition."""

    def close_connection(self, condition: str, description: str) -> None:
        """Close the connection of the link."""

    def reset_connection(self) -> None:
        """Reset the TCP connection of the link."""


class LoopClock:
    """The time of day, and wake-up calls from the running event loop."""

    def now(self) -> float:
        """Return seconds since 1970 UTC."""
        return now()

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back at a time, in seconds since 1970 UTC."""
        asyncio.get_running_loop().call_later(max(0.0, when - now()), callback)


@dataclass(frozen=True)
class Access:
    """Who may connect. The key is kept out of `repr`."""

    key_name: str
    key: str = field(repr=False)
    accept_jwt: bool = False
    """Whether any token that is not a shared access signature is taken for a valid one."""

    def check_token(self, token: str, audience: str) -> float:
        """Check the token of a put-token request.

        Returns:
            When it expires, in seconds since 1970 UTC.

        Raises:
            TokenRefused: It gives no access.
        """
        if token.startswith(sas.PREFIX):
            return sas.verify(token, audience, self.key_name, self.key, now())
        if self.accept_jwt and token:
            return float("inf")
        raise sas.TokenRefused("InvalidToken: only shared access signatures are accepted.")

    def check_password(self, name: str, password: str) -> bool:
        """Check key name and key given by SASL PLAIN."""
        same_name = hmac.compare_digest(name.encode(), self.key_name.encode())
        return hmac.compare_digest(password.encode(), self.key.encode()) and same_name


@dataclass
class Core:
    """The shared state of one server."""

    broker: Broker
    access: Access
    idle_timeout: float = 240.0
    """Seconds without a byte after which a connection is closed."""

    max_frame_size: int = 65_536
    """Bytes the largest frame may have that clients send, as in Azure."""

    faults: FaultBook = field(default_factory=FaultBook)
    links: dict[OpenLink, int] = field(default_factory=dict)
    """Every open link, and the number of its connection."""

    def opened(self, link: OpenLink, connection: int) -> None:
        """Count a link that was attached."""
        link.counters.links_open += 1
        link.counters.links_total += 1
        link.counters.connections_total += not self._connected(link.entity, connection)
        self.links[link] = connection

    def closed(self, link: OpenLink) -> None:
        """Count a link that ended."""
        if self.links.pop(link, None) is not None:
            link.counters.links_open -= 1

    def _connected(self, entity: str, connection: int) -> bool:
        pairs = ((link.entity, number) for link, number in self.links.items())
        return (entity, connection) in pairs

    def connections_open(self, entity: str) -> int:
        """Return how many connections have an open link to an entity."""
        return len({number for link, number in self.links.items() if link.entity == entity})

    def inject(self, address: str, fault: Fault) -> None:
        """Have a fault on an entity.

        Raises:
            UnknownEntityError: There is no such entity.
        """
        entity = self.fault_key(address)
        if not isinstance(fault, ActionFault):
            self.faults.add(entity, fault)
            return
        for link in [link for link in self.links if link.entity == entity]:
            _hit(link, fault)

    def clear_faults(self, address: str) -> None:
        """Forget the faults of an entity.

        Raises:
            UnknownEntityError: There is no such entity.
        """
        self.faults.clear(self.fault_key(address))

    def fault_key(self, address: str) -> str:
        """Return the name under which an entity's faults are kept."""
        return self.broker.find(address).path.lower()

    def loses_credentials(self, audience: str) -> bool:
        """Return whether a token for this audience is to be refused by an injected fault."""
        path = entity_path(audience).lower().removesuffix("/$management")
        try:
            key = self.fault_key(path)
        except UnknownEntityError:
            return False
        return self.faults.take(key, LoseCredentials) is not None


def _hit(link: OpenLink, fault: ActionFault) -> None:
    if isinstance(fault, DetachIdle):
        link.detach(fault.condition, fault.description)
    elif isinstance(fault, CloseIdle):
        link.close_connection(fault.condition, fault.description)
    else:
        link.reset_connection()
