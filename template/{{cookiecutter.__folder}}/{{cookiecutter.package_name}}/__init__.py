"""A connector for Sesam: ``{{ cookiecutter.kind }}`` is the connector, ``__main__`` starts it."""
