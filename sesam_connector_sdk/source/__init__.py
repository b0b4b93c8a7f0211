"""What an author of a source subclasses and is given: ``Source`` and the codecs of ``since``.

No HTTP library is imported in this room, so an author's class runs in a test without a server.
"""

from .base import Source
from .dataset import Dataset
from .pull import Pull, asked
from .since import CompositeSince, IntegerSince, Since, TimestampSince

__all__ = [
    "CompositeSince",
    "Dataset",
    "IntegerSince",
    "Pull",
    "Since",
    "Source",
    "TimestampSince",
    "asked",
]
