"""An event loop that knows which sockets were opened for whom. Imports nothing of the sink.

The official client forgets a socket where the other end closes it, and where a time limit cancels
it half way through opening or closing a link. It then stays open until the garbage collector finds
it, in whatever thread, while asyncio's transports belong to one thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar

_OPENED: ContextVar[list[asyncio.Transport] | None] = ContextVar("_OPENED", default=None)


class SocketLoop(asyncio.SelectorEventLoop):
    """The usual event loop, which also keeps the books of ``remember``."""

    async def create_connection(  # type: ignore[override]  # what the client's libraries use of it
        self, factory: Callable[[], asyncio.Protocol], *where: str | int, **options: object
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """As in asyncio, where every connection of the client begins."""
        made = super().create_connection(  # type: ignore[call-overload]  # handed through
            lambda: _closing_at_eof(factory()), *where, **options
        )
        transport, protocol = await made
        books = _OPENED.get()
        if books is not None:
            abort(books)  # a sender has one connection: what it had before is forgotten
            books.append(transport)
        return transport, protocol


def remember(books: list[asyncio.Transport]) -> None:
    """Write down what the running task, and every task it starts, opens from now on.

    Args:
        books: Where. Holds the latest connection; those before it are closed.
    """
    _OPENED.set(books)


def abort(books: list[asyncio.Transport]) -> None:
    """Close at once what is in the books, and empty them.

    Args:
        books: As given to ``remember``.
    """
    for transport in books:
        transport.abort()
    books.clear()


def _closing_at_eof(protocol: asyncio.Protocol) -> asyncio.Protocol:
    """Have the socket closed when the other end closes it: AMQP knows no half-closed one."""
    received = protocol.eof_received

    def eof_received() -> bool:
        received()
        return False

    protocol.eof_received = eof_received  # type: ignore[method-assign]
    return protocol
