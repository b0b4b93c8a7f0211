"""What an author of a sink subclasses and is given: ``Sink``, ``Batch`` and ``Request``.

No HTTP library is imported in this room, so an author's class runs in a test without a server.
"""

from .base import Sink
from .batch import Batch, Receipt
from .delivery import deliver
from .request import Request

__all__ = ["Batch", "Receipt", "Request", "Sink", "deliver"]
