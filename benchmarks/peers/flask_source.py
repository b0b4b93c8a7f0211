"""A source as it is usually written: Flask on waitress, a comma and an entity yielded in turns.

It checks nothing. Typed values are written by a hook of ``json.dumps``.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import waitress.server
from flask import Flask, Response, request

from benchmarks.sources.customers import customers

app = Flask(__name__)


def typed(value: object) -> str:
    """A value that JSON has not, as the hub has it."""
    if isinstance(value, datetime):
        return f"~t{value.replace(tzinfo=None).isoformat()}Z"
    if isinstance(value, date):
        return f"~t{value.isoformat()}"
    if isinstance(value, Decimal):
        return f"~f{value}"
    if isinstance(value, uuid.UUID):
        return f"~u{value}"
    raise TypeError(type(value).__name__)


@app.get("/")
def read() -> Response:
    """As many customers as are asked for, of one kind."""
    return Response(
        _yielded(request.args["kind"], int(request.args["count"])), mimetype="application/json"
    )


def _yielded(kind: str, count: int) -> Iterator[str]:
    yield "["
    for position, entity in enumerate(customers(kind, count)):
        if position:
            yield ","
        yield json.dumps(entity, default=typed)
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
