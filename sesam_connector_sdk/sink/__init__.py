"""What an author of a sink subclasses and is given: ``Sink``, ``Batch`` and ``FullSync``.

No HTTP library is imported in this room, so an author's class runs in a test without a server.
"""

from .base import Sink
from .batch import Batch, Receipt
from .delivery import deliver
from .full_sync import FullSync
from .sweep import part_in_full_sync

__all__ = ["Batch", "FullSync", "Receipt", "Sink", "deliver", "part_in_full_sync"]
