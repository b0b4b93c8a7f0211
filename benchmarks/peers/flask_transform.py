"""Transforms as they are usually written: Flask on waitress, the whole body in.

One sends its answer whole. The other yields it entity by entity, as templates for transforms do.
Both check nothing, and round decimals to floats.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import waitress.server
from flask import Flask, Response, request

app = Flask(__name__)


def transform(entity: dict[str, Any]) -> dict[str, Any]:
    """The entity with its full name."""
    entity["crm-kunde:navn"] = f"{entity['crm-kunde:fornavn']} {entity['crm-kunde:etternavn']}"
    return entity


@app.post("/")
def whole() -> Response:
    """Everything at once."""
    made = [transform(entity) for entity in request.get_json()]
    return Response(json.dumps(made), mimetype="application/json")


@app.post("/yielded")
def yielded() -> Response:
    """One entity after the other."""
    return Response(_yielded(request.get_json()), mimetype="application/json")


def _yielded(entities: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield "["
    for position, entity in enumerate(entities):
        if position:
            yield ","
        yield json.dumps(transform(entity))
    yield "]"


def main() -> None:
    """Serve until ended by a signal."""
    server = waitress.server.create_server(
        app, host=os.environ["BIND_ADDRESS"], port=os.environ["PORT"]
    )
    sys.stdout.write(f"listening on {server.effective_host}:{server.effective_port}\n")
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
