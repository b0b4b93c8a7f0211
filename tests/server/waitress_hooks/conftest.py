"""The fixture that most tests of this room begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.waitress_hooks.stepped import Stepped


@pytest.fixture
def stepped() -> Iterator[Stepped]:
    """A server that ends with the test."""
    made = Stepped()
    yield made
    made.close()
