"""Answers with a JSON array: held back at first, so that an early failure has a clean status.

Knows Falcon; imports ``arraywriter`` and ``errors`` only. What sources and transforms share.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import falcon

from sesam_connector_sdk.arraywriter import pieces
from sesam_connector_sdk.errors import TransferBrokenError

from . import access, metrics, problems


def answer(
    req: falcon.Request,
    resp: falcon.Response,
    items: Iterator[bytes],
    *,
    hold: int,
    held: contextlib.ExitStack,
) -> None:
    """Answer 200 with an array of items, made while it is sent.

    Nothing is sent before the array is whole or more than ``hold`` bytes of it are there. What
    fails until then comes out of here; what fails later breaks the transfer, so that the array has
    no end. An array that is whole by then goes out with its ``Content-Length``.

    Args:
        req: Falcon's request.
        resp: Falcon's response, to which nothing has been written.
        items: Each a JSON object in UTF-8. Closed when the answer ends, however it does.
        hold: Bytes; 0 holds back one piece.
        held: What is let go when the answer has ended: entered by the caller, in whose ``with``
            block this is called, and taken over from it if the answer goes on after the block.
    """
    rest = _timed(pieces(items), req)
    begun = bytearray()
    with _answerable():
        for piece in rest:
            begun += piece
            if len(begun) > hold and not piece.endswith(b"]"):
                resp.stream = Stream(req, bytes(begun), rest, held.pop_all())
                break
        else:
            resp.data = bytes(begun)
    resp.content_type = falcon.MEDIA_JSON


def _timed(made: Iterator[bytes], req: falcon.Request) -> Iterator[bytes]:
    """The same, with the time that each takes counted as time of the connector's code."""
    with contextlib.closing(made):  # type: ignore[type-var]  # pieces() is a generator
        while True:
            with metrics.AtTarget(req):
                piece = next(made, None)
            if piece is None:
                return
            yield piece


class Stream(Iterator[bytes]):
    """The body of an answer that is made while it is sent. The server closes it in any case.

    Args:
        req: Falcon's request.
        begun: What was made already.
        rest: Makes the rest.
        held: What is let go at the end.
    """

    def __init__(
        self,
        req: falcon.Request,
        begun: bytes,
        rest: Iterator[bytes],
        held: contextlib.ExitStack,
    ) -> None:
        self._req = req
        self._begun = begun
        self._rest = rest
        self._held = held
        self._open = True
        req.context.problem = {"ended": "by-client"}  # unless something else ends it

    def __next__(self) -> bytes:
        if self._begun:
            begun, self._begun = self._begun, b""
            return begun
        try:
            with _answerable():
                return next(self._rest)
        except StopIteration:
            self._req.context.problem = {}
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the transfer breaks
            self._req.context.problem = problems.broken_off(error)
            # From None: what a server logs of it must not hold the text of the author's exception.
            raise TransferBrokenError from None

    def close(self) -> None:
        """Close what makes the rest, let go of what was held, and log the request."""
        if not self._open:
            return
        self._open = False
        try:
            self._rest.close()  # type: ignore[attr-defined]  # pieces() is a generator
        except Exception as error:  # noqa: BLE001  # the client is gone; nobody else can be told
            self._req.context.problem = problems.broken_off(error)
        finally:
            self._held.close()
            access.ended(self._req, 200)


@contextlib.contextmanager
def _answerable() -> Iterator[None]:
    """Make a bug of what would end the server's thread and leave the hub without an answer."""
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__} ended the making of an answer") from error
