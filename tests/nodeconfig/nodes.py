"""Configuration directories to read, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sesam_connector_sdk.nodeconfig import ConfigError, NodeConfig, load

Write = Callable[..., Path]

SYSTEM: dict[str, Any] = {
    "_id": "target",
    "type": "system:microservice",
    "docker": {"image": "i", "port": 5000},
}
PIPE: dict[str, Any] = {
    "_id": "to-target",
    "type": "pipe",
    "source": {"type": "embedded", "entities": [{"_id": "a"}]},
    "sink": {"type": "json", "system": "target", "url": "/"},
}


def read(directory: Path, **options: Any) -> NodeConfig:
    """Load it, without the variables of this process."""
    return load(directory, **{"environment": {}, **options})


def problems(directory: Path, **options: Any) -> tuple[str, ...]:
    """What is wrong with it."""
    with pytest.raises(ConfigError) as refused:
        read(directory, **options)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems
