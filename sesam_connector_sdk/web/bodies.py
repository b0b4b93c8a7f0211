"""A request's body: declared as JSON, whole, seekable, within the limit.

Knows Falcon; imports ``errors`` only.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

import falcon

from sesam_connector_sdk.errors import TooLarge, UnsupportedMediaType

_SPOOL_BYTES = 512 * 1024
# While a file is read, Python lets its other threads run; in a short read none of them gets as far,
# and with one short read after the other none ever does.
_READ_BYTES = 1024 * 1024
# Falcon's time to parse a header with a quote in it grows with the square of the header's length.
_LONGEST_TYPE = 200


def require_json(req: falcon.Request) -> None:
    """Refuse a body that is not declared as plain JSON in UTF-8; no declaration will do."""
    encoding = req.get_header("Content-Encoding")
    if encoding and encoding.lower() != "identity":
        raise UnsupportedMediaType("The body is compressed. Send it without Content-Encoding.")
    declared = req.content_type or falcon.MEDIA_JSON
    if len(declared) > _LONGEST_TYPE:
        raise UnsupportedMediaType(
            f"The header Content-Type has more than {_LONGEST_TYPE} characters."
            " Send Content-Type: application/json."
        )
    media_type, options = falcon.parse_header(declared)
    media_type = media_type.lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(
            "The header Content-Type does not say JSON. Send Content-Type: application/json."
        )
    if options.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("The body is not declared as UTF-8. Send JSON in UTF-8.")


@contextlib.contextmanager
def body(req: falcon.Request, limit: int) -> Iterator[BinaryIO]:
    """The request's body as a seekable stream of at most ``limit`` bytes."""
    if (req.content_length or 0) > limit:
        raise _too_large(limit)
    stream = req.env["wsgi.input"]
    if isinstance(stream, io.BufferedRandom):
        with _in_large_reads(stream) as file:
            yield file
        return
    if isinstance(stream, io.IOBase) and stream.seekable():
        yield stream  # type: ignore[misc]  # IOBase is all that typeshed lets us ask for
        return
    # Some servers do not keep a body themselves: it can be read only once.
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES, buffering=_READ_BYTES) as spool:
        # A body in chunks has no length; a server that says so ends the stream where the body ends.
        whole = req.env.get("wsgi.input_terminated")
        _copy(req.stream if whole else req.bounded_stream, spool, limit)
        yield spool  # type: ignore[misc]  # a BinaryIO in all but its declaration


@contextlib.contextmanager
def _in_large_reads(file: io.BufferedRandom) -> Iterator[BinaryIO]:
    """The same file, which stays the server's own, read so that its other threads get their turns.

    A probe would be answered when the body is done with, however long that takes.
    """
    file.flush()
    reader = io.BufferedReader(file.raw, _READ_BYTES)
    try:
        yield reader
    finally:
        reader.detach()  # or it would close the file at the end of its own life


def _copy(stream: Any, spool: IO[bytes], limit: int) -> None:
    while piece := stream.read(64 * 1024):
        spool.write(piece)
        if spool.tell() > limit:
            raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body has more than {limit} bytes."
        " Lower the pipe's batch_size, or raise MAX_BODY_BYTES."
    )
