"""What an author of a transform subclasses: ``Transform``.

No HTTP library is imported in this room, so an author's class runs in a test without a server.
"""

from .base import Result, Transform
from .results import transformed

__all__ = ["Result", "Transform", "transformed"]
