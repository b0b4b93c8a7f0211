"""The Sesam protocols as values and state machines: no HTTP, no connector classes.

``push`` holds the parameters of the JSON push protocol, ``pull`` those of JSON pull; ``full_sync``
the state of a push's full syncs, ``digests`` and ``turns`` what that needs. ``trace`` is the
context of W3C's traces.
"""

from .full_sync import FullSyncState, Position
from .pull import PullParameters
from .push import PushParameters
from .trace import TraceParent
from .turns import Turns

__all__ = [
    "FullSyncState",
    "Position",
    "PullParameters",
    "PushParameters",
    "TraceParent",
    "Turns",
]
