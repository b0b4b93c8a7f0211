"""The table of failures: every class of the client's has a row, and every row its status."""

from __future__ import annotations

import asyncio
import inspect

import pytest
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

from azure_service_bus_sink.failures import FAILURES, translate

FREE_TEXT = "free-text-canary of the target, TrackingId:51, key=secret"
CLASSES = [
    found
    for _, found in inspect.getmembers(bus, inspect.isclass)
    if issubclass(found, Exception) and found.__module__ == bus.__name__
]
STATUSES: dict[type[Exception], int] = {
    bus.MessageSizeExceededError: 422,
    bus.ServiceBusAuthenticationError: 502,
    bus.ServiceBusAuthorizationError: 502,
    bus.MessagingEntityNotFoundError: 502,
    bus.MessagingEntityDisabledError: 502,
    bus.ServiceBusServerBusyError: 429,
    bus.ServiceBusQuotaExceededError: 503,
    bus.ServiceBusConnectionError: 503,
    bus.ServiceBusCommunicationError: 503,
    bus.ServiceBusError: 503,
    bus.OperationTimeoutError: 504,
    bus.MessageAlreadySettled: 504,
    bus.MessageLockLostError: 504,
    bus.MessageNotFoundError: 504,
    bus.SessionLockLostError: 504,
    bus.SessionCannotBeLockedError: 504,
    bus.AutoLockRenewFailed: 504,
    bus.AutoLockRenewTimeout: 504,
    bus.MessagingEntityAlreadyExistsError: 504,
    core.ClientAuthenticationError: 502,
    core.ServiceRequestError: 503,
    ConnectionError: 503,
    asyncio.TimeoutError: 504,
}


def raised(kind: type[Exception], condition: str | None = None) -> Exception:
    """An exception as the client raises it, with the target's own words in it."""
    if issubclass(kind, bus.MessageAlreadySettled):
        return kind(action=FREE_TEXT)
    if issubclass(kind, bus.ServiceBusError):
        return kind(message=FREE_TEXT, condition=condition)
    return kind(FREE_TEXT)


def answer(error: Exception) -> ConnectorError:
    """What becomes of an exception; there must be something."""
    found = translate(error)
    assert found is not None
    return found


def test_the_client_still_has_the_classes_that_are_known() -> None:
    """The walk finds classes at all: an empty one would prove nothing."""
    assert len(CLASSES) >= 19


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_of_the_client_has_a_row_of_its_own(kind: type[Exception]) -> None:
    """A class that the client gains is a decision to take, not a case for its base's row.

    Seen to fail when a row is taken out.
    """
    assert kind in FAILURES
    assert kind in STATUSES


@pytest.mark.parametrize("kind", FAILURES, ids=lambda kind: kind.__name__)
def test_every_row_has_its_status(kind: type[Exception]) -> None:
    """The status of each row is the one that was decided; the target's words are left out.

    Seen to fail when two rows are swapped, and when the exception's text is passed on.
    """
    found = answer(raised(kind))
    assert found.status == STATUSES[kind]
    assert "canary" not in found.detail
    assert found.detail.endswith(".")


@pytest.mark.parametrize("kind", [Throttled, TargetUnavailable])
def test_what_passes_says_when_to_come_back(kind: type[ConnectorError]) -> None:
    """Every row that asks the hub to wait says how long."""
    rows = [row for row, (answered, _) in FAILURES.items() if answered is kind]
    assert rows
    for row in rows:
        assert answer(raised(row)).retry_after


@pytest.mark.parametrize(
    "condition",
    [
        "amqp:not-allowed",
        "amqp:decode-error",
        "amqp:invalid-field",
        "com.microsoft:argument-error",
        "com.microsoft:argument-out-of-range",
    ],
)
def test_a_condition_that_blames_the_messages_is_never_retried(condition: str) -> None:
    """Conditions without a class that say the messages are wrong are 422, and are named.

    Seen to fail when a condition is taken out of the list.
    """
    found = answer(raised(bus.ServiceBusError, condition))
    assert isinstance(found, Rejected)
    assert condition in found.detail
    assert "canary" not in found.detail


@pytest.mark.parametrize("condition", ["amqp:internal-error", "com.microsoft:brand-new", ""])
def test_a_condition_that_nobody_knows_is_retried(condition: str) -> None:
    """An unknown condition is no reason to give up on an entity."""
    assert isinstance(answer(raised(bus.ServiceBusError, condition)), TargetUnavailable)


def test_a_condition_of_a_known_class_does_not_change_its_row() -> None:
    """The class decides, not the condition, where the client has a class."""
    error = raised(bus.ServiceBusAuthorizationError, "amqp:not-allowed")
    assert isinstance(answer(error), TargetRefusedUs)


@pytest.mark.parametrize(
    "text", ["payload-canary", "a b", "x" * 200, "A:B", "amqp:x\r\nSet-Cookie:y"]
)
def test_only_a_symbol_is_taken_for_a_condition(text: str) -> None:
    """What stands in a condition's place but is none is not passed on."""
    detail = answer(bus.ServiceBusError(f"{FREE_TEXT} Error condition: {text}!")).detail
    assert detail == FAILURES[bus.ServiceBusError][1]


def test_a_subclass_goes_by_its_nearest_row() -> None:
    """Classes below the known ones are covered: Python's own timeout and refused connections."""
    assert isinstance(answer(TimeoutError()), OutcomeUnknown)
    assert isinstance(answer(ConnectionRefusedError()), TargetUnavailable)


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), core.HttpResponseError("x")])
def test_what_the_client_never_promised_is_a_bug(error: Exception) -> None:
    """Everything else is left to the SDK, which answers 500 and logs where it happened."""
    assert translate(error) is None
