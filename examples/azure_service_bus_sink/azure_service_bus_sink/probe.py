"""Asks a namespace whether it would take messages, and sends none.

Runs on the event loop of ``bus``. Imports ``lane``.
"""

from __future__ import annotations

import time

from azure.servicebus import exceptions
from azure.servicebus.aio import ServiceBusClient
from sesam_connector_sdk import TargetRefusedUs

from .lane import Lane

NOBODYS = "sesam-sink-probe"
"""What is asked for where no queue or topic is known; that there is none of that name is fine."""

_OF_THE_QUEUE = (
    exceptions.MessagingEntityNotFoundError,
    exceptions.MessagingEntityDisabledError,
)
_OF_THE_KEY = (
    exceptions.ServiceBusAuthenticationError,
    exceptions.ServiceBusAuthorizationError,
)


async def probe(client: ServiceBusClient, destination: str | None, timeout: float) -> None:
    """Connect, put a token, attach a link, and close it all again; beside what is being sent.

    A queue or topic that is not there is no failure: the namespace has answered, and only the
    pipes that name it must hear of it. Where no name is known the credentials cannot be judged: a
    key for one queue is refused for any other.

    Args:
        client: The official client.
        destination: A queue or topic that the credentials are for; None if none is known.
        timeout: Seconds to open. Closing may take 2 more.

    Raises:
        TargetUnavailable: The namespace is away, or does not answer in time.
        TargetRefusedUs: It refuses the credentials.
        Throttled: It asks for a pause.
    """
    lane = Lane(client, destination or NOBODYS, timeout)
    try:
        await lane.new_batch(time.monotonic() + timeout)
    except TargetRefusedUs as refused:
        spared = _OF_THE_QUEUE if destination else (*_OF_THE_QUEUE, *_OF_THE_KEY)
        if not isinstance(refused.__cause__, spared):
            raise
    finally:
        await lane.close()
