"""What nobody may see reaches whom it is for, and is in no log, no answer and no output."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from .support import CANARY, HEADERS, PASSWORD, Place, assert_silent, serving


def test_address_password_and_payload_go_in_and_do_not_come_out(place: Place) -> None:
    """The database takes the address, the connectors the password; the payload is in the table.

    All requests of these tests have these three. A process that has told one fails its test.
    """
    batch = [{"_id": "1", "text": CANARY}]
    with serving(place.variables(LOG_LEVEL="DEBUG")) as server:
        assert server.post(place.path, batch, {"code": CANARY}).status == 200
        assert server.get(place.path, since=1, code=CANARY).document[0]["text"] == CANARY
        assert server.post(place.path, [{"_id": 1, "text": CANARY}]).status == 422
    assert json.loads(place.rows()["1"]["entity"]) == {"text": CANARY}
    assert CANARY in place.url
    if not place.is_postgresql:
        assert Path(place.url.removeprefix("sqlite:///")).exists()


def test_the_database_asks_for_its_password(postgresql: str) -> None:
    """Without the right one nobody is let in: who is has given it."""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgresql.replace(PASSWORD, "another"))


def test_the_connectors_ask_for_theirs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it every request is answered 401."""
    with serving(place.variables()) as server:
        monkeypatch.delitem(HEADERS, "Authorization")
        assert [server.post(place.path, []).status, server.get(place.path).status] == [401, 401]


@pytest.mark.parametrize("secret", [PASSWORD, HEADERS["Authorization"]], ids=["it", "base64"])
def test_a_secret_that_is_told_is_found(secret: str) -> None:
    """As it is, and as it stands in a header; the failure does not tell it again."""
    with pytest.raises(pytest.fail.Exception) as failure:
        assert_silent(f"INFO x: ready\nINFO x: {secret}\n", "its log")

    assert str(failure.value) == "a secret is in line 2 of its log"
