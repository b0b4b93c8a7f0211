"""A transform as one is usually written: Flask on waitress, the whole body in, all of it out.

Checks nothing, and rounds decimals to floats.
"""

from __future__ import annotations

import json
import os
import sys

import waitress.server
from flask import Flask, Response, request

app = Flask(__name__)


@app.post("/")
def transform() -> Response:
    """Every entity with its full name."""
    entities = request.get_json()
    for entity in entities:
        entity["crm-kunde:navn"] = f"{entity['crm-kunde:fornavn']} {entity['crm-kunde:etternavn']}"
    return Response(json.dumps(entities), mimetype="application/json")


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
