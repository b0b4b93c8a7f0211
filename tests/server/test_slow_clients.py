"""Clients that send or read too slowly lose their connection, and nobody else loses anything."""

from __future__ import annotations

import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.notes import PATIENCE_SECONDS
from tests.wire import Client, eventually, read_reply

from .hostile import GOOD, dripping, good, process, rest, served

TIMEOUT = 1.0
"""Seconds that a client has. What must happen after them is waited for, however long it takes."""

IN_THE_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nX-A: "
IN_THE_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
IN_A_CHUNK = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"
BEFORE_ALL = b"P"


@pytest.mark.parametrize("connections", [200, 60], ids=["room-for-all", "more-than-connections"])
def test_a_hundred_slow_senders_lose_their_connections_and_nobody_else(connections: int) -> None:
    """A byte now and then, in the head or the body: each is gone once its time is over.

    A good request is answered all the same, also where they take every connection.
    Seen to fail when only idle connections are dropped, as waitress does by itself.
    """
    with served(client_timeout=TIMEOUT, connections=connections) as server:
        began = time.monotonic()
        with dripping(
            server.client, 100, IN_THE_HEAD, IN_THE_BODY, IN_A_CHUNK, BEFORE_ALL
        ) as senders:
            assert good(server.client).status == 200
            eventually(lambda: not senders, "every slow connection is dropped")
            assert time.monotonic() - began >= TIMEOUT
            assert good(server.client).status == 200

        inside = server.server._server
        eventually(lambda: not inside.active_channels, "nothing of them is left")


def test_a_good_request_does_not_wait_for_slow_senders() -> None:
    """A hundred drip on, and it is answered. Seen to fail when there is room for sixty only."""
    with (
        served(client_timeout=600.0, connections=200) as server,
        dripping(server.client, 100, IN_THE_HEAD, IN_THE_BODY, IN_A_CHUNK, BEFORE_ALL) as senders,
    ):
        assert good(server.client).status == 200
        assert len(senders) == 100


@pytest.mark.parametrize("first", [b"", GOOD], ids=["silent", "after-a-request"])
def test_clients_that_send_nothing_make_room_when_every_connection_is_taken(first: bytes) -> None:
    """Whether they have ever sent anything or not.

    Seen to fail when they stay for the two minutes that waitress gives them.
    """
    with served(client_timeout=TIMEOUT, connections=20) as server, ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(server.client.connect()).sendall(first)

        assert good(server.client).status == 200


@pytest.mark.parametrize("drop", [b"\r\n", b"\r\n\r\n", b"\r\n" * 50])
def test_clients_that_send_empty_lines_make_room(drop: bytes) -> None:
    """They are no requests, so none of them gives a connection more time.

    Seen to fail when each two of them are a request with a time of its own, as waitress has it.
    """
    with (
        served(client_timeout=TIMEOUT, connections=20) as server,
        dripping(server.client, 40, drop, drop=drop) as senders,
    ):
        assert good(server.client).status == 200
        eventually(lambda: not senders, "every one of them is dropped")


def test_a_slow_sender_who_is_done_in_time_is_answered() -> None:
    """Each request has its own time, also the second one on a connection."""
    with served(client_timeout=TIMEOUT) as server, server.client.connect() as connection:
        pace = threading.Event()
        for _ in range(3):
            for at in range(0, len(GOOD), 8):
                connection.sendall(GOOD[at : at + 8])
                pace.wait(0.1)  # how slow it is
            assert read_reply(connection).status == 200


def small_window(client: Client) -> socket.socket:
    """A connection whose client buffers little of what it is sent."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(PATIENCE_SECONDS)
    connection.connect((client.host, client.port))
    return connection


@pytest.mark.parametrize("threads", [30, 12], ids=["threads-left", "threads-exhausted"])
def test_stalled_readers_lose_their_connections_and_nobody_else(threads: int) -> None:
    """Twenty that ask for much and take nothing: each holds a thread, for its time at most.

    Seen to fail when stalled readers are left alone, and when they are told to close by a flag: the
    loop never gets to write to them.
    """
    with served(client_timeout=TIMEOUT, threads=threads) as server, ExitStack() as stack:
        readers = [stack.enter_context(small_window(server.client)) for _ in range(20)]
        for each in readers:
            each.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        assert good(server.client).status == 200
        inside = server.server._server
        eventually(lambda: not inside.active_channels, "every stalled connection is dropped")
        came = rest(readers[0])
        assert came.startswith(b"HTTP/1.1 200 OK")
        assert len(came) < server.pieces * 2**20
        with ThreadPoolExecutor(threads) as pool:  # every thread is free again
            replies = list(pool.map(lambda _: good(server.client).status, range(threads)))
        assert replies == [200] * threads


def test_a_reader_that_makes_progress_is_served_to_the_end() -> None:
    """However long it takes. Seen to fail when the answer as a whole has to be taken in time."""
    with served(client_timeout=TIMEOUT) as server, small_window(server.client) as reader:
        server.pieces = 18
        pace = threading.Event()
        began, size = time.monotonic(), 0
        reader.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while came := reader.recv(65536):
            size += len(came)
            pace.wait(len(came) / 6e6)  # how slow it is: 6 MB a second
        assert size > server.pieces * 2**20
        assert time.monotonic() - began > 2.5 * TIMEOUT


def test_slow_senders_do_not_keep_a_process_from_its_end(tmp_path: Path) -> None:
    """SIGTERM ends it within DRAIN_TIMEOUT, with 1: their requests were begun and not answered."""
    with process(tmp_path / "process", DRAIN_TIMEOUT="1") as connector:
        client = connector.listening()
        with dripping(client, 20, IN_THE_HEAD, IN_THE_BODY, IN_A_CHUNK) as senders:
            assert client.post([{"_id": "1"}]).status == 200

            assert connector.end(signal.SIGTERM) == 1
            eventually(lambda: not senders, "their connections are gone")
    assert "stopped with unfinished requests after 1.0 s" in connector.output()


def test_slow_senders_whose_time_is_over_leave_the_end_clean(tmp_path: Path) -> None:
    """Once they are dropped, nothing unfinished is left."""
    with process(tmp_path / "process", CLIENT_TIMEOUT="1", DRAIN_TIMEOUT="60") as connector:
        client = connector.listening()
        with dripping(client, 20, IN_THE_HEAD, IN_THE_BODY) as senders:
            eventually(lambda: not senders, "their connections are gone")

        assert connector.end(signal.SIGTERM) == 0
