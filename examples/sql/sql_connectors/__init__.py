"""A Sesam sink that keeps entities in SQL tables, and a source that gives them back."""

from .settings import SqlSettings
from .sink import SqlSink
from .source import SqlSource

__all__ = ["SqlSettings", "SqlSink", "SqlSource"]
