"""The process: settings from the environment, waitress, signals, a drain, logs to stdout.

``serve`` is the whole public door. Only ``waitress_hooks`` imports waitress.
"""

from .process import serve

__all__ = ["serve"]
