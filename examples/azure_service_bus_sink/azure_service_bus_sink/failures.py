"""What each failure of the official client means to the hub.

One table, walked by a test over every exception class of the client. Imports nothing of the sink.
"""

from __future__ import annotations

import asyncio
import re

from azure.core import exceptions as core
from azure.servicebus import exceptions as bus
from sesam_connector_sdk import (
    ConnectorError,
    OutcomeUnknown,
    Rejected,
    TargetRefusedUs,
    TargetUnavailable,
    Throttled,
)

_RECEIVER_ONLY = "Service Bus answered a send with an error that belongs to receiving."

FAILURES: dict[type[Exception], tuple[type[ConnectorError], str]] = {
    # What a batch can be refused for. Alone, the hub finds out which entity is meant.
    bus.MessageSizeExceededError: (Rejected, "Service Bus says that this is too large."),
    # What the target says about us.
    bus.ServiceBusAuthenticationError: (
        TargetRefusedUs,
        "Service Bus does not accept the credentials. Check the key's name and value.",
    ),
    bus.ServiceBusAuthorizationError: (
        TargetRefusedUs,
        "The credentials may not send here. They need the Send claim on this queue or topic.",
    ),
    core.ClientAuthenticationError: (
        TargetRefusedUs,
        "Entra gives no token. Check the identity that the container runs with.",
    ),
    bus.MessagingEntityNotFoundError: (
        TargetRefusedUs,
        "There is no such queue or topic in the namespace. Create it, or mend the pipe's url.",
    ),
    bus.MessagingEntityDisabledError: (
        TargetRefusedUs,
        "The queue or topic is disabled for sending. Enable it in the Azure portal.",
    ),
    # What passes.
    bus.ServiceBusServerBusyError: (Throttled, "Service Bus throttles the namespace."),
    bus.ServiceBusQuotaExceededError: (
        TargetUnavailable,
        "The queue or topic is full, or the namespace has too many connections.",
    ),
    bus.ServiceBusConnectionError: (
        TargetUnavailable,
        "There is no connection to Service Bus, or it broke. If it lasts, check the namespace and"
        " the network.",
    ),
    bus.ServiceBusCommunicationError: (TargetUnavailable, "Service Bus cannot be reached."),
    core.ServiceRequestError: (TargetUnavailable, "Entra cannot be reached."),
    ConnectionError: (TargetUnavailable, "The connection to Service Bus broke."),
    # What leaves the outcome open.
    bus.OperationTimeoutError: (OutcomeUnknown, "Service Bus did not acknowledge in time."),
    asyncio.TimeoutError: (OutcomeUnknown, "Service Bus did not acknowledge in time."),
    # What a sender should never see; nothing is known then, so nothing is claimed.
    bus.MessageAlreadySettled: (OutcomeUnknown, _RECEIVER_ONLY),
    bus.MessageLockLostError: (OutcomeUnknown, _RECEIVER_ONLY),
    bus.MessageNotFoundError: (OutcomeUnknown, _RECEIVER_ONLY),
    bus.SessionLockLostError: (OutcomeUnknown, _RECEIVER_ONLY),
    bus.SessionCannotBeLockedError: (OutcomeUnknown, _RECEIVER_ONLY),
    bus.AutoLockRenewFailed: (OutcomeUnknown, _RECEIVER_ONLY),
    bus.AutoLockRenewTimeout: (OutcomeUnknown, _RECEIVER_ONLY),
    bus.MessagingEntityAlreadyExistsError: (OutcomeUnknown, _RECEIVER_ONLY),
    # The client's root, for conditions that it has no class for.
    bus.ServiceBusError: (TargetUnavailable, "Service Bus could not take the messages."),
}

_NEVER = frozenset(
    {
        "amqp:not-allowed",
        "amqp:decode-error",
        "amqp:invalid-field",
        "com.microsoft:argument-error",
        "com.microsoft:argument-out-of-range",
    }
)
"""Conditions without a class of their own that say the messages themselves are wrong."""

_CONDITION = re.compile(r"Error condition: ([a-z.:-]{1,60})\.")


def translate(error: Exception) -> ConnectorError | None:
    """The SDK's error for one of the client's, or None for what the client never promised.

    Args:
        error: What a call of the client raised.
    """
    found = _CONDITION.search(str(error))
    condition = found[1] if found else ""
    if type(error) is bus.ServiceBusError and condition in _NEVER:
        return Rejected(f"Service Bus refuses the messages ({condition}).")
    for kind in type(error).__mro__:
        if kind in FAILURES:
            answer, text = FAILURES[kind]
            # The condition is a symbol of AMQP; the target's free text is never passed on.
            return answer(f"{text} ({condition})" if condition else text)
    return None
