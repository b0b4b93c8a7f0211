"""Whether a connection gets on, turn by turn, and how it ends."""

from __future__ import annotations

import time

from sesam_connector_sdk.server.waitress_hooks.parser import StrictParser
from tests.server.hostile import GOOD, problem, rest
from tests.server.waitress_hooks.stepped import Stepped


def test_waitress_closes_a_channel_that_will_close(stepped: Stepped) -> None:
    """In its own turn, without anything to send."""
    client, channel = stepped.connect()
    with client:
        channel.will_close = True
        stepped.until(lambda: not stepped.server.active_channels)

        assert client.recv(1) == b""


def test_a_request_behind_one_at_work_is_not_slow(stepped: Stepped) -> None:
    """Nobody reads it meanwhile: its time begins when the one before it is answered.

    An empty line after a body is such a beginning, too, and some clients send one. Seen to fail
    when the time counts from the first byte.
    """
    client, channel = stepped.connect()
    with client:
        client.sendall(GOOD.replace(b"GET /good", b"GET /gate") + b"\r\n")
        stepped.until(lambda: channel.request is not None)
        request = channel.request
        assert request is not None
        first = request.started
        channel.requests.append(StrictParser(channel.adj))

        assert channel.is_slow(first + 100, 60) is False
        channel.requests.clear()
        assert channel.is_slow(first + 159, 60) is False
        assert channel.is_slow(first + 161, 60) is True


def test_empty_lines_are_no_request(stepped: Stepped) -> None:
    """They may stay for the time of one, counted from the first, and make room before.

    Seen to fail when a connection on which one has come is busy, and when the last one counts.
    """
    client, channel = stepped.connect()
    with client:
        client.sendall(b"\r\n")
        request = stepped.until(lambda: channel.request)
        request.started -= 50
        client.sendall(b"\r\n")
        stepped.until(lambda: len(request.empty_lines) == 4)

        assert channel.request is request
        assert channel.is_slow(time.monotonic(), 49) is True
        assert channel.is_busy() is False
        assert channel.is_idle(time.time() - 49) is True
        assert channel.is_idle(time.time() - 3600) is False
        assert stepped.server.close_idle() is True


def test_a_request_behind_empty_lines_is_one(stepped: Stepped) -> None:
    """From its first byte on. Seen to fail when its connection stays idle."""
    client, channel = stepped.connect()
    with client:
        client.sendall(b"\r\n")
        request = stepped.until(lambda: channel.request)
        client.sendall(b"GET")
        stepped.until(lambda: request.header_plus)

        assert channel.is_busy() is True
        assert channel.is_idle(time.time() + 100) is False
        client.sendall(GOOD[3:])
        stepped.until(lambda: not channel.is_busy())
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_takes_as_much_as_is_added_is_not_stalled(stepped: Stepped) -> None:
    """The length of what waits is the same then, but not the time of the last byte out.

    Seen to fail when the length alone is compared.
    """
    client, channel = stepped.connect()
    with client:
        channel.total_outbufs_len = 1000
        assert channel.is_stalled(100, 60) is False
        channel.last_activity += 1
        assert channel.is_stalled(200, 60) is False
        assert channel.is_stalled(259, 60) is False
        assert channel.is_stalled(261, 60) is True
        channel.total_outbufs_len = 0
        assert channel.is_stalled(400, 60) is False


def test_a_client_that_never_hangs_up_is_heard_out_for_a_while(stepped: Stepped) -> None:
    """Then its connection is closed like that of a slow one; it makes room before, if need be.

    Seen to fail without that time, and when what it sends makes it anything else than idle.
    """
    client, channel = stepped.connect()
    with client:
        client.sendall(b"bad\r\n\r\n")
        stepped.until(lambda: channel.heard_out_since)
        assert problem(rest(client))["status"] == 400
        assert channel.is_slow(time.monotonic(), 60) is False
        assert channel.is_slow(time.monotonic() + 61, 60) is True
        heard_out_since, before = time.time(), channel.last_activity
        client.sendall(b"GET / HTTP/1.1\r\n")
        stepped.until(lambda: channel.last_activity > before)
        assert not channel.request
        channel.last_activity += 100  # it goes on
        assert channel.is_idle(heard_out_since) is True
