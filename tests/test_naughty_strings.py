"""Strings that break programs, in every place where somebody can put one, against a real process.

A place is a line of ``PLACES``; the strings are those of ``naughty.py``.
"""

from __future__ import annotations

import base64
import json
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.naughty import NAUGHTY
from tests.server.hostile import process
from tests.wire import Reply, notes

STRINGS = dict.fromkeys(text for texts in NAUGHTY.values() for text in texts)
SOURCES = Path(__file__).resolve().parent / "sources.py"
CREDENTIALS = base64.b64encode(b"hub:opens it").decode()
CANARY = "CANARY"
"""Put behind each string where nothing of it may be shown."""


def in_body(entity: Any, *, escaped: bool = True) -> bytes:
    """A request with a batch of one."""
    text = json.dumps([entity], ensure_ascii=escaped)
    return request(body=text.encode("utf-8", "surrogatepass"))


def request(
    path: bytes = b"/",
    *headers: bytes,
    body: bytes = b"[]",
    authorization: bytes = b"Basic " + CREDENTIALS.encode(),
) -> bytes:
    """A request as bytes, so that no client refuses to send it."""
    lines = (
        b"POST " + path + b" HTTP/1.1",
        *(b"Host: x", b"Connection: close", b"Content-Length: %d" % len(body)),
        b"Authorization: " + authorization,
        *headers,
    )
    return b"\r\n".join((*lines, b"", b"")) + body


def in_url(text: str) -> bytes:
    """Percent-encoded, every byte that has a meaning."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="").encode()


def in_header(text: str) -> bytes:
    """As it is, but that it cannot end its own header."""
    return text.encode("utf-8", "surrogatepass").replace(b"\r\n", b"\n")


def basic(text: str) -> bytes:
    """As the user's name and as the password."""
    pair = f"{text}:{text}".encode("utf-8", "surrogatepass")
    return b"Basic " + base64.b64encode(pair)


PLACES: dict[str, Callable[[str], bytes]] = {
    "_id": lambda text: in_body({"_id": text}),
    "_id, not escaped": lambda text: in_body({"_id": text}, escaped=False),
    "route": lambda text: request(b"/" + in_url(text)),
    "pipe": lambda text: request(b"/?pipe_id=" + in_url(text)),
    "sequence": lambda text: request(b"/?sequence_id=" + in_url(text)),
    "request": lambda text: request(b"/?is_full=true&request_id=" + in_url(text)),
    "flag": lambda text: request(b"/?is_last=" + in_url(text)),
    "media type": lambda text: request(b"/", b"Content-Type: a/" + in_header(text)),
}
"""Where a string is shown, escaped and cut short, because somebody has to find what is meant."""

HIDDEN_PLACES: dict[str, Callable[[str], bytes]] = {
    "value": lambda text: in_body({"_id": "value", "x": text}),
    "value, not escaped": lambda text: in_body({"_id": "value", "x": [text]}, escaped=False),
    "key": lambda text: in_body({"_id": "key", text: {text: 1}}),
    "payload of a bug": lambda text: in_body({"_id": "1", "do": "ValueError", "x": text}),
    "body": lambda text: request(body=text.encode("utf-8", "surrogatepass")),
    "query's value": lambda text: request(b"/?since=" + in_url(text)),
    "query's name": lambda text: request(b"/?" + in_url(text) + b"=1&" + in_url(text)),
    "query as it is": lambda text: request(b"/?" + re.sub(rb"[\0-\x20]", b"", in_header(text))),
    "header": lambda text: request(b"/", b"X-Mine: " + in_header(text)),
    "header's name": lambda text: request(b"/", in_header(text) + b": x"),
    "trace": lambda text: request(b"/", b"Traceparent: " + in_header(text)),
    "user and password": lambda text: request(authorization=basic(text)),
    "credentials": lambda text: request(authorization=b"Basic " + in_header(text)),
    "digest": lambda text: request(
        authorization=b'Digest username="'
        + in_header(text)
        + b'", nonce="'
        + in_header(text)
        + b'"'
    ),
}
"""Where nothing of a string is ever shown."""

BUG = "payload of a bug"


@dataclass(frozen=True)
class Told:
    """What a process did with all of them.

    Attributes:
        log_format: The format of its log.
        replies: For each place and string the answer.
        log: Everything that it wrote.
        kept: The entities that the target holds.
    """

    log_format: str
    replies: dict[tuple[str, str], Reply]
    log: str
    kept: list[dict[str, Any]]

    def messages(self) -> list[str]:
        """What each line of the log says."""
        lines = self.log.splitlines()
        if self.log_format == "json":
            return [json.loads(line)["message"] for line in lines]
        return [line.partition(": ")[2] for line in lines]


def sent() -> Iterator[tuple[tuple[str, str], bytes]]:
    """Every string in every place."""
    for text in STRINGS:
        for place, made in PLACES.items():
            yield (place, text), made(text)
        for place, made in HIDDEN_PLACES.items():
            yield (place, text + CANARY), made(text + CANARY)


