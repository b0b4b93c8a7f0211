"""The Sesam protocols as values and state machines: no HTTP, no connector classes.

``push`` holds the parameters of the JSON push protocol, ``full_sync`` the state of its full syncs;
``digests`` and ``turns`` are what that needs. ``trace`` is the context of W3C's traces.
"""

from .full_sync import FullSyncState, Position
from .push import PushParameters
from .trace import TraceParent
from .turns import Turns

__all__ = ["FullSyncState", "Position", "PushParameters", "TraceParent", "Turns"]
