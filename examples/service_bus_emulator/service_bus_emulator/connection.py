"""One TCP connection: bytes to frames, the SASL exchange, opening, idling, closing.

Belongs here: what comes before a session (specification 2.2 to 2.4, 5.3). Imports `frames` and
`session`. Nothing a client sends may do more than close its own connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable

from service_bus_emulator import frames
from service_bus_emulator.broker import Refused
from service_bus_emulator.core import Core
from service_bus_emulator.decoding import DecodeError
from service_bus_emulator.frames import AMQP_FRAME, AMQP_HEADER, SASL_FRAME, SASL_HEADER
from service_bus_emulator.nodes import Grants
from service_bus_emulator.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    Performative,
    SaslInit,
    Transfer,
    decode_performative,
)
from service_bus_emulator.session import Session

logger = logging.getLogger("service_bus_emulator")

MECHANISMS = ["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"]
"""As Azure offers them: .NET and Java pick the first, Python and JavaScript ANONYMOUS."""

CLOSE_GRACE = 1.0
"""Seconds a client has to answer our CLOSE."""

SMALLEST_FRAME = 512

FLUSH_SIZE = 65_536
"""Bytes gathered before they are handed to the socket, whose buffer then says when to pause."""

_FRAME_HEADER = struct.Struct(">IBBH")


class Connection(asyncio.Protocol):
    """A connection with a client."""

    def __init__(self, core: Core, connections: set[Connection]) -> None:
        """Wait for a client; `connections` holds all that are connected."""
        self.core = core
        self.grants = Grants()
        self.peer_frame_size = SMALLEST_FRAME
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._out: list[bytes] = []
        self._out_size = 0
        self._receiving = False
        self._consume: Callable[[bytes, int], int] = self._take_header
        self._sasl_done = False
        self._opened = False
        self._closing = False
        self._writable = True
        self._sessions: dict[int, Session] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._last_received = 0.0

    # --- asyncio --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start waiting for the client's first bytes."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- TCP, by construction
        self._transport = transport
        self._connections.add(self)
        self._last_received = self._loop.time()
        self._repeat(self.core.idle_timeout / 2, self._check_idle)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Forget everything about the client."""
        self._connections.discard(self)
        self._closing = True
        self._transport = None
        for timer in self._timers:
            timer.cancel()
        for session in self._sessions.values():
            session.end()
        self._sessions.clear()

    def data_received(self, data: bytes) -> None:
        """Take bytes; whole frames are acted on, the rest waits."""
        self._last_received = self._loop.time()
        self._receiving = True
        try:
            self._consume_all(self._buffer + data if self._buffer else data)
        except DecodeError as error:
            self.close_with("amqp:decode-error", str(error))
        except Refused as error:
            self.close_with(error.condition, error.description)
        except Exception:
            # A bug of ours must not take the other connections along.
            logger.exception("connection closed after an internal error")
            self.close_with("amqp:internal-error", "The emulator failed; see its log.")
        self._receiving = False
        self._flush()

    def pause_writing(self) -> None:
        """Stop delivering: the client does not read."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on delivering."""
        self._writable = True
        for session in self._sessions.values():
            session.resume()

    # --- what sessions need (session.Transport) -------------------------------------------------

    def write(self, channel: int, body: bytes) -> None:
        """Write one frame, together with others written in the same turn of the loop."""
        if self._closing:
            return
        self._write_soon(frames.frame(channel, body))

    def writable(self) -> bool:
        """Return whether the socket takes more."""
        return self._writable and not self._closing

    def close_with(self, condition: str, description: str) -> None:
        """Close the connection with an error; the client has a second to agree."""
        if self._closing or self._transport is None:
            return
        if not self._opened:
            self._send_open()
        self.write(0, frames.encode_close(frames.encode_error(condition, description)))
        self._flush()
        self._closing = True
        self._timers.append(self._loop.call_later(CLOSE_GRACE, self._transport.close))

    def drop(self) -> None:
        """Close the TCP connection without a word."""
        self._flush()
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def reset(self) -> None:
        """Reset the TCP connection."""
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop()

    # --- bytes in -------------------------------------------------------------------------------

    def _consume_all(self, data: bytes) -> None:
        position = 0
        self._buffer = b""
        while position < len(data) and self._transport is not None:
            consumed = self._consume(data, position)
            if not consumed:
                self._buffer = data[position:]
                return
            position += consumed

    def _take_header(self, data: bytes, position: int) -> int:
        header = data[position : position + 8]
        if header not in (AMQP_HEADER[: len(header)], SASL_HEADER[: len(header)]):
            self._refuse_header()
            return len(data) - position
        if len(header) < 8:
            return 0
        self._write_soon(header)
        if header == SASL_HEADER and not self._sasl_done:
            self._write_soon(frames.frame(0, frames.encode_mechanisms(MECHANISMS), SASL_FRAME))
        self._consume = self._take_frame
        return 8

    def _refuse_header(self) -> None:
        """Answer with the header we speak, and close (2.2)."""
        self._write_soon(AMQP_HEADER)
        self._flush()
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def _take_frame(self, data: bytes, position: int) -> int:
        if len(data) - position < 8:
            return 0
        size, offset, kind, channel = _FRAME_HEADER.unpack_from(data, position)
        if size < 8 or offset < 2 or offset * 4 > size or size > self.core.max_frame_size:
            raise Refused("amqp:connection:framing-error", f"A frame of {size} bytes.")
        if len(data) - position < size:
            return 0
        body = data[position + offset * 4 : position + size]
        if body and not self._closing:
            self._dispatch(kind, channel, body)
        elif body:
            self._finish_closing(body)
        return int(size)

    def _dispatch(self, kind: int, channel: int, body: bytes) -> None:
        performative, end = decode_performative(body)
        if kind == SASL_FRAME and isinstance(performative, SaslInit) and not self._sasl_done:
            self._sasl(performative)
        elif kind != AMQP_FRAME or isinstance(performative, SaslInit):
            raise Refused("amqp:connection:framing-error", "A frame of a type not expected now.")
        elif isinstance(performative, Open):
            self._open(performative)
        elif not self._opened:
            raise Refused("amqp:not-allowed", "The first frame must be an OPEN.")
        elif isinstance(performative, Transfer):
            self._session(channel).transfer(performative, body[end:])
        else:
            self._act(channel, performative)

    def _act(self, channel: int, performative: Performative) -> None:
        match performative:
            case Begin():
                self._begin(channel, performative)
            case Attach():
                self._session(channel).attach(performative)
            case Flow():
                self._session(channel).flow(performative)
            case Disposition():
                self._session(channel).disposition(performative)
            case Detach():
                self._session(channel).detach(performative.handle)
            case End():
                self._end(channel)
            case Close():
                self._close()

    def _session(self, channel: int) -> Session:
        session = self._sessions.get(channel)
        if session is None:
            raise Refused("amqp:not-allowed", f"No session has begun on channel {channel}.")
        return session

    # --- connection performatives ---------------------------------------------------------------

    def _sasl(self, init: SaslInit) -> None:
        self._sasl_done = True
        known = init.mechanism in MECHANISMS
        if init.mechanism == "PLAIN":
            known = self.grants.everything = self._check_plain(init.initial_response or b"")
        self._write_soon(frames.frame(0, frames.encode_sasl_outcome(0 if known else 1), SASL_FRAME))
        self._consume = self._take_header
        if not known and self._transport is not None:
            self._flush()
            self._closing = True
            self._transport.close()

    def _check_plain(self, response: bytes) -> bool:
        """Check "authorisation NUL key name NUL key" (RFC 4616)."""
        parts = response.split(b"\0")
        if len(parts) != 3:
            return False
        name, key = (part.decode("utf-8", "replace") for part in parts[1:])
        return self.core.access.check_password(name, key)

    def _open(self, request: Open) -> None:
        if self._opened:
            raise Refused("amqp:not-allowed", "The connection is open already.")
        self.peer_frame_size = min(request.max_frame_size or 65_536, 65_536)
        if self.peer_frame_size < SMALLEST_FRAME:
            raise Refused("amqp:invalid-field", "max-frame-size must be at least 512.")
        self._send_open()
        if request.idle_timeout:
            # Twice as often as the client demands, as the specification advises (2.4.5).
            self._repeat(request.idle_timeout / 2000, self._send_empty)

    def _send_open(self) -> None:
        self._opened = True
        core = self.core
        body = frames.encode_open("service-bus-emulator", core.max_frame_size, core.idle_timeout)
        self.write(0, body)

    def _begin(self, channel: int, begin: Begin) -> None:
        if channel in self._sessions:
            raise Refused("amqp:not-allowed", f"Channel {channel} has a session already.")
        self._sessions[channel] = Session(self, channel, begin)

    def _end(self, channel: int) -> None:
        self._session(channel).end()
        del self._sessions[channel]
        self.write(channel, frames.encode_end())

    def _close(self) -> None:
        self.write(0, frames.encode_close())
        self._flush()
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def _finish_closing(self, body: bytes) -> None:
        """Having sent a CLOSE, wait for the client's and ignore everything else."""
        with contextlib.suppress(DecodeError):
            if isinstance(decode_performative(body)[0], Close) and self._transport:
                self._transport.close()

    # --- time and bytes out ---------------------------------------------------------------------

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def _repeat(self, seconds: float, action: Callable[[], None]) -> None:
        place = len(self._timers)

        def again() -> None:
            action()
            if self._transport is not None:
                self._timers[place] = self._loop.call_later(seconds, again)

        self._timers.append(self._loop.call_later(seconds, again))

    def _send_empty(self) -> None:
        if not self._closing:
            self._write_soon(frames.EMPTY_FRAME)

    def _check_idle(self) -> None:
        idle = self._loop.time() - self._last_received
        if idle >= self.core.idle_timeout:
            milliseconds = round(self.core.idle_timeout * 1000)
            text = f"The connection was inactive for more than the allowed {milliseconds} ms."
            self.close_with("amqp:connection:forced", text)

    def _write_soon(self, data: bytes) -> None:
        if not self._out and not self._receiving:
            self._loop.call_soon(self._flush)
        self._out.append(data)
        self._out_size += len(data)
        if self._out_size > FLUSH_SIZE:
            self._flush()

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()
        self._out_size = 0
