"""Bodies above MAX_MEMORY_BODY_BYTES: in a file instead of in memory, or refused with a reason."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import waitress.buffers
from waitress.adjustments import Adjustments

from sesam_connector_sdk import ServerSettings
from sesam_connector_sdk.server.waitress_hooks.parser import StrictParser
from sesam_connector_sdk.server.waitress_server import _adjustments
from tests.connectors import Connector, Start
from tests.wire import Client, Reply, ids, read_reply

from .hostile import problem, process, rest

MEGABYTE = 1_000_000
SIZE = 50 * MEGABYTE
LARGE = {"MAX_BODY_BYTES": str(SIZE), "MAX_BUFFERED_BYTES": str(10 * SIZE)}
ENTITY = b'{"_id":"%06d","text":"%b"}'
COUNT = 25_000


def no_files(blocks: int) -> tuple[str, ...]:
    """What runs a program that can write files of so many blocks at most; pipes are not files."""
    # Not measured by coverage, which writes a file of its own.
    unmeasured = ("env", "-u", "COVERAGE_PROCESS_CONFIG", "-u", "COVERAGE_PROCESS_START")
    return (*unmeasured, "sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh")


def pieces(count: int) -> Iterator[bytes]:
    """A body of so many entities of about 2 KB."""
    for at in range(count):
        yield (b"," if at else b"[") + ENTITY % (at, b"x" * 1_960)
    yield b"]"


def post(client: Client, count: int) -> Reply:
    """Send so many entities, never holding them all."""
    length = sum(map(len, pieces(count)))
    with client.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length)
        for piece in pieces(count):
            connection.sendall(piece)
        return read_reply(connection)


class Memory:
    """The memory of a process, as Linux counts it."""

    def __init__(self, connector: Connector) -> None:
        self.folder = Path(f"/proc/{connector.process.pid}")
        if not (self.folder / "clear_refs").exists():
            pytest.skip(f"no {self.folder}/clear_refs: only Linux says what a process has at most")

    def forget(self) -> int:
        """Begin to look for the peak anew; gives what there is now, in bytes."""
        (self.folder / "clear_refs").write_text("5")
        return self._bytes("VmRSS")

    def peak(self) -> int:
        """What there was at most since then, in bytes."""
        return self._bytes("VmHWM")

    def _bytes(self, field: str) -> int:
        for line in (self.folder / "status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field} in {self.folder}/status")


@pytest.mark.parametrize("at_once", [1, 3])
def test_fifty_megabytes_take_little_memory(at_once: int, connector: Start) -> None:
    """A few megabytes for each request, however large its body; every entity is delivered.

    Seen to fail when bodies stay in memory: 50 MB more for each. The bound leaves room for what the
    process itself allocates while it works, and is far below one body.
    """
    found = connector(**LARGE)
    client = found.listening()
    assert post(client, 100).status == 200
    memory = Memory(found)
    before = memory.forget()

    with ThreadPoolExecutor(at_once) as pool:
        replies = list(pool.map(lambda _: post(client, COUNT), range(at_once)))

    assert [each.document["delivered"] for each in replies] == [COUNT] * at_once
    assert memory.peak() - before < 5 * MEGABYTE + at_once * 5 * MEGABYTE
    if at_once == 1:
        assert ids(found.target)[100:] == [f"{at:06}" for at in range(COUNT)]


def began(length: int) -> StrictParser:
    """A parser that has read a head, and takes bodies of up to 100 bytes into memory."""
    settings = ServerSettings(port=0, max_body_bytes=100_000, max_memory_body_bytes=100)
    parser = StrictParser(Adjustments(**_adjustments(settings)), room=lambda: 100_000)
    parser.received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length)
    return parser


@pytest.mark.parametrize(("length", "in_memory"), [(100, True), (101, False)])
def test_a_body_is_in_a_file_from_its_first_byte_if_it_will_not_fit(
    length: int, in_memory: bool
) -> None:
    """The length that the head says decides. Seen to fail when memory is filled up before."""
    parser = began(length)
    parser.received(b"x" * 50)

    stream = parser.get_body_stream()

    assert isinstance(stream, io.BytesIO) == in_memory
    assert stream.read() == b"x" * 50
    parser.close()


def test_a_body_that_grows_out_of_the_memory_goes_to_a_file_whole(connector: Start) -> None:
    """One in chunks, whose length nobody knows: its beginning is not lost on the way."""
    found = connector(**LARGE, MAX_MEMORY_BODY_BYTES="100000")
    with found.listening().connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces(1_000):
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")

        assert read_reply(connection).document == {"delivered": 1_000, "skipped": 0}
    assert ids(found.target) == [f"{at:06}" for at in range(1_000)]


def test_too_large_is_said_before_the_body_is_sent(connector: Start) -> None:
    """413 on the length alone, and on chunks as soon as they are over it, then hung up."""
    client = connector(**LARGE).listening()
    with client.connect() as connection:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (SIZE + 1)
        connection.sendall(head)
        assert problem(rest(connection))["status"] == 413
    with client.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"%x\r\n" % (2 * SIZE))
        for _ in range(SIZE // MEGABYTE):
            connection.sendall(b" " * MEGABYTE)
        connection.sendall(b"xx")
        assert problem(rest(connection))["status"] == 413
    assert client.send(path="/healthz", method="GET").status == 200


def test_no_place_for_files_is_a_problem_at_the_start_where_one_may_be_needed(
    connector: Start,
) -> None:
    """Exit code 2 and one line that says what to do, instead of connections that break later.

    Seen to fail when nobody looks for a place until the first large body comes.
    """
    found = connector(prefix=no_files(0), **LARGE)

    assert found.end() == 2
    assert found.stderr.startswith("MAX_BODY_BYTES is above MAX_MEMORY_BODY_BYTES, and there is no")
    assert found.stderr.count("\n") == 1


def test_no_file_is_needed_up_to_the_memory_limit(connector: Start) -> None:
    """The largest body of the defaults is taken where no file can be written at all.

    The target is a file as well, so the batch is one that is refused after it has been read whole.
    """
    client = connector(prefix=no_files(0)).listening()
    body = b"[" + b",".join([*(ENTITY % (at, b"x" * 4_000) for at in range(1_000)), b"{}"]) + b"]"

    for size in (len(body), 4 * 1024 * 1024):
        assert client.send(body=body.ljust(size)).status == 422
    assert client.send(body=body.ljust(4 * 1024 * 1024 + 1)).status == 413


def test_the_largest_bodies_need_no_folder_for_temporary_files(tmp_path: Path) -> None:
    """Ten at once, sent whole or in chunks, where no folder that Python tries can be written to.

    Seen to fail with waitress's own ``inbuf_overflow``: the connection is reset.
    """
    (tmp_path / "sitecustomize.py").write_text(
        "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nonexistent/either']"
    )
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    import_from = os.pathsep.join(filter(None, [str(tmp_path), *inherited]))
    limit = 4 * 2**20
    body = json.dumps([{"_id": "1", "text": "x" * 100_000}] * 41).encode().ljust(limit)
    pieces = [body[at : at + 2**16] for at in range(0, limit - 4096, 2**16)]
    pieces[-1] = pieces[-1][:-2048]  # what is between the chunks counts, too
    with (
        process(tmp_path / "process", TMPDIR="/nonexistent", PYTHONPATH=import_from) as connector,
        ThreadPoolExecutor(10) as pool,
    ):
        client = connector.listening()
        assert client.send(body=body).document == {"delivered": 41, "skipped": 0}
        assert client.send(body=body + b" ").status == 413

        whole = pool.map(lambda _: client.send(body=body).status, range(10))
        assert set(whole) <= {200, 503}
        chunked = pool.map(lambda _: client.send(body=iter(pieces)).status, range(10))
        assert set(chunked) <= {200, 503}
        assert client.send(body=iter(pieces)).status == 200
        assert connector.end() == 0
    assert "ERROR" not in connector.output()


def test_a_full_disk_is_no_room_and_nothing_breaks(connector: Start) -> None:
    """503 with Retry-After while the body still arrives; smaller ones go on being delivered.

    Seen to fail, with a broken connection, when the error of the write is not caught.
    """
    found = connector(prefix=no_files(1_000), **LARGE, MAX_MEMORY_BODY_BYTES="300000")
    client = found.listening()

    for _ in range(3):
        with client.connect() as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n")
            came = send_until_refused(connection, 9 * MEGABYTE)
        assert problem(came)["type"] == "urn:sesam-connector:busy"
        assert problem(came)["detail"].startswith("The body's temporary file cannot be written: ")
        assert b"\r\nRetry-After: 5\r\n" in came
        assert post(client, 20).document == {"delivered": 20, "skipped": 0}
    assert ids(found.target) == [f"{at:06}" for at in range(20)] * 3


def test_a_full_disk_is_no_room_for_a_small_piece_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written cannot be flushed when the file is closed; 503 all the same.

    Seen to fail when the error of the close is not caught.
    """
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full: nothing else is a full disk for everybody")
    full = Path("/dev/full").open
    monkeypatch.setattr(waitress.buffers.TempfileBasedBuffer, "newfile", lambda _: full("w+b"))
    parser = began(10_000)

    assert [parser.received(b"x" * size) for size in (3_000, 6_000)] == [3_000, 6_000]

    assert parser.completed
    assert parser.error is not None
    assert parser.error.code == 503


def send_until_refused(connection: socket.socket, size: int) -> bytes:
    """Send a body of so many bytes, and read what is answered; the server may hang up meanwhile."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(size // MEGABYTE):
            connection.sendall(b" " * MEGABYTE)
    return rest(connection)
