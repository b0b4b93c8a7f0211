"""What nobody may see reaches whom it is for, and is in no log, no answer and no output."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from contextlib import closing

import pytest
from service_bus_emulator import Emulator

from .processes import process
from .support import (
    CANARY,
    HEADERS,
    KEY,
    PATIENCE,
    assert_silent,
    bodies,
    by_connection_string,
    encoded,
    variables,
)


@pytest.mark.parametrize("credentials", [variables, by_connection_string])
def test_key_password_and_payload_go_in_and_do_not_come_out(
    emulator: Emulator, queue: str, credentials: Callable[..., dict[str, str]]
) -> None:
    """Service Bus takes the key, the sink the password, and the queue has the payload.

    All requests of these tests have these three. A process that has told one fails its test.
    """
    batch = [{"_id": "1", "text": CANARY}]
    with process(credentials(emulator, LOG_LEVEL="DEBUG")) as sink:
        assert sink.post(f"/{queue}", batch).status == 200
        assert sink.post(f"/{queue}", batch, Authorization="Basic eDp5").status == 401
        with closing(http.client.HTTPConnection("127.0.0.1", sink.port, PATIENCE)) as connection:
            connection.request("POST", f"/{queue}?code={CANARY}", encoded(batch)[:-1], HEADERS)
            assert connection.getresponse().status == 400
    assert emulator.key == KEY
    assert bodies(emulator, queue) == [encoded(batch)[1:-1]]


@pytest.mark.parametrize("secret", [KEY, HEADERS["Authorization"]], ids=["it", "base64"])
def test_a_secret_that_is_told_is_found(secret: str) -> None:
    """As it is, and as it stands in a header; the failure does not tell it again."""
    with pytest.raises(pytest.fail.Exception) as failure:
        assert_silent(f"INFO x: ready\nINFO x: {secret}\n", "its log")

    assert str(failure.value) == "a secret is in line 2 of its log"
