"""What an author of a sink subclasses and is given: ``Sink`` and ``Batch``.

No HTTP library is imported in this room, so an author's class runs in a test without a server.
"""

from .base import Sink
from .batch import Batch, Receipt
from .delivery import deliver

__all__ = ["Batch", "Receipt", "Sink", "deliver"]
