"""A connector for Sesam: ``sink`` is the connector, ``__main__`` starts it."""