def tell(folder: Path, log_format: str, scheme: str) -> Told:
    """All of it, told to a connector that asks for credentials."""
    door = {"AUTHENTICATION": scheme, "AUTH_USERNAME": "hub", "AUTH_PASSWORD": "opens it"}
    with process(folder, ["ObedientSink"], LOG_FORMAT=log_format, **door) as connector:
        client = connector.listening()
        with ThreadPoolExecutor(8) as pool:
            replies = dict(pool.map(lambda each: (each[0], client.raw(each[1])), sent()))
        assert connector.end(signal.SIGTERM) == 0
    return Told(log_format, replies, connector.output(), notes(folder / "notes"))


@pytest.fixture(scope="module", params=["text", "json"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Once in each format of the log."""
    return tell(tmp_path_factory.mktemp("naughty") / "process", request.param, "basic")


def test_no_string_makes_the_connector_fail(told: Told) -> None:
    """Every answer is a receipt or a problem document, and 5xx only where a bug was asked for.

    Seen to fail when the credentials are taken for ASCII without asking whether they are.
    """
    failed = {
        name: reply.status
        for name, reply in told.replies.items()
        if reply.status >= 500 and name[0] != BUG
    }

    assert failed == {}
    assert {reply.status for name, reply in told.replies.items() if name[0] == BUG} == {500, 400}
    for reply in told.replies.values():
        assert ("delivered" in reply.document) == (reply.status == 200)
        assert ("type" in reply.document) == (reply.status != 200)


def test_every_request_has_one_line(told: Told) -> None:
    """However its strings try to end it, and a bug has one more; in JSON, all of it is JSON.

    Seen to fail when line feeds only are escaped, and when a JSON line is not made by json.dumps.
    """
    messages = told.messages()
    bugs = [each for each in messages if each.startswith("bug")]
    requests = [each for each in messages if each.startswith(("POST ", "refused "))]

    assert len(requests) == len(told.replies)
    assert len(bugs) == sum(reply.status == 500 for reply in told.replies.values())
    assert len(messages) == len(requests) + len(bugs) + 2  # it listens, and it stopped


def test_what_is_hidden_is_shown_nowhere(told: Told) -> None:
    """Values, keys, queries, headers, credentials: neither in the log nor in an answer.

    Seen to fail when the query is logged.
    """
    assert CANARY not in told.log
    assert [name for name, reply in told.replies.items() if CANARY.encode() in reply.body] == []
    assert "opens it" not in told.log


def test_what_is_accepted_is_what_was_sent(told: Told) -> None:
    """The target holds each string as it came, as an ``_id``, as a value and as a key."""
    expected = sorted(
        [text for (place, text), reply in told.replies.items() if is_taken(place, reply)],
    )
    found = [each for each in told.kept if each["_id"] not in {"value", "key"}]
    values = {json.dumps(each["x"]) for each in told.kept if each["_id"] == "value"}
    keys = {name for each in told.kept if each["_id"] == "key" for name in each}

    assert sorted(each["_id"] for each in found) == expected
    assert len(expected) > 400
    for (place, text), reply in told.replies.items():
        if reply.status == 200 and place.startswith("value"):
            assert json.dumps(text if place == "value" else [text]) in values
        if reply.status == 200 and place == "key":
            assert text in keys


def is_taken(place: str, reply: Reply) -> bool:
    """Whether a string was taken as an ``_id``."""
    return reply.status == 200 and place.startswith("_id")


def test_wrong_credentials_are_never_a_bug(told: Told) -> None:
    """401, or 400 where they are no header at all, or 431 where they are too long for one."""
    places = ("user and password", "credentials", "digest")
    found = {reply.status for (place, _), reply in told.replies.items() if place in places}

    assert found == {400, 401, 431}


def test_nothing_gets_past_a_digest(tmp_path: Path) -> None:
    """A connector that asks for one takes none of these requests, and shows nothing of them."""
    told = tell(tmp_path / "process", "json", "digest")

    assert {reply.status for reply in told.replies.values()} <= {400, 401, 414, 431}
    assert told.kept == []
    assert CANARY not in told.log + "".join(map(repr, told.replies.values()))
    assert len(told.messages()) == len(told.replies) + 2  # it listens, and it stopped


def get(path: str, name: str, text: str) -> bytes:
    """What the hub would ask of a source, with a string as one of its parameters."""
    target = f"/{path}?{name}=".encode() + in_url(text)
    return b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_string_makes_a_source_fail(log_format: str, tmp_path: Path) -> None:
    """As ``since``, read in each way there is, as ``limit``, as ``subset``: taken, or 400.

    Or 414, where the target gets too long, or 431, where all headers do.

    Seen to fail when what a codec raises is let through.
    """
    asked = {
        (path, name, text): get(path, name, text)
        for path in ("numbers", "moments", "both", "neither")
        for name in ("since", "limit", "subset")
        for text in STRINGS
    }
    with process(tmp_path / "process", [str(SOURCES), "all"], LOG_FORMAT=log_format) as connector:
        client = connector.listening()
        with ThreadPoolExecutor(8) as pool:
            replies = dict(zip(asked, pool.map(client.raw, asked.values()), strict=True))
        assert connector.end(signal.SIGTERM) == 0
    told = Told(log_format, {}, connector.output(), [])

    assert {reply.status for reply in replies.values()} == {200, 400, 414, 431}
    for (_, _, text), reply in replies.items():
        assert text or reply.status == 200, "an empty one is none"
        assert reply.status == 200 or "type" in reply.document
    assert len(told.messages()) == len(asked) + 2  # it listens, and it stopped
