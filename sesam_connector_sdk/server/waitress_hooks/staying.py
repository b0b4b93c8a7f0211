"""A thread stays with its connection for a moment, for the request that comes next.

waitress has its loop read each request, and a thread answer it: both wake up for every one, and
Python lets only one of them work at a time. A pipe sends its next batch as soon as the one before
is answered, so here the thread waits for that a little, and reads it itself. It does so only while
another thread has nothing to do, so nobody waits for one that waits.

Imports nothing of the SDK. Which requests a thread may take is up to ``server``.
"""

from __future__ import annotations

import select
import threading
import time

from waitress.channel import HTTPChannel

_STAY_MILLISECONDS = 5


class StayingChannel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that keeps the thread that has answered it.

    While it has one, the loop does not read from it, and what the thread has read is not given to
    another one: see ``StrictServer.add_task``.
    """

    has_thread = False
    has_next = False

    def readable(self) -> bool:
        """Whether the loop shall read when something arrives; see waitress."""
        return not self.has_thread and bool(super().readable())

    def service(self) -> None:
        """Answer a request, and those that come right behind it. Called in waitress' threads."""
        if not self.server.stays_with(self):
            super().service()
            return
        while self._answer():
            if not self.server.stays_with(self):
                self.server.add_task(self)
                return
        self.server.pull_trigger()

    def _answer(self) -> bool:
        """Answer a request, and say whether there is another one by then."""
        thread = threading.get_ident()
        self.server.alone_with[thread] = self
        self.has_thread, self.has_next = True, False
        try:
            super().service()
            self._read_on()
            another = self.has_next  # without a thread it may be another thread's to say
        except BaseException:
            self.will_close = True  # nobody knows how far it has been read
            raise
        finally:
            self.has_thread = False
            del self.server.alone_with[thread]
        return another

    def _read_on(self) -> None:
        """Read until a request is there, or nothing more comes, or others need the thread."""
        arrival = select.poll()
        try:
            arrival.register(self.socket, select.POLLIN)
            while self.may_wait() and arrival.poll(_STAY_MILLISECONDS):
                data = self.socket.recv(self.adj.recv_bytes)
                if not data:
                    return  # it ends here, as the loop will find, too
                self.last_activity = time.time()
                self.received(data)
        except (OSError, ValueError):
            return  # it is broken, as the loop will find, or the loop has closed it

    def may_wait(self) -> bool:
        """Whether the thread may wait for something to read."""
        if self.has_next or not self.connected or self.writable():
            return False
        return bool(self.server.has_spare_thread())
