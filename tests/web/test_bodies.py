"""The body as a stream: what the server keeps in a file is read well, and stays the server's."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import falcon
import falcon.testing
import pytest

from sesam_connector_sdk.web.bodies import body

MEGABYTE = 1024 * 1024


class CountingFile(io.FileIO):
    """A file that remembers how much it was asked for each time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self.asked: list[int] = []

    def readinto(self, buffer: Any) -> int:
        """Read, and remember."""
        self.asked.append(len(buffer))
        return super().readinto(buffer)


def request(stream: io.BufferedRandom) -> falcon.Request:
    """A request whose body the server has put there."""
    environ = falcon.testing.create_environ(method="POST")
    return falcon.Request({**environ, "wsgi.input": stream})


def test_a_body_in_a_file_is_read_a_megabyte_at_a_time(tmp_path: Path) -> None:
    """However little is asked for: a thread that comes back too soon lets no other get its turn.

    Seen to fail where the server's own stream is read.
    """
    file = CountingFile(tmp_path / "body")
    stream = io.BufferedRandom(file)
    written = bytes(range(256)) * (4 * MEGABYTE // 256)
    stream.write(written)

    with body(request(stream), limit=len(written)) as taken:
        for _ in range(2):
            taken.seek(0)
            assert b"".join(iter(lambda: taken.read(96 * 1024), b"")) == written

    assert min(file.asked) >= MEGABYTE
    stream.close()


def test_a_file_with_a_body_stays_open_for_the_server(tmp_path: Path) -> None:
    """It is the server that made it; also where reading failed."""
    stream = io.BufferedRandom(CountingFile(tmp_path / "body"))
    stream.write(b"[]")

    with pytest.raises(EOFError), body(request(stream), limit=2):
        raise EOFError

    stream.seek(0)
    assert stream.read() == b"[]"
    stream.close()
