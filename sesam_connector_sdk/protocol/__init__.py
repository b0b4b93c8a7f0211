"""The Sesam protocols as values and state machines: no HTTP, no connector classes.

``push`` holds the parameters of the JSON push protocol.
"""

from .push import PushParameters

__all__ = ["PushParameters"]
